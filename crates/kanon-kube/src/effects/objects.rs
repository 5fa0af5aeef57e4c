//! Changes of objects, closed nodes, and evictions. Each has a precondition, so that a repeat reaches nothing else.

use http::Method;
use kanon_core::{Done, Guard, Object, ObjectRef};
use serde_json::{Value, json};

use super::{Trouble, moot, policy};
use crate::client::{Api, Error, FIELD_MANAGER};

/// Marks pods that a kubelet made of its own files; the API server cannot end them.
const MIRROR: &str = "kubernetes.io/config.mirror";

/// A merge patch of the object at `path`, if it is the subject still and the guard allows it.
pub(super) async fn patch(
    api: &Api,
    path: &str,
    subject: &ObjectRef,
    patch: &Value,
    guard: Guard,
) -> Result<Done, Trouble> {
    // A merge patch never creates: what is gone stays gone.
    let mut patch = patch.clone();
    if !subject.uid.is_empty() {
        patch["metadata"]["uid"] = json!(subject.uid);
    }
    if guard == Guard::NoWiderPolicy {
        let Some(before) = api.get(path).await? else { return Ok(Done::Absent) };
        let body = Some(("application/merge-patch+json", patch.to_string().into_bytes()));
        let tried = api.call(Method::PATCH, &format!("{path}?dryRun=All"), body).await;
        let after = match tried {
            Ok(after) => after,
            Err(error) => return moot(Err(error)),
        };
        if let Some(widening) = policy::widening(&before, &after) {
            return Err(Trouble::Refused(format!(
                "the patch would let more through ({widening}); `allowWiden: true` allows that"
            )));
        }
        // What was compared is what is changed.
        patch["metadata"]["resourceVersion"] = json!(before.str_at(&["metadata", "resourceVersion"]));
        return match api.merge(path, &patch).await {
            // Somebody was faster. That is retried from the reading on, unless the object is another one by now.
            Err(Error::Status { code: 409, message, .. }) => match api.get(path).await? {
                Some(object) if is_subject(&object, subject) => Err(Trouble::Later(message)),
                Some(_) => Ok(Done::Replaced),
                None => Ok(Done::Absent),
            },
            result => moot(result),
        };
    }
    moot(api.merge(path, &patch).await)
}

/// An eviction, which disruption budgets may put off.
pub(super) async fn evict(api: &Api, subject: &ObjectRef, grace_period_sec: Option<u32>) -> Result<Done, Trouble> {
    let ObjectRef { namespace, name, .. } = subject;
    let pod = format!("/api/v1/namespaces/{namespace}/pods/{name}");
    let Some(object) = api.get(&pod).await? else { return Ok(Done::Absent) };
    if !is_subject(&object, subject) {
        return Ok(Done::Replaced);
    }
    if object.at(&["metadata", "annotations", MIRROR]).is_some() {
        return Err(Trouble::Refused("the pod is a mirror pod: its kubelet alone can end it".to_owned()));
    }
    let mut options = json!({"preconditions": {"uid": object.str_at(&["metadata", "uid"])}});
    if let Some(seconds) = grace_period_sec {
        options["gracePeriodSeconds"] = json!(seconds);
    }
    let eviction = json!({
        "apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": name, "namespace": namespace},
        "deleteOptions": options,
    });
    let body = Some(("application/json", eviction.to_string().into_bytes()));
    // Under our name, so that our own admission lets it pass.
    let path = format!("{pod}/eviction?fieldManager={FIELD_MANAGER}");
    match api.call(Method::POST, &path, body).await {
        // A budget answers 429 for as long as it takes: trying again in a moment would only be rude.
        Err(Error::Status { code: 429, message, .. }) => Err(Trouble::Later(message)),
        result => moot(result),
    }
}

/// Creates the object at `path`. Somebody who was faster, or a repeat, is as good.
pub(super) async fn create(api: &Api, path: &str, manifest: &Value) -> Result<Done, Trouble> {
    let folder = path.rsplit_once('/').map_or(path, |it| it.0);
    let body = Some(("application/json", manifest.to_string().into_bytes()));
    match api.call(Method::POST, &format!("{folder}?fieldManager={FIELD_MANAGER}"), body).await {
        Err(Error::Status { code: 409, .. }) => Ok(Done::Done),
        result => moot(result),
    }
}

/// Closes a node, or that of a pod, to what is to be scheduled.
pub(super) async fn cordon(api: &Api, subject: &ObjectRef) -> Result<Done, Trouble> {
    let ObjectRef { gvk, namespace, name, .. } = subject;
    let closed = json!({"spec": {"unschedulable": true}});
    if gvk.kind == "Node" {
        return patch(api, &format!("/api/v1/nodes/{name}"), subject, &closed, Guard::Free).await;
    }
    let Some(pod) = api.get(&format!("/api/v1/namespaces/{namespace}/pods/{name}")).await? else {
        return Ok(Done::Absent);
    };
    if !is_subject(&pod, subject) {
        return Ok(Done::Replaced);
    }
    match pod.str_at(&["spec", "nodeName"]) {
        "" => Err(Trouble::Refused("the pod is on no node".to_owned())),
        node => moot(api.merge(&format!("/api/v1/nodes/{node}"), &closed).await),
    }
}

/// Whether the object there is the one that was meant; without a UID any of the name is.
pub(super) fn is_subject(object: &Object, subject: &ObjectRef) -> bool {
    subject.uid.is_empty() || object.str_at(&["metadata", "uid"]) == subject.uid
}
