//! A webhook configuration that somebody else installed, such as a chart: its entries keep what they say but for what is set
//! here. JSON patches with `add`, which sets a member that is there as well as one that is not (a strict server refuses to
//! `replace` what is missing), each guarded by the entry's name.

use std::collections::BTreeMap;

use base64::{Engine, engine::general_purpose::STANDARD};
use http::Method;
use kanon_core::{GroupVersionKind, Node, Object};
use kanon_plane::AdmissionRule;
use serde_json::{Value, json};

use crate::{
    client::{Api, Error, FIELD_MANAGER},
    install::{WEBHOOKS, resources, webhook_rules},
};

/// How often a patch is tried when others write too.
const ATTEMPTS: usize = 5;

/// What is set on every entry; what is `None` stays.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Adoption {
    /// The authorities that the API server is to trust, PEM.
    pub authorities_pem: Option<String>,
    /// What it is to ask about.
    pub rules: Option<Vec<AdmissionRule>>,
}

/// What rules in force come to in a webhook's rules.
struct Lines {
    /// Those by which somebody may be refused.
    refusing: Vec<Value>,
    /// The others: a webhook that cannot be asked about them must not be in the way.
    telling: Vec<Value>,
}

impl Lines {
    /// What belongs into an entry. Where there are entries of both failure policies, each has its own; a lone one that fails open
    /// has all; those that fail closed never have what can refuse nobody.
    fn of(&self, entry: Node<'_>, some_fail_closed: bool) -> Value {
        match (fails_closed(entry), some_fail_closed) {
            (true, _) => json!(self.refusing),
            (false, true) => json!(self.telling),
            (false, false) => self.refusing.iter().chain(&self.telling).cloned().collect(),
        }
    }
}

/// `Fail` is what Kubernetes takes where nothing is said.
fn fails_closed(entry: Node<'_>) -> bool {
    entry.get("failurePolicy").and_then(Node::as_plain_str) != Some("Ignore")
}

/// Sets it on every entry of the ValidatingWebhookConfiguration; whether anything changed.
///
/// # Errors
/// A configuration that is missing or has no entry, a call that fails.
pub async fn adopt_webhook(api: &Api, name: &str, adoption: &Adoption) -> Result<bool, Error> {
    let rules = match &adoption.rules {
        None => None,
        Some(rules) => {
            let kinds = rules.iter().map(|it| GroupVersionKind::new(&it.group, &it.version, &it.kind));
            let plurals: BTreeMap<_, _> = resources(api, kinds.collect::<Vec<_>>()).await?;
            let lines = |advisory| webhook_rules(rules.iter().filter(|it| it.advisory == advisory), &plurals);
            Some(Lines { refusing: lines(false), telling: lines(true) })
        }
    };
    let bundle = adoption.authorities_pem.as_ref().map(|it| json!(STANDARD.encode(it)));
    let path = format!("{WEBHOOKS}/{name}");
    let mut last = None;
    for _ in 0..ATTEMPTS {
        let Some(stored) = api.get(&path).await? else {
            return Err(Error::Answer(format!("there is no ValidatingWebhookConfiguration `{name}`")));
        };
        let Some(patch) = patch(&stored, bundle.as_ref(), rules.as_ref()) else {
            return Err(Error::Answer(format!("the ValidatingWebhookConfiguration `{name}` has no entry")));
        };
        if patch.is_empty() {
            return Ok(false);
        }
        let body = Value::from(patch).to_string().into_bytes();
        let patched = format!("{path}?fieldManager={FIELD_MANAGER}");
        match api.call(Method::PATCH, &patched, Some(("application/json-patch+json", body))).await {
            Ok(_) => return Ok(true),
            // The entries are not what they were when they were read.
            Err(error @ Error::Status { code: 409 | 422, .. }) => last = Some(error),
            Err(error) => return Err(error),
        }
    }
    Err(last.unwrap_or_else(|| Error::Answer(format!("`{name}` could not be patched"))))
}

/// The patch; empty where all is as it should be, `None` where there is nothing to patch. Pure.
fn patch(stored: &Object, bundle: Option<&Value>, lines: Option<&Lines>) -> Option<Vec<Value>> {
    let entries = || stored.at(&["webhooks"]).into_iter().flat_map(Node::elements);
    let some_fail_closed = entries().any(fails_closed);
    let mut patch = Vec::new();
    let mut count = 0;
    for (at, entry) in entries().enumerate() {
        count += 1;
        let mut adds = Vec::new();
        let mut set = |path: &str, known: Option<Node<'_>>, wanted: Option<&Value>| {
            let Some(wanted) = wanted else { return };
            if known.map(Node::to_object).is_none_or(|it| it.to_value() != *wanted) {
                adds.push(json!({"op": "add", "path": format!("/webhooks/{at}/{path}"), "value": wanted}));
            }
        };
        set("clientConfig/caBundle", entry.at(&["clientConfig", "caBundle"]), bundle);
        set("rules", entry.get("rules"), lines.map(|it| it.of(entry, some_fail_closed)).as_ref());
        if !adds.is_empty() {
            let name = entry.get("name").and_then(Node::as_str).unwrap_or_default();
            patch.push(json!({"op": "test", "path": format!("/webhooks/{at}/name"), "value": name}));
            patch.append(&mut adds);
        }
    }
    (count > 0).then_some(patch)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_entry_is_set_once() {
        let entry = |name: &str, bundle: Option<&str>| {
            let mut entry = json!({"name": name, "clientConfig": {"service": {"name": "portal"}}, "rules": []});
            if let Some(bundle) = bundle {
                entry["clientConfig"]["caBundle"] = json!(bundle);
            }
            entry
        };
        let of = |entries: Vec<Value>| Object::from_value(&json!({"webhooks": entries}));
        let bundle = json!("cGVt");
        let both = of(vec![entry("a.b.c", None), entry("d.e.f", Some("b2xk"))]);
        let made = patch(&both, Some(&bundle), None).unwrap();
        assert_eq!(
            made,
            [
                json!({"op": "test", "path": "/webhooks/0/name", "value": "a.b.c"}),
                json!({"op": "add", "path": "/webhooks/0/clientConfig/caBundle", "value": "cGVt"}),
                json!({"op": "test", "path": "/webhooks/1/name", "value": "d.e.f"}),
                json!({"op": "add", "path": "/webhooks/1/clientConfig/caBundle", "value": "cGVt"}),
            ]
        );
        let lines = |refusing: &[&str], telling: &[&str]| {
            let made = |it: &[&str]| it.iter().map(|it| json!({"resources": [it]})).collect();
            Lines { refusing: made(refusing), telling: made(telling) }
        };
        let done = of(vec![entry("a.b.c", Some("cGVt"))]);
        assert_eq!(patch(&done, Some(&bundle), Some(&lines(&[], &[]))), Some(Vec::new()));
        let lines = lines(&["pods"], &["pods/exec"]);
        let told = |entries: &[Value]| {
            let patch = patch(&of(entries.to_vec()), None, Some(&lines)).unwrap();
            let adds = patch.iter().filter(|it| it["op"] == "add");
            adds.map(|it| it["value"].to_string()).collect::<Vec<_>>()
        };
        let (closed, mut open) = (entry("a.b.c", None), entry("d.e.f", None));
        open["failurePolicy"] = json!("Ignore");
        let [refusing, telling] = [r#"{"resources":["pods"]}"#, r#"{"resources":["pods/exec"]}"#];
        assert_eq!(told(std::slice::from_ref(&closed)), [format!("[{refusing}]")]);
        assert_eq!(told(&[closed, open.clone()]), [format!("[{refusing}]"), format!("[{telling}]")]);
        assert_eq!(told(&[open]), [format!("[{refusing},{telling}]")]);
        assert_eq!(patch(&of(vec![]), Some(&bundle), None), None);
    }
}
