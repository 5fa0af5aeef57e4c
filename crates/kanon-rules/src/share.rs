//! What of the consequences of a finding is this replica's, where the audit is spread over several (docs/decisions/0010).
//!
//! Whoever holds the shard of the object's namespace tells of it: reports, alerts, records, figures. What acts on objects, and
//! what has a rate, is the leader's, wherever the object is, so that limits and the brake count where one process sees all
//! runs: it asks the rules that act about every object. Pure.

use kanon_core::Shards;
use kanon_plane::Prepared;

use crate::rule::{Mode, Response, Rule, Work};

/// See the module.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Share {
    /// Reports, alerts, records and figures.
    pub tells: bool,
    /// What counts in the whole cluster.
    pub acts: bool,
}

impl Share {
    /// Everything: of whoever alone knows.
    pub(crate) const ALL: Share = Share { tells: true, acts: true };

    /// The most that may be this replica's of findings in a namespace.
    pub(crate) fn at_most(shards: Shards, namespace: &str) -> Share {
        Share { tells: shards.holds(namespace), acts: shards.leads() }
    }

    /// What is this replica's of findings in a namespace; `acts` says whether the rule does.
    pub(crate) fn of(shards: Shards, acts: bool, namespace: &str) -> Share {
        Share { acts: acts && shards.leads(), ..Share::at_most(shards, namespace) }
    }

    /// Whether an action is this replica's.
    pub(crate) fn takes(self, acts: bool) -> bool {
        if acts { self.acts } else { self.tells }
    }

    pub(crate) fn is_none(self) -> bool {
        !self.tells && !self.acts
    }

    pub(crate) fn or(self, other: Share) -> Share {
        Share { tells: self.tells || other.tells, acts: self.acts || other.acts }
    }

    pub(crate) fn and(self, other: Share) -> Share {
        Share { tells: self.tells && other.tells, acts: self.acts && other.acts }
    }

    pub(crate) fn minus(self, other: Share) -> Share {
        Share { tells: self.tells && !other.tells, acts: self.acts && !other.acts }
    }
}

impl Response {
    /// Whether it acts on objects or has a rate.
    pub(crate) fn acts(&self) -> bool {
        self.changes_objects() || (self.spec.rate.is_some() && matches!(self.work, Work::Run { .. }))
    }

    /// Whether it acts on objects, which the API server has to allow.
    pub(crate) fn changes_objects(&self) -> bool {
        matches!(self.work, Work::Run { prepared: Prepared::Object { .. }, .. })
    }
}

impl Rule {
    /// Whether any of its actions acts on objects or has a rate, when a loop finds a violation.
    pub(crate) fn acts(&self, mode: &Mode) -> bool {
        self.responses.iter().any(|it| (it.spec.on.is_empty() || it.spec.on.contains(mode)) && it.acts())
    }
}
