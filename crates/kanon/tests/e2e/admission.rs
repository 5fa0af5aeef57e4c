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

#[test]
fn the_switch_lets_everything_through_and_records_it() {
    let flags = |mode: &str| ["--enforcement".to_owned(), mode.to_owned()];
    let up = Up::start_with(tempfile::tempdir().expect("a scratch folder"), &flags("warn"));
    up.kubectl("create namespace shop").ok();
    in_force(&up, &rule("all", "true", ""));
    let made = up.kubectl_with("create -f -", &map("one", "{}"));
    assert_eq!((made.code, made.err.as_str()), (Some(0), "Warning: all: rule violated: all\n"));
    up.counts(r#"portal_admission_requests_total{decision="warn"} 1"#);
    let (_, scratch) = up.stop();
    let up = Up::start_with(scratch, &flags("off"));
    up.settles("get validatingwebhookconfiguration kanon -o jsonpath={.webhooks[*].rules[*].resources}", |it| {
        it.contains("configmaps")
    });
    let made = up.kubectl_with("create -f -", &map("two", "{}"));
    assert_eq!((made.code, made.err.as_str()), (Some(0), ""));
    up.counts(r#"portal_admission_requests_total{decision="dryrun"} 1"#);
}

#[test]
fn selectors_names_and_subjects_narrow_a_rule() {
    let up = Up::start();
    up.kubectl("create namespace shop").ok();
    let narrowed = |name: &str, narrow: &str| rule(name, "true", "").replace("}]}\n", &format!("}}], {narrow}}}\n"));
    let rules = [
        narrowed("gold", "labelSelector: {matchLabels: {tier: gold}}"),
        narrowed("sealed", "names: ['seal-*'], operations: [DELETE]"),
        narrowed(
            "strangers",
            "namespaceSelector: {matchLabels: {closed: 'yes'}}, subjects: {exclude: {groups: ['system:masters']}}",
        ),
    ];
    in_force(&up, &rules.concat());
    for name in ["gold", "sealed", "strangers"] {
        up.settles(&format!("get pcr {name} -o jsonpath={{.status.lastApplied}}"), |it| !it.is_empty());
    }
    up.settles("get validatingwebhookconfiguration kanon -o jsonpath={.webhooks[*].rules[*].operations}", |it| {
        it.contains("DELETE")
    });
    let explained = up.kanon(&["explain", "rule/strangers"]).ok();
    assert!(explained.contains("closed=yes") && explained.contains("group system:masters"), "{explained}");
    let denied = up.kubectl_with("create -f -", &map("one", "{tier: gold}")).fails(1);
    assert!(denied.contains("gold: rule violated: gold"), "{denied}");
    up.kubectl_with("create -f -", &map("one", "{tier: tin}")).ok();
    up.kubectl_with("create -f -", &map("seal-1", "{}")).ok();
    let denied = up.kubectl("delete configmap seal-1 -n shop").fails(1);
    assert!(denied.contains("sealed: rule violated: sealed"), "{denied}");
    up.kubectl("delete configmap one -n shop").ok();
    // The namespace is closed to all but administrators, of whom we are one.
    up.kubectl("label namespace shop closed=yes").ok();
    up.kubectl_with("create -f -", &map("two", "{}")).ok();
    let begun = std::time::Instant::now();
    loop {
        let ran =
            up.kubectl_with("create --as eve --as-group system:masters --dry-run=server -f -", &map("three", "{}"));
        assert_eq!(ran.code, Some(0), "{ran:#?}");
        up.kubectl("create clusterrolebinding eve --clusterrole=cluster-admin --user=eve");
        let ran = up.kubectl_with("create --as eve --dry-run=server -f -", &map("three", "{}"));
        if ran.err.contains("strangers: rule violated: strangers") {
            break;
        }
        assert!(begun.elapsed() < crate::harness::PATIENCE, "{ran:#?}");
    }
}

#[test]
fn nothing_of_our_own_and_no_end_of_rules_is_asked_about() {
    let up = Up::start();
    up.kubectl("create namespace shop").ok();
    let definitions = rule("keep", "request.operation == 'DELETE'", "").replace(
        "group: '', version: v1, kind: ConfigMap",
        "group: apiextensions.k8s.io, version: v1, kind: CustomResourceDefinition",
    );
    up.kubectl_with("apply -f -", &definitions).ok();
    up.settles("get validatingwebhookconfiguration kanon -o jsonpath={.webhooks[*].rules[*].operations}", |it| {
        it.contains("DELETE")
    });
    let conditions = "get validatingwebhookconfiguration kanon -o jsonpath={.webhooks[*].matchConditions[*].name}";
    assert_eq!(up.kubectl(conditions).ok().trim(), "not-its-own not-the-end-of.portal.io");
    let denied = up.kubectl("delete crd pandocorepolicies.pandocore.xyz --dry-run=server").fails(1);
    assert!(denied.contains("keep: rule violated: keep"), "{denied}");
    // Not even asked about, so that it works while nobody answers, too.
    up.kubectl("delete crd portalrules.portal.io --dry-run=server").ok();
    up.counts(r#"portal_admission_requests_total{decision="deny"} 1"#);
    assert!(!up.metrics().contains(r#"portal_admission_requests_total{decision="allow"}"#), "{}", up.metrics());
}
