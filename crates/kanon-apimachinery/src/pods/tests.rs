//! What new pods get, over a real store.

use super::*;
use crate::testing::Cluster;

const ACCOUNTS: &str = "/api/v1/namespaces/shop/serviceaccounts";

fn cluster() -> Cluster {
    let mut cluster = Cluster::new();
    for (path, body) in [
        (ACCOUNTS, json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "default"}})),
        (
            ACCOUNTS,
            json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "quiet"},
                "automountServiceAccountToken": false, "imagePullSecrets": [{"name": "pull"}]}),
        ),
        (
            "/apis/scheduling.k8s.io/v1/priorityclasses",
            json!({"apiVersion": "scheduling.k8s.io/v1", "kind": "PriorityClass", "metadata": {"name": "high"}, "value": 7,
                "preemptionPolicy": "Never"}),
        ),
    ] {
        let (code, answer) = cluster.post(path, &body);
        assert_eq!(code, 201, "{answer}");
    }
    cluster
}

/// The spec of a pod once it is complete, or why it is not.
fn completed(spec: Value) -> Result<Value, String> {
    let mut pod = json!({"metadata": {"generateName": "web-"}, "spec": spec});
    complete(&cluster().memory, "shop", &mut pod, "abcde").map_err(|it| it.message.clone())?;
    Ok(pod["spec"].take())
}

fn tolerated() -> Value {
    let one = |key: &str| json!({"key": key, "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 300});
    json!([one("node.kubernetes.io/not-ready"), one("node.kubernetes.io/unreachable")])
}

#[test]
fn a_pod_gets_account_token_priority_and_tolerations() {
    let mount = json!({"name": "kube-api-access-abcde", "readOnly": true, "mountPath": TOKEN_PATH});
    let own = json!({"name": "own", "mountPath": TOKEN_PATH});
    let spec =
        completed(json!({"containers": [{"name": "a"}, {"name": "b", "volumeMounts": [own]}]})).expect("complete");
    assert_eq!(
        spec["containers"],
        json!([{"name": "a", "volumeMounts": [mount]}, {"name": "b", "volumeMounts": [own]}])
    );
    assert_eq!(spec["volumes"][0]["name"], "kube-api-access-abcde");
    assert_eq!([&spec["serviceAccountName"], &spec["serviceAccount"]], ["default", "default"]);
    assert_eq!((&spec["priority"], &spec["preemptionPolicy"]), (&json!(0), &json!("PreemptLowerPriority")));
    assert_eq!((spec.get("priorityClassName"), &spec["tolerations"]), (None, &tolerated()));
}

#[test]
fn account_and_class_say_otherwise() {
    let any = json!([{"operator": "Exists"}]);
    let spec =
        json!({"serviceAccountName": "quiet", "priorityClassName": "high", "tolerations": any, "containers": [{}]});
    assert_eq!(
        completed(spec).expect("complete"),
        json!({"serviceAccountName": "quiet", "serviceAccount": "quiet", "imagePullSecrets": [{"name": "pull"}],
            "priorityClassName": "high", "priority": 7, "preemptionPolicy": "Never", "tolerations": any, "containers": [{}]})
    );
}

#[test]
fn what_is_not_there_refuses_the_pod() {
    for (spec, why) in [
        (
            json!({"serviceAccountName": "absent"}),
            "error looking up service account shop/absent: serviceaccount \"absent\" not found",
        ),
        (json!({"priorityClassName": "absent"}), "no PriorityClass with name absent was found"),
        (
            json!({"priority": 3}),
            "the integer value of priority (3) must not be provided in pod spec; priority admission controller computed 0 from the given PriorityClass name",
        ),
    ] {
        assert_eq!(completed(spec), Err(format!("pods \"web-\" is forbidden: {why}")));
    }
}

#[test]
fn only_the_default_account_is_waited_for() {
    let pod = |account: &str| json!({"spec": {"serviceAccountName": account}});
    let early = |namespace: &str, account: &str| is_early(&cluster().memory, namespace, &pod(account));
    assert_eq!([early("shop", ""), early("bank", ""), early("bank", "robot")], [false, true, false]);
}
