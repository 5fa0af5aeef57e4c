//! Pods out of a template.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::{
    Kind, names,
    step::{Step, controlled_by},
    value::set_or_unset,
};

/// A pod of a template, controlled by the item, without a name.
pub(super) fn pod(step: &Step<'_>, template: &Value) -> Value {
    let mut metadata = json!({"namespace": step.item.namespace, "ownerReferences": [controlled_by(step.item)]});
    for name in ["labels", "annotations", "finalizers"] {
        let value = &template["metadata"][name];
        // Templates out of revisions are anybody's JSON.
        if value.is_object() || value.is_array() {
            set_or_unset(&mut metadata, name, value.clone());
        }
    }
    if !metadata["labels"].is_object() {
        metadata["labels"] = json!({});
    }
    let spec = if template["spec"].is_object() { template["spec"].clone() } else { json!({}) };
    json!({"metadata": metadata, "spec": spec})
}

/// Names one pod after another as if the server drew them.
pub(super) struct Namer {
    taken: BTreeSet<String>,
}

impl Namer {
    pub(super) fn new() -> Namer {
        Namer { taken: BTreeSet::new() }
    }

    /// Gives a pod the name `<prefix><five letters>`.
    pub(super) fn name(&mut self, step: &Step<'_>, pod: &mut Value, prefix: &str) -> String {
        let item = step.item;
        let now = step.now.as_nanosecond().to_string();
        let count = self.taken.len().to_string();
        let name = names::generated(prefix, &[&item.uid, &now, &count], |name| {
            self.taken.contains(name) || step.cluster.get(Kind::Pod, &item.namespace, name).is_some()
        });
        self.taken.insert(name.clone());
        pod["metadata"]["generateName"] = prefix.into();
        pod["metadata"]["name"] = name.as_str().into();
        name
    }
}
