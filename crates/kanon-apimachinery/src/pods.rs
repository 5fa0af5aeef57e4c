//! What a new pod gets from other objects before webhooks see it: its account with token and pull secrets, its priority, and how long
//! it stays on a node that fails. Upstream's admission plug-ins ServiceAccount, Priority and DefaultTolerationSeconds; nobody owns
//! the fields. It must not ask for what the pod says by itself: that is `kanon_kinds::default`'s.

use kanon_store::{Key, ListOptions, Memory};
use serde_json::{Map, Value, json};

use crate::status::{ApiError, GroupResource, Result};

/// The account of pods that name none.
const ACCOUNT: &str = "default";
/// Where programs look for their account's token.
const TOKEN_PATH: &str = "/var/run/secrets/kubernetes.io/serviceaccount";
/// How long a mounted token counts, in seconds; a kubelet asks for another before.
const TOKEN_SECONDS: u32 = 3607;
/// How long a pod stays on a node that is not ready or cannot be reached, in seconds.
const STAY_SECONDS: u32 = 300;
/// What nodes that fail are tainted with.
const TAINTS: [&str; 2] = ["node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable"];
const CLASSES: &str = "scheduling.k8s.io/priorityclasses";
/// Priority classes that every cluster has.
const SYSTEM: [(&str, i64, &str); 2] = [
    ("system-cluster-critical", 2_000_000_000, "Pods that the cluster cannot do without, on whichever node."),
    ("system-node-critical", 2_000_001_000, "Pods that their node cannot do without."),
];

/// The priority classes that an empty store begins with.
pub(crate) fn system_classes() -> impl Iterator<Item = Value> {
    SYSTEM.into_iter().map(|(name, value, description)| {
        json!({"apiVersion": "scheduling.k8s.io/v1", "kind": "PriorityClass", "metadata": {"name": name}, "value": value,
            "description": description})
    })
}

/// Whether the namespace's default account, which the pod runs as, is still to be made: a moment later it is there.
pub fn is_early(memory: &Memory, namespace: &str, pod: &Value) -> bool {
    account_name(pod) == ACCOUNT && memory.get(&account_key(namespace, ACCOUNT)).is_none()
}

/// Completes a new pod. `suffix` names the volume of its token.
///
/// # Errors
/// 403 without its account or its priority class, and for a priority that is not its class's.
pub fn complete(memory: &Memory, namespace: &str, pod: &mut Value, suffix: &str) -> Result<()> {
    let completed = account(memory, namespace, pod, suffix).and_then(|()| priority(memory, pod));
    completed.map_err(|why| {
        let metadata = &pod["metadata"];
        let named =
            ["name", "generateName"].into_iter().filter_map(|it| metadata[it].as_str()).find(|it| !it.is_empty());
        ApiError::forbidden(&GroupResource::new("", "pods"), named.unwrap_or_default(), &why)
    })?;
    tolerations(pod);
    Ok(())
}

fn account_name(pod: &Value) -> &str {
    pod["spec"]["serviceAccountName"].as_str().filter(|it| !it.is_empty()).unwrap_or(ACCOUNT)
}

fn account_key(namespace: &str, name: &str) -> Key {
    Key::new("core/serviceaccounts", namespace, name)
}

fn account(memory: &Memory, namespace: &str, pod: &mut Value, suffix: &str) -> Result<(), String> {
    // A kubelet's own pod has no account.
    if pod["metadata"]["annotations"]["kubernetes.io/config.mirror"].is_string() {
        return Ok(());
    }
    let name = account_name(pod).to_owned();
    let Some(account) = memory.get(&account_key(namespace, &name)) else {
        return Err(format!("error looking up service account {namespace}/{name}: serviceaccount {name:?} not found"));
    };
    let Some(spec) = pod["spec"].as_object_mut() else { return Ok(()) };
    spec.insert("serviceAccountName".to_owned(), name.as_str().into());
    spec.insert("serviceAccount".to_owned(), name.into());
    let account = account.object.to_value();
    let says = |it: &Value| it["automountServiceAccountToken"].as_bool();
    let of_pod = spec.get("automountServiceAccountToken").and_then(Value::as_bool);
    if of_pod.or_else(|| says(&account)).unwrap_or(true) {
        mount_token(spec, suffix);
    }
    let secrets = &account["imagePullSecrets"];
    if secrets.is_array() && spec.get("imagePullSecrets").is_none_or(|it| it.as_array().is_none_or(Vec::is_empty)) {
        spec.insert("imagePullSecrets".to_owned(), secrets.clone());
    }
    Ok(())
}

/// Mounts the token where no container has anything of its own.
fn mount_token(spec: &mut Map<String, Value>, suffix: &str) {
    let name = format!("kube-api-access-{suffix}");
    let mut is_used = false;
    for list in ["initContainers", "containers"] {
        for container in spec.get_mut(list).and_then(Value::as_array_mut).into_iter().flatten() {
            let Value::Object(container) = container else { continue };
            let mounts = container.entry("volumeMounts").or_insert_with(|| json!([]));
            let Value::Array(mounts) = mounts else { continue };
            if mounts.iter().all(|it| it["mountPath"] != TOKEN_PATH) {
                mounts.push(json!({"name": name, "readOnly": true, "mountPath": TOKEN_PATH}));
                is_used = true;
            }
        }
    }
    if !is_used {
        return;
    }
    let volume = json!({"name": name, "projected": {"defaultMode": 0o644, "sources": [
        {"serviceAccountToken": {"expirationSeconds": TOKEN_SECONDS, "path": "token"}},
        {"configMap": {"name": crate::lifecycle::ROOT_CA, "items": [{"key": "ca.crt", "path": "ca.crt"}]}},
        {"downwardAPI": {"items": [{"path": "namespace", "fieldRef": {"apiVersion": "v1", "fieldPath": "metadata.namespace"}}]}},
    ]}});
    if let Value::Array(volumes) = spec.entry("volumes").or_insert_with(|| json!([])) {
        volumes.push(volume);
    }
}

fn priority(memory: &Memory, pod: &mut Value) -> Result<(), String> {
    let Some(spec) = pod["spec"].as_object_mut() else { return Ok(()) };
    let named = spec.get("priorityClassName").and_then(Value::as_str).unwrap_or_default();
    let class = match named {
        "" => default_class(memory),
        _ => {
            let class = memory.get(&Key::new(CLASSES, "", named));
            Some(class.ok_or_else(|| format!("no PriorityClass with name {named} was found"))?.object.to_value())
        }
    };
    let class = class.unwrap_or_default();
    let value = class["value"].as_i64().unwrap_or_default();
    let policy = class["preemptionPolicy"].as_str().unwrap_or("PreemptLowerPriority");
    if let Some(given) = spec.get("priority").and_then(Value::as_i64).filter(|it| *it != value) {
        return Err(format!(
            "the integer value of priority ({given}) must not be provided in pod spec; priority admission controller computed {value} from the given PriorityClass name"
        ));
    }
    if let Some(given) = spec.get("preemptionPolicy").and_then(Value::as_str).filter(|it| *it != policy) {
        return Err(format!(
            "the string value of PreemptionPolicy ({given}) must not be provided in pod spec; priority admission controller computed {policy} from the given PriorityClass name"
        ));
    }
    if let Some(name) = class["metadata"]["name"].as_str() {
        spec.insert("priorityClassName".to_owned(), name.into());
    }
    spec.insert("priority".to_owned(), value.into());
    spec.insert("preemptionPolicy".to_owned(), policy.into());
    Ok(())
}

/// The class of pods that name none: of several, the least.
fn default_class(memory: &Memory) -> Option<Value> {
    // The current state is never compacted away.
    let page = memory.list(&format!("{CLASSES}/"), ListOptions::default()).ok()?;
    let classes = page.entries.into_iter().map(|it| it.object.to_value());
    classes.filter(|it| it["globalDefault"] == true).min_by_key(|it| it["value"].as_i64())
}

fn tolerations(pod: &mut Value) {
    let Some(spec) = pod["spec"].as_object_mut() else { return };
    let Value::Array(list) = spec.entry("tolerations").or_insert_with(|| json!([])) else { return };
    for taint in TAINTS {
        let text = |it: &Value, name: &str| it[name].as_str().unwrap_or_default().to_owned();
        let is_said = list.iter().any(|it| {
            matches!(text(it, "effect").as_str(), "" | "NoExecute") && ["", taint].contains(&text(it, "key").as_str())
        });
        if !is_said {
            let (operator, effect) = ("Exists", "NoExecute");
            list.push(json!({"key": taint, "operator": operator, "effect": effect, "tolerationSeconds": STAY_SECONDS}));
        }
    }
}

#[cfg(test)]
mod tests;
