//! The replica sets of a deployment: the one of the present template, and the old ones.

use std::sync::Arc;

use serde_json::{Value, json};

use super::{DESIRED, Deployment, MAX, REVISION};
use crate::{
    Kind,
    cluster::Known,
    step::Step,
    value::{int, near, text},
};

/// The label that keeps the pods of different templates apart.
pub(super) const HASH: &str = "pod-template-hash";

/// One replica set, with what was decided about it in this turn.
#[derive(Clone, Debug)]
pub(super) struct Set {
    pub(super) known: Arc<Known>,
    pub(super) value: Value,
    /// `spec.replicas`, as it is or is to be.
    pub(super) replicas: i64,
    /// Pods that it has, that are ready, that are available.
    pub(super) current: i64,
    pub(super) ready: i64,
    pub(super) available: i64,
}

/// All of them, oldest first.
#[derive(Clone, Debug, Default)]
pub(super) struct Sets {
    pub(super) new: Option<Set>,
    pub(super) old: Vec<Set>,
}

impl Set {
    fn new(known: &Arc<Known>) -> Set {
        let value = known.value();
        let status = &value["status"];
        Set {
            known: Arc::clone(known),
            replicas: int(&value["spec"]["replicas"]),
            current: int(&status["replicas"]),
            ready: int(&status["readyReplicas"]),
            // A set that was just scaled down still counts what it is about to lose.
            available: int(&status["availableReplicas"]).min(int(&value["spec"]["replicas"])),
            value,
        }
    }

    pub(super) fn annotation(&self, name: &str) -> Option<&str> {
        self.value["metadata"]["annotations"][name].as_str()
    }

    pub(super) fn number(&self, name: &str) -> Option<i64> {
        self.annotation(name)?.parse().ok().map(near)
    }

    pub(super) fn revision(&self) -> i64 {
        self.number(REVISION).unwrap_or_default()
    }

    /// Scales it, and notes what for. True where the number changes.
    pub(super) fn scale_to(&mut self, step: &mut Step<'_>, deployment: &Deployment<'_>, replicas: i64) -> bool {
        let before = self.replicas;
        let mut value = self.value.clone();
        value["spec"]["replicas"] = replicas.into();
        note_wanted(&mut value, deployment);
        if value == self.value {
            return false;
        }
        if step.update(Kind::ReplicaSet, value.clone()) && replicas != before {
            let way = if replicas > before { "up" } else { "down" };
            let message = format!("Scaled {way} replica set {} from {before} to {replicas}", self.known.name);
            step.event(step.item, "ScalingReplicaSet", &message);
        }
        self.value = value;
        self.replicas = replicas;
        replicas != before
    }
}

/// Writes down what the deployment wants, for scaling in proportion later.
pub(super) fn note_wanted(set: &mut Value, deployment: &Deployment<'_>) {
    if !set["metadata"]["annotations"].is_object() {
        set["metadata"]["annotations"] = json!({});
    }
    set["metadata"]["annotations"][DESIRED] = deployment.replicas.to_string().into();
    set["metadata"]["annotations"][MAX] = deployment.limit().to_string().into();
}

impl Sets {
    pub(super) fn new(deployment: &Deployment<'_>, owned: &[Arc<Known>]) -> Sets {
        let mut all: Vec<Set> = owned.iter().map(Set::new).collect();
        all.sort_by(|a, b| (&a.known.created, &a.known.name).cmp(&(&b.known.created, &b.known.name)));
        let wanted = &deployment.value["spec"]["template"];
        let at = all.iter().position(|it| !it.known.deleting && template_of(&it.value) == *wanted);
        let new = at.map(|at| all.remove(at));
        Sets { new, old: all }
    }

    /// All of them.
    pub(super) fn all(&self) -> impl Iterator<Item = &Set> {
        self.old.iter().chain(&self.new)
    }

    /// Pods that all of them want.
    pub(super) fn wanted(&self) -> i64 {
        self.all().map(|it| it.replicas).sum()
    }

    pub(super) fn sum(&self, of: impl Fn(&Set) -> i64) -> i64 {
        self.all().map(of).sum()
    }
}

/// A set's template as the deployment has it: without the hash.
pub(super) fn template_of(set: &Value) -> Value {
    let mut template = set["spec"]["template"].clone();
    if let Some(labels) = template["metadata"]["labels"].as_object_mut() {
        labels.remove(HASH);
    }
    template
}

/// The name of a set, for messages.
pub(super) fn name(set: &Set) -> &str {
    text(&set.value["metadata"]["name"])
}
