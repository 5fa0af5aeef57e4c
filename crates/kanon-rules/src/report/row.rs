//! One result of a report: a rule and an object that violates it, with the containers it is about.

use std::collections::BTreeMap;

use jiff::Timestamp;
use kanon_core::{Digest, GroupVersionKind, Node, ObjectRef, Verdict};
use serde_json::{Value, json};

use super::Stale;
use crate::{respond::Occasion, rule::Mode};

/// Longest message in a report.
const MESSAGE_LEN_MAX: usize = 4096;
/// What reports call their writer and the kind of their results.
const SOURCE: &str = "portal";

/// What a row is known by (spec/rules 9.2).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Key {
    /// Namespace of a PortalRule; empty for others.
    home: String,
    rule: String,
    kind: GroupVersionKind,
    name: String,
    mode: String,
}

/// A row.
#[derive(Clone, Debug)]
pub(crate) struct Row {
    uid: String,
    severity: String,
    enforcement: String,
    event_id: String,
    since: Timestamp,
    /// Message by container; by the empty name for the object as a whole.
    parts: BTreeMap<String, String>,
    /// Whether an alert stands for it.
    alerted: bool,
    /// Whether this process found it.
    confirmed: bool,
}

impl Key {
    pub(super) fn of(verdict: &Verdict) -> Key {
        let Verdict { policy, subject, occasion, .. } = verdict;
        Key {
            home: policy.namespace.clone(),
            rule: policy.name.clone(),
            kind: subject.gvk.clone(),
            name: subject.name.clone(),
            mode: (*occasion).to_owned(),
        }
    }

    pub(super) fn lasts(&self) -> bool {
        self.mode == Mode::Audit.as_str() || self.mode == Mode::Network.as_str()
    }

    /// What is to be known of a row that goes.
    pub(super) fn stale(self, namespace: &str, row: Row) -> Stale {
        let (gvk, name, uid) = (self.kind, self.name, row.uid.clone());
        let subject = ObjectRef { gvk, namespace: namespace.to_owned(), name, uid };
        Stale { row, mode: self.mode, subject, rule: self.rule }
    }

    /// The same for the same key, wherever and whenever it is asked.
    pub(super) fn hash(&self) -> u64 {
        let Key { home, rule, kind, name, mode } = self;
        let text = [home, rule, &kind.to_string(), name, mode].map(|it| it.as_str()).join("\0");
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
            since: verdict.now.wall,
            parts: BTreeMap::from([(verdict.evidence.part.clone(), message)]),
            alerted: false,
            confirmed: true,
        }
    }

    /// The same finding as one that was known before: it goes on, and has not begun anew.
    pub(super) fn go_on_from(&mut self, known: Row) {
        if known.uid != self.uid {
            return;
        }
        self.since = self.since.min(known.since);
        self.alerted |= known.alerted;
        if known.confirmed {
            for (part, message) in known.parts {
                self.parts.entry(part).or_insert(message);
            }
        }
    }

    /// A result of a report that was written before, if it is one of ours.
    pub(super) fn read(result: Node<'_>) -> Option<(Key, Row)> {
        let text = |path: &[&str]| result.at(path).and_then(Node::as_str).map(|it| it.into_owned()).unwrap_or_default();
        let resource = result.get("resources")?.elements().next()?;
        let of = |key| resource.get(key).and_then(Node::as_plain_str).unwrap_or_default();
        if text(&["source"]) != SOURCE {
            return None;
        }
        let number = |key| result.at(&["timestamp", key]).and_then(Node::as_i64).unwrap_or_default();
        let since = Timestamp::new(number("seconds"), i32::try_from(number("nanos")).ok()?).ok()?;
        let mode = text(&["properties", "mode"]);
        let key = Key {
            home: text(&["properties", "policyNamespace"]),
            rule: text(&["rule"]),
            kind: GroupVersionKind::from_api_version(of("apiVersion"), of("kind")),
            name: of("name").to_owned(),
            mode: if mode.is_empty() { Mode::Audit.as_str().to_owned() } else { mode },
        };
        let message = text(&["message"]);
        let containers = text(&["properties", "container"]);
        let row = Row {
            uid: of("uid").to_owned(),
            severity: text(&["severity"]),
            enforcement: text(&["properties", "enforcementAction"]),
            event_id: text(&["properties", "eventID"]),
            since,
            parts: containers.split(',').map(|it| (it.to_owned(), message.clone())).collect(),
            alerted: text(&["properties", "alert"]) == "true",
            confirmed: false,
        };
        Some((key, row))
    }

    pub(super) fn render(&self, key: &Key, namespace: &str) -> Value {
        let containers: Vec<_> = self.parts.keys().filter(|it| !it.is_empty()).map(String::as_str).collect();
        let mut properties = json!({"mode": key.mode, "eventID": self.event_id});
        let optional = [
            ("container", containers.join(",")),
            ("enforcementAction", self.enforcement.clone()),
            ("policyNamespace", key.home.clone()),
            ("alert", if self.alerted { "true".to_owned() } else { String::new() }),
        ];
        for (name, text) in optional {
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
            "policy": key.rule, "rule": key.rule, "category": SOURCE, "source": SOURCE, "result": "fail",
            "message": self.parts.values().next().map_or("", String::as_str),
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

    pub(super) fn uid(&self) -> &str {
        &self.uid
    }

    /// Since when the finding is known.
    pub(crate) fn since(&self) -> Timestamp {
        self.since
    }

    pub(crate) fn severity(&self) -> &str {
        &self.severity
    }

    pub(crate) fn event_id(&self) -> &str {
        &self.event_id
    }

    pub(super) fn set_alerted(&mut self) {
        self.alerted = true;
    }

    pub(crate) fn is_alerted(&self) -> bool {
        self.alerted
    }

    pub(super) fn is_confirmed(&self) -> bool {
        self.confirmed
    }

    pub(super) fn unconfirm(&mut self) {
        self.confirmed = false;
    }
}
