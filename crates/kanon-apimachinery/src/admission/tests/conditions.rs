//! Conditions: what they may name, what they may ask of the authorizer, and which are refused when a configuration is written.

use super::*;
use crate::rbac::Rules;

/// Jane may get pods in `shop` and `/metrics`; the robot of `shop` may list nodes.
fn rules() -> Rules {
    let role = |name: &str, rules: Value| json!({"metadata": {"name": name}, "rules": rules});
    let subject = |name: &str, namespace: &str| match namespace {
        "" => json!({"kind": "User", "apiGroup": "rbac.authorization.k8s.io", "name": name}),
        namespace => json!({"kind": "ServiceAccount", "name": name, "namespace": namespace}),
    };
    let binding = |name: &str, namespace: &str, role: &str, subject: Value| {
        json!({"metadata": {"name": name, "namespace": namespace},
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": role}, "subjects": [subject]})
    };
    let nodes = json!([{"apiGroups": [""], "resources": ["nodes"], "verbs": ["list"]}]);
    let metrics = json!([{"nonResourceURLs": ["/metrics"], "verbs": ["get"]}]);
    let pods =
        json!([{"apiGroups": [""], "resources": ["pods", "pods/log"], "verbs": ["get"], "resourceNames": ["web"]}]);
    Rules::compile(
        &[],
        &[role("pods", pods), role("metrics", metrics), role("nodes", nodes)],
        &[binding("jane-pods", "shop", "pods", subject("jane", ""))],
        &[
            binding("jane-metrics", "", "metrics", subject("jane", "")),
            binding("robot", "", "nodes", subject("robot", "shop")),
        ],
    )
}

fn condition(expression: &str) -> Value {
    json!({"matchConditions": [{"name": "c", "expression": expression}]})
}

#[test]
fn conditions_may_ask_what_the_user_may_do() {
    for (expression, want) in [
        ("authorizer.group('').resource('pods').namespace('shop').name('web').check('get').allowed()", true),
        ("authorizer.group('').resource('pods').namespace('shop').name('db').check('get').allowed()", false),
        ("authorizer.group('').resource('pods').namespace('bank').name('web').check('get').allowed()", false),
        (
            "authorizer.group('').resource('pods').subresource('log').namespace('shop').name('web').check('get').allowed()",
            true,
        ),
        ("authorizer.group('apps').resource('pods').namespace('shop').name('web').check('get').allowed()", false),
        ("authorizer.path('/metrics').check('get').allowed()", true),
        ("authorizer.path('/healthz').check('get').allowed()", false),
        ("authorizer.requestResource.check('get').allowed()", true),
        (
            "authorizer.requestResource.labelSelector('a=b').fieldSelector('metadata.name=web').check('get').allowed()",
            true,
        ),
        ("authorizer.requestResource.check('delete').allowed()", false),
        ("authorizer.requestResource.subresource('log').check('get').allowed()", true),
        ("authorizer.serviceAccount('shop', 'robot').group('').resource('nodes').check('list').allowed()", true),
        ("authorizer.serviceAccount('bank', 'robot').group('').resource('nodes').check('list').allowed()", false),
        (
            "authorizer.path('/metrics').check('get').reason() == 'RBAC: allowed by ClusterRoleBinding \"jane-metrics\" of ClusterRole \"metrics\" to User \"jane\"'",
            true,
        ),
        (
            "authorizer.path('/metrics').check('get').errored() || authorizer.path('/').check('get').error() != ''",
            false,
        ),
    ] {
        let asked = Asked { rules: rules(), ..Asked::default() };
        let got = asked.calls(&hooks(&[], &[webhook("a.b.c", condition(expression))])).map(|it| !it.is_empty());
        assert_eq!(got, Ok(want), "{expression}");
    }
}

#[test]
fn an_error_of_a_condition_counts_as_a_failure_of_the_webhook() {
    let check = |expression: &str, policy: &str, want: Result<usize, &str>| {
        let mut extra = condition(expression);
        extra["failurePolicy"] = policy.into();
        let got = Asked::default().calls(&hooks(&[], &[webhook("a.b.c", extra)])).map(|it| it.len());
        assert_eq!(got.map_err(|error| error.message), want.map_err(str::to_owned), "{expression} {policy}");
    };
    let broken = "object.spec.nothing == 1";
    check(
        broken,
        "Fail",
        Err("pods \"web\" is forbidden: expression 'object.spec.nothing == 1' resulted in error: no such key: spec"),
    );
    check(broken, "Ignore", Ok(0));
    check("request.subResource == 'x'", "Ignore", Ok(0));
    check("!has(request.subResource) || request.subResource == ''", "Fail", Ok(1));
}

#[test]
fn conditions_are_compiled_when_a_configuration_is_written() {
    let check = |expression: &str, old: Option<&str>, want: &[&str]| {
        let of = |expression: &str| configuration("x", &[webhook("a.b.c", condition(expression))]);
        let causes = validate_conditions(&of(expression), old.map(of).as_ref(), &Cel::default());
        let first: Vec<String> =
            causes.iter().map(|it| it.to_string().lines().next().unwrap_or_default().to_owned()).collect();
        assert_eq!(first, want, "{expression}");
    };
    let field = "webhooks[0].matchConditions[0].expression: Invalid value:";
    check("object.metadata.name == 'a' && request.userInfo.groups.exists(it, it == 'dev')", None, &[]);
    let wrong = format!(
        r#"{field} "nobody.knows": compilation failed: ERROR: <input>:1:1: undeclared reference to 'nobody' (in container '')"#
    );
    check("nobody.knows", None, &[&wrong]);
    check("nobody.knows", Some("nobody.knows"), &[]);
    check("nobody.knows", Some("true"), &[&wrong]);
    let unknown =
        format!(r#"{field} "request.nothing == 1": compilation failed: ERROR: <input>:1:8: undefined field 'nothing'"#);
    check("request.nothing == 1", None, &[&unknown]);
    check("'x'", None, &[&format!(r#"{field} "'x'": must evaluate to bool"#)]);
}
