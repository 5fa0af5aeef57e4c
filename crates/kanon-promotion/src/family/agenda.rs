//! What is due when. Deadlines are instants of the wall clock, since gates are about dates; the plane sleeps by the steady
//! clock, so the two are tied together at every input, and a jump of the wall clock is noticed.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};
use kanon_core::{Mono, Now};

use super::gates::GateId;
use crate::facts::Key;

/// How far the clocks may drift apart before everything is asked again.
const DRIFT_MAX: SignedDuration = SignedDuration::from_secs(2);

/// Something that waits for its time.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Due {
    /// A clock ticks; before the gates, which read what it writes.
    Clock(Key),
    /// A change window begins or ends.
    Window(String),
    /// These gates are asked again.
    Gates(Timestamp, BTreeSet<GateId>),
}

/// All deadlines.
#[derive(Default)]
pub(super) struct Agenda {
    at: BTreeMap<Due, Timestamp>,
    order: BTreeSet<(Timestamp, Due)>,
    /// Gates by the instant at which they are asked: many share one.
    gates: BTreeMap<Timestamp, BTreeSet<GateId>>,
    seen: Option<Now>,
}

impl Agenda {
    /// Ties the clocks together; whether the wall clock jumped since the last time.
    pub(super) fn meet(&mut self, now: Now) -> bool {
        let jumped = self.seen.is_some_and(|seen| {
            let steady = SignedDuration::try_from(now.mono.since(seen.mono)).unwrap_or(SignedDuration::MAX);
            let wall = now.wall.duration_since(seen.wall);
            wall.checked_sub(steady).is_none_or(|drift| drift.abs() > DRIFT_MAX)
        });
        self.seen = Some(now);
        jumped
    }

    /// Sets or clears one deadline.
    pub(super) fn set(&mut self, due: Due, at: Option<Timestamp>) {
        if let Some(before) = self.at.remove(&due) {
            self.order.remove(&(before, due.clone()));
        }
        if let Some(at) = at {
            self.order.insert((at, due.clone()));
            self.at.insert(due, at);
        }
    }

    /// Moves a gate's deadline. Whoever owns the gate knows the one it has.
    pub(super) fn set_gate(&mut self, gate: GateId, before: Option<Timestamp>, at: Option<Timestamp>) {
        if let Some(before) = before.filter(|it| Some(*it) != at)
            && let Some(gates) = self.gates.get_mut(&before)
        {
            gates.remove(&gate);
            if gates.is_empty() {
                self.gates.remove(&before);
            }
        }
        if let Some(at) = at {
            self.gates.entry(at).or_default().insert(gate);
        }
    }

    /// Takes the first thing whose time has come; of one instant, the gates last.
    pub(super) fn take(&mut self, now: Timestamp) -> Option<Due> {
        let other = self.order.first().filter(|it| it.0 <= now);
        let gates = self.gates.first_key_value().map(|it| *it.0).filter(|it| *it <= now);
        match (other, gates) {
            (None, None) => None,
            (Some((at, due)), gates) if gates.is_none_or(|gates| *at <= gates) => {
                let due = due.clone();
                self.set(due.clone(), None);
                Some(due)
            }
            _ => self.gates.pop_first().map(|(at, gates)| Due::Gates(at, gates)),
        }
    }

    /// When the first thing is due, by the steady clock.
    pub(super) fn next(&self) -> Option<Mono> {
        let others = self.order.first().map(|it| it.0);
        let at = others.into_iter().chain(self.gates.first_key_value().map(|it| *it.0)).min()?;
        let seen = self.seen?;
        Some(seen.mono.after(at.duration_since(seen.wall).try_into().unwrap_or_default()))
    }
}
