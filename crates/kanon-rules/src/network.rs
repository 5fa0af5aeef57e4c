//! The network loop (spec/rules 6): the built-in checks of NetworkPolicies over the watched namespaces, pods and policies. Pure:
//! what it finds and what ends is given to the family, which records it and tells the responder, as it does for the audit.
//!
//! Each check is a rule of the process itself: its name is the check's id, so that actions, sinks and figures treat it as any
//! other. Only the leader checks; the model is kept up all the same, so that whoever wins the lead knows the cluster.

use std::collections::{BTreeMap, BTreeSet};

use kanon_core::{Change, Evidence, GroupVersionKind, Mono, Now, Object, Outcome, PolicyRef, Verdict};
use kanon_network::{Analyser, Check, Event, Finding, Kinds, Options};
use kanon_plane::PolicyKey;
use serde_json::{Value, json};

use crate::{
    FAMILY,
    audit::findings::ended,
    index::{self, Counts, Entry, Item, State},
    lookups::resources::Resources,
    rule::Mode,
    validate::{Compiler, validate},
};

/// Origin of the rules that are the process's own.
const BUILT_IN: &str = "builtin";

/// What annotated policies carry.
const ANNOTATION: &str = "portal.io/finding";

/// Reason of this loop's verdicts.
const FOUND: &str = "NetworkFinding";

/// Namespaces checked between two inputs: few, so that nothing waits for long.
const CHUNK: usize = 4;

/// How the loop runs (spec/rules 6.5).
#[derive(Clone, Debug, Default, PartialEq)]
pub struct NetworkSettings {
    /// Which checks run, how grave they are, and which namespaces they pass over.
    pub options: Options,
    /// Whether findings are alerts, too.
    pub alerts: bool,
    /// Whether the policy found fault with is annotated (`portal.io/finding`).
    pub annotates: bool,
}

/// What became of a finding.
pub(crate) enum Told {
    /// It is new, or its severity changed; the severity that it had before.
    Opened { check: Check, verdict: Verdict, severity: &'static str, before: Option<&'static str> },
    /// It stands, in other words.
    Reworded { check: Check, verdict: Verdict },
    /// It ended.
    Ended { verdict: Verdict, severity: &'static str },
}

/// See the module.
pub(crate) struct Network {
    /// Whether this process runs the loop at all.
    runs: bool,
    leads: bool,
    analyser: Analyser,
    /// The checks as rules.
    rules: BTreeMap<Check, Entry>,
    /// What the model is made of.
    kinds: Vec<GroupVersionKind>,
    /// Kinds of which every object that was there has arrived.
    synced: BTreeSet<GroupVersionKind>,
}

/// The kinds that the loop reads, for whoever decides what is watched.
pub fn network_kinds() -> Vec<GroupVersionKind> {
    Kinds::all().into_iter().map(|it| it.gvk).collect()
}

impl Network {
    /// A loop that does not run.
    pub(crate) fn off() -> Network {
        Network {
            runs: false,
            leads: false,
            analyser: Analyser::default(),
            rules: BTreeMap::new(),
            kinds: Vec::new(),
            synced: BTreeSet::new(),
        }
    }

    /// A loop that runs.
    pub(crate) fn new(settings: &NetworkSettings, compiler: &Compiler) -> Network {
        let rules = Check::ALL.into_iter().filter_map(|check| Some((check, entry(check, settings, compiler)?)));
        Network {
            runs: true,
            analyser: Analyser::new(settings.options.clone()),
            rules: rules.collect(),
            kinds: network_kinds(),
            ..Network::off()
        }
    }

    /// The rule that a check is.
    pub(crate) fn rule(&self, check: Check) -> Option<&Entry> {
        self.rules.get(&check)
    }

    /// The same by the name that its findings have.
    pub(crate) fn rule_named(&self, name: &str) -> Option<&Entry> {
        self.rules.iter().find(|it| it.0.id() == name).map(|it| it.1)
    }

    /// Whether everything was looked at, or nothing ever is.
    pub(crate) fn is_settled(&self) -> bool {
        !self.runs || (self.is_awake() && self.analyser.next_deadline().is_none())
    }

    pub(crate) fn object(&mut self, kind: &GroupVersionKind, change: Change, object: &Object, now: Mono) {
        if self.kinds.contains(kind) {
            self.analyser.apply(kind, change, object, now);
        }
    }

    pub(crate) fn kind_synced(&mut self, kind: &GroupVersionKind, now: Mono) {
        if self.kinds.contains(kind) && self.synced.insert(kind.clone()) {
            self.analyser.mark_all(now);
        }
    }

    /// A kind is not watched any more, so nothing is known for certain.
    pub(crate) fn kind_forgotten(&mut self, kind: &GroupVersionKind) {
        self.synced.remove(kind);
    }

    /// Whoever leads looks at everything; others at nothing. Gives what was open.
    pub(crate) fn lead(&mut self, leads: bool, now: Mono) -> Vec<Finding> {
        self.leads = leads;
        if leads {
            self.analyser.mark_all(now);
        }
        self.analyser.clear()
    }

    /// What is due.
    pub(crate) fn check(&mut self, now: Now) -> Vec<Told> {
        if !self.is_awake() {
            return Vec::new();
        }
        let events = self.analyser.check(CHUNK, now.mono);
        events.into_iter().map(|it| self.tell(it, now)).collect()
    }

    pub(crate) fn next_deadline(&self) -> Option<Mono> {
        if self.is_awake() { self.analyser.next_deadline() } else { None }
    }

    /// Before all is known, what is missing would be found fault with.
    fn is_awake(&self) -> bool {
        self.runs && self.leads && self.synced.len() == self.kinds.len()
    }

    fn tell(&self, event: Event, now: Now) -> Told {
        let verdict = |finding: &Finding| verdict(finding, now);
        match event {
            Event::Fired(it) => Told::Opened {
                check: it.key.check,
                severity: it.severity.as_str(),
                before: None,
                verdict: verdict(&it),
            },
            Event::Regraded(it, before) => {
                let (severity, before) = (it.severity.as_str(), Some(before.as_str()));
                Told::Opened { check: it.key.check, severity, before, verdict: verdict(&it) }
            }
            Event::Refreshed(it) => Told::Reworded { check: it.key.check, verdict: verdict(&it) },
            Event::Resolved(it) => {
                let message = "resolved".to_owned();
                let open = verdict(&it);
                let verdict = Verdict { outcome: Outcome::Allow, reason: ended::FIXED, message, ..open };
                Told::Ended { severity: it.severity.as_str(), verdict }
            }
        }
    }
}

fn verdict(finding: &Finding, now: Now) -> Verdict {
    // The part tells findings of one policy apart, as containers do those of one pod: `0:1`.
    let part = match finding.key.place {
        Some((rule, Some(part))) => format!("{rule}:{part}"),
        Some((rule, None)) => rule.to_string(),
        None => String::new(),
    };
    Verdict {
        family: FAMILY,
        policy: policy(finding.key.check),
        subject: finding.subject.clone(),
        occasion: Mode::Network.as_str(),
        outcome: Outcome::DryRun,
        reason: FOUND,
        message: finding.message.clone(),
        evidence: Evidence { operation: "network".to_owned(), part, ..Evidence::default() },
        now,
    }
}

/// A check as a rule: named by its id, with the actions that the settings ask for.
fn entry(check: Check, settings: &NetworkSettings, compiler: &Compiler) -> Option<Entry> {
    let NetworkSettings { options, alerts, annotates } = settings;
    let severity = options.severities.get(&check).copied().unwrap_or(check.severity());
    let mut actions: Vec<Value> = Vec::new();
    if *alerts {
        actions.push(json!({"type": "alertmanager", "params": {"template": check.id()}}));
    }
    if *annotates && !check.is_about_namespace() {
        actions.push(json!({"type": "annotate", "params": {"key": ANNOTATION, "value": check.id()}}));
    }
    let kind = if check.is_about_namespace() { Kinds::namespace() } else { Kinds::policy() };
    let spec = json!({"name": check.id(), "enabled": true, "severity": severity, "mode": ["network"],
        "match": {"gvk": [kind.gvk]}, "rule": "true", "actions": actions});
    let rule = validate(&spec, None, compiler).ok()?;
    let item = Item {
        key: PolicyKey { origin: BUILT_IN.to_owned(), namespace: String::new(), name: check.id().to_owned() },
        name: check.id().to_owned(),
        revision: String::new(),
        rule: Some(rule.into()),
        problem: None,
        counts: Counts::default().into(),
    };
    Some(index::entry(item, State::Active, &Resources::default()))
}

fn policy(check: Check) -> PolicyRef {
    PolicyRef { kind: BUILT_IN.to_owned(), name: check.id().to_owned(), ..PolicyRef::default() }
}
