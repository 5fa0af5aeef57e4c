//! From what happened to `.status` and Events: one [`Resource`] for each rule object.
//!
//! What says whether a rule works goes out at once; counts alone go out at most every 30 seconds (spec/rules 1.7). Counts in
//! `.status` are the sum over replicas: each adds what it counted itself to what it last saw there. Only the leader's
//! effects leave the process; a follower keeps its share and adds it when it leads.

use std::{
    sync::{Arc, atomic::Ordering::Relaxed},
    time::Duration,
};

use kanon_core::{EventType, Kind, Mono, Now, Object, ObjectRef};
use kanon_plane::Outbox;

use crate::{
    audit::sight::Sight,
    index::{Counts, Entry, Rules, State},
    respond::Denied,
    status::{CIRCUIT_OPEN, EvalFailure, RuleStatus, conditions, mode_words, problem},
};

/// Counts alone are written no more often.
const COUNTS_EVERY: Duration = Duration::from_secs(30);

/// What statuses speak of besides the rule itself.
#[derive(Clone, Copy)]
pub(crate) struct World<'w> {
    pub rules: &'w Rules,
    pub sight: &'w Sight,
    pub denied: &'w Denied,
}

/// A rule object as the family knows it.
pub(crate) struct Resource {
    kind: Kind,
    subject: ObjectRef,
    generation: i64,
    /// The status as last seen on the object, or as sent since.
    known: RuleStatus,
    last_applied: String,
    failure: Option<EvalFailure>,
    counts: Arc<Counts>,
    /// Counts that the API server has, as far as seen; what lies above is this process's share.
    stored: (u64, u64),
    /// Counts that were sent and have not been seen yet.
    sent: Option<(u64, u64)>,
    counts_written: Option<Mono>,
    /// The state that the last plan was about.
    pub state: Option<State>,
}

/// What of a rule object identifies it and its version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Version {
    pub uid: String,
    pub generation: i64,
}

impl Version {
    pub(crate) fn of(object: &Object) -> Version {
        let generation = object.at(&["metadata", "generation"]).and_then(|it| it.as_i64()).unwrap_or_default();
        Version { uid: object.str_at(&["metadata", "uid"]).to_owned(), generation }
    }
}

fn status_of(object: &Object) -> RuleStatus {
    let status = object.at(&["status"]).map(|it| serde_json::from_str(it.raw()));
    // A status that is not ours to read is as good as none: it is replaced.
    status.and_then(Result::ok).unwrap_or_default()
}

impl Resource {
    /// A version seen for the first time. Counts go on where `.status` already speaks of this very generation: a restart
    /// is no new version.
    pub(crate) fn new(kind: &Kind, object: &Object, now: Now) -> Resource {
        let Version { uid, generation } = Version::of(object);
        let text = |name: &str| object.str_at(&["metadata", name]).to_owned();
        let subject = ObjectRef { gvk: kind.gvk.clone(), namespace: text("namespace"), name: text("name"), uid };
        let known = status_of(object);
        let same = known.observed_generation == generation && known.last_applied.is_some() && generation > 0;
        let stored = if same { (known.eval_count, known.violation_count) } else { (0, 0) };
        let counts = Counts::default();
        counts.evaluations.store(stored.0, Relaxed);
        counts.violations.store(stored.1, Relaxed);
        let failure = known.last_eval_error.clone().filter(|_| same);
        counts.errors.store(failure.as_ref().map_or(0, |it| it.count), Relaxed);
        let last_applied = known.last_applied.clone().filter(|_| same).unwrap_or_else(|| now.rfc3339());
        Resource {
            kind: kind.clone(),
            subject,
            generation,
            known,
            last_applied,
            failure,
            counts: Arc::new(counts),
            stored,
            sent: None,
            counts_written: None,
            state: None,
        }
    }

    pub(crate) fn subject(&self) -> &ObjectRef {
        &self.subject
    }

    pub(crate) fn counts(&self) -> &Arc<Counts> {
        &self.counts
    }

    /// Whether an object is the version that is known.
    pub(crate) fn is_version(&self, version: &Version) -> bool {
        self.subject.uid == version.uid && self.generation == version.generation
    }

    /// The same version again: somebody, perhaps we, wrote status or metadata.
    pub(crate) fn seen(&mut self, object: &Object) {
        let status = status_of(object);
        if status.observed_generation != self.generation {
            return;
        }
        let pair = (status.eval_count, status.violation_count);
        match self.sent {
            Some(sent) if sent == pair => self.sent = None,
            // Ours is still on its way; this is older.
            Some(_) => return,
            None => {
                self.counts.evaluations.fetch_add(pair.0.saturating_sub(self.stored.0), Relaxed);
                self.counts.violations.fetch_add(pair.1.saturating_sub(self.stored.1), Relaxed);
            }
        }
        self.stored = pair;
        self.known = status;
    }

    /// A status write was given up: it counts as never sent. Gives when to try again; not at once, since what the server
    /// refuses now it is likely to refuse again.
    pub(crate) fn undelivered(&mut self, now: Mono) -> Mono {
        self.sent = None;
        self.known = RuleStatus::default();
        self.counts.unreported.store(true, Relaxed);
        now.after(COUNTS_EVERY)
    }

    /// Notes a failed evaluation.
    pub(crate) fn failed(&mut self, message: &str, object: &ObjectRef, now: Now) {
        let count = self.counts.errors.load(Relaxed);
        let failure =
            EvalFailure { message: message.to_owned(), time: now.rfc3339(), object: object.to_string(), count };
        self.failure = Some(failure);
    }

    /// When counts alone may go out.
    pub(crate) fn counts_due(&self, now: Mono) -> Mono {
        self.counts_written.map_or(now, |last| last.after(COUNTS_EVERY).max(now))
    }

    /// Writes what `.status` does not say yet; counts alone only when `counts` allows it.
    pub(crate) fn plan(&mut self, entry: &Entry, world: World<'_>, counts: bool, now: Now, out: &mut Outbox) {
        self.state = Some(entry.state.clone());
        let wanted = self.wanted(entry, world, now);
        let urgent = !wanted.agrees_but_for_counts(&self.known);
        if !urgent && (!counts || wanted == self.known) {
            self.counts.unreported.store(wanted != self.known, Relaxed);
            return;
        }
        if let Ok(json) = serde_json::to_value(&wanted) {
            out.status(&self.kind, self.subject.clone(), json, urgent);
        }
        let pair = (wanted.eval_count, wanted.violation_count);
        self.sent = (pair != self.stored).then_some(pair);
        if !urgent {
            self.counts_written = Some(now.mono);
        }
        self.counts.unreported.store(false, Relaxed);
        self.known = wanted;
    }

    /// Whether the conditions that depend on evaluations are out of date.
    pub(crate) fn must_report(&self, entry: &Entry, world: World<'_>, now: Now) -> bool {
        !self.wanted(entry, world, now).agrees_but_for_counts(&self.known)
    }

    /// Tells people of a broken revision.
    pub(crate) fn announce(&self, problem: &str, revision: &str, out: &mut Outbox) {
        let message = format!("rule is not in force in this revision: {problem}");
        out.event(self.subject.clone(), EventType::Warning, "ParseError", &message, revision);
    }

    /// Tells people that a revision denies too much.
    pub(crate) fn announce_break(&self, revision: &str, out: &mut Outbox) {
        out.event(self.subject.clone(), EventType::Warning, "CircuitOpen", CIRCUIT_OPEN, revision);
    }

    fn wanted(&self, entry: &Entry, world: World<'_>, now: Now) -> RuleStatus {
        let (eval_count, violation_count) = self.counts.pair();
        let in_a_row = self.counts.errors_in_a_row.load(Relaxed);
        RuleStatus {
            eval_count,
            violation_count,
            last_applied: Some(self.last_applied.clone()),
            parse_error: problem(entry).map(str::to_owned),
            active_on: mode_words(&entry.active_on(&world.rules.settings.loops)),
            observed_generation: self.generation,
            last_eval_error: self.failure.clone(),
            conditions: conditions(entry, world, self.generation, in_a_row, &self.known, &now.rfc3339()),
        }
    }
}
