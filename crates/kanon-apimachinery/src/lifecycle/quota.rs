//! What the status of a quota is to say (kube-controller-manager: the resource quota controller).

use kanon_store::Entry;
use serde_json::Value;

use super::{Intent, builtin, editable};
use crate::resource::Registry;

/// The write of a quota's status.
pub fn quota_status(registry: &Registry, quota: &Entry, status: Value) -> Option<Intent> {
    let resource = builtin(registry, "", "resourcequotas")?;
    let mut object = editable(resource, quota);
    object["status"] = status;
    Some(Intent::update(resource, "status", object))
}
