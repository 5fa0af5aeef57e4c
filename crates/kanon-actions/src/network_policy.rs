//! `patch-networkpolicy`: changes a NetworkPolicy, the violating one or one named (spec/rules 8.4).
//!
//! Parameters: `patch` (a map; `apiVersion`, `kind`, the name and the namespace in it are ignored), `targetName`,
//! `targetNamespace` (default: the violation's; of a Namespace, itself), `allowWiden: true`, `create: true`. A missing policy is
//! created only by the last, and with rules only where `allowWiden` says so: policies add up. A patch that would let more through than before is refused unless `allowWiden` says otherwise; whoever carries it out
//! sees that.

use std::time::Duration;

use kanon_core::{Action as Deed, GroupVersionKind, Guard, ObjectRef};
use kanon_plane::{Action, ParamError, Params, Prepared, Refusal, Right, bool_param, text_param};
use serde_json::{Map, Value};

pub(crate) struct PatchNetworkPolicy;

impl Action for PatchNetworkPolicy {
    fn id(&self) -> &'static str {
        "patch-networkpolicy"
    }

    fn window(&self) -> Duration {
        Duration::from_secs(30)
    }

    fn rights(&self, params: &Params, _: &[Right]) -> Vec<Right> {
        let policies = |verb| Right::new(verb, "networking.k8s.io", "networkpolicies");
        let creates = params.get("create").and_then(Value::as_bool).unwrap_or_default();
        std::iter::once(policies("patch")).chain(creates.then(|| policies("create"))).collect()
    }

    fn reads(&self, params: &Params, _: &[Right]) -> Vec<Right> {
        // What the patch is compared with.
        let widens = params.get("allowWiden").and_then(Value::as_bool).unwrap_or_default();
        if widens { Vec::new() } else { vec![Right::new("get", "networking.k8s.io", "networkpolicies")] }
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
        let creates = bool_param(params, "create")?;
        if creates && !patch["spec"].is_object() {
            return Err(ParamError { name: "create".into(), problem: "needs a `patch` with a `spec`" });
        }
        let has_rules =
            ["ingress", "egress"].iter().any(|it| patch["spec"][it].as_array().is_some_and(|it| !it.is_empty()));
        if creates && has_rules && guard == Guard::NoWiderPolicy {
            let problem = "would make a policy that lets something through: `allowWiden: true` allows that";
            return Err(ParamError { name: "create".into(), problem });
        }
        Ok(Prepared::object(move |verdict, reach| {
            let target = target(&verdict.subject, &namespace, &name)?;
            // The violating policy itself is changed or gone.
            let create = (creates && target.uid.is_empty()).then(|| manifest(&target, &patch));
            reach.want(target, Deed::Patch { patch: patch.clone(), guard, create })
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
    let is_namespace = subject.gvk.group.is_empty() && subject.gvk.kind == "Namespace";
    let own = if is_namespace { &subject.name } else { &subject.namespace };
    let namespace = if namespace.is_empty() { own } else { namespace };
    if namespace.is_empty() {
        return Err(Refusal(format!("`targetNamespace` is needed: {subject} is in no namespace")));
    }
    Ok(ObjectRef { gvk, namespace: namespace.to_owned(), name: name.to_owned(), uid: String::new() })
}

/// The policy to create: the patch, and what makes it one.
fn manifest(target: &ObjectRef, patch: &Value) -> Value {
    let mut policy = patch.clone();
    policy["apiVersion"] = Value::from(target.gvk.api_version());
    policy["kind"] = Value::from(target.gvk.kind.as_str());
    policy["metadata"]["name"] = Value::from(target.name.as_str());
    policy["metadata"]["namespace"] = Value::from(target.namespace.as_str());
    if policy["spec"]["podSelector"].is_null() {
        policy["spec"]["podSelector"] = Value::Object(Map::new());
    }
    policy
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
