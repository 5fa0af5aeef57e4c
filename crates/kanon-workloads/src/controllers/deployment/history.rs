//! Revisions: the numbers that `kubectl rollout history` shows, the replica set of the present template, and how many old ones
//! are kept.

use serde_json::{Value, json};

use super::{
    DESIRED, Deployment, MAX, REVISION, REVISION_HISTORY,
    sets::{HASH, Set, Sets, note_wanted},
};
use crate::{
    Kind, names,
    step::{Step, controlled_by},
    value::{self, condition, int, set_or_unset, text},
};

/// Annotations of a deployment that its replica sets do not take over.
const OWN: [&str; 6] = [
    "kubectl.kubernetes.io/last-applied-configuration",
    "deprecated.deployment.rollback.to",
    REVISION,
    REVISION_HISTORY,
    DESIRED,
    MAX,
];

/// Brings revision numbers and annotations of the present replica set and the deployment to what they must be.
pub(super) fn sync(step: &mut Step<'_>, deployment: &Deployment<'_>, sets: &mut Sets) {
    let revision = next_revision(sets);
    let Some(new) = &mut sets.new else { return };
    let mut value = new.value.clone();
    annotate(deployment, &mut value, revision);
    let min_ready = deployment.value["spec"].get("minReadySeconds").cloned().unwrap_or_default();
    set_or_unset(&mut value["spec"], "minReadySeconds", min_ready);
    if value != new.value {
        step.update(Kind::ReplicaSet, value.clone());
        new.value = value;
    }
    number(step, deployment, new.revision());
}

fn next_revision(sets: &Sets) -> i64 {
    sets.old.iter().map(Set::revision).max().unwrap_or_default() + 1
}

/// Takes over the deployment's annotations, and a new revision where it is higher.
fn annotate(deployment: &Deployment<'_>, set: &mut Value, revision: i64) {
    if !set["metadata"]["annotations"].is_object() {
        set["metadata"]["annotations"] = json!({});
    }
    let annotations = &mut set["metadata"]["annotations"];
    for (name, value) in deployment.value["metadata"]["annotations"].as_object().into_iter().flatten() {
        if !OWN.contains(&name.as_str()) {
            annotations[name.as_str()] = value.clone();
        }
    }
    let before = annotations[REVISION].as_str().map(str::to_owned);
    let known: i64 = before.as_deref().and_then(|it| it.parse().ok()).unwrap_or_default();
    if known >= revision {
        return;
    }
    if let Some(before) = before {
        let history = text(&annotations[REVISION_HISTORY]);
        let history = if history.is_empty() { before } else { format!("{history},{before}") };
        annotations[REVISION_HISTORY] = history.into();
    }
    annotations[REVISION] = revision.to_string().into();
}

/// Gives the deployment the number of its present replica set.
fn number(step: &mut Step<'_>, deployment: &Deployment<'_>, revision: i64) {
    let mut value = deployment.value.clone();
    if !value["metadata"]["annotations"].is_object() {
        value["metadata"]["annotations"] = json!({});
    }
    let revision = revision.to_string();
    if value["metadata"]["annotations"][REVISION] != revision.as_str() {
        value["metadata"]["annotations"][REVISION] = revision.into();
        step.update(Kind::Deployment, value);
    }
}

/// The replica set of the present template, made where it is not there: then with as many pods as `replicas` says.
pub(super) fn ensure(step: &mut Step<'_>, deployment: &Deployment<'_>, sets: &mut Sets, replicas: i64) {
    sync(step, deployment, sets);
    if sets.new.is_some() || step.refusal.is_some() {
        return;
    }
    let item = step.item;
    let collisions = int(&deployment.value["status"]["collisionCount"]);
    let hash = names::template_hash(&deployment.value["spec"]["template"], collisions);
    let name = format!("{}-{hash}", item.name);
    if let Some(taken) = step.cluster.get(Kind::ReplicaSet, &item.namespace, &name) {
        // Ours would have been found: it is on its way out, or another's.
        if !(item.controls(taken) && taken.deleting) {
            let mut status = deployment.value["status"].clone();
            status["collisionCount"] = (collisions + 1).into();
            step.status(item, deployment.value.clone(), status);
        }
        return;
    }
    let revision = next_revision(sets);
    let set = make(step, deployment, &name, &hash, replicas, revision);
    step.create(Kind::ReplicaSet, set);
    if replicas > 0 {
        let message = format!("Scaled up replica set {name} from 0 to {replicas}");
        step.event(item, "ScalingReplicaSet", &message);
    }
    number(step, deployment, revision);
}

fn make(step: &Step<'_>, deployment: &Deployment<'_>, name: &str, hash: &str, replicas: i64, revision: i64) -> Value {
    let spec = &deployment.value["spec"];
    let mut template = spec["template"].clone();
    template["metadata"]["labels"][HASH] = hash.into();
    let mut selector = spec["selector"].clone();
    selector["matchLabels"][HASH] = hash.into();
    let mut set = json!({
        "metadata": {
            "name": name,
            "namespace": step.item.namespace,
            "labels": template["metadata"]["labels"],
            "ownerReferences": [controlled_by(step.item)],
        },
        "spec": {"replicas": replicas, "selector": selector, "template": template},
    });
    set_or_unset(&mut set["spec"], "minReadySeconds", spec.get("minReadySeconds").cloned().unwrap_or_default());
    annotate(deployment, &mut set, revision);
    note_wanted(&mut set, deployment);
    set
}

/// Deletes old replica sets beyond those that are kept.
pub(super) fn clean(step: &mut Step<'_>, deployment: &Deployment<'_>, sets: &Sets) {
    let Some(limit) = value::number(&deployment.value["spec"]["revisionHistoryLimit"]) else { return };
    let limit = usize::try_from(limit).unwrap_or_default();
    let mut old: Vec<&Set> = sets.old.iter().filter(|it| !it.known.deleting).collect();
    let surplus = old.len().saturating_sub(limit);
    old.sort_by_key(|it| it.revision());
    for set in old.into_iter().take(surplus) {
        let observed = int(&set.value["status"]["observedGeneration"]) >= int(&set.value["metadata"]["generation"]);
        if set.replicas == 0 && set.current == 0 && observed {
            step.delete(&set.known, None);
        }
    }
}

/// Whether everything that the deployment wants is there, as its status has it.
pub(super) fn is_complete(deployment: &Deployment<'_>, status: &Value) -> bool {
    let is = |name: &str| int(&status[name]) == deployment.replicas;
    is("updatedReplicas")
        && is("replicas")
        && is("availableReplicas")
        && int(&status["observedGeneration"]) >= int(&deployment.value["metadata"]["generation"])
}

/// The reason of the condition `Progressing`.
pub(super) fn progress_reason(status: &Value) -> &str {
    condition(status, "Progressing").map(|it| text(&it["reason"])).unwrap_or_default()
}
