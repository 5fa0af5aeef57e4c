//! The inputs of the places that gates are asked at, made once for all gates of a place, and kept until a fact changes that
//! they are made of. Facts do not change by themselves: between two changes a tick makes no inputs at all.

use std::{collections::BTreeMap, sync::Arc};

use kanon_lang::Arena;

use crate::{
    facts::{Facts, Target},
    inputs::Inputs,
};

/// What a gate is asked with, or why it cannot be.
pub(super) type Asked = Result<Inputs, String>;

/// How much changed that a place may depend on: two equal stamps of one namespace mean the same inputs.
pub(super) type Stamp = u64;

/// The inputs in use.
#[derive(Default)]
pub(super) struct Desk {
    /// Changes of what every place reads: windows, shared metrics.
    everywhere: Stamp,
    /// Where a namespace's changes are counted.
    namespaces: BTreeMap<String, usize>,
    /// Changes in a namespace: its Pipelines, Bundles and metrics.
    changes: Vec<Stamp>,
    /// All changes.
    total: Stamp,
    inputs: BTreeMap<Target, (Stamp, Arc<Asked>)>,
    /// Memory of the evaluation that runs, used again by the next one.
    pub(super) arena: Arena,
}

impl Desk {
    /// A fact changed that every place reads.
    pub(super) fn changed_everywhere(&mut self) {
        self.everywhere += 1;
        self.total += 1;
        self.inputs.clear();
    }

    /// A fact of one namespace changed.
    pub(super) fn changed_in(&mut self, namespace: &str) {
        let place = self.place_of(namespace);
        if let Some(changes) = self.changes.get_mut(place) {
            *changes += 1;
        }
        self.total += 1;
        // Places end with their Bundles: what is still in use is made again.
        let of_namespace = Target { namespace: namespace.to_owned(), ..Target::default() };
        let gone = self.inputs.range(of_namespace..).take_while(|it| it.0.namespace == namespace);
        for target in gone.map(|it| it.0.clone()).collect::<Vec<_>>() {
            self.inputs.remove(&target);
        }
    }

    /// Where the changes of a namespace are counted, for [`Desk::stamp_at`].
    pub(super) fn place_of(&mut self, namespace: &str) -> usize {
        if let Some(place) = self.namespaces.get(namespace) {
            return *place;
        }
        self.changes.push(0);
        self.namespaces.insert(namespace.to_owned(), self.changes.len() - 1);
        self.changes.len() - 1
    }

    /// The stamp of a namespace.
    pub(super) fn stamp_at(&self, place: usize) -> Stamp {
        // Both only grow: a sum is the same only when neither changed.
        self.everywhere + self.changes.get(place).copied().unwrap_or_default()
    }

    /// The stamp of all namespaces together.
    pub(super) fn stamp(&self) -> Stamp {
        self.total
    }

    /// The inputs at a place.
    pub(super) fn inputs(&mut self, facts: &Facts, target: &Target) -> Arc<Asked> {
        let place = self.place_of(&target.namespace);
        let stamp = self.stamp_at(place);
        match self.inputs.get(target) {
            Some((known, inputs)) if *known == stamp => inputs.clone(),
            _ => {
                let inputs = Arc::new(facts.inputs(target));
                self.inputs.insert(target.clone(), (stamp, inputs.clone()));
                inputs
            }
        }
    }
}
