//! The two strategies: a rolling update within `maxSurge` and `maxUnavailable`, and all old pods gone before new ones come.

use super::{
    Deployment,
    history::{clean, ensure, is_complete, sync},
    sets::Sets,
    status,
};
use crate::{Kind, cluster::Phase, step::Step};

/// One step of a rolling update.
pub(super) fn roll(step: &mut Step<'_>, deployment: &Deployment<'_>, sets: &mut Sets) {
    let first = new_replicas(deployment, sets.wanted(), 0);
    ensure(step, deployment, sets, first);
    if grow(step, deployment, sets) {
        return;
    }
    if shrink(step, deployment, sets) {
        return;
    }
    if is_complete(deployment, &status::of(step, deployment, sets)) {
        clean(step, deployment, sets);
    }
}

/// How many pods the new set may have, where all want `wanted` and it has `current`.
fn new_replicas(deployment: &Deployment<'_>, wanted: i64, current: i64) -> i64 {
    if wanted >= deployment.limit() {
        return current;
    }
    let more = (deployment.limit() - wanted).min(deployment.replicas - current);
    current + more
}

/// Scales the new set. True where that was something to do.
fn grow(step: &mut Step<'_>, deployment: &Deployment<'_>, sets: &mut Sets) -> bool {
    let wanted = sets.wanted();
    let Some(new) = &mut sets.new else { return false };
    if new.replicas == deployment.replicas {
        return false;
    }
    let replicas = if new.replicas > deployment.replicas {
        deployment.replicas
    } else {
        new_replicas(deployment, wanted, new.replicas)
    };
    new.scale_to(step, deployment, replicas)
}

/// Scales old sets down: first pods that are not available anyway, then as many as may be missed.
fn shrink(step: &mut Step<'_>, deployment: &Deployment<'_>, sets: &mut Sets) -> bool {
    if sets.old.iter().all(|it| it.replicas == 0) {
        return false;
    }
    let at_least = deployment.replicas - deployment.max_unavailable;
    let new_unavailable = sets.new.as_ref().map_or(0, |it| it.replicas - it.available);
    let most = sets.wanted() - at_least - new_unavailable;
    if most <= 0 {
        return false;
    }
    // Both parts read the sets as they are, and scale each of them once.
    let mut targets: Vec<i64> = sets.old.iter().map(|it| it.replicas).collect();
    let mut cleaned = 0;
    for (set, target) in sets.old.iter().zip(&mut targets) {
        let down = (most - cleaned).min(set.replicas - set.available).max(0);
        *target -= down;
        cleaned += down;
    }
    let available = sets.sum(|it| it.available);
    let mut spare = (available - at_least).min(most - cleaned).max(0);
    for target in &mut targets {
        let down = spare.min(*target);
        *target -= down;
        spare -= down;
    }
    let mut changed = false;
    for (set, target) in sets.old.iter_mut().zip(targets) {
        if target != set.replicas {
            changed |= set.scale_to(step, deployment, target);
        }
    }
    changed
}

/// All old pods go, then the new ones come.
pub(super) fn recreate(step: &mut Step<'_>, deployment: &Deployment<'_>, sets: &mut Sets) {
    sync(step, deployment, sets);
    let mut scaled = false;
    for set in &mut sets.old {
        if set.replicas > 0 {
            scaled |= set.scale_to(step, deployment, 0);
        }
    }
    if scaled || has_old_pods(step, sets) {
        return;
    }
    ensure(step, deployment, sets, deployment.replicas);
    if let Some(new) = &mut sets.new
        && new.replicas != deployment.replicas
    {
        new.scale_to(step, deployment, deployment.replicas);
    }
    if is_complete(deployment, &status::of(step, deployment, sets)) {
        clean(step, deployment, sets);
    }
}

/// Whether a pod of an old template still runs, be it on its way out.
fn has_old_pods(step: &Step<'_>, sets: &Sets) -> bool {
    let mut pods = sets.old.iter().flat_map(|it| step.cluster.children(&it.known.uid, Kind::Pod));
    pods.any(|it| it.pod.as_ref().is_some_and(|it| !matches!(it.phase, Phase::Succeeded | Phase::Failed)))
}
