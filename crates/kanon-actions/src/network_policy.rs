//! `patch-networkpolicy`: changes a NetworkPolicy, the violating one or one named (spec/rules 8.4).
//!
//! Parameters: `patch` (a map; `apiVersion`, `kind`, the name and the namespace in it are ignored), `targetName`,
//! `targetNamespace` (default: the violation's), `allowWiden: true`. A missing policy is not created. A patch that would let
//! more through than before is refused unless `allowWiden` says otherwise; whoever carries it out sees that.

use std::time::Duration;

use kanon_core::{Action as Deed, GroupVersionKind, Guard, ObjectRef};
use kanon_plane::{Action, ParamError, Params, Prepared, Refusal, bool_param, text_param};
use serde_json::{Map, Value};

pub(crate) struct PatchNetworkPolicy;

impl Action for PatchNetworkPolicy {
    fn id(&self) -> &'static str {
        "patch-networkpolicy"
    }

    fn window(&self) -> Duration {
        Duration::from_secs(30)
    }

    fn prepare(&self, params: &Params) -> Result<Prepared, ParamError> {
        let Some(Value::Object(patch)) = params.get("patch") else {
            let problem = if params.contains_key("patch") { "is not a map" } else { "is required" };
            return Err(ParamError { name: "patch".into(), problem });
        };
        let patch = Value::Object(without_identity(patch));
        let guard = if bool_param(params, "allowWiden")? { Guard::Free } else { Guard::NoWiderPolicy };
        let name = text_param(params, "targetName", "")?;
        let namespace = text_param(params, "targetNamespace", "")?;
        Ok(Prepared::object(move |verdict, reach| {
            reach.want(target(&verdict.subject, &namespace, &name)?, Deed::Patch { patch: patch.clone(), guard })
        }))
    }
}

fn target(subject: &ObjectRef, namespace: &str, name: &str) -> Result<ObjectRef, Refusal> {
    let gvk = GroupVersionKind::new("networking.k8s.io", "v1", "NetworkPolicy");
    if subject.gvk == gvk {
        return Ok(subject.clone());
    }
    if name.is_empty() {
        return Err(Refusal(format!("`targetName` is needed: {subject} is no NetworkPolicy")));
    }
    let namespace = if namespace.is_empty() { &subject.namespace } else { namespace };
    if namespace.is_empty() {
        return Err(Refusal(format!("`targetNamespace` is needed: {subject} is in no namespace")));
    }
    Ok(ObjectRef { gvk, namespace: namespace.to_owned(), name: name.to_owned(), uid: String::new() })
}

fn without_identity(patch: &Map<String, Value>) -> Map<String, Value> {
    let mut patch = patch.clone();
    for key in ["apiVersion", "kind", "status"] {
        patch.remove(key);
    }
    if let Some(Value::Object(metadata)) = patch.get_mut("metadata") {
        for key in ["name", "namespace", "uid", "resourceVersion"] {
            metadata.remove(key);
        }
    }
    patch
}
