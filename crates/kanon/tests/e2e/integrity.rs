//! The second family: PandoCorePolicy objects as the seed shows them.

use crate::harness::Up;

const POLICY: &str = "
apiVersion: pandocore.xyz/v1alpha1
kind: PandoCorePolicy
metadata: {name: default, namespace: production}
spec: {mode: enforce, sensitivity: high, response: {actions: [alert, terminate]}}
";

#[test]
fn policies_show_the_seeds_columns_and_explain_themselves() {
    let up = Up::start();
    up.kubectl("create namespace production").ok();
    let made = up.kubectl_with("apply -f -", POLICY).ok();
    assert_eq!(made, "pandocorepolicy.pandocore.xyz/default created\n");
    let table = up.kubectl("get pcp -n production").ok();
    let lines: Vec<Vec<&str>> = table.lines().map(|line| line.split_whitespace().collect()).collect();
    assert_eq!(lines[0], ["NAME", "MODE", "SENSITIVITY", "AGE"]);
    assert_eq!(lines[1][..3], ["default", "enforce", "high"]);
    assert!(up.kubectl("get crd pandocorepolicies.pandocore.xyz").ok().contains("pandocorepolicies"));
    let other = POLICY.replace("name: default", "name: other");
    let error = up.kubectl_with("apply -f -", &other).fails(1);
    assert!(error.contains("PandoCorePolicy must be named \"default\""), "{error}");
    let error = up.kubectl_with("apply -f -", &POLICY.replace("enforce", "isolate")).fails(1);
    assert!(error.contains("spec.mode: Unsupported value: \"isolate\""), "{error}");
    let explained = up.kanon(&["explain", "pcp/default", "-n", "production"]).ok();
    assert!(explained.contains("enforce") && explained.contains("0.3"), "{explained}");
    let data = up.kanon(&["explain", "pcp/default", "-n", "production", "-o", "json"]).ok();
    let data: serde_json::Value = serde_json::from_str(&data).expect("JSON");
    assert_eq!(data["effective"]["mode"]["value"], "enforce");
    let status =
        up.settles("get pcp default -n production -o jsonpath={.status.observedGeneration}", |it| !it.is_empty());
    assert_eq!(status, "1");
}
