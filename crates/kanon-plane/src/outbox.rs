//! What a family wants done and recorded, and the queue that paces it.
//!
//! Status writes pass one token bucket (spec/rules 1.7: 10 a second, burst 50). A write that finds no token is kept, the
//! latest for each object, and goes out when a token returns: first those that say whether a policy works, then counters.

use std::collections::BTreeMap;

use kanon_core::{
    Action, Cause, Effect, EffectId, EventType, FamilyId, Kind, Mono, ObjectRef, Rate, Sink, TokenBucket, Verdict,
};

use crate::{action::Wanted, lookups::ObjectStore, record::Payload, scan::Work};

/// When an effect leaves, and from which replica.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Pace {
    /// From the leader, when nothing more urgent waits for a token.
    Spare,
    /// From the leader.
    Urgent,
    /// From the replica that wants it: it alone answered the request, or holds the shard.
    Own,
}

/// Collects what follows from one input.
pub struct Outbox<'s> {
    family: FamilyId,
    /// The plane's objects, where there are any.
    objects: Option<&'s ObjectStore>,
    pub(crate) effects: Vec<(Effect, Pace)>,
    pub(crate) records: Vec<Payload>,
    pub(crate) scans: Vec<Work>,
}

impl<'s> Outbox<'s> {
    /// An empty outbox for a family; the plane makes one for each input.
    pub fn new(family: FamilyId) -> Outbox<'s> {
        Outbox { family, objects: None, effects: Vec::new(), records: Vec::new(), scans: Vec::new() }
    }

    /// The same beside these objects.
    pub(crate) fn beside(self, objects: &'s ObjectStore) -> Outbox<'s> {
        Outbox { objects: Some(objects), ..self }
    }

    /// The plane's objects as they are after the input: what a summary counts. Decisions read them in a scan.
    pub fn objects(&self) -> Option<&'s ObjectStore> {
        self.objects
    }

    /// Replaces an object's status. `urgent` says whether more than counters changed.
    pub fn status(&mut self, kind: &Kind, subject: ObjectRef, status: serde_json::Value, urgent: bool) {
        let id = EffectId::new(&status.to_string(), "status", &subject.uid);
        let pace = if urgent { Pace::Urgent } else { Pace::Spare };
        self.push(
            Effect { echo: true, ..self.effect(id, subject, Action::Status { kind: kind.clone(), status }) },
            pace,
        );
    }

    /// Applies a manifest under Kanon's field manager.
    pub fn apply(&mut self, kind: &Kind, subject: ObjectRef, manifest: serde_json::Value) {
        let id = EffectId::new(&manifest.to_string(), "apply", &subject.to_string());
        self.push(self.effect(id, subject, Action::Apply { kind: kind.clone(), manifest }), Pace::Urgent);
    }

    /// The same for a manifest that only sums up decisions, which have records of their own; from the replica whose shard it is
    /// about, whoever leads.
    pub fn report(&mut self, kind: &Kind, subject: ObjectRef, manifest: serde_json::Value) {
        let id = EffectId::new(&manifest.to_string(), "report", &subject.to_string());
        let effect = self.effect(id, subject, Action::Apply { kind: kind.clone(), manifest });
        self.push(Effect { echo: true, ..effect }, Pace::Own);
    }

    /// Records a Kubernetes Event about an object; `cause` tells repeats from news.
    pub fn event(&mut self, subject: ObjectRef, event_type: EventType, reason: &str, message: &str, cause: &str) {
        let id = EffectId::new(cause, reason, &subject.uid);
        let action = Action::Event { event_type, reason: reason.to_owned(), message: message.to_owned() };
        self.push(self.effect(id, subject, action), Pace::Urgent);
    }

    /// Has a policy's action done, under an id that its repeats share. `own` says that this replica alone knows of it, so
    /// that it needs no lead.
    pub fn act(&mut self, id: EffectId, wanted: &Wanted, cause: Cause, own: bool) {
        let effect = self.effect(id, wanted.subject().clone(), wanted.action().clone());
        self.push(Effect { cause: Some(Box::new(cause)), ..effect }, if own { Pace::Own } else { Pace::Urgent });
    }

    /// Has the accounts made that a ConfigMap still notes, by whoever leads.
    pub fn restore_accounts(&mut self, id: EffectId, map: ObjectRef) {
        self.push(self.effect(id, map, Action::RestoreAccounts), Pace::Urgent);
    }

    /// Sends a document to a receiver by HTTP because a policy's action asks for it, from the replica that wants it.
    pub fn call(&mut self, id: EffectId, subject: ObjectRef, body: serde_json::Value, cause: Cause) {
        let effect = self.effect(id, subject, Action::Send { sink: Sink::Webhook, body });
        self.push(Effect { cause: Some(Box::new(cause)), ..effect }, Pace::Own);
    }

    /// Sends a document to a sink, from the replica that wants it. `echo` says that it tells nothing new.
    pub fn send(&mut self, id: EffectId, subject: ObjectRef, sink: Sink, body: serde_json::Value, echo: bool) {
        let effect = Effect { echo, ..self.effect(id, subject, Action::Send { sink, body }) };
        self.push(effect, Pace::Own);
    }

    /// Records a decision.
    pub fn verdict(&mut self, verdict: Verdict) {
        self.records.push(Payload::Decision(Box::new(verdict)));
    }

    /// Has stored objects looked at, by the view that the family has after this input.
    pub fn scan(&mut self, work: Work) {
        self.scans.push(work);
    }

    /// Decisions recorded so far: for tests of families.
    pub fn recorded(&self) -> impl Iterator<Item = &Verdict> {
        self.records.iter().filter_map(|it| match it {
            Payload::Decision(verdict) => Some(&**verdict),
            Payload::Opened { .. } | Payload::Passes { .. } | Payload::Effect { .. } | Payload::Outcome { .. } => None,
        })
    }

    /// Scans wanted so far: for tests of families.
    pub fn scans(&self) -> &[Work] {
        &self.scans
    }

    /// Effects wanted so far: for tests of families.
    pub fn wanted(&self) -> impl Iterator<Item = &Effect> {
        self.effects.iter().map(|(effect, _)| effect)
    }

    fn effect(&self, id: EffectId, subject: ObjectRef, action: Action) -> Effect {
        Effect { id, family: self.family, subject, action, cause: None, echo: false }
    }

    fn push(&mut self, effect: Effect, pace: Pace) {
        self.effects.push((effect, pace));
    }
}

/// Effects that wait: for a token, or for the lead.
pub(crate) struct Queue {
    bucket: TokenBucket,
    leader: bool,
    /// Latest status by urgency (false: urgent) and subject.
    statuses: BTreeMap<(bool, ObjectRef), Effect>,
    /// Manifests that a follower would have applied, latest by subject.
    applies: BTreeMap<ObjectRef, Effect>,
    ready: Vec<Effect>,
    wake: Option<Mono>,
}

impl Queue {
    pub(crate) fn new(rate: Rate, burst: u32, leader: bool) -> Queue {
        let bucket = TokenBucket::new(rate, burst);
        Queue { bucket, leader, statuses: BTreeMap::new(), applies: BTreeMap::new(), ready: Vec::new(), wake: None }
    }

    pub(crate) fn lead(&mut self, leader: bool) {
        self.leader = leader;
    }

    pub(crate) fn leads(&self) -> bool {
        self.leader
    }

    pub(crate) fn push(&mut self, effect: Effect, pace: Pace) {
        match &effect.action {
            Action::Status { .. } => {
                let was_urgent = self.statuses.remove(&(false, effect.subject.clone())).is_some();
                self.statuses.remove(&(true, effect.subject.clone()));
                self.statuses.insert((pace == Pace::Spare && !was_urgent, effect.subject.clone()), effect);
            }
            Action::Apply { .. } if pace == Pace::Own => self.ready.push(effect),
            Action::Apply { .. } => {
                self.applies.insert(effect.subject.clone(), effect);
            }
            // News: the leader tells them and does what follows, others need not repeat it later.
            Action::Event { .. }
            | Action::Patch { .. }
            | Action::Evict { .. }
            | Action::Quarantine { .. }
            | Action::Cordon
            | Action::RevokeTokens
            | Action::RecreateAccount { .. }
            | Action::RestoreAccounts
            | Action::Send { .. } => {
                if self.leader || pace == Pace::Own {
                    self.ready.push(effect);
                }
            }
        }
    }

    /// What may go out now.
    pub(crate) fn drain(&mut self, now: Mono) -> Vec<Effect> {
        self.wake = None;
        let mut out = std::mem::take(&mut self.ready);
        if !self.leader {
            return out;
        }
        out.extend(std::mem::take(&mut self.applies).into_values());
        while let Some(entry) = self.statuses.first_entry() {
            match self.bucket.take(now) {
                Ok(()) => out.push(entry.remove()),
                Err(at) => {
                    self.wake = Some(at);
                    break;
                }
            }
        }
        out
    }

    pub(crate) fn next_deadline(&self) -> Option<Mono> {
        self.wake
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use serde_json::json;

    use super::*;

    fn status(queue: &mut Queue, name: &str, value: u32, urgent: bool) {
        let kind = Kind::cluster("portal.io", "v1alpha1", "PortalClusterRule", "portalclusterrules");
        let subject = ObjectRef { gvk: kind.gvk.clone(), name: name.into(), ..ObjectRef::default() };
        let mut out = Outbox::new(FamilyId("rules"));
        out.status(&kind, subject, json!({"value": value}), urgent);
        for (effect, pace) in out.effects {
            queue.push(effect, pace);
        }
    }

    fn names(effects: &[Effect]) -> Vec<(&str, serde_json::Value)> {
        let value = |it: &Effect| match &it.action {
            Action::Status { status, .. } => status["value"].clone(),
            _ => json!(null),
        };
        effects.iter().map(|it| (it.subject.name.as_str(), value(it))).collect()
    }

    #[test]
    fn a_status_without_token_is_coalesced_and_retried_urgent_first() {
        let at = |millis| Mono(Duration::from_millis(millis));
        let mut queue = Queue::new("10/s".parse().unwrap(), 1, true);
        status(&mut queue, "a", 1, true);
        assert_eq!(names(&queue.drain(at(1000))), [("a", json!(1))]);
        status(&mut queue, "b", 1, false);
        status(&mut queue, "c", 1, true);
        status(&mut queue, "b", 2, false);
        assert_eq!(queue.drain(at(1000)), []);
        assert_eq!(queue.next_deadline(), Some(at(1100)));
        assert_eq!(names(&queue.drain(at(1100))), [("c", json!(1))]);
        assert_eq!(names(&queue.drain(at(1200))), [("b", json!(2))]);
        assert_eq!(queue.next_deadline(), None);
    }

    #[test]
    fn followers_hold_their_effects_until_they_lead() {
        let mut queue = Queue::new("10/s".parse().unwrap(), 9, false);
        status(&mut queue, "a", 1, true);
        status(&mut queue, "a", 2, false);
        assert_eq!(queue.drain(Mono::default()), []);
        queue.lead(true);
        assert_eq!(names(&queue.drain(Mono::default())), [("a", json!(2))]);
    }
}
