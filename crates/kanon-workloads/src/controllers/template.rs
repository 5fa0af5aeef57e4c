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
        set_or_unset(&mut metadata, name, template["metadata"][name].clone());
    }
    json!({"metadata": metadata, "spec": template["spec"]})
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
