//! Alerts in Alertmanager's form, from the first violation to its end (spec/rules 9.1).
//!
//! An alert is its labels: findings that agree in them are one alert, which lasts as long as any of them. Open alerts are sent
//! again every minute with the time they began, ended ones for five minutes with the time they ended, because Alertmanager
//! forgets what it does not hear of. Violations of admission and runtime have no end: they are sent once.
//!
//! The shape is a contract with routes that exist: no other keys than the documented ones, but for those that an administrator
//! adds, to all alerts or by templates.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use jiff::Timestamp;
use kanon_core::{Digest, EffectId, Mono, Now, ObjectRef, Sink, Verdict};
use kanon_plane::Outbox;
use serde_json::{Value, json};

use crate::{report::Stale, respond::Extra, rule::Mode, share::Share};

/// The documented labels and annotations, which nobody else may set.
pub(crate) const LABELS: [&str; 7] = ["alertname", "rule", "severity", "namespace", "kind", "name", "mode"];
pub(crate) const ANNOTATIONS: [&str; 6] = ["description", "summary", "source", "container", "operation", "runbook_url"];

/// How often open alerts are sent again.
const REPEAT: Duration = Duration::from_secs(60);
/// How long an ended alert is sent again.
const ENDED_FOR: Duration = Duration::from_mins(5);
/// Most alerts in one document.
const BATCH_MAX: usize = 64;

/// A violation to be alerted about.
pub(crate) struct Firing<'f> {
    pub verdict: &'f Verdict,
    pub severity: &'f str,
    pub mode: Mode,
    pub event_id: &'f str,
    pub runbook_url: &'f str,
    /// Labels and annotations besides the documented ones.
    pub extra: &'f Extra,
    /// The finding, where it has an end.
    pub finding: Option<Digest>,
    /// Whether the alert is the leader's, wherever the object is.
    pub acts: bool,
    /// When it began.
    pub since: Timestamp,
}

/// An alert whose findings have an end.
#[derive(Debug)]
struct Alert {
    subject: ObjectRef,
    labels: Value,
    annotations: Value,
    since: Timestamp,
    findings: BTreeSet<Digest>,
    /// Whether it is the leader's.
    acts: bool,
    /// When it ended, and until when that is said.
    ended: Option<(Timestamp, Mono)>,
}

/// Every alert that is kept alive or said to have ended.
#[derive(Debug, Default)]
pub(crate) struct Alerts {
    /// By labels as text.
    by_labels: BTreeMap<String, Alert>,
    /// The alert of each finding.
    of: BTreeMap<Digest, String>,
    /// When all are sent again.
    next: Option<Mono>,
}

impl Alerts {
    /// Sends the alert of a violation under an effect's id; says whether there was anything to send.
    pub(crate) fn fire(&mut self, id: EffectId, firing: &Firing<'_>, now: Now, out: &mut Outbox) -> bool {
        let Verdict { policy, subject, .. } = firing.verdict;
        let labels = labels(&policy.name, firing.severity, subject, firing.mode.as_str(), &firing.extra.labels);
        let annotations = annotations(firing);
        let subject = subject.clone();
        let Some(finding) = firing.finding else {
            let body = json!([render(&labels, &annotations, firing.since, None)]);
            out.send(id, subject, Sink::Alertmanager, body, false);
            return true;
        };
        let key = labels.to_string();
        // The rule's severity may have changed, and with it the labels.
        if self.of.get(&finding).is_some_and(|it| *it != key) {
            self.resolve(finding, now, out);
        }
        self.of.insert(finding, key.clone());
        if let Some(open) = self.by_labels.get_mut(&key).filter(|it| it.ended.is_none()) {
            open.findings.insert(finding);
            return false;
        }
        let alert = Alert {
            subject,
            labels,
            annotations,
            since: firing.since,
            findings: BTreeSet::from([finding]),
            acts: firing.acts,
            ended: None,
        };
        out.send(id, alert.subject.clone(), Sink::Alertmanager, json!([alert.render()]), false);
        self.by_labels.insert(key, alert);
        self.next.get_or_insert(now.mono.after(REPEAT));
        true
    }

    /// A finding ended; its alert does with the last of its findings.
    pub(crate) fn resolve(&mut self, finding: Digest, now: Now, out: &mut Outbox) {
        let Some(key) = self.of.remove(&finding) else { return };
        let Some(alert) = self.by_labels.get_mut(&key) else { return };
        alert.findings.remove(&finding);
        if alert.findings.is_empty() && alert.ended.is_none() {
            alert.ended = Some((now.wall, now.mono.after(ENDED_FOR)));
            let id = EffectId::new(&alert.since.to_string(), "resolved", &key);
            out.send(id, alert.subject.clone(), Sink::Alertmanager, json!([alert.render()]), false);
        }
    }

    /// Whether an alert stands for a finding.
    pub(crate) fn stands(&self, finding: &Digest) -> bool {
        self.of.contains_key(finding)
    }

    /// Forgets alerts that are somebody else's now, without a word; `share` says what may be ours in a namespace.
    pub(crate) fn hand_over(&mut self, share: impl Fn(&str) -> Share) {
        self.by_labels.retain(|_, it| share(&it.subject.namespace).takes(it.acts));
        self.of.retain(|_, key| self.by_labels.contains_key(key));
    }

    /// Ends the alert of a finding of an earlier process that nobody has confirmed.
    pub(crate) fn end(&mut self, stale: &Stale, now: Now, out: &mut Outbox) {
        let Stale { policy, mode, subject, severity, since, event_id, alert, .. } = stale;
        let Some(further) = alert else { return };
        let labels = labels(&policy.name, severity, subject, mode.as_str(), further);
        let key = labels.to_string();
        if self.by_labels.contains_key(&key) {
            return;
        }
        let annotations = json!({"description": "resolved", "summary": policy.name, "source": event_id});
        let ended = Some((now.wall, now.mono.after(ENDED_FOR)));
        let (subject, since, findings) = (subject.clone(), *since, BTreeSet::new());
        let alert = Alert { subject, labels, annotations, since, findings, acts: false, ended };
        let id = EffectId::new(&alert.since.to_string(), "resolved", &key);
        out.send(id, alert.subject.clone(), Sink::Alertmanager, json!([alert.render()]), false);
        self.by_labels.insert(key, alert);
        self.next.get_or_insert(now.mono.after(REPEAT));
    }

    /// Sends everything again when its time has come.
    pub(crate) fn tick(&mut self, now: Now, out: &mut Outbox) {
        if self.next.is_some_and(|at| at <= now.mono) {
            self.repeat(now, out);
        }
    }

    /// Sends everything again.
    fn repeat(&mut self, now: Now, out: &mut Outbox) {
        self.by_labels.retain(|_, it| it.ended.is_none_or(|(_, until)| until > now.mono));
        let all: Vec<_> = self.by_labels.values().map(Alert::render).collect();
        for (at, batch) in all.chunks(BATCH_MAX).enumerate() {
            let id = EffectId::new(&now.wall.to_string(), "alerts", &at.to_string());
            out.send(id, ObjectRef::default(), Sink::Alertmanager, Value::from(batch), true);
        }
        self.next = (!self.by_labels.is_empty()).then(|| now.mono.after(REPEAT));
    }

    pub(crate) fn next_deadline(&self) -> Option<Mono> {
        self.next
    }
}

impl Alert {
    fn render(&self) -> Value {
        render(&self.labels, &self.annotations, self.since, self.ended.map(|(at, _)| at))
    }
}

fn render(labels: &Value, annotations: &Value, since: Timestamp, ended: Option<Timestamp>) -> Value {
    let mut alert =
        json!({"labels": labels, "annotations": annotations, "startsAt": since.to_string(), "generatorURL": ""});
    if let Some(ended) = ended {
        alert["endsAt"] = json!(ended.to_string());
    }
    alert
}

fn labels(rule: &str, severity: &str, subject: &ObjectRef, mode: &str, further: &BTreeMap<String, String>) -> Value {
    let mut labels = json!({
        "alertname": rule, "rule": rule, "severity": severity, "namespace": subject.namespace,
        "kind": subject.gvk.kind, "name": subject.name, "mode": mode,
    });
    for (key, text) in further {
        labels[key] = json!(text);
    }
    labels
}

fn annotations(firing: &Firing<'_>) -> Value {
    let Verdict { policy, evidence, message, .. } = firing.verdict;
    let mut annotations = json!({"description": message, "summary": policy.name, "source": firing.event_id});
    let optional =
        [("container", &*evidence.part), ("operation", &*evidence.operation), ("runbook_url", firing.runbook_url)];
    for (key, text) in optional {
        if !text.is_empty() {
            annotations[key] = json!(text);
        }
    }
    for (key, text) in &firing.extra.annotations {
        annotations[key] = json!(text);
    }
    annotations
}

#[cfg(test)]
mod tests {
    use kanon_core::{Action, Evidence, FamilyId, GroupVersionKind, Outcome, PolicyRef};

    use super::*;

    fn now(secs: u64) -> Now {
        let start: Timestamp = "2026-11-21T09:00:00.5Z".parse().unwrap();
        Now::new(start + Duration::from_secs(secs), Mono(Duration::from_secs(secs)))
    }

    fn verdict() -> Verdict {
        let gvk = GroupVersionKind::new("", "v1", "Pod");
        Verdict {
            family: FamilyId("rules"),
            policy: PolicyRef { name: "privileged-container".into(), revision: "abc".into(), ..PolicyRef::default() },
            subject: ObjectRef { gvk, namespace: "production".into(), name: "bad".into(), uid: "u".into() },
            occasion: "audit",
            outcome: Outcome::Warn,
            reason: "RuleViolated",
            message: "rule violated: privileged-container".into(),
            evidence: Evidence { part: "c".into(), ..Evidence::default() },
            now: now(0),
        }
    }

    fn firing<'f>(verdict: &'f Verdict, mode: Mode, finding: Option<&str>, secs: u64) -> Firing<'f> {
        let finding = finding.map(|it| Digest::of(&[it.as_bytes()]));
        let (severity, event_id, runbook_url) = ("critical", "e1", "http://run");
        static PLAIN: Extra = Extra { labels: BTreeMap::new(), annotations: BTreeMap::new() };
        Firing {
            verdict,
            severity,
            mode,
            event_id,
            runbook_url,
            extra: &PLAIN,
            finding,
            acts: false,
            since: now(secs).wall,
        }
    }

    /// What was sent, and whether as an echo.
    fn sent(run: impl FnOnce(&mut Outbox)) -> Vec<(Value, bool)> {
        let mut out = Outbox::new(FamilyId("rules"));
        run(&mut out);
        let body = |it: &kanon_core::Effect| match &it.action {
            Action::Send { sink: Sink::Alertmanager, body } => (body.clone(), it.echo),
            other => panic!("{other:?}"),
        };
        out.wanted().map(body).collect()
    }

    #[test]
    fn the_payload_is_the_documented_one() {
        let verdict = verdict();
        let mut alerts = Alerts::default();
        let id = EffectId("x".into());
        let fired = sent(|out| {
            alerts.fire(id, &firing(&verdict, Mode::Audit, Some("f"), 0), now(0), out);
        });
        let mut want = json!({
            "labels": {"alertname": "privileged-container", "rule": "privileged-container", "severity": "critical",
                "namespace": "production", "kind": "Pod", "name": "bad", "mode": "audit"},
            "annotations": {"description": "rule violated: privileged-container", "summary": "privileged-container",
                "source": "e1", "container": "c", "runbook_url": "http://run"},
            "startsAt": "2026-11-21T09:00:00.5Z",
            "generatorURL": "",
        });
        assert_eq!(fired, [(json!([want]), false)]);
        let resolved = sent(|out| alerts.resolve(Digest::of(&[b"f"]), now(30), out));
        want["endsAt"] = json!("2026-11-21T09:00:30.5Z");
        assert_eq!(resolved, [(json!([want]), false)]);
    }

    #[test]
    fn an_alert_is_kept_alive_and_its_end_is_repeated_for_five_minutes() {
        let verdict = verdict();
        let mut alerts = Alerts::default();
        let fire = |alerts: &mut Alerts, finding, secs| {
            sent(|out| {
                let id = EffectId("x".into());
                alerts.fire(id, &firing(&verdict, Mode::Audit, Some(finding), secs), now(secs), out);
            })
        };
        assert_eq!(fire(&mut alerts, "f", 0).len(), 1);
        // Another finding with the same labels is the same alert.
        assert_eq!(fire(&mut alerts, "g", 5), []);
        assert_eq!(alerts.next_deadline(), Some(now(60).mono));
        assert_eq!(sent(|out| alerts.tick(now(59), out)), []);
        let kept = sent(|out| alerts.tick(now(60), out));
        assert!(kept[0].1 && kept[0].0[0]["startsAt"] == "2026-11-21T09:00:00.5Z", "{kept:?}");
        assert_eq!(sent(|out| alerts.resolve(Digest::of(&[b"f"]), now(70), out)), []);
        assert_eq!(sent(|out| alerts.resolve(Digest::of(&[b"g"]), now(80), out)).len(), 1);
        for secs in [120, 180, 240, 300, 360] {
            let ended = sent(|out| alerts.tick(now(secs), out));
            assert_eq!(ended[0].0[0]["endsAt"], "2026-11-21T09:01:20.5Z", "{secs}");
        }
        assert_eq!(sent(|out| alerts.tick(now(420), out)), []);
        assert_eq!(alerts.next_deadline(), None);
        // It may begin anew, at a new time.
        let anew = fire(&mut alerts, "f", 500);
        assert_eq!(anew[0].0[0]["startsAt"], "2026-11-21T09:08:20.5Z");
    }

    #[test]
    fn what_has_no_end_is_sent_once() {
        let verdict = verdict();
        let mut alerts = Alerts::default();
        let fired = sent(|out| {
            alerts.fire(EffectId("x".into()), &firing(&verdict, Mode::Admission, None, 0), now(0), out);
        });
        assert_eq!(fired[0].0[0]["labels"]["mode"], "admission");
        assert_eq!(alerts.next_deadline(), None);
    }

    #[test]
    fn documents_hold_sixty_four_alerts() {
        let mut alerts = Alerts::default();
        for number in 0..130 {
            let mut verdict = verdict();
            verdict.subject.name = number.to_string();
            sent(|out| {
                let finding = Some(verdict.subject.name.as_str());
                alerts.fire(EffectId("x".into()), &firing(&verdict, Mode::Audit, finding, 0), now(0), out);
            });
        }
        let sent = sent(|out| alerts.repeat(now(1), out));
        let sizes: Vec<_> = sent.iter().map(|it| it.0.as_array().unwrap().len()).collect();
        assert_eq!(sizes, [64, 64, 2]);
    }
}
