//! What is kept of watched objects (docs/audit.md), seen from outside: rules say the same of parts as of whole objects, and a rule
//! that reads more than is kept is asked when it has arrived.

use crate::{audit::metric, harness::Up};

fn rule(name: &str, expression: &str) -> String {
    format!(
        "apiVersion: portal.io/v1alpha1\nkind: PortalClusterRule\nmetadata: {{name: {name}}}\nspec:\n  name: {name}\n  \
         enabled: true\n  severity: high\n  mode: [audit]\n  match: {{gvk: [{{group: '', version: v1, kind: Pod}}]}}\n  \
         rule: {expression}\n"
    )
}

/// What a pod takes in the cache.
fn bytes(up: &Up) -> u64 {
    const NAME: &str = r#"portal_cache_bytes{gvk="/v1, Kind=Pod"}"#;
    let text = up.metrics();
    let found = text.lines().find_map(|it| it.strip_prefix(NAME)).unwrap_or_else(|| panic!("no {NAME} in\n{text}"));
    found.trim().parse().expect("a number")
}

#[test]
fn a_rule_that_reads_more_than_is_kept_is_asked_when_it_is_there() {
    let up = Up::start();
    up.kubectl("create namespace shop").ok();
    let pod = "---\n{apiVersion: v1, kind: Pod, metadata: {name: bad, namespace: shop}, spec: {restartPolicy: Never,
        containers: [{name: c, image: 'registry.example.com/c:1', securityContext: {privileged: true}}]}}";
    up.kubectl_with("apply -f -", pod).ok();
    up.kubectl_with("apply -f -", &rule("privileged", "container.securityContext.privileged == true")).ok();
    metric(&up, r#"portal_open_findings{rule="privileged",severity="high",namespace="shop"}"#, "1");
    let before = bytes(&up);

    up.kubectl_with("apply -f -", &rule("restart", "object.spec.restartPolicy == 'Never'")).ok();
    metric(&up, r#"portal_open_findings{rule="restart",severity="high",namespace="shop"}"#, "1");
    let reason = "get pcr restart -o jsonpath={.status.conditions[?(@.type==\"Evaluating\")].reason}";
    up.settles(reason, |it| it == "Evaluated");
    let after = bytes(&up);

    // A whole pod, because it is looked up.
    up.kubectl_with(
        "apply -f -",
        &rule("looks", "cluster.pods.byName('shop', 'bad').spec.dnsPolicy == 'ClusterFirst'"),
    )
    .ok();
    metric(&up, r#"portal_open_findings{rule="looks",severity="high",namespace="shop"}"#, "1");
    assert!(before < after && after < bytes(&up), "{before}, {after}, {}", bytes(&up));
    // Nobody was told twice.
    metric(&up, r#"portal_audit_violations{rule="privileged",severity="high",gvk="/v1, Kind=Pod"}"#, "1");
}
