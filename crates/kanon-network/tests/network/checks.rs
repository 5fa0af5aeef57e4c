//! The built-in checks: a row for each way in which they fire, and for each in which they must not.

use kanon_network::{Check, IpBlock, Options, Severity, checks};

use crate::model;

fn all() -> Options {
    Options { on: Check::ALL.into(), ..Options::default() }
}

fn found(yaml: &str, options: &Options) -> Vec<String> {
    let model = model(yaml);
    let namespace = model.namespace("shop").expect("the namespace");
    checks::check(namespace, options)
        .into_iter()
        .map(|it| format!("{} {} {}", it.severity, it.key, it.message))
        .collect()
}

fn pod(name: &str) -> String {
    format!(
        "---\n{{apiVersion: v1, kind: Pod, metadata: {{name: {name}, namespace: shop, labels: {{app: {name}}}}}, spec: {{containers: [{{name: c, ports: [{{name: http, containerPort: 80}}]}}]}}}}\n"
    )
}

fn policy(name: &str, spec: &str) -> String {
    format!(
        "---\n{{apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {{name: {name}, namespace: shop}}, spec: {spec}}}\n"
    )
}

/// The ids of what a check finds among one pod `web` and this policy `p`.
fn fires(check: Check, spec: &str, want: &[&str]) {
    let options = Options { on: [check].into(), ..Options::default() };
    let model = model(&format!("{}{}", pod("web"), policy("p", spec)));
    let namespace = model.namespace("shop").expect("the namespace");
    let keys: Vec<_> = checks::check(namespace, &options).iter().map(|it| it.key.to_string()).collect();
    assert_eq!(keys, want, "{spec}");
}

#[test]
fn the_originals_checks_have_its_ids_severities_and_objects() {
    let yaml = pod("web")
        + &pod("db")
        + &policy(
            "out",
            "{podSelector: {matchLabels: {app: web}}, egress: [{to: [{podSelector: {}}, {ipBlock: {cidr: 1.0.0.0/8}}]}]}",
        )
        + &policy("lost", "{podSelector: {matchLabels: {app: gone}}}");
    assert_eq!(
        found(&yaml, &Options::default()),
        [
            "medium np.default-deny-missing:shop namespace `shop` has 2 pods and no default-deny policy for ingress",
            "high np.broad-cidr:shop/out:0:1 policy `shop/out` lets pods reach `1.0.0.0/8`: rule[0].to[1] is broad",
            "low np.unreachable-selector:shop/lost policy `shop/lost` selects no pod: `app=gone` fits none",
        ]
    );
    let model = model(&yaml);
    let findings = checks::check(model.namespace("shop").expect("the namespace"), &Options::default());
    let subject = &findings[0].subject;
    assert_eq!((&*subject.gvk.kind, &*subject.namespace, &*subject.name), ("Namespace", "shop", "shop"));
    let subject = &findings[1].subject;
    assert_eq!((&*subject.gvk.group, &*subject.namespace, &*subject.name), ("networking.k8s.io", "shop", "out"));
}

#[test]
fn default_deny_must_be_effective_for_ingress() {
    let key = ["np.default-deny-missing:shop"];
    fires(Check::DefaultDenyMissing, "{podSelector: {}}", &[]);
    fires(Check::DefaultDenyMissing, "{podSelector: {}, policyTypes: [Ingress, Egress]}", &[]);
    fires(Check::DefaultDenyMissing, "{podSelector: {}, policyTypes: [Egress]}", &key);
    fires(Check::DefaultDenyMissing, "{podSelector: {}, ingress: [{from: [{podSelector: {}}]}]}", &key);
    fires(Check::DefaultDenyMissing, "{podSelector: {matchLabels: {app: web}}}", &key);
    fires(Check::DefaultDenyMissing, "{podSelector: {matchLabels: {}, matchExpressions: []}}", &[]);
    let empty = "{apiVersion: v1, kind: Namespace, metadata: {name: shop}}\n";
    assert_eq!(found(empty, &Options::default()), Vec::<String>::new());
    let host = pod("web").replace("spec: {", "spec: {hostNetwork: true, ");
    let ended = pod("web").replace("80}]}]}", "80}]}]}, status: {phase: Succeeded}");
    for unprotected in [host, ended] {
        assert_eq!(found(&unprotected, &Options::default()), Vec::<String>::new());
    }
    // What the first check takes for a default deny, the fourth calls careless (spec/rules 6.3).
    fires(Check::PolicyWithoutTargets, "{podSelector: {}}", &["np.policy-without-targets:shop/p"]);
    fires(Check::PolicyWithoutTargets, "{podSelector: {}, policyTypes: [Ingress]}", &[]);
    fires(Check::PolicyWithoutTargets, "{podSelector: {matchLabels: {app: web}}}", &[]);
    fires(Check::PolicyWithoutTargets, "{podSelector: {}, ingress: [{}]}", &[]);
}

#[test]
fn selectors_that_fit_nothing_are_named() {
    let key = ["np.unreachable-selector:shop/p"];
    fires(Check::UnreachableSelector, "{podSelector: {matchLabels: {app: web}}}", &[]);
    fires(Check::UnreachableSelector, "{podSelector: {}}", &[]);
    fires(Check::UnreachableSelector, "{podSelector: {matchLabels: {app: gone}}}", &key);
    // The original reads no expressions and takes this for every pod.
    fires(Check::UnreachableSelector, "{podSelector: {matchExpressions: [{key: app, operator: DoesNotExist}]}}", &key);
    fires(Check::UnreachableSelector, "{podSelector: {matchExpressions: [{key: app, operator: Exists}]}}", &[]);
}

#[test]
fn broad_is_a_large_part_of_the_internet() {
    let broad = |cidr: &str, except: &[&str]| {
        let except = except.iter().map(|it| it.parse().expect("a CIDR")).collect();
        IpBlock { cidr: cidr.parse().expect("a CIDR"), except }.is_broad()
    };
    for (cidr, want) in [
        ("0.0.0.0/0", true),
        ("1.0.0.0/8", true),
        ("10.0.0.0/8", false),
        ("192.168.0.0/16", false),
        ("10.5.0.0/16", false),
        ("10.0.0.0/7", true),
        ("1.0.0.0/9", false),
        ("172.0.0.0/8", true),
        ("128.0.0.0/1", true),
        ("11.0.0.0/8", true),
        ("::/0", true),
        ("2000::/3", true),
        ("2001::/16", true),
        ("2001::/17", false),
        ("fc00::/7", false),
        ("fd00::/8", false),
        ("fe80::/10", false),
        ("fe80::/9", true),
    ] {
        assert_eq!(broad(cidr, &[]), want, "{cidr}");
    }
    let private = ["10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16"];
    assert!(broad("0.0.0.0/0", &private), "the internet without private networks is the internet");
    assert!(broad("1.0.0.0/8", &["1.2.3.4/32"]), "a hole does not make it narrow");
    assert!(!broad("0.0.0.0/0", &["0.0.0.0/1", "128.0.0.0/1"]), "nothing is left");
    assert!(!broad("10.0.0.0/7", &["11.0.0.0/8"]), "what is left is private");
    assert!(!broad("1.0.0.0/8", &["1.0.0.0/9", "1.128.0.0/10", "1.2.0.0/16"]), "little is left");
    assert!(broad("::/0", &["8000::/1"]) && !broad("::/0", &["::/1", "8000::/1"]));
    fires(Check::BroadCidr, "{podSelector: {}, egress: [{to: [{ipBlock: {cidr: nonsense}}]}]}", &[]);
    fires(Check::BroadCidr, "{podSelector: {}, ingress: [{from: [{ipBlock: {cidr: 0.0.0.0/0}}]}]}", &[]);
    fires(
        Check::BroadCidr,
        "{podSelector: {}, egress: [{}, {to: [{ipBlock: {cidr: 0.0.0.0/0}}, {ipBlock: {cidr: '::/0'}}]}]}",
        &["np.broad-cidr:shop/p:1:0", "np.broad-cidr:shop/p:1:1"],
    );
}

#[test]
fn further_checks_fire_where_the_original_is_silent() {
    let web = "podSelector: {matchLabels: {app: web}}";
    let open = ["np.ingress-from-anywhere:shop/p:0"];
    fires(Check::IngressFromAnywhere, &format!("{{{web}, ingress: [{{ports: [{{port: 80}}]}}]}}"), &open);
    fires(
        Check::IngressFromAnywhere,
        &format!("{{{web}, ingress: [{{from: [{{podSelector: {{}}}}, {{ipBlock: {{cidr: 0.0.0.0/0}}}}]}}]}}"),
        &["np.ingress-from-anywhere:shop/p:0:1"],
    );
    fires(
        Check::IngressFromAnywhere,
        &format!("{{{web}, ingress: [{{from: [{{namespaceSelector: {{}}}}]}}]}}"),
        &["np.ingress-from-anywhere:shop/p:0:0"],
    );
    fires(
        Check::IngressFromAnywhere,
        &format!(
            "{{{web}, ingress: [{{from: [{{namespaceSelector: {{}}, podSelector: {{matchLabels: {{a: b}}}}}}]}}]}}"
        ),
        &[],
    );
    fires(
        Check::EgressToAnywhere,
        &format!("{{{web}, egress: [{{ports: [{{port: 443}}]}}]}}"),
        &["np.egress-to-anywhere:shop/p:0"],
    );
    fires(
        Check::EgressToAnywhere,
        &format!("{{{web}, egress: [{{ports: [{{port: 53, protocol: UDP}}, {{port: 53}}]}}]}}"),
        &[],
    );
    fires(Check::DefaultDenyEgressMissing, "{podSelector: {}}", &["np.default-deny-egress-missing:shop"]);
    fires(Check::DefaultDenyEgressMissing, "{podSelector: {}, policyTypes: [Egress]}", &[]);
    fires(
        Check::UnknownPort,
        &format!(
            "{{{web}, ingress: [{{ports: [{{port: 80}}, {{port: 8080}}, {{port: https}}, {{port: 79, endPort: 81}}]}}]}}"
        ),
        &["np.unknown-port:shop/p:0:1", "np.unknown-port:shop/p:0:2"],
    );
    fires(
        Check::UnknownPort,
        &format!("{{{web}, ingress: [{{ports: [{{port: 80, protocol: UDP}}]}}]}}"),
        &["np.unknown-port:shop/p:0:0"],
    );
    // A namespace with some policy is not covered by it.
    fires(Check::PodUncovered, "{podSelector: {matchLabels: {app: db}}}", &["np.pod-uncovered:shop"]);
    fires(Check::PodUncovered, "{podSelector: {}, policyTypes: [Egress]}", &["np.pod-uncovered:shop"]);
    fires(Check::PodUncovered, &format!("{{{web}}}"), &[]);
}

#[test]
fn policies_that_add_nothing_are_named_once() {
    let redundant = |specs: &[&str], want: &[&str]| {
        let policies: String = specs.iter().zip('a'..).map(|(spec, name)| policy(&name.to_string(), spec)).collect();
        let options = Options { on: [Check::RedundantPolicy].into(), ..Options::default() };
        assert_eq!(found(&(pod("web") + &policies), &options), want, "{specs:?}");
    };
    let web = "{podSelector: {matchLabels: {app: web}}, ingress: [{from: [{podSelector: {}}], ports: [{port: 80}]}]}";
    let twin = ["info np.redundant-policy:shop/b policy `shop/b` adds nothing to `shop/a`"];
    redundant(&[web, web], &twin);
    redundant(&["{podSelector: {}, ingress: [{from: [{podSelector: {}}]}]}", web], &twin);
    redundant(&["{podSelector: {}, ingress: [{ports: [{port: 80}]}]}", web], &twin);
    redundant(&["{podSelector: {}, ingress: [{ports: [{port: 81}]}]}", web], &[]);
    redundant(&["{podSelector: {}, egress: [{}], policyTypes: [Egress]}", web], &[]);
    // A default deny says what it is for.
    redundant(&["{podSelector: {}, ingress: [{}]}", "{podSelector: {}}"], &[]);
}

#[test]
fn options_choose_regrade_and_exclude() {
    let yaml = pod("web") + &policy("p", "{podSelector: {}, egress: [{to: [{ipBlock: {cidr: 0.0.0.0/0}}]}]}");
    assert!(found(&yaml, &all()).len() > found(&yaml, &Options::default()).len());
    let options =
        Options { on: [Check::BroadCidr].into(), severities: [(Check::BroadCidr, Severity::Critical)].into(), ..all() };
    assert!(found(&yaml, &options)[0].starts_with("critical np.broad-cidr:shop/p:0:0 "));
    let options = Options { excluded: ["shop".to_owned()].into(), ..all() };
    assert_eq!(found(&yaml, &options), Vec::<String>::new());
    assert_eq!("np.broad-cidr".parse(), Ok(Check::BroadCidr));
    let error = "np.broad".parse::<Check>().expect_err("no check").to_string();
    assert!(error.starts_with("`np.broad` is no network check: they are np.default-deny-missing, "), "{error}");
}
