//! What Kanon installs in an API server: its CustomResourceDefinitions and its webhook configuration.

use std::{collections::BTreeMap, time::Duration};

use base64::{Engine, engine::general_purpose::STANDARD};
use kanon_core::{GroupVersionKind, Node};
use kanon_plane::AdmissionRule;
use serde_json::{Value, json};

use crate::client::{Api, Error};

const CRDS: &str = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions";
const WEBHOOKS: &str = "/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations";
/// How often and how long to look for an established CRD: 100 × 20 ms.
const LOOKS: u32 = 100;
const LOOK_PAUSE: Duration = Duration::from_millis(20);
/// How often an installation is tried, and the first pause, doubled each time: about three seconds.
const RETRIES: u32 = 5;
const RETRY_PAUSE: Duration = Duration::from_millis(200);

/// Namespaces that no policy may ever lock out of (spec/rules 4.5), besides the one Kanon runs in.
const SYSTEM_NAMESPACES: [&str; 3] = ["kube-system", "kube-public", "kube-node-lease"];

/// On a CRD that others install too: one that is there stays as it is.
const IF_ABSENT: &str = "kanon.dev/install";

/// Applies the CRDs and waits until the server serves them.
///
/// # Errors
/// The first call that fails, or a CRD that is not established in time.
pub async fn install_crds(api: &Api, crds: &[Value]) -> Result<(), Error> {
    for crd in crds {
        let path = format!("{CRDS}/{}", name(crd));
        // A server that has just begun, or has much to do, answers so for a moment.
        patiently(|| install(api, &path, crd)).await?;
    }
    for crd in crds {
        wait_established(api, name(crd)).await?;
    }
    Ok(())
}

async fn install(api: &Api, path: &str, crd: &Value) -> Result<(), Error> {
    if crd["metadata"]["annotations"][IF_ABSENT] == "if-absent"
        && let Some(known) = api.get(path).await?
        && known.at(&["metadata", "annotations", IF_ABSENT]).is_none()
    {
        return Ok(());
    }
    api.apply(path, crd).await.map(|_| ())
}

/// Tries a few times what may succeed later.
async fn patiently<F: Future<Output = Result<(), Error>>>(mut call: impl FnMut() -> F) -> Result<(), Error> {
    let mut pause = RETRY_PAUSE;
    for _ in 1..RETRIES {
        match call().await {
            Err(error) if error.is_retryable() => tokio::time::sleep(pause).await,
            result => return result,
        }
        pause *= 2;
    }
    call().await
}

fn name(manifest: &Value) -> &str {
    manifest["metadata"]["name"].as_str().unwrap_or_default()
}

async fn wait_established(api: &Api, name: &str) -> Result<(), Error> {
    for _ in 0..LOOKS {
        let crd = api.get(&format!("{CRDS}/{name}")).await?;
        let conditions = crd.as_ref().and_then(|it| it.at(&["status", "conditions"]));
        let is_established = |it: Node<'_>| {
            let text = |key| it.get(key).and_then(Node::as_plain_str);
            text("type") == Some("Established") && text("status") == Some("True")
        };
        if conditions.into_iter().flat_map(Node::elements).any(is_established) {
            return Ok(());
        }
        tokio::time::sleep(LOOK_PAUSE).await;
    }
    Err(Error::Answer(format!("the CustomResourceDefinition `{name}` is not established after two seconds")))
}

/// Where the API server reaches the webhook.
#[derive(Clone, Debug)]
pub struct Webhook {
    /// Full URL of the endpoint.
    pub url: String,
    /// The CA's certificates, PEM.
    pub ca_pem: String,
    /// Whether requests are refused when the webhook cannot be asked.
    pub fail_closed: bool,
    /// The namespace Kanon runs in: never asked about.
    pub own_namespace: String,
}

/// The plural of each kind, by discovery; kinds that the server does not serve are left out.
///
/// # Errors
/// A discovery call that fails otherwise than by 404.
pub async fn resources(
    api: &Api,
    kinds: impl IntoIterator<Item = GroupVersionKind>,
) -> Result<BTreeMap<GroupVersionKind, String>, Error> {
    let mut found = BTreeMap::new();
    for kind in kinds {
        let root = if kind.group.is_empty() { "/api" } else { "/apis" };
        let Some(list) = api.get(&format!("{root}/{}", kind.api_version())).await? else { continue };
        for resource in list.root().get("resources").into_iter().flat_map(Node::elements) {
            let text = |key| resource.get(key).and_then(Node::as_plain_str).unwrap_or_default();
            if text("kind") == kind.kind && !text("name").contains('/') {
                found.insert(kind.clone(), text("name").to_owned());
            }
        }
    }
    Ok(found)
}

/// The ValidatingWebhookConfiguration for what the families want to see. Pure.
pub fn webhook_manifest(
    rules: &[AdmissionRule],
    plurals: &BTreeMap<GroupVersionKind, String>,
    webhook: &Webhook,
) -> Value {
    let rule = |it: &AdmissionRule| {
        let plural = plurals.get(&GroupVersionKind::new(&it.group, &it.version, &it.kind))?;
        let operations: Vec<_> = it.operations.iter().map(|it| it.as_str()).collect();
        let mut resources = vec![plural.clone()];
        if plural == "pods" && it.group.is_empty() {
            // `kubectl debug` adds containers through a subresource that a rule on pods does not cover (spec/rules 4.7).
            resources.push("pods/ephemeralcontainers".into());
        }
        Some(json!({
            "apiGroups": [it.group], "apiVersions": [it.version], "resources": resources,
            "operations": operations, "scope": "*",
        }))
    };
    let rules: Vec<Value> = rules.iter().filter_map(rule).collect();
    let mut excluded: Vec<&str> = SYSTEM_NAMESPACES.to_vec();
    if !webhook.own_namespace.is_empty() {
        excluded.push(&webhook.own_namespace);
    }
    let hook = json!({
        "name": "admission.kanon.dev",
        "clientConfig": {"url": webhook.url, "caBundle": STANDARD.encode(&webhook.ca_pem)},
        "rules": rules,
        "failurePolicy": if webhook.fail_closed { "Fail" } else { "Ignore" },
        "matchPolicy": "Equivalent",
        "namespaceSelector": {"matchExpressions": [
            {"key": "kubernetes.io/metadata.name", "operator": "NotIn", "values": excluded},
        ]},
        "sideEffects": "NoneOnDryRun",
        "timeoutSeconds": 5,
        "admissionReviewVersions": ["v1"],
    });
    json!({
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": "ValidatingWebhookConfiguration",
        "metadata": {"name": "kanon", "labels": {"app.kubernetes.io/managed-by": "kanon"}},
        "webhooks": if rules.is_empty() { json!([]) } else { json!([hook]) },
    })
}

/// Puts the webhook configuration in place.
///
/// # Errors
/// A call that fails.
pub async fn install_webhook(api: &Api, rules: &[AdmissionRule], webhook: &Webhook) -> Result<(), Error> {
    let kinds: Vec<_> = rules.iter().map(|it| GroupVersionKind::new(&it.group, &it.version, &it.kind)).collect();
    let plurals = resources(api, kinds).await?;
    let manifest = webhook_manifest(rules, &plurals, webhook);
    api.apply(&format!("{WEBHOOKS}/{}", name(&manifest)), &manifest).await.map(|_| ())
}

#[cfg(test)]
mod tests {
    use kanon_core::Operation;

    use super::*;

    #[test]
    fn webhook_covers_the_kinds_and_spares_the_system() {
        let rule = |kind: &str| AdmissionRule {
            group: String::new(),
            version: "v1".into(),
            kind: kind.into(),
            operations: vec![Operation::Create, Operation::Update],
        };
        let plurals = BTreeMap::from([(GroupVersionKind::new("", "v1", "Pod"), "pods".to_owned())]);
        let webhook = Webhook {
            url: "https://127.0.0.1:1/validate".into(),
            ca_pem: "pem".into(),
            fail_closed: true,
            own_namespace: "kanon-system".into(),
        };
        let manifest = webhook_manifest(&[rule("Pod"), rule("Absent")], &plurals, &webhook);
        let hook = &manifest["webhooks"][0];
        assert_eq!(hook["rules"][0]["resources"], json!(["pods", "pods/ephemeralcontainers"]));
        assert_eq!(hook["rules"][0]["operations"], json!(["CREATE", "UPDATE"]));
        assert_eq!(hook["rules"].as_array().unwrap().len(), 1);
        assert_eq!(hook["clientConfig"]["caBundle"], "cGVt");
        let excluded = &hook["namespaceSelector"]["matchExpressions"][0]["values"];
        assert!(excluded.as_array().unwrap().contains(&json!("kanon-system")));
        assert_eq!(webhook_manifest(&[], &plurals, &webhook)["webhooks"], json!([]));
    }
}
