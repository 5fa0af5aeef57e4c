//! Reports of open findings: one report named `portal` a namespace, one for what stands in none (spec/rules 9.2), in one or both of
//! the APIs for reports. Findings of the lasting loops are rows while they are open, failed evaluations of the audit while they
//! fail, and violations that exceptions cover; of what admission found, the newest fifty of the last hour.
//!
//! A report is written at once when nothing was written for two seconds, else when they are over; what has not changed is
//! not written. What does not fit one object goes to `portal-1`, `portal-2`, …, each row to one of them by its hash.
//!
//! Reports outlive the process, and are there for whichever replica leads next: they are the memory of what is open. Whoever
//! wins a shard takes the rows of its namespaces over; a finding that is found again goes on, without news. When the first look at everything
//! is over, what nobody confirmed has ended. (The decision log would not do: each replica has its own.)

mod apis;
mod row;
mod shards;

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use jiff::Timestamp;
use kanon_core::{Delivery, Figure, FigureKind, Figures, Kind, Mono, Now, Object, Shards, Verdict};
use kanon_plane::Outbox;

use crate::{audit::findings::Rest, respond::Occasion};
pub use apis::ReportApi;
pub(crate) use row::RowResult;
pub(crate) use row::Stale;
use row::{Key, Row};
use shards::OfNamespace;

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
/// How long what passes may differ from what is written, where nothing else changes.
const PASSES_AFTER: Duration = Duration::from_mins(5);
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

/// All reports.
pub(crate) struct Reports {
    apis: Vec<ReportApi>,
    namespaces: BTreeMap<String, OfNamespace>,
    /// Kinds of reports whose objects have all been seen, or cannot be.
    known: BTreeSet<Kind>,
    /// The shards whose namespaces are this process's to report about.
    held: Shards,
    /// Those of them whose rows were taken over, and are kept until the first look at everything is over.
    learning: Shards,
    /// When passes are counted again.
    recount_at: Option<Mono>,
}

impl Reports {
    /// Reports in these APIs; none where there are none. `leads` says whether this process leads from the start.
    pub(crate) fn new(apis: &[ReportApi], leads: bool) -> Reports {
        let held = Shards::lead(leads);
        Reports {
            apis: apis.to_vec(),
            namespaces: BTreeMap::new(),
            known: BTreeSet::new(),
            held,
            learning: held,
            recount_at: None,
        }
    }

    /// A violation or a failed evaluation: a row of its own, or a further container of one. Says whether it is news: not if a
    /// report has said so before this process led.
    pub(crate) fn open(
        &mut self,
        verdict: &Verdict,
        occasion: &Occasion,
        labels: (&'static str, &'static str),
        now: Now,
    ) -> bool {
        if self.apis.is_empty() {
            return true;
        }
        let key = Key::of(verdict);
        let of = self.namespaces.entry(verdict.subject.namespace.clone()).or_default();
        let known = of.rows.remove(&key);
        let is_news = !occasion.lasts() || known.as_ref().is_none_or(|it| !it.awaits(verdict));
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
        is_news
    }

    /// A container's violation ended; the row goes with the last of them.
    pub(crate) fn close(&mut self, verdict: &Verdict) {
        self.take_out(&Key::of(verdict), verdict);
    }

    /// An evaluation that failed does not any more, or an exception covers nothing any more.
    pub(crate) fn over(&mut self, result: RowResult, verdict: &Verdict) {
        self.take_out(&Key::with(result, verdict), verdict);
    }

    fn take_out(&mut self, key: &Key, verdict: &Verdict) {
        let Some(of) = self.namespaces.get_mut(&verdict.subject.namespace) else { return };
        let Some(row) = of.rows.get_mut(key) else { return };
        if row.uid() == verdict.subject.uid && row.remove(&verdict.evidence.part) {
            of.rows.remove(key);
        }
        of.dirty = true;
    }

    /// Notes since when the object of a finding is clean, while the finding waits for its end.
    pub(crate) fn rest(&mut self, verdict: &Verdict, since: Option<Timestamp>) {
        let Some(of) = self.namespaces.get_mut(&verdict.subject.namespace) else { return };
        if let Some(row) = of.rows.get_mut(&Key::of(verdict)) {
            of.dirty |= row.rest(&verdict.evidence.part, since);
        }
    }

    /// Notes that an alert stands for a finding, under these labels besides the documented ones, so that a later process can
    /// end it.
    pub(crate) fn alerted(&mut self, verdict: &Verdict, labels: &BTreeMap<String, String>) {
        let of = self.namespaces.get_mut(&verdict.subject.namespace);
        if let Some(row) = of.and_then(|it| it.rows.get_mut(&Key::of(verdict))) {
            row.set_alerted(labels);
        }
    }

    /// Since when a finding is known; survives restarts.
    pub(crate) fn since(&self, verdict: &Verdict) -> Option<Timestamp> {
        let of = self.namespaces.get(&verdict.subject.namespace)?;
        of.rows.get(&Key::of(verdict)).map(Row::since)
    }

    /// A report as the API server has it.
    pub(crate) fn seen(&mut self, kind: &Kind, object: &Object, now: Now) {
        let Some(place) = self.place(kind, object) else { return };
        let namespace = object.str_at(&["metadata", "namespace"]);
        let of = self.namespaces.entry(namespace.to_owned()).or_default();
        of.stored.insert(place, object.clone());
        if self.learning.holds(namespace) && !of.ours {
            load(of, place, object, now);
        }
    }

    /// A report is gone: somebody deleted it, or its namespace. What it said is said again if it is still so.
    pub(crate) fn deleted(&mut self, kind: &Kind, object: &Object) {
        let Some(place) = self.place(kind, object) else { return };
        if let Some(of) = self.namespaces.get_mut(object.str_at(&["metadata", "namespace"])) {
            of.stored.remove(&place);
            of.dirty |= of.written.remove(&place).is_some() && !of.rows.is_empty();
        }
    }

    /// All reports of a kind have been seen, or cannot be; says whether nothing is missing now.
    pub(crate) fn known(&mut self, kind: &Kind) -> bool {
        let is_mine = ReportApi::of(kind).is_some_and(|it| self.apis.contains(&it));
        is_mine && self.known.insert(kind.clone()) && self.are_known()
    }

    /// Whether what was reported before is known: until then nothing is written, and nobody can say what is news.
    pub(crate) fn are_known(&self) -> bool {
        self.known.len() == 2 * self.apis.len()
    }

    /// Other shards are this process's: what is written in those that were won is taken over, and findings are found anew; in those
    /// that were lost it is somebody else's.
    pub(crate) fn lead(&mut self, shards: Shards, now: Now) {
        let before = std::mem::replace(&mut self.held, shards);
        self.learning = shards.minus(before).or(shards.and(self.learning));
        for (namespace, of) in &mut self.namespaces {
            let is_held = shards.holds(namespace);
            if is_held == before.holds(namespace) {
                continue;
            }
            of.rows.retain(|key, _| !key.lasts());
            of.ours = false;
            of.distrust();
            of.dirty = true;
            if is_held {
                for (place, object) in std::mem::take(&mut of.stored) {
                    load(of, place, &object, now);
                    of.stored.insert(place, object);
                }
            }
        }
    }

    /// The first look at everything is over: what it did not confirm is not so any more, or rests where `rest_of` says so.
    pub(crate) fn settle(&mut self, rest_of: impl Fn(&Stale) -> Option<Rest>) -> Vec<(Stale, Option<Rest>)> {
        let learnt = std::mem::replace(&mut self.learning, Shards::none_of(self.held.count()));
        if !learnt.is_empty() {
            self.recount_at = Some(Mono::default());
        }
        let mut stale = Vec::new();
        for (namespace, of) in self.namespaces.iter_mut().filter(|it| learnt.holds(it.0)) {
            let rows = std::mem::take(&mut of.rows);
            for (key, row) in rows {
                if !key.lasts() {
                    of.rows.insert(key, row);
                    continue;
                }
                let (rest, ended) = row.settle(&key, namespace, &rest_of);
                of.dirty |= !ended.is_empty();
                stale.extend(ended);
                if let Some(row) = rest {
                    of.rows.insert(key, row);
                }
            }
        }
        stale
    }

    /// What passes may have changed; where nothing else does, that is written later.
    pub(crate) fn recount(&mut self, now: Now) {
        if self.namespaces.values().any(|it| !it.written.is_empty()) {
            self.recount_at.get_or_insert(now.mono.after(PASSES_AFTER));
        }
    }

    /// Writes what is due; `passes` says how many pairs of a rule and an object pass in a namespace.
    pub(crate) fn write(&mut self, passes: impl Fn(&str) -> usize, now: Now, out: &mut Outbox) {
        if !self.are_known() || self.held.is_empty() {
            return;
        }
        let held = self.held;
        if self.recount_at.take_if(|at| *at <= now.mono).is_some() {
            let written = self.namespaces.iter_mut().filter(|it| held.holds(it.0) && !it.1.written.is_empty());
            written.for_each(|(namespace, of)| of.dirty |= of.passes != passes(namespace));
        }
        for (namespace, of) in self.namespaces.iter_mut().filter(|it| held.holds(it.0)) {
            while let Some((_, key)) = of.ends.first().cloned().filter(|it| it.0 <= now.mono) {
                of.ends.pop_first();
                of.rows.remove(&key);
                of.dirty = true;
            }
            if !of.dirty || of.rests_until.is_some_and(|at| at > now.mono) {
                continue;
            }
            of.dirty = false;
            of.passes = passes(namespace);
            if of.write(namespace, &self.apis, out) {
                of.rests_until = Some(now.mono.after(EVERY));
            }
        }
        self.namespaces.retain(|_, it| !it.is_over(now.mono));
    }

    pub(crate) fn next_deadline(&self) -> Option<Mono> {
        let of = |it: &OfNamespace| {
            let dirty = it.dirty.then(|| it.rests_until.unwrap_or_default());
            dirty.into_iter().chain(it.ends.first().map(|it| it.0)).min()
        };
        let held = self.namespaces.iter().filter(|it| self.held.holds(it.0));
        let all = held.filter_map(|it| of(it.1)).chain(self.recount_at);
        if self.are_known() && !self.held.is_empty() { all.min() } else { None }
    }

    /// How a write ended.
    pub(crate) fn delivered(&mut self, delivery: &Delivery, figures: &Figures, now: Mono) {
        let subject = &delivery.subject;
        if !self.apis.iter().any(|it| it.kind(&subject.namespace).gvk == subject.gvk) {
            return;
        }
        figures.add(WRITES, &[if delivery.result.is_ok() { "ok" } else { "error" }], 1);
        if delivery.result.is_err()
            && let Some(of) = self.namespaces.get_mut(&subject.namespace)
        {
            of.distrust();
            // A namespace that is gone needs no empty report.
            of.dirty = !of.rows.is_empty();
            of.rests_until = Some(now.after(AGAIN));
        }
    }

    /// Which of our reports an object is.
    fn place(&self, kind: &Kind, object: &Object) -> Option<(ReportApi, usize)> {
        let api = ReportApi::of(kind).filter(|it| self.apis.contains(it))?;
        Some((api, number(object)?))
    }
}

/// Takes over the rows of a report that is there.
fn load(of: &mut OfNamespace, place: (ReportApi, usize), object: &Object, now: Now) {
    of.written.insert(place, kanon_core::Digest::ZERO);
    for result in object.root().get("results").into_iter().flat_map(kanon_core::Node::elements) {
        let Some((key, row)) = Row::read(result) else { continue };
        if let Some(known) = of.rows.get_mut(&key) {
            // Found already, or read in the other API.
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

/// The number of a report of ours: `portal` is 0, `portal-3` is 3.
fn number(report: &Object) -> Option<usize> {
    match report.str_at(&["metadata", "name"]).strip_prefix(NAME)? {
        "" => Some(0),
        suffix => suffix.strip_prefix('-')?.parse().ok().filter(|it| *it < TOTAL_MAX),
    }
}
