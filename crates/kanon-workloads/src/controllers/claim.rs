//! Whose objects are whose: what a controller owns, adopts because its selector fits, and lets go because it no longer does.

use std::sync::Arc;

use serde_json::{Value, json};

use crate::{
    Kind,
    cluster::Known,
    step::{Step, controlled_by},
};

/// The objects of a kind that the item controls. Adopting and letting go are intents, whose result counts in a later turn.
pub(super) fn claim(step: &mut Step<'_>, kind: Kind) -> Vec<Arc<Known>> {
    let item = step.item;
    let Some(selector) = &item.selector else { return Vec::new() };
    let cluster = step.cluster;
    let mut mine = Vec::new();
    for it in cluster.children(&item.uid, kind) {
        if selector.matches(&it.labels) || it.deleting {
            mine.push(Arc::clone(it));
        } else if !item.deleting {
            let released = released(item, it);
            step.update(kind, released);
        }
    }
    if item.deleting {
        return mine;
    }
    let orphans: Vec<Arc<Known>> = if kind == Kind::Pod {
        let all = cluster.selected(&item.namespace, selector).into_iter();
        all.filter(|it| it.owner.is_none() && it.is_active()).cloned().collect()
    } else {
        let all = cluster.orphans(&item.namespace, kind);
        all.filter(|it| !it.deleting && selector.matches(&it.labels)).cloned().collect()
    };
    for it in orphans {
        let mut value = it.value();
        if !value["metadata"]["ownerReferences"].is_array() {
            value["metadata"]["ownerReferences"] = json!([]);
        }
        if let Some(list) = value["metadata"]["ownerReferences"].as_array_mut() {
            list.push(controlled_by(item));
        }
        step.update(kind, value);
    }
    mine
}

fn released(owner: &Known, it: &Known) -> Value {
    let mut value = it.value();
    if let Some(list) = value["metadata"]["ownerReferences"].as_array_mut() {
        list.retain(|it| it["uid"] != owner.uid.as_str());
    }
    value
}
