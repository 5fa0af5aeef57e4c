//! The functions `k8s.…` (spec/rules 2.8), as a rule's author meets them: values, mistakes at compile time, errors of a run, and
//! what a program is said to read.

use kanon_core::Object;
use kanon_expr::Expr;
use kanon_lang::{Arena, Environment, Language, Limits, Options, Value};

const OBJECT: &str = r#"{"kind":"Deployment","metadata":{"labels":{"app":"web","tier":"a"}},"spec":{"template":{"spec":{
    "containers":[{"name":"web","image":"ghcr.io/corp/web:1.2.3","resources":{"limits":{"memory":"1536Mi","cpu":2}}},
                  {"name":"side","image":"side"}],
    "initContainers":[{"name":"init","image":"init:2"}]}}}}"#;

fn environment() -> Environment {
    Environment::new(["object", "nothing"])
}

/// What `source` gives as JSON, or its error behind `!`, or its compile error behind `?`.
fn check(source: &str, want: &str) {
    let program = match Expr::default().compile(source, &environment(), &Options::default()) {
        Ok(program) => program,
        Err(mistakes) => {
            let first = &mistakes.list[0];
            let help = first.help.as_deref().map(|it| format!(" ({it})")).unwrap_or_default();
            assert_eq!(format!("?{} {}{help}", first.span.start, first.message), want, "{source}");
            return;
        }
    };
    let (object, arena) = (Object::parse(OBJECT).expect("is an object"), Arena::new());
    let values = [Value::from_node(object.root(), &arena), Value::Null];
    let found = match program.evaluate(&values, &Limits::default(), &arena) {
        Ok(value) => value.to_json(&arena).to_string(),
        Err(error) => format!("!{}", error.message),
    };
    assert_eq!(found, want, "{source}");
}

#[test]
fn quantities_compare_and_add() {
    check(r#"k8s.quantity("1.5Gi") == k8s.quantity("1536Mi")"#, "true");
    check(r#"k8s.quantity("200m") < k8s.quantity("1")"#, "true");
    check(r#"k8s.quantity("1Gi") >= k8s.quantity("1G")"#, "true");
    check(r#"k8s.quantity(2) > k8s.quantity(0.5)"#, "true");
    check(r#"k8s.quantity("1Gi") + k8s.quantity("512Mi")"#, r#""1536Mi""#);
    check(r#"k8s.quantity("1500m") - 1"#, r#""500m""#);
    check(r#"sum(map(["100m", "400m"], k8s.quantity(#)))"#, r#""500m""#);
    check(r#"k8s.quantity(object.spec.template.spec.containers[0].resources.limits.cpu) <= k8s.quantity("2")"#, "true");
}

#[test]
fn versions_compare_by_precedence() {
    check(r#"k8s.semver("1.10.0") > k8s.semver("1.9.9")"#, "true");
    check(r#"k8s.semver("1.0.0-rc.1") < k8s.semver("1.0.0")"#, "true");
    check(r#"k8s.semver("v1.29", true) == k8s.semver("1.29.0")"#, "true");
    check(r#"k8s.semver(k8s.image(object.spec.template.spec.containers[0].image).tag) >= k8s.semver("1.2.0")"#, "true");
}

#[test]
fn ranges_selectors_and_images_are_those_of_the_other_languages() {
    check(r#"k8s.cidrContains("10.0.0.0/8", "10.1.0.0/16")"#, "true");
    check(r#"k8s.cidrContains("10.0.0.0/8", "11.0.0.1")"#, "false");
    check(r#"k8s.cidrContains("fc00::/7", "10.0.0.1")"#, "false");
    check(r#"k8s.selectorMatches({app: "web"}, object.metadata.labels)"#, "true");
    check(r#"k8s.selectorMatches("tier in (b, c)", object.metadata.labels)"#, "false");
    check(r#"k8s.selectorMatches({matchExpressions: [{key: "x", operator: "DoesNotExist"}]}, {a: "b"})"#, "true");
    check(r#"k8s.selectorMatches({app: "web"}, nil)"#, "false");
    check(r#"k8s.image("quay.io/x/y:1@sha256:ab").registry"#, r#""quay.io""#);
}

#[test]
fn pods_are_found_in_every_workload() {
    check(
        "k8s.containers(object) | map(.name + \" \" + .containerType)",
        r#"["web standard","side standard","init init"]"#,
    );
    check("any(k8s.containers(object), .resources?.limits == nil)", "true");
    check("len(k8s.podSpec(object).initContainers)", "1");
    check("k8s.containers(nothing)", "[]");
    check("k8s.podSpec(object.metadata)", "null");
}

#[test]
fn mistakes_show_when_a_rule_is_compiled() {
    check(r#"k8s.quantiy("1")"#, r#"?4 there is no function k8s.quantiy (did you mean `k8s.quantity`?)"#);
    check("k8s.quantity([1])", "?4 cannot use []int as argument (type float64) to call k8s.quantity ");
    check(r#"k8s.quantity("1") < "2""#, "?18 invalid operation: < (mismatched types kubernetes.Quantity and string)");
    check(
        r#"k8s.quantity("1") == k8s.semver("1.0.0")"#,
        "?18 invalid operation: == (mismatched types kubernetes.Quantity and kubernetes.Semver)",
    );
    check(r#"k8s.cidrContains("10.0.0.0/8")"#, "?4 not enough arguments to call k8s.cidrContains");
    check(r#"k8s.image("a").digest.x"#, "!cannot fetch x from <nil>");
}

#[test]
fn errors_of_a_run_say_what_was_given() {
    check(
        r#"k8s.quantity("two")"#,
        "!`two` is no quantity: quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'",
    );
    check("k8s.quantity(nothing)", "!the function does not take (<nil>)");
    check(
        r#"k8s.semver("v1")"#,
        r#"!invalid semantic version "v1": unexpected character 'v' while parsing major version number"#,
    );
    check(
        r#"k8s.cidrContains("ten", "10.0.0.1")"#,
        "!network address parse error during conversion from string: invalid CIDR address: ten",
    );
    check(
        "k8s.selectorMatches([], {})",
        "!`k8s.selectorMatches`: a selector is a map of labels, a label selector or a text such as `app=web`",
    );
    check(
        "k8s.podSpec({spec: {containers: []}})",
        "!`k8s.podSpec` takes an object as the cluster has it, such as `object`",
    );
}

#[test]
fn a_variable_of_that_name_is_no_namespace() {
    let environment = Environment::new(["k8s"]);
    let program = Expr::default().compile("k8s.quantity", &environment, &Options::default()).unwrap();
    let (object, arena) = (Object::parse(r#"{"quantity":7}"#).unwrap(), Arena::new());
    let values = [Value::from_node(object.root(), &arena)];
    let limits = Limits::default();
    let found = program.evaluate(&values, &limits, &arena).unwrap();
    assert_eq!(found.to_json(&arena), serde_json::json!(7));
    // What it calls there is the variable's member, as ever.
    let called = Expr::default().compile("k8s.quantity(1)", &environment, &Options::default()).unwrap();
    assert!(called.evaluate(&values, &limits, &arena).is_err_and(|it| it.message.contains("cannot call")));
}

#[test]
fn what_looks_at_a_pod_reads_the_whole_object() {
    for source in ["len(k8s.containers(object)) > 1", "k8s.podSpec(object).hostNetwork == true"] {
        let program = Expr::default().compile(source, &environment(), &Options::default()).unwrap();
        let reads = program.reads();
        assert!(reads.paths.contains(&vec!["object".to_owned()]), "{source}: {:?}", reads.paths);
    }
}
