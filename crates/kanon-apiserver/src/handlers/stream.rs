//! `exec`, `attach` and `portforward`: whoever may ask is put to admission as in a cluster, and then there is no kubelet to talk to.

use kanon_apimachinery::{
    admission::Attributes,
    request::{Address, RequestInfo, Verb, check_stream, no_pod, stream_options},
    status::{ApiError, Result},
};
use kanon_core::Operation;
use serde_json::Value;

use crate::{core::Core, reply::Reply, service::Asked};

/// Whether a request is for a stream.
pub(super) fn is_stream(info: &RequestInfo, address: &Address) -> bool {
    stream_options(address, &info.query).is_some()
}

/// Asks admission, then fails as an API server does that does not reach the pod's node.
///
/// # Errors
/// Always.
pub(super) async fn connect(core: &Core, asked: &Asked, verb: Verb, address: &Address) -> Result<Reply> {
    if !matches!(verb, Verb::Get | Verb::Create) {
        return Err(ApiError::method_not_allowed());
    }
    let (kind, object) = stream_options(address, &asked.info.query).ok_or_else(ApiError::no_such_path)?;
    let registry = core.registry.load_full();
    let resource = registry.resource(&address.group, &address.version, &address.resource);
    let resource = resource.ok_or_else(ApiError::no_such_path)?;
    let attributes = Attributes {
        operation: Operation::Connect,
        resource,
        address,
        kind: &kind,
        options: &Value::Null,
        dry_run: false,
        user: &asked.user,
    };
    let hooks = core.hooks();
    let (object, _) = core.mutate(&hooks, &attributes, object, None, &asked.warnings).await?;
    core.validate(&hooks, &attributes, Some(&object), None, &asked.warnings).await?;
    let key = resource.key(&address.namespace, &address.name);
    let pod = core.storage.get(&key).ok_or_else(|| no_pod(address))?;
    check_stream(&pod.object, address, &asked.info.query)?;
    Err(ApiError::plain_500("error dialing backend: this server runs no containers"))
}
