//! Deployments: replica sets of templates, one of which is the present one; the others give way as the strategy says.

mod history;
mod rollout;
mod scale;
mod sets;
mod status;

use serde_json::Value;

use super::claim::claim;
use crate::{
    Actor, Kind,
    step::Step,
    value::{int, int_or_percent, text},
};
use sets::Sets;

/// The number of a revision, on deployment and replica set.
const REVISION: &str = "deployment.kubernetes.io/revision";
const REVISION_HISTORY: &str = "deployment.kubernetes.io/revision-history";
/// How many pods the deployment wanted when a set was last scaled, and how many it allowed.
const DESIRED: &str = "deployment.kubernetes.io/desired-replicas";
const MAX: &str = "deployment.kubernetes.io/max-replicas";

/// What is read of a deployment once.
struct Deployment<'a> {
    value: &'a Value,
    replicas: i64,
    max_surge: i64,
    max_unavailable: i64,
    recreates: bool,
    paused: bool,
}

impl<'a> Deployment<'a> {
    fn new(value: &'a Value) -> Deployment<'a> {
        let spec = &value["spec"];
        let replicas = int(&spec["replicas"]);
        let recreates = text(&spec["strategy"]["type"]) == "Recreate";
        let rolling = &spec["strategy"]["rollingUpdate"];
        let figure = |name: &str, up| int_or_percent(&rolling[name], replicas, up).unwrap_or_default().max(0);
        let surge = if recreates { 0 } else { figure("maxSurge", true) };
        let mut unavailable = if recreates { 0 } else { figure("maxUnavailable", false) };
        if surge == 0 && unavailable == 0 {
            // Both may round to nothing; something has to move.
            unavailable = 1;
        }
        Deployment {
            value,
            replicas,
            max_surge: surge,
            max_unavailable: if recreates { 0 } else { unavailable.min(replicas) },
            recreates,
            paused: spec["paused"] == true,
        }
    }

    /// How many pods there may be at a time.
    fn limit(&self) -> i64 {
        self.replicas.saturating_add(self.max_surge)
    }
}

pub(super) fn plan(step: &mut Step<'_>) {
    step.actor = Actor::Controller { account: "deployment-controller", component: "deployment-controller" };
    let value = step.item.value();
    let deployment = Deployment::new(&value);
    let owned = claim(step, Kind::ReplicaSet);
    let mut sets = Sets::new(&deployment, &owned);
    if step.item.deleting {
        return status::sync(step, &deployment, &sets);
    }
    if deployment.paused || scale::is_asked_for(&deployment, &sets) {
        history::sync(step, &deployment, &mut sets);
        scale::scale(step, &deployment, &mut sets);
        if deployment.paused {
            history::clean(step, &deployment, &sets);
        }
    } else if deployment.recreates {
        rollout::recreate(step, &deployment, &mut sets);
    } else {
        rollout::roll(step, &deployment, &mut sets);
    }
    status::sync(step, &deployment, &sets);
}
