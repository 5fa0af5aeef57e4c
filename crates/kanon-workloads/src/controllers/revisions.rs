//! Remembered pod templates of stateful and daemon sets: one ControllerRevision for each template that pods may still have.

use std::sync::Arc;

use serde_json::{Value, json};

use crate::{
    Kind,
    cluster::Known,
    names,
    step::{Step, controlled_by},
    value::{int, number},
};

/// The label with a revision's hash, on pods too.
pub(super) const HASH: &str = "controller-revision-hash";

/// One remembered template.
#[derive(Clone, Debug)]
pub(super) struct Revision {
    pub(super) known: Arc<Known>,
    pub(super) name: String,
    number: i64,
    data: Value,
}

/// The revisions of a set, by number.
pub(super) fn all(step: &Step<'_>) -> Vec<Revision> {
    let owned = step.cluster.children(&step.item.uid, Kind::ControllerRevision);
    let of = |it: &Arc<Known>| {
        let mut value = it.value();
        let data = value["data"].take();
        Revision { known: Arc::clone(it), name: it.name.clone(), number: int(&value["revision"]), data }
    };
    let mut all: Vec<Revision> = owned.filter(|it| !it.deleting).map(of).collect();
    all.sort_by(|a, b| (a.number, &a.name).cmp(&(b.number, &b.name)));
    all
}

/// What a revision remembers of a set: its template, as a patch that replaces it.
fn data(set: &Value) -> Value {
    let mut template = set["spec"]["template"].clone();
    template["$patch"] = "replace".into();
    json!({"spec": {"template": template}})
}

impl Revision {
    /// The template that it remembers.
    pub(super) fn template(&self) -> Value {
        let mut template = self.data["spec"]["template"].clone();
        crate::value::unset(&mut template, "$patch");
        template
    }

    /// The hash, as pods have it in a label.
    pub(super) fn hash<'s>(&'s self, set: &str) -> &'s str {
        self.name.strip_prefix(set).and_then(|it| it.strip_prefix('-')).unwrap_or(&self.name)
    }
}

/// The revision of the present template. None where it was only asked for in this turn: it will be there in the next.
pub(super) fn present(step: &mut Step<'_>, set: &Value, all: &[Revision]) -> Option<Revision> {
    let wanted = data(set);
    let last = all.last().map_or(0, |it| it.number);
    if let Some(found) = all.iter().rev().find(|it| it.data == wanted) {
        if found.number != last {
            // Back to an old template: its revision is the newest again.
            let mut value = found.known.value();
            value["revision"] = (last + 1).into();
            step.update(Kind::ControllerRevision, value);
        }
        return Some(found.clone());
    }
    if step.refusal.is_some() {
        return None;
    }
    let collisions = int(&set["status"]["collisionCount"]);
    let hash = names::template_hash(&set["spec"]["template"], collisions);
    let name = format!("{}-{hash}", step.item.name);
    if step.cluster.get(Kind::ControllerRevision, &step.item.namespace, &name).is_some() {
        // Another template of the same hash.
        let mut status = set["status"].clone();
        status["collisionCount"] = (collisions + 1).into();
        step.status(step.item, set.clone(), status);
        return None;
    }
    let mut labels = set["spec"]["template"]["metadata"]["labels"].clone();
    labels[HASH] = hash.into();
    let revision = json!({
        "metadata": {
            "name": name,
            "namespace": step.item.namespace,
            "labels": labels,
            "ownerReferences": [controlled_by(step.item)],
        },
        "data": wanted,
        "revision": last + 1,
    });
    step.create(Kind::ControllerRevision, revision);
    None
}

/// Deletes revisions beyond the limit that nothing has any more.
pub(super) fn clean(step: &mut Step<'_>, set: &Value, all: &[Revision], is_live: impl Fn(&Revision) -> bool) {
    let limit = usize::try_from(number(&set["spec"]["revisionHistoryLimit"]).unwrap_or(10)).unwrap_or_default();
    let dead: Vec<&Revision> = all.iter().filter(|it| !is_live(it)).collect();
    let surplus = dead.len().saturating_sub(limit);
    for revision in dead.into_iter().take(surplus) {
        step.delete(&revision.known, None);
    }
}
