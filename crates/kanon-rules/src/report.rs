//! Reports of open findings: one `PolicyReport` named `portal` a namespace, one `ClusterPolicyReport` for what stands in none
//! (spec/rules 9.2). Findings of the lasting loops are rows while they are open; of what admission found, the newest fifty of
//! the last hour.
//!
//! A report is written at once when nothing was written for two seconds, else when they are over; what has not changed is
//! not written. What does not fit one object goes to `portal-1`, `portal-2`, …, each row to one of them by its hash.
//!
//! Reports outlive the process. What they say at the start is kept until the first look at everything is over; then rows that
//! nobody confirmed go, and with them the alerts that stood for them.

mod row;

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use jiff::Timestamp;
use kanon_core::{Delivery, Digest, Figure, FigureKind, Figures, Kind, Mono, Now, Object, ObjectRef, Scope, Verdict};
use kanon_plane::Outbox;
use serde_json::{Value, json};

use crate::{
    api::{cluster_policy_report, policy_report},
    respond::Occasion,
};
use row::Key;
pub(crate) use row::Row;

/// Writes of reports, by their end (spec/rules 9.3).
const WRITES: Figure = Figure {
    name: "portal_report_writes_total",
    kind: FigureKind::Counter,
    help: "Writes of policy reports",
    labels: &["result"],
};

/// The report's name, and what the names of further ones begin with.
const NAME: &str = "portal";
/// Least time between two writes of a namespace's reports.
const EVERY: Duration = Duration::from_secs(2);
/// A write that was given up is tried again after this.
const AGAIN: Duration = Duration::from_secs(30);
/// Most results in one report, and most bytes of them.
const ROWS_MAX: usize = 1000;
const BYTES_MAX: usize = 900 << 10;
/// Most results of one namespace; more are counted in an annotation.
const TOTAL_MAX: usize = 20_000;
const OMITTED: &str = "kanon.dev/results-omitted";
/// What admission found: how many rows a namespace has of it, and for how long.
const ADMITTED_MAX: usize = 50;
const ADMITTED_FOR: Duration = Duration::from_hours(1);

/// The reports of a namespace; of no namespace for the cluster's.
#[derive(Default)]
struct OfNamespace {
    rows: BTreeMap<Key, Row>,
    /// When rows of admission end, oldest first.
    ends: BTreeSet<(Mono, Key)>,
    /// Digest of each report as last written; [`Digest::ZERO`] for one that is there and may say anything.
    written: Vec<Option<Digest>>,
    /// Whether this process has written them.
    ours: bool,
    /// Whether what is written may not be what should be.
    dirty: bool,
    /// Before this nothing is written.
    rests_until: Option<Mono>,
}

/// All reports.
#[derive(Default)]
pub(crate) struct Reports {
    namespaces: BTreeMap<String, OfNamespace>,
    /// Kinds of reports whose objects have all been seen, or cannot be.
    known: BTreeSet<String>,
    /// Whether the first look at everything is over.
    settled: bool,
}

/// A row that nobody confirmed.
pub(crate) struct Stale {
    pub row: Row,
    pub mode: String,
    pub subject: ObjectRef,
    pub rule: String,
}

impl Reports {
    /// A violation: a row of its own, or a further container of one.
    pub(crate) fn open(
        &mut self,
        verdict: &Verdict,
        occasion: &Occasion,
        labels: (&'static str, &'static str),
        now: Now,
    ) {
        let key = Key::of(verdict);
        let of = self.namespaces.entry(verdict.subject.namespace.clone()).or_default();
        let known = of.rows.remove(&key);
        let mut row = Row::new(verdict, occasion, labels);
        if let Some(known) = known {
            row.go_on_from(known);
        }
        if !occasion.lasts() {
            let until = now.mono.after(ADMITTED_FOR);
            of.ends.retain(|it| it.1 != key);
            of.ends.insert((until, key.clone()));
            if of.ends.len() > ADMITTED_MAX
                && let Some((_, oldest)) = of.ends.pop_first()
            {
                of.rows.remove(&oldest);
            }
        }
        of.rows.insert(key, row);
        of.dirty = true;
    }

    /// A container's violation ended; the row goes with the last of them.
    pub(crate) fn close(&mut self, verdict: &Verdict) {
        let key = Key::of(verdict);
        let Some(of) = self.namespaces.get_mut(&verdict.subject.namespace) else { return };
        let Some(row) = of.rows.get_mut(&key) else { return };
        if row.uid() == verdict.subject.uid && row.remove(&verdict.evidence.part) {
            of.rows.remove(&key);
        }
        of.dirty = true;
    }

    /// Notes that an alert stands for a finding, so that a later process can end it.
    pub(crate) fn alerted(&mut self, verdict: &Verdict) {
        let of = self.namespaces.get_mut(&verdict.subject.namespace);
        if let Some(row) = of.and_then(|it| it.rows.get_mut(&Key::of(verdict))) {
            row.set_alerted();
        }
    }

    /// Since when a finding is known; survives restarts.
    pub(crate) fn since(&self, verdict: &Verdict) -> Option<Timestamp> {
        let of = self.namespaces.get(&verdict.subject.namespace)?;
        of.rows.get(&Key::of(verdict)).map(Row::since)
    }

    /// A report as the API server has it. Until the first look at everything is over, its rows are kept.
    pub(crate) fn seen(&mut self, object: &Object, now: Now) {
        let Some(number) = number(object).filter(|_| !self.settled) else { return };
        let of = self.namespaces.entry(object.str_at(&["metadata", "namespace"]).to_owned()).or_default();
        if of.ours {
            // Our own write comes back.
            return;
        }
        of.written.resize(of.written.len().max(number + 1), None);
        of.written[number] = Some(Digest::ZERO);
        for result in object.root().get("results").into_iter().flat_map(kanon_core::Node::elements) {
            let Some((key, row)) = Row::read(result) else { continue };
            if let Some(known) = of.rows.get_mut(&key) {
                known.go_on_from(row);
                continue;
            }
            if !key.lasts() {
                let age = now.wall.duration_since(row.since()).unsigned_abs();
                let Some(left) = ADMITTED_FOR.checked_sub(age) else { continue };
                of.ends.insert((now.mono.after(left), key.clone()));
            }
            of.rows.insert(key, row);
        }
    }

    /// All reports of a kind have been seen, or cannot be; says whether nothing is missing now.
    pub(crate) fn known(&mut self, kind: &Kind) -> bool {
        is_report(kind) && self.known.insert(kind.gvk.kind.clone()) && self.are_known()
    }

    /// Whether what was reported before is known: until then nothing is written, and nobody can say since when a finding is.
    pub(crate) fn are_known(&self) -> bool {
        self.known.len() == 2
    }

    /// A report is gone: somebody deleted it, or its namespace. What it said is said again if it is still so.
    pub(crate) fn deleted(&mut self, object: &Object) {
        let Some(number) = number(object) else { return };
        if let Some(of) = self.namespaces.get_mut(object.str_at(&["metadata", "namespace"]))
            && let Some(written) = of.written.get_mut(number)
        {
            *written = None;
            of.dirty |= !of.rows.is_empty();
        }
    }

    /// The first look at everything is over: what it did not confirm is not so any more.
    pub(crate) fn settle(&mut self) -> Vec<Stale> {
        if std::mem::replace(&mut self.settled, true) {
            return Vec::new();
        }
        let mut stale = Vec::new();
        for (namespace, of) in &mut self.namespaces {
            let old = of.rows.iter().filter(|(key, row)| key.lasts() && !row.is_confirmed());
            for key in old.map(|it| it.0.clone()).collect::<Vec<_>>() {
                if let Some(row) = of.rows.remove(&key) {
                    stale.push(key.stale(namespace, row));
                }
            }
            of.dirty = true;
        }
        stale
    }

    /// The lead was won or lost: what is written now is somebody else's, and findings are found anew.
    pub(crate) fn begin_anew(&mut self) {
        self.settled = false;
        for of in self.namespaces.values_mut() {
            of.rows.values_mut().for_each(Row::unconfirm);
            of.written.iter_mut().for_each(|it| *it = it.map(|_| Digest::ZERO));
            of.ours = false;
            of.dirty = true;
        }
    }

    /// Writes what is due.
    pub(crate) fn write(&mut self, now: Now, out: &mut Outbox) {
        if !self.are_known() {
            return;
        }
        for (namespace, of) in &mut self.namespaces {
            while let Some((_, key)) = of.ends.first().cloned().filter(|it| it.0 <= now.mono) {
                of.ends.pop_first();
                of.rows.remove(&key);
                of.dirty = true;
            }
            if !of.dirty || of.rests_until.is_some_and(|at| at > now.mono) {
                continue;
            }
            of.dirty = false;
            if of.write(namespace, out) {
                of.rests_until = Some(now.mono.after(EVERY));
            }
        }
        self.namespaces
            .retain(|_, it| it.dirty || !it.rows.is_empty() || it.rests_until.is_some_and(|at| at > now.mono));
    }

    pub(crate) fn next_deadline(&self) -> Option<Mono> {
        let of = |it: &OfNamespace| {
            let dirty = it.dirty.then(|| it.rests_until.unwrap_or_default());
            dirty.into_iter().chain(it.ends.first().map(|it| it.0)).min()
        };
        if self.are_known() { self.namespaces.values().filter_map(of).min() } else { None }
    }

    /// How a write ended.
    pub(crate) fn delivered(&mut self, delivery: &Delivery, figures: &Figures, now: Mono) {
        let is_ours = [policy_report(), cluster_policy_report()].iter().any(|it| it.gvk == delivery.subject.gvk);
        if !is_ours {
            return;
        }
        figures.add(WRITES, &[if delivery.result.is_ok() { "ok" } else { "error" }], 1);
        if delivery.result.is_err()
            && let Some(of) = self.namespaces.get_mut(&delivery.subject.namespace)
        {
            of.written.iter_mut().for_each(|it| *it = it.map(|_| Digest::ZERO));
            // A namespace that is gone needs no empty report.
            of.dirty = !of.rows.is_empty();
            of.rests_until = Some(now.after(AGAIN));
        }
    }
}

impl OfNamespace {
    /// Writes reports that have changed; says whether any had.
    fn write(&mut self, namespace: &str, out: &mut Outbox) -> bool {
        let kind = if namespace.is_empty() { cluster_policy_report() } else { policy_report() };
        let shards = self.shards(namespace);
        // Further reports of before are emptied.
        let count = shards.len().max(self.written.len());
        self.written.resize(count, None);
        let omitted = self.rows.len().saturating_sub(TOTAL_MAX);
        let mut any = false;
        for (number, written) in self.written.iter_mut().enumerate() {
            let results = shards.get(number).cloned().unwrap_or_default();
            if results.is_empty() && written.is_none() {
                // Nothing to say, and nothing said before.
                continue;
            }
            let manifest = manifest(&kind, namespace, number, results, omitted);
            let digest = Digest::of(&[manifest.to_string().as_bytes()]);
            if *written == Some(digest) {
                continue;
            }
            *written = Some(digest);
            any = true;
            self.ours = true;
            let name = manifest["metadata"]["name"].as_str().unwrap_or_default().to_owned();
            let subject =
                ObjectRef { gvk: kind.gvk.clone(), namespace: namespace.to_owned(), name, uid: String::new() };
            out.report(&kind, subject, manifest);
        }
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

fn manifest(kind: &Kind, namespace: &str, number: usize, results: Vec<Value>, omitted: usize) -> Value {
    let name = if number == 0 { NAME.to_owned() } else { format!("{NAME}-{number}") };
    let mut metadata = json!({"name": name, "labels": {"app.kubernetes.io/managed-by": "kanon"}});
    if kind.scope == Scope::Namespaced {
        metadata["namespace"] = json!(namespace);
    }
    if omitted > 0 {
        metadata["annotations"] = json!({OMITTED: omitted.to_string()});
    }
    json!({
        "apiVersion": kind.gvk.api_version(),
        "kind": kind.gvk.kind,
        "metadata": metadata,
        "summary": {"pass": 0, "fail": results.len(), "warn": 0, "error": 0, "skip": 0},
        "results": results,
    })
}

/// The number of a report of ours: `portal` is 0, `portal-3` is 3.
fn number(report: &Object) -> Option<usize> {
    match report.str_at(&["metadata", "name"]).strip_prefix(NAME)? {
        "" => Some(0),
        suffix => suffix.strip_prefix('-')?.parse().ok().filter(|it| *it < TOTAL_MAX),
    }
}

pub(crate) fn is_report(kind: &Kind) -> bool {
    *kind == policy_report() || *kind == cluster_policy_report()
}
