//! The life of findings (spec/rules 6.4): what is new or re-graded is told at once, what vanished is resolved at once, and a
//! message that changes with every pod is told again at most once a minute. Keys are compared by structure, never by text.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use kanon_core::Mono;

use crate::checks::{Finding, FindingKey, Severity};

/// A changed message is told no more often.
const REFRESH_EVERY: Duration = Duration::from_secs(60);

/// What became of a finding.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// It is new.
    Fired(Finding),
    /// Its severity changed from this one.
    Regraded(Finding, Severity),
    /// It stands, in other words.
    Refreshed(Finding),
    /// It is gone; this is its last state.
    Resolved(Finding),
}

/// The findings that are open.
#[derive(Clone, Debug, Default)]
pub struct Findings {
    by_namespace: BTreeMap<String, BTreeMap<FindingKey, Open>>,
    /// When messages may be told again.
    due: BTreeSet<(Mono, FindingKey)>,
}

#[derive(Clone, Debug)]
struct Open {
    /// As it is now.
    finding: Finding,
    /// When it was last told.
    told: Mono,
    /// What was told then.
    words: String,
    /// When it will be told again, because its message changed.
    due: Option<Mono>,
}

impl Findings {
    /// Takes in what the checks find in a namespace now; says what changed, in order of keys.
    pub fn update(&mut self, namespace: &str, found: Vec<Finding>, now: Mono) -> Vec<Event> {
        let mut before = self.by_namespace.remove(namespace).unwrap_or_default();
        let mut after = BTreeMap::new();
        let mut events = Vec::new();
        for finding in found {
            let mut open = match before.remove(&finding.key) {
                Some(open) if open.finding.severity == finding.severity => open,
                known => {
                    self.forget_due(known.as_ref());
                    events.push(match known {
                        Some(open) => Event::Regraded(finding.clone(), open.finding.severity),
                        None => Event::Fired(finding.clone()),
                    });
                    Open { words: finding.message.clone(), finding: finding.clone(), told: now, due: None }
                }
            };
            if open.words != finding.message {
                let at = open.told.after(REFRESH_EVERY);
                match open.due {
                    None if at <= now => {
                        events.push(Event::Refreshed(finding.clone()));
                        (open.told, open.words) = (now, finding.message.clone());
                    }
                    None => {
                        self.due.insert((at, finding.key.clone()));
                        open.due = Some(at);
                    }
                    Some(_) => {}
                }
            }
            open.finding = finding;
            after.insert(open.finding.key.clone(), open);
        }
        for open in before.into_values() {
            self.forget_due(Some(&open));
            events.push(Event::Resolved(open.finding));
        }
        if !after.is_empty() {
            self.by_namespace.insert(namespace.to_owned(), after);
        }
        events
    }

    /// Tells the messages whose minute is over.
    pub fn tick(&mut self, now: Mono) -> Vec<Event> {
        let mut events = Vec::new();
        while let Some((at, key)) = self.due.first().filter(|(at, _)| *at <= now).cloned() {
            self.due.remove(&(at, key.clone()));
            let open = self.by_namespace.get_mut(&key.namespace).and_then(|it| it.get_mut(&key));
            let Some(open) = open else { continue };
            open.due = None;
            // It may say again what it said before.
            if open.words != open.finding.message {
                (open.told, open.words) = (now, open.finding.message.clone());
                events.push(Event::Refreshed(open.finding.clone()));
            }
        }
        events
    }

    /// Forgets all but these, without a word. Gives the forgotten.
    pub(crate) fn retain(&mut self, stays: impl Fn(&Finding) -> bool) -> Vec<Finding> {
        let mut over = Vec::new();
        for (_, of_namespace) in std::mem::take(&mut self.by_namespace) {
            for (key, open) in of_namespace {
                if stays(&open.finding) {
                    self.by_namespace.entry(key.namespace.clone()).or_default().insert(key, open);
                } else {
                    self.forget_due(Some(&open));
                    over.push(open.finding);
                }
            }
        }
        over
    }

    /// When [`Findings::tick`] has something to do.
    pub fn next_deadline(&self) -> Option<Mono> {
        self.due.first().map(|(at, _)| *at)
    }

    /// The open findings, by namespace and key.
    pub fn open(&self) -> impl Iterator<Item = &Finding> {
        self.by_namespace.values().flat_map(BTreeMap::values).map(|it| &it.finding)
    }

    /// The namespaces that have open findings.
    pub fn namespaces(&self) -> impl Iterator<Item = &str> {
        self.by_namespace.keys().map(String::as_str)
    }

    fn forget_due(&mut self, open: Option<&Open>) {
        if let Some(Open { due: Some(at), finding, .. }) = open {
            self.due.remove(&(*at, finding.key.clone()));
        }
    }
}
