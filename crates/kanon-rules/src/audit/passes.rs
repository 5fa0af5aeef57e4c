//! How many pairs of a rule and an object pass, by namespace: what summaries of reports say (spec/rules 9.2). Nothing is kept for it of
//! objects: a rule is asked about every object of its kinds, so what passes is what there is, but for what something was found about.
//!
//! Rules that are not asked about every object (labels, names, types of containers) are left out, and so is a rule before it was
//! asked about everything once.

use std::collections::{BTreeMap, BTreeSet};

use kanon_core::GroupVersionKind;
use kanon_plane::{ObjectStore, PolicyKey};

use super::Audit;
use crate::rule::Rule;

/// Which rules were asked about all objects of a kind.
#[derive(Default)]
pub(super) struct Asked {
    by_kind: BTreeMap<GroupVersionKind, BTreeSet<PolicyKey>>,
    /// Whether passes may have changed though no finding did.
    pub(super) changed: bool,
}

impl Asked {
    /// A kind is not watched any more.
    pub(super) fn forget_kind(&mut self, kind: &GroupVersionKind) {
        self.changed |= self.by_kind.remove(kind).is_some();
    }

    /// Rules are gone, or say something else, or other objects are looked at.
    pub(super) fn forget_rules(&mut self, is_meant: impl Fn(&PolicyKey) -> bool) {
        self.by_kind.values_mut().for_each(|it| it.retain(|key| !is_meant(key)));
        self.changed = true;
    }

    /// These rules were asked about all objects of a kind.
    pub(super) fn add(&mut self, kind: &GroupVersionKind, rules: BTreeSet<PolicyKey>) {
        self.by_kind.entry(kind.clone()).or_default().extend(rules);
        self.changed = true;
    }
}

/// Passes as they are now.
pub(crate) struct Passes<'a> {
    audit: &'a Audit,
    /// The rules that count, by kind.
    rules: BTreeMap<&'a GroupVersionKind, BTreeMap<&'a PolicyKey, &'a Rule>>,
}

impl<'a> Passes<'a> {
    pub(super) fn new(audit: &'a Audit) -> Passes<'a> {
        let mut rules: BTreeMap<_, BTreeMap<_, _>> = BTreeMap::new();
        for (kind, keys) in &audit.asked.by_kind {
            for key in keys {
                let in_force = audit.rules.get_key_value(key);
                let Some((key, it)) = in_force.filter(|it| !it.1.rule.matcher.narrow.is_by_object()) else { continue };
                rules.entry(kind).or_default().insert(key, &*it.rule);
            }
        }
        Passes { audit, rules }
    }

    /// How many there are in a namespace; in none for the empty one.
    pub(crate) fn in_namespace(&self, namespace: &str, objects: &ObjectStore) -> usize {
        let findings = self.audit.open();
        let of_kind = |(kind, rules): (&&GroupVersionKind, &BTreeMap<&PolicyKey, &Rule>)| {
            let about = rules.values().filter(|it| it.is_about(kind, namespace)).count();
            let pairs = about * if about > 0 { objects.count(kind, namespace) } else { 0 };
            pairs.saturating_sub(findings.pairs(kind, namespace, |key| rules.contains_key(key)))
        };
        self.rules.iter().map(of_kind).sum()
    }
}
