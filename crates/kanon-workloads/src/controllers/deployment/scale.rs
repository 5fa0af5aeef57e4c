//! Scaling while more than one replica set has pods: in proportion, so that a rollout in progress keeps its shape.

use super::{
    DESIRED, Deployment, MAX,
    sets::{Set, Sets},
};
use crate::{step::Step, value::int};

/// Whether the deployment wants another number of pods than its sets were scaled for.
pub(super) fn is_asked_for(deployment: &Deployment<'_>, sets: &Sets) -> bool {
    let mut active = sets.all().filter(|it| it.replicas > 0);
    // Where pods are recreated, several sets have some only until the old ones are gone.
    let is_simple = !deployment.recreates || sets.all().filter(|it| it.replicas > 0).count() <= 1;
    is_simple && active.any(|it| it.number(DESIRED).is_some_and(|it| it != deployment.replicas))
}

pub(super) fn scale(step: &mut Step<'_>, deployment: &Deployment<'_>, sets: &mut Sets) {
    let active = sets.all().filter(|it| it.replicas > 0).count();
    if active <= 1 {
        if let Some(only) = only_or_latest(sets) {
            only.scale_to(step, deployment, deployment.replicas);
        }
        return;
    }
    if is_saturated(deployment, sets) {
        for set in sets.old.iter_mut().filter(|it| it.replicas > 0) {
            set.scale_to(step, deployment, 0);
        }
        return;
    }
    if !deployment.recreates {
        proportion(step, deployment, sets);
    }
}

/// The set that has the pods; where none has, the one that should.
fn only_or_latest(sets: &mut Sets) -> Option<&mut Set> {
    if let Some(at) = sets.old.iter().position(|it| it.replicas > 0) {
        return sets.old.get_mut(at);
    }
    match &mut sets.new {
        Some(new) => Some(new),
        None => sets.old.last_mut(),
    }
}

fn is_saturated(deployment: &Deployment<'_>, sets: &Sets) -> bool {
    sets.new.as_ref().is_some_and(|it| {
        it.replicas == deployment.replicas
            && it.number(DESIRED) == Some(deployment.replicas)
            && it.available == deployment.replicas
    })
}

fn proportion(step: &mut Step<'_>, deployment: &Deployment<'_>, sets: &mut Sets) {
    let allowed = if deployment.replicas > 0 { deployment.limit() } else { 0 };
    let to_add = allowed - sets.sum(|it| it.replicas);
    let mut active: Vec<&mut Set> = sets.old.iter_mut().chain(&mut sets.new).filter(|it| it.replicas > 0).collect();
    // The largest first; of equals the newer one when scaling up, the older one when scaling down.
    active.sort_by(|a, b| {
        let age = a.known.created.cmp(&b.known.created);
        b.replicas.cmp(&a.replicas).then(if to_add > 0 { age.reverse() } else { age })
    });
    let mut added = 0;
    let mut sizes: Vec<i64> = Vec::with_capacity(active.len());
    for set in &active {
        let part = share(deployment, set, to_add, added);
        added += part;
        sizes.push(set.replicas + part);
    }
    if let Some(first) = sizes.first_mut() {
        *first = (*first + to_add - added).max(0);
    }
    for (set, size) in active.into_iter().zip(sizes) {
        set.scale_to(step, deployment, size);
    }
}

/// What a set gets of the pods to add, or loses of those to take.
fn share(deployment: &Deployment<'_>, set: &Set, to_add: i64, added: i64) -> i64 {
    let left = to_add - added;
    if to_add == 0 || left == 0 {
        return 0;
    }
    let part = fraction(deployment, set);
    if to_add > 0 { part.min(left) } else { part.max(left) }
}

fn fraction(deployment: &Deployment<'_>, set: &Set) -> i64 {
    if deployment.replicas == 0 {
        return -set.replicas;
    }
    let before = set.number(MAX).unwrap_or_else(|| int(&deployment.value["status"]["replicas"]));
    if before <= 0 {
        return 0;
    }
    // Rounded to the nearest, halves away from zero: sizes are never negative.
    let product = i128::from(set.replicas) * i128::from(deployment.limit());
    let size = (product * 2 + i128::from(before)) / (i128::from(before) * 2);
    i64::try_from(size).unwrap_or(i64::MAX) - set.replicas
}
