//! Rules that take too long, over HTTP: each ends by itself, and the request is answered before the API server stops waiting.

use std::time::{Duration, Instant};

use crate::harness::Up;

/// A rule that looks through a hundred objects up to a hundred thousand times; `first` is what it asks before.
fn slow(name: &str, kind: &str, first: &str) -> String {
    format!(
        "---\napiVersion: portal.io/v1alpha1\nkind: PortalClusterRule\nmetadata: {{name: {name}}}\nspec:\n  name: {name}\n  \
         enabled: true\n  mode: [admission]\n  enforcementAction: deny\n  match: {{gvk: [{{group: '', version: v1, kind: {kind}}}]}}\n  \
         rule: \"{first} && any(1..99999, {{cluster.configmaps.count('', {{none: 'such'}}) > 0}})\"\n"
    )
}

#[test]
fn a_rule_that_takes_too_long_ends_and_a_request_too() {
    let up = Up::start();
    up.kubectl("create namespace shop").ok();
    let map = |number: u32| {
        format!(
            "---\n{{apiVersion: v1, kind: ConfigMap, metadata: {{name: m{number}, namespace: shop, labels: {{a: b}}}}}}\n"
        )
    };
    up.kubectl_with("create -f -", &(0..100).map(map).collect::<String>()).ok();
    let quick = "---\napiVersion: portal.io/v1alpha1\nkind: PortalClusterRule\nmetadata: {name: quick}\nspec: {name: quick, enabled: true, \
        mode: [admission], enforcementAction: deny, match: {gvk: [{group: '', version: v1, kind: Secret}]}, \
        rule: \"metadata.name == 'bad'\"}\n";
    let rules = [slow("slow", "Secret", "true"), slow("slow-pods", "Pod", "container.name != ''"), quick.to_owned()];
    up.kubectl_with("apply -f -", &rules.concat()).ok();
    let path = "get validatingwebhookconfiguration kanon -o jsonpath={.webhooks[*].rules[*].resources}";
    up.settles(path, |it| it.contains("pods") && it.contains("secrets"));
    for name in ["slow", "slow-pods", "quick"] {
        up.settles(&format!("get pcr {name} -o jsonpath={{.status.lastApplied}}"), |it| !it.is_empty());
    }

    // One slow rule fails by itself; the others decide.
    up.kubectl("create secret generic good -n shop").ok();
    let denied = up.kubectl("create secret generic bad -n shop").fails(1);
    assert!(denied.contains("quick: rule violated: quick") && !denied.contains("slow"), "{denied}");
    up.counts(r#"portal_rule_eval_errors_total{rule="slow",mode="admission",class="budget"} 2"#);

    // About thirty containers it is asked thirty times, which no request has the time for.
    let containers: Vec<_> = (0..30).map(|it| format!("{{name: c{it}, image: x}}")).collect();
    let pod = format!(
        "---\n{{apiVersion: v1, kind: Pod, metadata: {{name: p, namespace: shop}}, spec: {{containers: [{}]}}}}",
        containers.join(", ")
    );
    let begun = Instant::now();
    let denied = up.kubectl_with("create -f -", &pod).fails(1);
    assert!(denied.contains("denied the request: policy evaluation timed out"), "{denied}");
    assert!(begun.elapsed() > Duration::from_secs(4), "{:?}", begun.elapsed());
    assert!(up.metrics().contains(r#"portal_admission_requests_total{decision="deny"} 2"#), "{}", up.metrics());
}
