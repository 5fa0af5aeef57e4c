//! One result of a report: a rule and an object that violates it, or about which it fails, with the containers it is about.

use std::collections::BTreeMap;

use jiff::Timestamp;
use kanon_core::{Digest, ExceptionEvidence, GroupVersionKind, Node, ObjectRef, Outcome, PolicyRef, Verdict};
use serde_json::{Value, json};

use crate::{audit::findings::Rest, respond::Occasion, rule::Mode};

/// Longest message in a report.
const MESSAGE_LEN_MAX: usize = 4096;
/// What reports call their writer and the kind of their results.
pub(super) const SOURCE: &str = "portal";

/// What a row is known by (spec/rules 9.2).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Key {
    /// Namespace of a PortalRule; empty for others.
    home: String,
    rule: String,
    kind: GroupVersionKind,
    name: String,
    mode: String,
    result: RowResult,
    /// The exception that covers it, if one does.
    exception: String,
}

/// What a row says of its violation, as reports write it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum RowResult {
    /// It stands.
    Fail,
    /// It cannot be told whether there is one.
    Error,
    /// An exception covers it.
    Skip,
}

impl RowResult {
    pub(super) fn as_str(self) -> &'static str {
        match self {
            RowResult::Fail => "fail",
            RowResult::Error => "error",
            RowResult::Skip => "skip",
        }
    }

    fn of(outcome: Outcome) -> RowResult {
        match outcome {
            Outcome::Error => RowResult::Error,
            Outcome::Skip => RowResult::Skip,
            Outcome::Allow | Outcome::DryRun | Outcome::Warn | Outcome::Deny => RowResult::Fail,
        }
    }
}

/// A row.
#[derive(Clone, Debug)]
pub(crate) struct Row {
    uid: String,
    severity: String,
    enforcement: String,
    event_id: String,
    /// Kind of the rule's object, and its revision.
    policy: (String, String),
    since: Timestamp,
    /// By container; by the empty name for the object as a whole.
    parts: BTreeMap<String, Part>,
    /// Labels besides the documented ones of the alert that stands for it, if one does.
    alert: Option<BTreeMap<String, String>>,
    /// Properties of the exception that covers it.
    exception: Vec<(&'static str, String)>,
}

#[derive(Clone, Debug)]
struct Part {
    message: String,
    /// Whether this process found it.
    confirmed: bool,
    /// Since when the object is clean, while the finding waits for its end.
    clean: Option<Timestamp>,
}

/// Properties of a row that an exception covers.
const EXCEPTION: [&str; 5] = ["exception", "exceptionRevision", "reason", "owner", "expires"];

fn properties(it: &ExceptionEvidence) -> Vec<(&'static str, String)> {
    let expires = it.expires.map(|it| it.to_string()).unwrap_or_default();
    let values = [it.name(), it.policy.revision.clone(), it.reason.clone(), it.owner.clone(), expires];
    EXCEPTION.into_iter().zip(values).filter(|it| !it.1.is_empty()).collect()
}

/// A part of a row that nobody confirmed.
pub(crate) struct Stale {
    pub policy: PolicyRef,
    pub mode: Mode,
    pub subject: ObjectRef,
    pub part: String,
    pub severity: String,
    pub since: Timestamp,
    pub event_id: String,
    pub message: String,
    /// Since when the object was known to be clean.
    pub clean: Option<Timestamp>,
    pub result: RowResult,
    /// Further labels of the alert that ends with it, if one does.
    pub alert: Option<BTreeMap<String, String>>,
}

impl Key {
    pub(super) fn of(verdict: &Verdict) -> Key {
        Key::with(RowResult::of(verdict.outcome), verdict)
    }

    /// The row with a result, whatever the verdict says now.
    pub(super) fn with(result: RowResult, verdict: &Verdict) -> Key {
        let Verdict { policy, subject, occasion, evidence, .. } = verdict;
        let exception = evidence.exception.as_ref().filter(|_| result == RowResult::Skip);
        Key {
            home: policy.namespace.clone(),
            rule: policy.name.clone(),
            kind: subject.gvk.clone(),
            name: subject.name.clone(),
            mode: (*occasion).to_owned(),
            result,
            exception: exception.map(|it| it.name()).unwrap_or_default(),
        }
    }

    pub(super) fn lasts(&self) -> bool {
        self.mode().is_some()
    }

    /// The loop, where its findings last.
    fn mode(&self) -> Option<Mode> {
        [Mode::Audit, Mode::Network].into_iter().find(|it| it.as_str() == self.mode)
    }

    /// The same for the same key, wherever and whenever it is asked.
    pub(super) fn hash(&self) -> u64 {
        let Key { home, rule, kind, name, mode, result, exception } = self;
        let result = if *result == RowResult::Fail { "" } else { result.as_str() };
        let mut text = [home.as_str(), rule, &kind.to_string(), name, mode, result].join("\0");
        text += exception;
        let digest = Digest::of(&[text.as_bytes()]).short();
        u64::from_str_radix(&digest, 16).unwrap_or_default()
    }
}

impl Row {
    /// A row of a violation; `labels` are the rule's severity and what admission does about it.
    pub(super) fn new(verdict: &Verdict, occasion: &Occasion, (severity, enforcement): (&str, &str)) -> Row {
        let message = &verdict.message;
        let cut = (0..=message.len().min(MESSAGE_LEN_MAX)).rev().find(|at| message.is_char_boundary(*at));
        let message = message[..cut.unwrap_or(0)].to_owned();
        Row {
            uid: verdict.subject.uid.clone(),
            severity: severity.to_owned(),
            enforcement: if occasion.mode == Mode::Admission { enforcement.to_owned() } else { String::new() },
            event_id: occasion.event_id.clone(),
            policy: (verdict.policy.kind.clone(), verdict.policy.revision.clone()),
            since: verdict.now.wall,
            parts: BTreeMap::from([(verdict.evidence.part.clone(), Part { message, confirmed: true, clean: None })]),
            alert: None,
            exception: verdict.evidence.exception.as_deref().map(properties).unwrap_or_default(),
        }
    }

    /// Whether a verdict only says what the row said before this process led.
    pub(super) fn awaits(&self, verdict: &Verdict) -> bool {
        self.uid == verdict.subject.uid
            && self.policy.1 == verdict.policy.revision
            && self.exception == verdict.evidence.exception.as_deref().map(properties).unwrap_or_default()
            && self.parts.get(&verdict.evidence.part).is_some_and(|it| !it.confirmed)
    }

    /// The same finding as one that was known before: it goes on, and has not begun anew.
    pub(super) fn go_on_from(&mut self, known: Row) {
        if known.uid != self.uid {
            return;
        }
        self.since = self.since.min(known.since);
        if self.policy == known.policy {
            self.event_id = known.event_id;
        }
        if self.alert.is_none() {
            self.alert = known.alert;
        }
        for (name, part) in known.parts {
            self.parts.entry(name).or_insert(part);
        }
    }

    /// What of it is confirmed, if anything, and what is not.
    pub(super) fn settle(
        mut self,
        key: &Key,
        namespace: &str,
        rest_of: impl Fn(&Stale) -> Option<Rest>,
    ) -> (Option<Row>, Vec<(Stale, Option<Rest>)>) {
        let Some(mode) = key.mode() else { return (Some(self), Vec::new()) };
        let parts = std::mem::take(&mut self.parts);
        let (mut confirmed, unconfirmed): (BTreeMap<_, _>, BTreeMap<_, _>) =
            parts.into_iter().partition(|it| it.1.confirmed);
        let stale = |part: &str, Part { message, clean, .. }: &Part| Stale {
            policy: PolicyRef {
                kind: self.policy.0.clone(),
                namespace: key.home.clone(),
                name: key.rule.clone(),
                revision: self.policy.1.clone(),
            },
            mode,
            subject: ObjectRef {
                gvk: key.kind.clone(),
                namespace: namespace.to_owned(),
                name: key.name.clone(),
                uid: self.uid.clone(),
            },
            part: part.to_owned(),
            severity: self.severity.clone(),
            since: self.since,
            event_id: self.event_id.clone(),
            message: message.clone(),
            clean: *clean,
            result: key.result,
            alert: None,
        };
        let mut left = Vec::new();
        for (name, part) in unconfirmed {
            let stale = stale(&name, &part);
            let rest = rest_of(&stale);
            if let Some(Rest { since, .. }) = rest {
                confirmed.insert(name, Part { confirmed: true, clean: Some(since), ..part });
            }
            left.push((stale, rest));
        }
        // One alert stands for all containers of an object: it ends with the last of them, or goes on with those that rest.
        let goes_on = !confirmed.is_empty();
        if let Some((last, _)) = left.iter_mut().rfind(|it| it.1.is_some() == goes_on) {
            last.alert.clone_from(&self.alert);
        }
        self.parts = confirmed;
        (goes_on.then_some(self), left)
    }

    /// A result of a report that was written before, if it is one of ours.
    pub(super) fn read(result: Node<'_>) -> Option<(Key, Row)> {
        let text = |path: &[&str]| result.at(path).and_then(Node::as_str).map(|it| it.into_owned()).unwrap_or_default();
        let property = |name: &str| text(&["properties", name]);
        let resource = result.get("resources")?.elements().next()?;
        let of = |key| resource.get(key).and_then(Node::as_plain_str).unwrap_or_default();
        if text(&["source"]) != SOURCE {
            return None;
        }
        let number = |key| result.at(&["timestamp", key]).and_then(Node::as_i64).unwrap_or_default();
        let since = Timestamp::new(number("seconds"), i32::try_from(number("nanos")).ok()?).ok()?;
        let mode = property("mode");
        let key = Key {
            home: property("policyNamespace"),
            rule: text(&["rule"]),
            kind: GroupVersionKind::from_api_version(of("apiVersion"), of("kind")),
            name: of("name").to_owned(),
            mode: if mode.is_empty() { Mode::Audit.as_str().to_owned() } else { mode },
            result: match text(&["result"]).as_str() {
                "error" => RowResult::Error,
                "skip" => RowResult::Skip,
                _ => RowResult::Fail,
            },
            exception: property("exception"),
        };
        let message = text(&["message"]);
        let clean = property("cleanSince").parse().ok();
        let part = |name: &str| (name.to_owned(), Part { message: message.clone(), confirmed: false, clean });
        let row = Row {
            uid: of("uid").to_owned(),
            severity: text(&["severity"]),
            enforcement: property("enforcementAction"),
            event_id: property("eventID"),
            policy: (property("policyKind"), property("policyRevision")),
            since,
            parts: property("container").split(',').map(part).collect(),
            alert: (property("alert") == "true")
                .then(|| serde_json::from_str(&property("alertLabels")).unwrap_or_default()),
            exception: EXCEPTION.map(|name| (name, property(name))).into_iter().filter(|it| !it.1.is_empty()).collect(),
        };
        Some((key, row))
    }

    pub(super) fn render(&self, key: &Key, namespace: &str) -> Value {
        let containers: Vec<_> = self.parts.keys().filter(|it| !it.is_empty()).map(String::as_str).collect();
        let mut properties = json!({"mode": key.mode, "eventID": self.event_id});
        let labels = self.alert.as_ref().filter(|it| !it.is_empty()).map(|it| json!(it).to_string());
        let optional = [
            ("cleanSince", self.clean_since().map(|it| it.to_string()).unwrap_or_default()),
            ("container", containers.join(",")),
            ("enforcementAction", self.enforcement.clone()),
            ("policyNamespace", key.home.clone()),
            ("policyKind", self.policy.0.clone()),
            ("policyRevision", self.policy.1.clone()),
            ("alert", if self.alert.is_some() { "true".to_owned() } else { String::new() }),
            ("alertLabels", labels.unwrap_or_default()),
        ];
        for (name, text) in optional.into_iter().chain(self.exception.clone()) {
            if !text.is_empty() {
                properties[name] = json!(text);
            }
        }
        let mut resource = json!({"apiVersion": key.kind.api_version(), "kind": key.kind.kind, "name": key.name});
        for (name, text) in [("namespace", namespace), ("uid", &self.uid)] {
            if !text.is_empty() {
                resource[name] = json!(text);
            }
        }
        let mut result = json!({
            "policy": key.rule, "rule": key.rule, "category": SOURCE, "source": SOURCE,
            "result": key.result.as_str(),
            "message": self.parts.values().next().map_or("", |it| it.message.as_str()),
            "resources": [resource],
            "timestamp": {"seconds": self.since.as_second(), "nanos": self.since.subsec_nanosecond()},
            "properties": properties,
        });
        if !self.severity.is_empty() {
            result["severity"] = json!(self.severity);
        }
        result
    }

    /// Takes a container out; says whether none is left.
    pub(super) fn remove(&mut self, part: &str) -> bool {
        self.parts.remove(part);
        self.parts.is_empty()
    }

    /// Notes since when a container is clean, while its finding waits for its end; says whether that is new.
    pub(super) fn rest(&mut self, part: &str, since: Option<Timestamp>) -> bool {
        let Some(part) = self.parts.get_mut(part) else { return false };
        std::mem::replace(&mut part.clean, since) != since
    }

    /// Since when all of it is clean.
    fn clean_since(&self) -> Option<Timestamp> {
        self.parts.values().try_fold(Timestamp::MIN, |last, it| it.clean.map(|it| it.max(last)))
    }

    pub(super) fn uid(&self) -> &str {
        &self.uid
    }

    /// Since when the finding is known.
    pub(crate) fn since(&self) -> Timestamp {
        self.since
    }

    pub(super) fn set_alerted(&mut self, labels: &BTreeMap<String, String>) {
        self.alert = Some(labels.clone());
    }
}
