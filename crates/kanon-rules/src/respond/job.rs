//! One run of one action for one violation, from the violation to its end.

use std::time::Duration;

use kanon_core::{Cause, Digest, EffectId, Mono, ObjectRef, PolicyRef, Rate, Verdict};
use kanon_plane::{AlertParams, PolicyKey, Wanted};

use super::Occasion;
use crate::{
    index::Entry,
    rule::{ActionSpec, Mode},
};

/// An action of an admitted object waits until the object can have been stored (spec/rules 4.3) …
pub(super) const HOLD: Duration = Duration::from_millis(500);
/// … and no longer than this for it to be there.
const HOLD_MAX: Duration = Duration::from_secs(30);
/// First and longest pause before what the server put off is tried again, and how long it is tried (spec/rules 8.4, `evict`).
const RETRY: Duration = Duration::from_secs(5);
const RETRY_MAX: Duration = Duration::from_mins(5);
const RETRY_FOR: Duration = Duration::from_mins(30);

/// What is to be done.
#[derive(Clone, Debug)]
pub(super) enum Task {
    Object(Box<Wanted>),
    Alert(AlertParams),
    /// A receiver by HTTP.
    Hook(String),
}

/// A run.
#[derive(Clone, Debug)]
pub(super) struct Job {
    /// Its effect's id: the same for a repeat.
    pub id: EffectId,
    /// The rule and the action's place in it: what a `rateLimit` counts.
    pub counted: (PolicyKey, usize),
    /// The target as duplicates are told.
    pub target: Digest,
    /// The finding behind it, where one lasts: its end calls the run off.
    pub finding: Option<Digest>,
    pub rate: Option<Rate>,
    /// How long a success is remembered.
    pub remember: Duration,
    pub destructive: bool,
    /// Whether it is the leader's, wherever the object is.
    pub acts: bool,
    /// What takes it back when the finding has ended.
    pub undo: Option<Box<Job>>,
    /// Whether it takes back what another run did.
    pub takes_back: bool,
    pub task: Task,
    pub verdict: Verdict,
    pub mode: Mode,
    pub severity: &'static str,
    pub cause: Cause,
    /// Whether this replica alone knows of the violation.
    pub own: bool,
    /// Whether the object may not be stored yet.
    pub held: bool,
    /// Whether the finding has ended while the effect was under way.
    pub called_off: bool,
    /// What a metric has already been told about its waiting.
    pub told: Option<&'static str>,
    pub since: Mono,
    tries: u32,
}

impl Job {
    pub(super) fn new(
        entry: &Entry,
        at: usize,
        (id, window, destructive): (&'static str, Duration, bool),
        spec: &ActionSpec,
        (verdict, occasion): (&Verdict, &Occasion),
        task: Task,
        now: Mono,
    ) -> Job {
        let target = target(verdict, at);
        let is_object = matches!(task, Task::Object(_));
        Job {
            id: EffectId(format!("{}-{id}", &target.to_string()[..16])),
            counted: (entry.key.clone(), at),
            target,
            finding: occasion.lasts().then(|| finding(verdict)),
            rate: spec.rate,
            remember: spec.rate.map_or(window * 2, |it| it.period() / it.count()),
            destructive,
            acts: spec.rate.is_some() || is_object,
            undo: None,
            takes_back: false,
            task,
            verdict: verdict.clone(),
            mode: occasion.mode,
            severity: entry.rule.as_ref().and_then(|it| it.severity).map_or("", |it| it.as_str()),
            cause: Cause {
                action: id,
                policy: verdict.policy.clone(),
                occasion: occasion.mode.as_str(),
                event_id: occasion.event_id.clone(),
                params: spec.params.clone(),
                dry_run: false,
            },
            own: !occasion.lasts(),
            held: is_object && occasion.mode == Mode::Admission,
            called_off: false,
            told: None,
            since: now,
            tries: 0,
        }
    }

    /// The run that takes back what this one does, when its finding has ended. Nothing holds it back.
    pub(super) fn undoing(&self, wanted: Wanted) -> Job {
        let target = Digest::of(&[self.target.to_string().as_bytes(), b"undo"]);
        Job {
            id: EffectId(format!("{}-{}", &target.to_string()[..16], self.cause.action)),
            target,
            finding: None,
            rate: None,
            destructive: false,
            undo: None,
            // Whoever sees the end takes back.
            own: true,
            takes_back: true,
            task: Task::Object(Box::new(wanted)),
            ..self.clone()
        }
    }

    /// What it does to what, where that is an object: the same for all runs that come to the same.
    pub(super) fn deed(&self) -> Option<Digest> {
        let Task::Object(wanted) = &self.task else { return None };
        let action = serde_json::to_string(wanted.action()).unwrap_or_default();
        let subject = wanted.subject();
        Some(Digest::of(&[subject.to_string().as_bytes(), subject.uid.as_bytes(), action.as_bytes()]))
    }

    /// When to try again what found no object: not at all once there was time enough to store it.
    pub(super) fn after_absence(&mut self, now: Mono) -> Option<Mono> {
        (self.held && now.since(self.since) < HOLD_MAX).then(|| now.after(self.pause(HOLD, RETRY)))
    }

    /// When to try again what the server put off.
    pub(super) fn after_refusal(&mut self, now: Mono) -> Option<Mono> {
        (!self.called_off && now.since(self.since) < RETRY_FOR).then(|| now.after(self.pause(RETRY, RETRY_MAX)))
    }

    fn pause(&mut self, first: Duration, longest: Duration) -> Duration {
        let pause = first.saturating_mul(1 << self.tries.min(16));
        self.tries += 1;
        pause.min(longest)
    }
}

/// What a repeat for one target has in common: the finding, the rule's revision, the action's place (spec/rules 8.2).
pub(super) fn target(verdict: &Verdict, at: usize) -> Digest {
    Digest::of(&[
        finding(verdict).to_string().as_bytes(),
        verdict.policy.revision.as_bytes(),
        verdict.occasion.as_bytes(),
        &at.to_le_bytes(),
    ])
}

/// What a finding is known by here: the rule, the object with its UID, the loop; whatever the container and the revision.
pub(super) fn finding(verdict: &Verdict) -> Digest {
    let PolicyRef { kind, namespace: home, name: rule, revision: _ } = &verdict.policy;
    let ObjectRef { gvk, namespace, name, uid } = &verdict.subject;
    let parts = [kind, home, rule, &gvk.to_string(), namespace, name, uid, verdict.occasion];
    Digest::of(&[parts.join("\0").as_bytes()])
}
