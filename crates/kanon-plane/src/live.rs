//! Live reads: what a decision wants to know from the API server itself, not from what was watched (spec/rules 2.7). A decision does no
//! I/O, so it is asked twice: the first time it says what it would read and comes to nothing certain, the shell reads it, and the
//! decision is asked again with the answers in hand. So it goes on until nothing is missing, or too much is asked for.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Mutex, PoisonError},
};

use kanon_core::{GroupVersionKind, Kind, Mono, Object, Selector, UserInfo};

use crate::{
    action::Right,
    lookups::{Lookups, ObjectStore},
};

/// One read of the API server.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum LiveRead {
    /// One object, there or not.
    Named {
        /// Its kind.
        kind: Kind,
        /// Its namespace; empty for cluster-scoped kinds.
        namespace: String,
        /// Its name.
        name: String,
    },
    /// All objects of a kind that match.
    Listed {
        /// Their kind.
        kind: Kind,
        /// Their namespace; empty for all.
        namespace: String,
        /// By their labels.
        selector: Selector,
    },
    /// Whether somebody may do something: a SubjectAccessReview is the one object of the answer.
    Access(Access),
}

/// A question to the API server's authorization.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Access {
    /// Who.
    pub user: UserInfo,
    /// What.
    pub right: Right,
    /// Where; everywhere when it is empty.
    pub namespace: String,
}

/// What came of a read: the objects, none where there is nothing, or why it failed.
pub type LiveAnswer = Result<Vec<Object>, String>;

/// What is known of a read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Live<'l> {
    /// It has still to be made.
    Wanted,
    /// It was made.
    Known(&'l LiveAnswer),
}

/// The answers of one request so far.
#[derive(Debug, Default)]
pub struct LiveAnswers {
    known: BTreeMap<LiveRead, LiveAnswer>,
    /// What every further read comes to.
    closed: Option<LiveAnswer>,
}

impl LiveAnswers {
    /// Reads that one request may ask for.
    pub const MAX: usize = 16;

    /// Takes an answer in.
    pub fn put(&mut self, read: LiveRead, answer: LiveAnswer) {
        self.known.insert(read, answer);
    }

    /// How many reads may still be made.
    pub fn left(&self) -> usize {
        LiveAnswers::MAX.saturating_sub(self.known.len())
    }

    /// From now on nothing more is read: what is missing has failed, for this reason.
    pub fn close(&mut self, why: &str) {
        self.closed = Some(Err(why.to_owned()));
    }
}

/// Lookups of one decision: the watched objects, and the live answers so far. It notes what else is wanted.
pub struct LiveLookups<'s> {
    store: &'s ObjectStore,
    answers: &'s LiveAnswers,
    wanted: Mutex<BTreeSet<LiveRead>>,
    until: Mono,
}

impl<'s> LiveLookups<'s> {
    /// Lookups with these answers, for a decision that has time until then.
    pub fn new(store: &'s ObjectStore, answers: &'s LiveAnswers, until: Mono) -> LiveLookups<'s> {
        LiveLookups { store, answers, wanted: Mutex::default(), until }
    }

    /// What was asked for and is not known: the decision is not final before it is.
    pub fn wanted(self) -> BTreeSet<LiveRead> {
        self.wanted.into_inner().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Lookups for LiveLookups<'_> {
    fn get(&self, kind: &GroupVersionKind, namespace: &str, name: &str) -> Option<&Object> {
        self.store.get(kind, namespace, name)
    }

    fn list(&self, kind: &GroupVersionKind, namespace: &str) -> Vec<&Object> {
        self.store.list(kind, namespace)
    }

    fn is_synced(&self, kind: &GroupVersionKind) -> bool {
        self.store.is_synced(kind)
    }

    fn live(&self, read: &LiveRead) -> Option<Live<'_>> {
        if let Some(answer) = self.answers.known.get(read).or(self.answers.closed.as_ref()) {
            return Some(Live::Known(answer));
        }
        self.wanted.lock().unwrap_or_else(PoisonError::into_inner).insert(read.clone());
        Some(Live::Wanted)
    }

    fn until(&self) -> Option<Mono> {
        Some(self.until)
    }

    fn reads_live(&self) -> bool {
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_known_is_wanted_until_reads_are_closed() {
        let read = LiveRead::Named {
            kind: Kind::cluster("", "v1", "Node", "nodes"),
            namespace: String::new(),
            name: "a".into(),
        };
        let store = ObjectStore::default();
        let mut answers = LiveAnswers::default();
        let ask = |answers: &LiveAnswers| {
            let lookups = LiveLookups::new(&store, answers, Mono::default());
            let answer = match lookups.live(&read) {
                Some(Live::Known(answer)) => Some(answer.clone()),
                _ => None,
            };
            (answer, lookups.wanted().len())
        };
        assert_eq!(ask(&answers), (None, 1));
        answers.close("too late");
        assert_eq!(ask(&answers), (Some(Err("too late".into())), 0));
        answers.put(read.clone(), Ok(Vec::new()));
        assert_eq!(ask(&answers), (Some(Ok(Vec::new())), 0));
        assert_eq!(answers.left(), LiveAnswers::MAX - 1);
    }
}
