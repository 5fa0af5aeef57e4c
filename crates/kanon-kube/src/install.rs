//! What Kanon installs in an API server: its CustomResourceDefinitions and its webhook configuration.

use std::{collections::BTreeMap, time::Duration};

use base64::{Engine, engine::general_purpose::STANDARD};
use kanon_core::{GroupVersionKind, Node};
use kanon_plane::AdmissionRule;
use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::client::{Api, Error, FIELD_MANAGER};

const CRDS: &str = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions";
pub(crate) const WEBHOOKS: &str = "/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations";
/// The first and the longest pause between two looks for an established CRD, and how many there are: two seconds in all.
const LOOK_PAUSE_MIN: Duration = Duration::from_millis(1);
const LOOK_PAUSE_MAX: Duration = Duration::from_millis(32);
const LOOKS: u32 = 66;

/// Namespaces that no policy may ever lock out of (spec/rules 4.5), besides the one Kanon runs in.
const SYSTEM_NAMESPACES: [&str; 3] = ["kube-system", "kube-public", "kube-node-lease"];

/// On a CRD that others install too: one that is there already stays as it is.
const IF_ABSENT: &str = "kanon.dev/install";

/// Applies the CRDs and waits until the server serves them.
///
/// # Errors
/// The first call that fails, or a CRD that is not established in time.
pub async fn install_crds(api: &Api, crds: &[Value]) -> Result<(), Error> {
    // All at once: a server that takes them together publishes them together.
    let mut applied = JoinSet::new();
    for crd in crds {
        let (api, crd) = (api.clone(), crd.clone());
        applied.spawn(async move { install_crd(&api, &crd).await });
    }
    while let Some(outcome) = applied.join_next().await {
        outcome.map_err(|error| Error::Transport(error.to_string()))??;
    }
    for crd in crds {
        wait_established(api, name(crd)).await?;
    }
    Ok(())
}

async fn install_crd(api: &Api, crd: &Value) -> Result<(), Error> {
    let path = format!("{CRDS}/{}", name(crd));
    if crd["metadata"]["annotations"][IF_ABSENT] == "if-absent"
        && let Some(known) = api.get(&path).await?
        && known.at(&["metadata", "annotations", IF_ABSENT]).is_none()
    {
        return Ok(());
    }
    api.apply(&path, crd).await.map(|_| ())
}

fn name(manifest: &Value) -> &str {
    manifest["metadata"]["name"].as_str().unwrap_or_default()
}

async fn wait_established(api: &Api, name: &str) -> Result<(), Error> {
    let mut pause = LOOK_PAUSE_MIN;
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
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(LOOK_PAUSE_MAX);
    }
    Err(Error::Answer(format!("the CustomResourceDefinition `{name}` is not established after two seconds")))
}

/// Where the API server reaches the webhook.
#[derive(Clone, Debug)]
pub struct Webhook {
    /// Name of the configuration.
    pub name: String,
    /// The address of the endpoint.
    pub endpoint: Endpoint,
    /// The CA's certificates, PEM; where there are none, somebody else brings them.
    pub ca_pem: String,
    /// Whether requests are refused when the webhook cannot be asked.
    pub fail_closed: bool,
    /// The only namespaces that are asked about; where there are none, all are but the system's and Kanon's own.
    pub namespaces: Vec<String>,
    /// The namespace Kanon runs in: never asked about.
    pub own_namespace: String,
    /// The user that Kanon is to the API server, where that is known: it is not asked about what it writes itself.
    pub own_user: Option<String>,
    /// Groups of policies whose definitions anybody who may can delete, also while Kanon is down.
    pub own_groups: Vec<&'static str>,
}

/// Where the webhook answers.
#[derive(Clone, Debug)]
pub enum Endpoint {
    /// At a URL.
    Url(String),
    /// Behind a Service on port 443.
    Service {
        /// Its namespace.
        namespace: String,
        /// Its name.
        name: String,
    },
}

impl Endpoint {
    fn client_config(&self, ca_pem: &str) -> Value {
        let mut config = match self {
            Endpoint::Url(url) => json!({"url": url}),
            Endpoint::Service { namespace, name } => {
                json!({"service": {"namespace": namespace, "name": name, "path": "/validate", "port": 443}})
            }
        };
        if !ca_pem.is_empty() {
            config["caBundle"] = json!(STANDARD.encode(ca_pem));
        }
        config
    }
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

/// The lines of a webhook's rules; kinds without a plural are left out.
pub(crate) fn webhook_rules<'r>(
    rules: impl Iterator<Item = &'r AdmissionRule>,
    plurals: &BTreeMap<GroupVersionKind, String>,
) -> Vec<Value> {
    let rule = |it: &AdmissionRule| {
        let plural = plurals.get(&GroupVersionKind::new(&it.group, &it.version, &it.kind))?;
        let operations: Vec<_> = it.operations.iter().map(|it| it.as_str()).collect();
        let mut resources = match it.part.as_str() {
            "" => vec![plural.clone()],
            part => vec![format!("{plural}/{part}")],
        };
        if plural == "pods" && it.group.is_empty() && it.part.is_empty() {
            // `kubectl debug` adds containers through a subresource that a rule on pods does not cover (spec/rules 4.7).
            resources.push("pods/ephemeralcontainers".into());
        }
        Some(json!({
            "apiGroups": [it.group], "apiVersions": [it.version], "resources": resources,
            "operations": operations, "scope": "*",
        }))
    };
    rules.filter_map(rule).collect()
}

/// A condition that holds for all requests but those that this user makes under our name: the webhook lets them through without a
/// look, so that it need not be asked. Deletions name no manager, and are asked about.
fn not_written_by(user: &str) -> Value {
    let user = json!(user);
    let expression = format!(
        "!(request.userInfo.username == {user} && has(request.options) && request.options != null && \
         has(request.options.fieldManager) && request.options.fieldManager == '{FIELD_MANAGER}')"
    );
    json!({"name": "not-its-own", "expression": expression})
}

/// A condition that holds for all requests but deletions of a group's definitions: whoever wants to be rid of a webhook that is down
/// must get rid of it (spec/rules 4.5).
fn not_the_end_of(group: &str) -> Value {
    let expression = format!(
        "!(request.operation == 'DELETE' && request.resource.resource == 'customresourcedefinitions' && \
         request.name.endsWith('.{group}'))"
    );
    json!({"name": format!("not-the-end-of.{group}"), "expression": expression})
}

/// The ValidatingWebhookConfiguration for what the families want to see. Pure.
pub fn webhook_manifest(
    rules: &[AdmissionRule],
    plurals: &BTreeMap<GroupVersionKind, String>,
    webhook: &Webhook,
) -> Value {
    let rules = |advisory| webhook_rules(rules.iter().filter(|it| it.advisory == advisory), plurals);
    let mut excluded: Vec<&str> = SYSTEM_NAMESPACES.to_vec();
    if !webhook.own_namespace.is_empty() {
        excluded.push(&webhook.own_namespace);
    }
    let (operator, names) = match &*webhook.namespaces {
        [] => ("NotIn", excluded),
        namespaces => ("In", namespaces.iter().map(String::as_str).collect()),
    };
    let own = webhook.own_user.iter().map(|user| not_written_by(user));
    let conditions: Vec<_> = own.chain(webhook.own_groups.iter().map(|group| not_the_end_of(group))).collect();
    let hook = |name: &str, rules: Vec<Value>, fail_closed: bool, seconds: u32| {
        json!({
            "matchConditions": conditions,
            "name": name,
            "clientConfig": webhook.endpoint.client_config(&webhook.ca_pem),
            "rules": rules,
            "failurePolicy": if fail_closed { "Fail" } else { "Ignore" },
            "matchPolicy": "Equivalent",
            "namespaceSelector": {"matchExpressions": [
                {"key": "kubernetes.io/metadata.name", "operator": operator, "values": names},
            ]},
            "sideEffects": "NoneOnDryRun",
            "timeoutSeconds": seconds,
            "admissionReviewVersions": ["v1"],
        })
    };
    let (refusing, telling) = (rules(false), rules(true));
    let mut hooks = Vec::new();
    if !refusing.is_empty() {
        hooks.push(hook("admission.kanon.dev", refusing, webhook.fail_closed, 5));
    }
    if !telling.is_empty() {
        // What can refuse nobody must not be in anybody's way when it cannot be asked.
        hooks.push(hook("runtime.kanon.dev", telling, false, 2));
    }
    json!({
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": "ValidatingWebhookConfiguration",
        "metadata": {"name": webhook.name, "labels": {"app.kubernetes.io/managed-by": "kanon"}},
        "webhooks": hooks,
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
            part: String::new(),
            advisory: false,
            operations: vec![Operation::Create, Operation::Update],
        };
        let plurals = BTreeMap::from([(GroupVersionKind::new("", "v1", "Pod"), "pods".to_owned())]);
        let webhook = Webhook {
            name: "kanon".into(),
            endpoint: Endpoint::Url("https://127.0.0.1:1/validate".into()),
            ca_pem: "pem".into(),
            fail_closed: true,
            namespaces: Vec::new(),
            own_namespace: "kanon-system".into(),
            own_user: Some("system:serviceaccount:kanon-system:kanon".into()),
            own_groups: vec!["portal.io"],
        };
        let manifest = webhook_manifest(&[rule("Pod"), rule("Absent")], &plurals, &webhook);
        let hook = &manifest["webhooks"][0];
        assert_eq!(hook["rules"][0]["resources"], json!(["pods", "pods/ephemeralcontainers"]));
        assert_eq!(hook["rules"][0]["operations"], json!(["CREATE", "UPDATE"]));
        assert_eq!(hook["rules"].as_array().unwrap().len(), 1);
        assert_eq!(hook["clientConfig"]["caBundle"], "cGVt");
        let condition = hook["matchConditions"][0]["expression"].as_str().unwrap();
        assert_eq!(hook["matchConditions"][1]["name"], "not-the-end-of.portal.io");
        assert!(condition.contains(r#"username == "system:serviceaccount:kanon-system:kanon""#), "{condition}");
        let excluded = &hook["namespaceSelector"]["matchExpressions"][0]["values"];
        assert!(excluded.as_array().unwrap().contains(&json!("kanon-system")));
        assert_eq!(webhook_manifest(&[], &plurals, &webhook)["webhooks"], json!([]));
        let narrow = Webhook {
            endpoint: Endpoint::Service { namespace: "shop".into(), name: "portal".into() },
            ca_pem: String::new(),
            namespaces: vec!["shop".into()],
            ..webhook.clone()
        };
        let hook = &webhook_manifest(&[rule("Pod")], &plurals, &narrow)["webhooks"][0];
        assert_eq!(hook["namespaceSelector"]["matchExpressions"][0]["operator"], "In");
        assert_eq!(hook["namespaceSelector"]["matchExpressions"][0]["values"], json!(["shop"]));
        let service = json!({"service": {"namespace": "shop", "name": "portal", "path": "/validate", "port": 443}});
        assert_eq!(hook["clientConfig"], service);
        let connect = |part: &str, advisory| AdmissionRule {
            part: part.into(),
            advisory,
            operations: vec![Operation::Connect],
            ..rule("Pod")
        };
        let manifest = webhook_manifest(&[connect("exec", false), connect("attach", true)], &plurals, &webhook);
        let told = |at: usize| {
            let hook = &manifest["webhooks"][at];
            [
                &hook["name"],
                &hook["failurePolicy"],
                &hook["rules"][0]["resources"][0],
                &hook["rules"][0]["operations"][0],
            ]
        };
        assert_eq!(told(0), ["admission.kanon.dev", "Fail", "pods/exec", "CONNECT"]);
        assert_eq!(told(1), ["runtime.kanon.dev", "Ignore", "pods/attach", "CONNECT"]);
    }
}
