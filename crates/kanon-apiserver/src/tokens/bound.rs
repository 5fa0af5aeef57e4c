//! Tokens that are bound to an object: they count while that very object is there. What a token says of it stands in its claims,
//! and the user that it makes carries the same as extra attributes (upstream).

use std::collections::BTreeMap;

use kanon_apimachinery::status::{ApiError, GroupResource, Result};
use kanon_core::GroupVersionKind;
use kanon_store::Key;
use serde_json::{Map, Value, json};

use crate::{core::Core, storage::Storage};

/// A kind that tokens can be bound to, by its name in claims.
struct Bound {
    kind: &'static str,
    claim: &'static str,
    resource: &'static str,
    is_namespaced: bool,
}

const BOUND: [Bound; 3] = [
    Bound { kind: "Pod", claim: "pod", resource: "pods", is_namespaced: true },
    Bound { kind: "Secret", claim: "secret", resource: "secrets", is_namespaced: true },
    Bound { kind: "Node", claim: "node", resource: "nodes", is_namespaced: false },
];

impl Bound {
    fn key(&self, namespace: &str, name: &str) -> Key {
        let namespace = if self.is_namespaced { namespace } else { "" };
        Key::new(&format!("core/{}", self.resource), namespace, name)
    }

    fn uid(&self, storage: &Storage, namespace: &str, name: &str) -> Option<String> {
        let entry = storage.get(&self.key(namespace, name))?;
        Some(entry.object.str_at(&["metadata", "uid"]).to_owned())
    }
}

/// The claims about the object that a request binds its token to; none where it names none.
///
/// # Errors
/// 400 for kinds that no token is bound to and for a pod of another account, 404 for an absent object, 409 for another than the
/// one meant.
pub(super) fn claims(core: &Core, namespace: &str, account: &str, reference: &Value) -> Result<Map<String, Value>> {
    let mut claims = Map::new();
    if reference.is_null() {
        return Ok(claims);
    }
    let text = |name: &str| reference[name].as_str().unwrap_or_default();
    let gvk = GroupVersionKind::from_api_version(text("apiVersion"), text("kind"));
    let known = BOUND.iter().find(|it| gvk.group.is_empty() && it.kind == gvk.kind);
    let Some(bound) = known else {
        let (version, kind) = (gvk.api_version(), &gvk.kind);
        let slash = if version.contains('/') { "" } else { "/" };
        let problem = format!("cannot bind token for object of type {slash}{version}, Kind={kind}");
        return Err(ApiError::bad_request(problem));
    };
    let name = text("name");
    let entry = core.storage.get(&bound.key(namespace, name));
    let entry = entry.ok_or_else(|| ApiError::not_found(&GroupResource::new("", bound.resource), name))?;
    let uid = entry.object.str_at(&["metadata", "uid"]);
    if bound.kind == "Pod" {
        if entry.object.str_at(&["spec", "serviceAccountName"]) != account {
            let problem = format!(
                "cannot bind token for serviceaccount {account:?} to pod running with different serviceaccount name."
            );
            return Err(ApiError::bad_request(problem));
        }
        let node = entry.object.str_at(&["spec", "nodeName"]);
        if let (false, [.., nodes]) = (node.is_empty(), &BOUND) {
            let mut claim = json!({"name": node});
            if let Some(uid) = nodes.uid(&core.storage, namespace, node) {
                claim["uid"] = uid.into();
            }
            claims.insert(nodes.claim.to_owned(), claim);
        }
    }
    let wanted = text("uid");
    if !wanted.is_empty() && wanted != uid {
        let why = format!(
            "the UID in the bound object reference ({wanted}) does not match the UID in record. The object might have been deleted and then recreated"
        );
        return Err(ApiError::conflict_because(&GroupResource::new("", bound.kind), name, &why));
    }
    claims.insert(bound.claim.to_owned(), json!({"name": name, "uid": uid}));
    Ok(claims)
}

/// Whether what a token is bound to is still there. The node of a pod is only told.
pub(super) fn holds(storage: &Storage, about: &Value) -> bool {
    let namespace = about["namespace"].as_str().unwrap_or_default();
    let is_of_pod = about["pod"].is_object();
    BOUND.iter().filter(|it| about[it.claim].is_object() && !(is_of_pod && it.claim == "node")).all(|bound| {
        let claim = &about[bound.claim];
        let name = claim["name"].as_str().unwrap_or_default();
        bound.uid(storage, namespace, name).is_some_and(|it| claim["uid"] == it.as_str())
    })
}

/// What the user of a token carries besides name and groups.
pub(super) fn extra(claims: &Value) -> BTreeMap<String, Vec<String>> {
    let about = &claims["kubernetes.io"];
    let told = [
        ("node-name", &about["node"]["name"]),
        ("node-uid", &about["node"]["uid"]),
        ("pod-name", &about["pod"]["name"]),
        ("pod-uid", &about["pod"]["uid"]),
    ];
    let mut extra: BTreeMap<String, Vec<String>> = told
        .into_iter()
        .filter_map(|(name, value)| {
            Some((format!("authentication.kubernetes.io/{name}"), vec![value.as_str()?.to_owned()]))
        })
        .collect();
    if let Some(id) = claims["jti"].as_str() {
        extra.insert("authentication.kubernetes.io/credential-id".to_owned(), vec![format!("JTI={id}")]);
    }
    extra
}
