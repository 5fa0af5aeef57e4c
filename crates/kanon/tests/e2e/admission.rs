//! Admission from outside: live reads, switches and selectors, driven by kubectl.

use serde_json::Value;

use crate::harness::Up;

/// A PortalClusterRule of mode `admission` about ConfigMaps; `more` are further fields of its spec.
fn rule(name: &str, expression: &str, more: &str) -> String {
    format!(
        "---\napiVersion: portal.io/v1alpha1\nkind: PortalClusterRule\nmetadata: {{name: {name}}}\nspec:\n  name: {name}\n  \
         enabled: true\n  mode: [admission]\n  enforcementAction: deny\n  match: {{gvk: [{{group: '', version: v1, kind: ConfigMap}}]}}\n  \
         rule: \"{expression}\"\n{more}"
    )
}

/// Applies rules and waits until they are in force.
fn in_force(up: &Up, rules: &str) {
    up.kubectl_with("apply -f -", rules).ok();
    up.settles("get validatingwebhookconfiguration kanon -o jsonpath={.webhooks[*].rules[*].resources}", |it| {
        it.contains("configmaps")
    });
}

fn map(name: &str, labels: &str) -> String {
    format!("---\n{{apiVersion: v1, kind: ConfigMap, metadata: {{name: {name}, namespace: shop, labels: {labels}}}}}")
}

#[test]
fn a_live_read_knows_what_was_stored_a_moment_ago() {
    let up = Up::start();
    up.kubectl("create namespace shop").ok();
    let alone = "consistentCluster.configmaps.count('shop', {unique: 'yes'}) > 1";
    in_force(&up, &rule("alone", alone, "  onError: deny\n"));
    // Each time the one before was stored just now: no cache could know it for certain.
    for round in 0..5 {
        up.kubectl_with("apply -f -", &map("first", "{unique: 'yes'}")).ok();
        let denied = up.kubectl_with("create -f -", &map("second", "{unique: 'yes'}")).fails(1);
        assert!(denied.contains("alone: rule violated: alone"), "{round}: {denied}");
        up.kubectl_with("create -f -", &map(&format!("other-{round}"), "{}")).ok();
        up.kubectl("delete configmap first -n shop").ok();
    }
    let begun = std::time::Instant::now();
    let denied = loop {
        let records = up.kanon(&["log", "show", "-o", "json", "--last", "0"]).ok();
        let records: Vec<Value> = serde_json::from_str(&records).expect("JSON");
        let found = records.into_iter().map(|it| it["record"].clone()).find(|it| it["outcome"] == "deny");
        match found {
            Some(found) => break found,
            None => assert!(begun.elapsed() < crate::harness::PATIENCE, "no record of a denial"),
        }
    };
    let reads = denied["evidence"]["reads"].as_array().expect("a list");
    let live: Vec<_> = reads.iter().filter(|it| it["live"] == true).map(|it| it["name"].as_str()).collect();
    assert!(live.contains(&Some("first")), "{reads:?}");
    assert!(up.metrics().contains(r#"kanon_live_reads_total{result="ok"}"#), "{}", up.metrics());
}
