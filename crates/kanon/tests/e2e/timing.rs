//! How long rules take, as Prometheus scrapes it: only where a flag asks for it.

use crate::harness::Up;

const RULE: &str = "---\napiVersion: portal.io/v1alpha1\nkind: PortalClusterRule\nmetadata: {name: named}\nspec:\n  name: named\n  \
                    enabled: true\n  mode: [admission, audit]\n  match: {gvk: [{group: '', version: v1, kind: ConfigMap}]}\n  \
                    rule: metadata.name == ''\n";

/// A control plane that was asked about a ConfigMap, in both loops.
fn asked(args: &[&str]) -> Up {
    let up = Up::start_with(tempfile::tempdir().expect("a scratch folder"), args);
    up.kubectl_with("apply -f -", RULE).ok();
    up.settles("get pcr named -o jsonpath={.status.conditions[?(@.type=='Evaluating')].status}", |it| it == "True");
    up.kubectl("create configmap one -n default").ok();
    up.settles("get pcr named -o jsonpath={.status.evalCount}", |it| it.parse::<u64>().is_ok_and(|it| it >= 2));
    up
}

#[test]
fn rules_are_timed_where_a_flag_says_so() {
    let up = asked(&["--time-rules=1"]);
    for mode in ["admission", "audit"] {
        let begun = std::time::Instant::now();
        let bucket = format!(r#"portal_rule_eval_seconds_bucket{{le="+Inf",rule="named",mode="{mode}"}} "#);
        while !up.metrics().contains(&bucket) {
            assert!(begun.elapsed() < crate::harness::PATIENCE, "no {bucket} in\n{}", up.metrics());
            std::thread::sleep(std::time::Duration::from_millis(50));
        }
    }
    assert!(up.metrics().contains("# TYPE portal_rule_eval_seconds histogram"));
}

#[test]
fn nothing_is_timed_unasked() {
    let up = asked(&[]);
    assert!(!up.metrics().contains("portal_rule_eval_seconds"), "{}", up.metrics());
}
