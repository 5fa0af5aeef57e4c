//! The runtime loop (spec/rules 7): rules about what happens to running workloads. An event is about an object, the parent of what
//! was asked for (the Pod of `pods/exec`); rules are found by that object's kind, and asked as in every other loop.
//!
//! A review of admission that is such an event is put to rules of both modes, `admission` and `runtime`: they alone can stop it.

use std::{collections::BTreeMap, sync::Arc};

use kanon_core::{GroupVersionKind, Now, Object, Operation, Resource, Review};
use kanon_events::{Class, Event, of_review};
use kanon_plane::{AdmissionRule, Lookups, Reviewed};

use crate::{
    decide::{Decision, Question, Tally, Times},
    index::Rules,
    rule::{Enforcement, Events, Mode, OnError, Rule},
};

/// Kinds whose replicas are a part of their own.
const SCALED: [(&str, &str); 4] =
    [("apps", "Deployment"), ("apps", "ReplicaSet"), ("apps", "StatefulSet"), ("", "ReplicationController")];

impl Rules {
    /// Whether a rule is asked about events.
    pub(crate) fn observes(&self) -> bool {
        self.settings.loops.contains(&Mode::Runtime) && self.active().any(|it| it.modes.contains(&Mode::Runtime))
    }

    /// Decides about an event; `None` where no rule is about it.
    pub(crate) fn observe(self: &Arc<Self>, event: &Event, lookups: &dyn Lookups, now: Now) -> Option<Reviewed> {
        if !self.observes() {
            return None;
        }
        let (Decision { found, rows }, times) =
            self.about_parent(event, None, &[Mode::Runtime], lookups, now, |question| {
                let decision = self.decide(question, lookups);
                let is_timed = !decision.rows.is_empty() && self.is_timed(Mode::Runtime);
                let times = if is_timed { self.times(question, lookups) } else { Times::new() };
                (decision, times)
            });
        if rows.is_empty() {
            return None;
        }
        let tally = Tally { rules: Arc::clone(self), rows, times };
        Some(Reviewed { verdicts: Decision::verdicts(found), counts: Arc::new(tally) })
    }

    /// Asks about a review of a connection, a scale, an eviction or a token.
    pub(crate) fn put_event<T: Default>(
        &self,
        review: &Review,
        lookups: &dyn Lookups,
        now: Now,
        ask: impl FnOnce(&Question<'_>) -> T,
    ) -> T {
        match of_review(review, now.wall) {
            Some(event) if self.settings.loops.contains(&Mode::Runtime) => {
                self.about_parent(&event, Some(review), &[Mode::Admission], lookups, now, ask)
            }
            _ => T::default(),
        }
    }

    fn about_parent<T: Default>(
        &self,
        event: &Event,
        request: Option<&Review>,
        modes: &[Mode],
        lookups: &dyn Lookups,
        now: Now,
        ask: impl FnOnce(&Question<'_>) -> T,
    ) -> T {
        let Some(kind) = self.parent(&event.resource) else { return T::default() };
        let gone = Object::null();
        let found = (!event.name.is_empty()).then(|| lookups.get(kind, &event.namespace, &event.name)).flatten();
        // Of what lacks something it cannot be told what it is.
        let found = found.filter(|it| !it.is_cut());
        let object = found.unwrap_or(&gone);
        ask(&Question { request, event: Some(event), ..Question::new(kind, object, modes, now) })
    }

    /// The kind of a resource, in the version asked for or else in another one.
    fn parent(&self, resource: &Resource) -> Option<&GroupVersionKind> {
        let Resource { group, version, resource } = resource;
        let kind = self.resources.named(resource, Some((version, group)));
        kind.or_else(|| self.resources.in_group(resource, group)).map(|it| &it.gvk)
    }

    /// What a webhook is asked about so that rules hear of events.
    pub(crate) fn event_rules(&self) -> Vec<AdmissionRule> {
        let mut asked: BTreeMap<(&GroupVersionKind, &str, Operation), bool> = BTreeMap::new();
        let observing = self.active().filter(|it| it.modes.contains(&Mode::Runtime) && self.observes());
        for rule in observing {
            for kind in &rule.matcher.kinds {
                for (part, operation) in parts(kind, &rule.events) {
                    *asked.entry((kind, part, operation)).or_insert(true) &= !can_refuse(rule);
                }
            }
        }
        let rule = |((kind, part, operation), advisory): ((&GroupVersionKind, &str, Operation), bool)| AdmissionRule {
            group: kind.group.clone(),
            version: kind.version.clone(),
            kind: kind.kind.clone(),
            part: part.to_owned(),
            advisory,
            operations: vec![operation],
        };
        asked.into_iter().map(rule).collect()
    }
}

/// Parts of a kind's objects whose requests are events that concern a rule (spec/rules 7.2).
fn parts(kind: &GroupVersionKind, events: &Events) -> Vec<(&'static str, Operation)> {
    let named = |class, part, operation| events.names(class).then_some((part, operation));
    // These are of no class.
    let unnamed = |part, operation| events.classes.is_empty().then_some((part, operation));
    let parts = match (kind.group.as_str(), kind.version.as_str(), kind.kind.as_str()) {
        ("", "v1", "Pod") => vec![
            named(Class::Exec, "exec", Operation::Connect),
            named(Class::Attach, "attach", Operation::Connect),
            named(Class::PortForward, "portforward", Operation::Connect),
            named(Class::Debug, "ephemeralcontainers", Operation::Update),
            unnamed("eviction", Operation::Create),
        ],
        ("", "v1", "ServiceAccount") => vec![named(Class::TokenRequest, "token", Operation::Create)],
        (group, _, kind) if SCALED.contains(&(group, kind)) => vec![unnamed("scale", Operation::Update)],
        _ => Vec::new(),
    };
    parts.into_iter().flatten().collect()
}

/// Whether the rule may stop a request.
fn can_refuse(rule: &Rule) -> bool {
    let denies = rule.enforcement == Some(Enforcement::Deny) || rule.on_error == OnError::Deny;
    rule.modes.contains(&Mode::Admission) && denies
}
