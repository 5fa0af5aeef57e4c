//! The reports of one namespace: its rows, spread over as many objects as it takes, and what of them is written. Pure.

use std::collections::{BTreeMap, BTreeSet};

use kanon_core::{Digest, Mono, Object, ObjectRef};
use kanon_plane::Outbox;
use serde_json::Value;

use super::{
    BYTES_MAX, NAME, ROWS_MAX, ReportApi, TOTAL_MAX,
    row::{Key, Row},
};

/// The reports of a namespace; of no namespace for the cluster's.
#[derive(Default)]
pub(super) struct OfNamespace {
    pub(super) rows: BTreeMap<Key, Row>,
    /// When rows of admission end, oldest first.
    pub(super) ends: BTreeSet<(Mono, Key)>,
    /// Reports as the API server has them.
    pub(super) stored: BTreeMap<(ReportApi, usize), Object>,
    /// Digest of each report as last written; [`Digest::ZERO`] for one that is there and may say anything.
    pub(super) written: BTreeMap<(ReportApi, usize), Digest>,
    /// How many pairs of a rule and an object pass, as last counted.
    pub(super) passes: usize,
    /// Whether this process has written them.
    pub(super) ours: bool,
    /// Whether what is written may not be what should be.
    pub(super) dirty: bool,
    /// Before this nothing is written.
    pub(super) rests_until: Option<Mono>,
}

impl OfNamespace {
    /// Whether there is nothing to be known about.
    pub(super) fn is_over(&self, now: Mono) -> bool {
        let rests = self.rests_until.is_some_and(|at| at > now);
        !self.dirty && !rests && self.rows.is_empty() && self.stored.is_empty()
    }

    /// Nobody knows what is written now.
    pub(super) fn distrust(&mut self) {
        self.written.values_mut().for_each(|it| *it = Digest::ZERO);
    }

    /// Writes reports that have changed; says whether any had.
    pub(super) fn write(&mut self, namespace: &str, apis: &[ReportApi], out: &mut Outbox) -> bool {
        let shards = self.shards(namespace);
        let omitted = self.rows.len().saturating_sub(TOTAL_MAX);
        let mut any = false;
        for api in apis {
            // Further reports of before are emptied.
            let before = self.written.keys().filter(|it| it.0 == *api).map(|it| it.1 + 1).max().unwrap_or(0);
            for number in 0..shards.len().max(before) {
                let results = shards.get(number).cloned().unwrap_or_default();
                let written = self.written.get(&(*api, number));
                if results.is_empty() && written.is_none() {
                    // Nothing to say, and nothing said before.
                    continue;
                }
                let name = if number == 0 { NAME.to_owned() } else { format!("{NAME}-{number}") };
                // All reports together say it once.
                let passes = if number == 0 { self.passes } else { 0 };
                let manifest = api.manifest(namespace, &name, results, (passes, omitted));
                let digest = Digest::of(&[manifest.to_string().as_bytes()]);
                if written == Some(&digest) {
                    continue;
                }
                self.written.insert((*api, number), digest);
                any = true;
                let kind = api.kind(namespace);
                let namespace = namespace.to_owned();
                let subject = ObjectRef { gvk: kind.gvk.clone(), namespace, name, uid: String::new() };
                out.report(&kind, subject, manifest);
            }
        }
        self.ours |= any;
        any
    }

    /// The results of each report: one report while they fit, else as many as it takes, twice as many each time.
    fn shards(&self, namespace: &str) -> Vec<Vec<Value>> {
        let rows: Vec<_> =
            self.rows.iter().take(TOTAL_MAX).map(|(key, row)| (key, row.render(key, namespace))).collect();
        let sizes: Vec<_> = rows.iter().map(|it| it.1.to_string().len()).collect();
        let mut count = 1;
        loop {
            let shard_of = |key: &Key| (key.hash() % count as u64) as usize;
            let mut loads = vec![(0, 0); count];
            for ((key, _), size) in rows.iter().zip(&sizes) {
                let load = &mut loads[shard_of(key)];
                *load = (load.0 + 1, load.1 + size);
            }
            // One row alone fits: its message is bounded.
            if loads.iter().all(|it| it.0 <= ROWS_MAX && it.1 <= BYTES_MAX) || count >= TOTAL_MAX {
                let mut shards = vec![Vec::new(); count];
                for (key, row) in rows {
                    shards[shard_of(key)].push(row);
                }
                return shards;
            }
            count *= 2;
        }
    }
}
