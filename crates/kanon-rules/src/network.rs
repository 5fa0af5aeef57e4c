//! The network loop (spec/rules 6): the built-in checks of NetworkPolicies over the watched namespaces, pods and policies, and the
//! users' rules of mode `network`. Pure: what it finds and what ends is given to the family, which records it and tells the
//! responder, as it does for the audit.
//!
//! Rules are asked about stored objects as the audit asks its own, by a second loop of the same make ([`Audit`]). What changes is
//! looked at when it has been quiet for a moment, so that what is applied together is judged together: an object when it changed
//! itself, and every object whose rule looked at a namespace when the pods or policies of that did.
//!
//! Each check is a rule of the process itself: its name is the check's id, so that actions, sinks and figures treat it as any
//! other. A replica checks the namespaces of its shards, and the leader all others by the checks that act; the model of the whole
//! cluster is kept up all the same, so that whoever wins a shard knows it.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use kanon_core::{
    Change, Evidence, ExceptionEvidence, GroupVersionKind, Keep, Kind, Mono, Now, Object, Outcome, PolicyRef, Shards,
    Verdict,
};
use kanon_network::{Analyser, Check, Event, Finding, FindingKey, Kinds, Options, Pass};
use kanon_plane::{NoLookups, ObjectName, PolicyKey};
use serde_json::{Value, json};

use crate::{
    FAMILY,
    audit::{
        Audit,
        findings::{Change as FindingChange, ended},
    },
    decide::EXCEPTED,
    exceptions::{Case, Exception, are_same, from_check},
    index::{self, Counts, Entry, Item, RESYNC, Rules, State},
    lookups::{picture::network_kinds, resources::Resources},
    rule::Mode,
    share::Share,
    validate::{Compiler, validate},
};

/// Origin of the rules that are the process's own.
pub(crate) const BUILT_IN: &str = "builtin";

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
    Opened { check: Check, verdict: Verdict, severity: &'static str, before: Option<&'static str>, share: Share },
    /// It stands, in other words.
    Reworded { check: Check, verdict: Verdict, share: Share },
    /// An exception covers it.
    Excepted { check: Check, verdict: Verdict },
    /// What an exception covered ended, or is not covered any more.
    Bared { verdict: Verdict },
    /// It ended.
    Ended { verdict: Verdict, severity: &'static str, share: Share },
}

/// See the module.
pub(crate) struct Network {
    /// Whether this process runs the loop at all.
    runs: bool,
    shards: Shards,
    analyser: Analyser,
    /// The checks as rules.
    rules: BTreeMap<Check, Entry>,
    /// Their findings that exceptions cover, which nobody is told of otherwise.
    excepted: BTreeMap<FindingKey, Verdict>,
    /// What the model is made of.
    kinds: Vec<GroupVersionKind>,
    /// Kinds of which every object that was there has arrived.
    synced: BTreeSet<GroupVersionKind>,
    /// The users' rules.
    pub(crate) patrol: Audit,
    /// Objects that changed lately and are to be looked at.
    settling: BTreeSet<(GroupVersionKind, ObjectName)>,
    /// When the first of them changed.
    since: Option<Mono>,
}

impl Network {
    /// A loop that does not run.
    pub(crate) fn off() -> Network {
        Network {
            runs: false,
            shards: Shards::none(),
            analyser: Analyser::default(),
            rules: BTreeMap::new(),
            excepted: BTreeMap::new(),
            kinds: Vec::new(),
            synced: BTreeSet::new(),
            patrol: Audit::new(Mode::Network, false, RESYNC, None),
            settling: BTreeSet::new(),
            since: None,
        }
    }

    /// A loop that runs.
    pub(crate) fn new(settings: &NetworkSettings, resync: Duration, compiler: &Compiler) -> Network {
        let rules = Check::ALL.into_iter().filter_map(|check| Some((check, entry(check, settings, compiler)?)));
        Network {
            runs: true,
            analyser: Analyser::new(settings.options.clone()),
            rules: rules.collect(),
            kinds: network_kinds(),
            patrol: Audit::new(Mode::Network, true, resync, None),
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

    /// Whether this process runs the loop at all.
    pub(crate) fn runs(&self) -> bool {
        self.runs
    }

    /// A watched object changed; gives the findings that end with it.
    pub(crate) fn object(
        &mut self,
        kind: &GroupVersionKind,
        change: Change,
        object: &Object,
        now: Now,
    ) -> Vec<FindingChange> {
        if self.kinds.contains(kind) {
            self.analyser.apply(kind, change, object, now.mono);
        }
        match change {
            Change::Applied => {
                if let Some(name) = self.patrol.object_settles(kind, object, now) {
                    self.since.get_or_insert(now.mono);
                    self.settling.insert((kind.clone(), name));
                }
                Vec::new()
            }
            Change::Deleted => self.patrol.object_deleted(kind, object, now),
        }
    }

    pub(crate) fn kind_synced(&mut self, kind: &GroupVersionKind, keep: &Keep, now: Mono) {
        let is_enough = self.kinds.contains(kind) && keep.covers(&kanon_network::keep(kind));
        if is_enough && self.synced.insert(kind.clone()) {
            self.analyser.mark_all(now);
        }
        self.patrol.kind_synced(kind, keep);
    }

    /// A kind is not watched any more, so nothing is known for certain.
    pub(crate) fn kind_forgotten(&mut self, kind: &GroupVersionKind, now: Now) -> Vec<FindingChange> {
        self.synced.remove(kind);
        self.patrol.kind_forgotten(kind, now)
    }

    /// Other shards are this replica's now: everything is looked at once. Gives what is not told of here any more, and what is to be
    /// acted on from now on.
    pub(crate) fn lead(&mut self, shards: Shards, now: Now) -> (Vec<Finding>, Vec<Told>) {
        let before = std::mem::replace(&mut self.shards, shards);
        if !shards.is_empty() {
            self.analyser.mark_all(now.mono);
        }
        self.settling.clear();
        self.since = None;
        let change = |rules: &BTreeMap<Check, Entry>, it: &Finding| {
            let acts = acts(rules, it.key.check);
            let [was, is] = [before, shards].map(|shards| Share::of(shards, acts, &it.key.namespace));
            (was, is)
        };
        let rules = &self.rules;
        let stays = |it: &Finding| {
            let (was, is) = change(rules, it);
            was.tells == is.tells && !is.is_none()
        };
        let mut over = self.analyser.retain(stays);
        over.retain(|it| change(rules, it).0.tells && !self.excepted.contains_key(&it.key));
        let open: BTreeSet<_> = self.analyser.findings().open().map(|it| &it.key).collect();
        self.excepted.retain(|key, _| open.contains(key));
        let told = self.analyser.findings().open().filter(|it| !self.excepted.contains_key(&it.key));
        let news = told.filter_map(|it| {
            let (was, is) = change(rules, it);
            let (share, verdict, severity) = (is.minus(was), verdict(it, now), it.severity.as_str());
            (!share.is_none()).then_some(Told::Opened { check: it.key.check, verdict, severity, before: None, share })
        });
        (over, news.collect())
    }

    /// What is this replica's of a check's findings in a namespace.
    fn share(&self, check: Check, namespace: &str) -> Share {
        Share::of(self.shards, acts(&self.rules, check), namespace)
    }

    /// What is due: what the checks have to tell. The rules are asked by scans.
    pub(crate) fn check(&mut self, now: Now) -> Vec<Told> {
        if self.since.is_some_and(|it| it.after(Analyser::SETTLE) <= now.mono) {
            self.since = None;
            for (kind, name) in std::mem::take(&mut self.settling) {
                self.patrol.look_at(&kind, name);
            }
        }
        if !self.is_awake() {
            return Vec::new();
        }
        let looks_beyond = self.shards.leads() && self.rules.keys().any(|it| acts(&self.rules, *it));
        let is_meant = |namespace: &str| looks_beyond || self.shards.holds(namespace);
        let Pass { events, namespaces } = self.analyser.check_among(CHUNK, now.mono, is_meant);
        for namespace in &namespaces {
            self.patrol.network_changed(namespace);
        }
        events.into_iter().filter_map(|it| self.tell(it, now)).collect()
    }

    /// The exceptions may be others: what is open is held against them.
    pub(crate) fn exceptions_changed(&mut self, rules: &Rules, now: Now) -> Vec<Told> {
        let mut changed = BTreeSet::new();
        for (check, entry) in &mut self.rules {
            let exceptions = from_check(rules.exceptions(), *check);
            if !are_same(&entry.exceptions, &exceptions) {
                entry.exceptions = exceptions;
                changed.insert(*check);
            }
        }
        let mut told = Vec::new();
        for it in self.analyser.findings().open().filter(|it| changed.contains(&it.key.check)) {
            let (check, severity) = (it.key.check, it.severity.as_str());
            let share = Share::of(self.shards, acts(&self.rules, check), &it.key.namespace);
            let plain = verdict(it, now);
            let known = self.excepted.remove(&it.key);
            match (self.covered(it, plain.clone()), known) {
                (Some(verdict), Some(known)) if known.evidence == verdict.evidence => {
                    self.excepted.insert(it.key.clone(), known);
                }
                (Some(verdict), known) => {
                    self.excepted.insert(it.key.clone(), verdict.clone());
                    told.push(match known {
                        Some(verdict) => Told::Bared { verdict },
                        None => end(plain, ended::EXCEPTED, severity, share),
                    });
                    if share.tells {
                        told.push(Told::Excepted { check, verdict });
                    }
                }
                (None, Some(known)) => {
                    told.push(Told::Bared { verdict: known });
                    if !share.is_none() {
                        told.push(Told::Opened { check, verdict: plain, severity, before: None, share });
                    }
                }
                (None, None) => {}
            }
        }
        told
    }

    /// The verdict on a finding, where an exception covers it.
    fn covered(&self, finding: &Finding, verdict: Verdict) -> Option<Verdict> {
        let exceptions = &self.rules.get(&finding.key.check)?.exceptions;
        let exception = covering(exceptions, finding, verdict.now)?;
        let evidence = Evidence { exception: Some(Box::new(exception.clone())), ..verdict.evidence };
        Some(Verdict { outcome: Outcome::Skip, reason: EXCEPTED, evidence, ..verdict })
    }

    /// Findings of the checks that exceptions cover.
    pub(crate) fn excepted(&self) -> impl Iterator<Item = &Verdict> {
        self.excepted.values()
    }

    pub(crate) fn next_deadline(&self) -> Option<Mono> {
        let checks = if self.is_awake() { self.analyser.next_deadline() } else { None };
        let settled = self.since.map(|it| it.after(Analyser::SETTLE));
        [checks, settled, self.patrol.next_deadline()].into_iter().flatten().min()
    }

    /// Whether everything that can be looked at was looked at, given that the family's own kinds have arrived.
    pub(crate) fn is_settled(&self, own: &[Kind]) -> bool {
        let is_checked = if self.is_awake() {
            self.analyser.is_settled()
        } else {
            self.kinds.iter().all(|it| self.synced.contains(it) || self.patrol.sight.has_failed(it))
        };
        is_checked && self.settling.is_empty() && self.patrol.is_settled(own)
    }

    /// Before all is known, what is missing would be found fault with.
    fn is_awake(&self) -> bool {
        self.runs && !self.shards.is_empty() && self.synced.len() == self.kinds.len()
    }

    fn tell(&mut self, event: Event, now: Now) -> Option<Told> {
        let (Event::Fired(it) | Event::Regraded(it, _) | Event::Refreshed(it) | Event::Resolved(it)) = &event;
        let (check, severity, verdict) = (it.key.check, it.severity.as_str(), verdict(it, now));
        let share = self.share(check, &it.key.namespace);
        match (&event, self.excepted.remove(&it.key)) {
            (Event::Resolved(_), Some(verdict)) => return Some(Told::Bared { verdict }),
            // Whatever else is said of it, it is covered.
            (Event::Regraded(..) | Event::Refreshed(_), Some(verdict)) => {
                self.excepted.insert(it.key.clone(), verdict);
                return None;
            }
            (Event::Fired(_), _) => {
                if let Some(verdict) = self.covered(it, verdict.clone()) {
                    self.excepted.insert(it.key.clone(), verdict.clone());
                    return share.tells.then_some(Told::Excepted { check, verdict });
                }
            }
            (_, None) => {}
        }
        let told = match event {
            Event::Fired(_) => Told::Opened { check, severity, before: None, verdict, share },
            Event::Regraded(_, before) => {
                Told::Opened { check, severity, before: Some(before.as_str()), verdict, share }
            }
            Event::Refreshed(_) => Told::Reworded { check, verdict, share },
            Event::Resolved(_) => end(verdict, ended::FIXED, severity, share),
        };
        Some(told).filter(|_| !share.is_none())
    }
}

/// A finding that is none any more.
fn end(verdict: Verdict, reason: &'static str, severity: &'static str, share: Share) -> Told {
    let message = if reason == ended::EXCEPTED { "an exception covers it" } else { "resolved" }.to_owned();
    Told::Ended { verdict: Verdict { outcome: Outcome::Allow, reason, message, ..verdict }, severity, share }
}

/// The exception that covers a finding of a check. Labels are not known here: exceptions that ask for some cover none.
fn covering<'e>(exceptions: &'e [Arc<Exception>], finding: &Finding, now: Now) -> Option<&'e ExceptionEvidence> {
    let (subject, object) = (&finding.subject, Object::null());
    let case = Case {
        kind: &subject.gvk,
        object: &object,
        name: &subject.name,
        namespace: &finding.key.namespace,
        operation: None,
        user: None,
        container: "",
        image: None,
        has_labels: false,
        lookups: &NoLookups,
    };
    exceptions.iter().find(|it| it.covers(&case, now.wall)).map(|it| &it.evidence)
}

impl Rules {
    /// Whether an exception covers what a built-in check found.
    pub fn is_excepted(&self, finding: &Finding, now: Now) -> bool {
        covering(&from_check(self.exceptions(), finding.key.check), finding, now).is_some()
    }
}

/// Whether a check's findings have more than tellings follow.
fn acts(rules: &BTreeMap<Check, Entry>, check: Check) -> bool {
    rules.get(&check).and_then(|it| it.rule.as_ref()).is_some_and(|it| it.acts(&Mode::Network))
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
        broken: false,
        counts: Counts::default().into(),
    };
    Some(index::entry(item, State::Active, &Resources::default(), &[]))
}

fn policy(check: Check) -> PolicyRef {
    PolicyRef { kind: BUILT_IN.to_owned(), name: check.id().to_owned(), ..PolicyRef::default() }
}
