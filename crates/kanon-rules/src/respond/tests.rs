//! The responder as the loops drive it: violations, ends, deliveries, time; and what leaves.
#![allow(clippy::unwrap_used, reason = "a test that panics has failed")]

mod memory;

use std::{collections::BTreeMap, time::Duration};

use kanon_core::{
    Action, Delivery, Done, Effect, Evidence, Failure, FamilyId, GroupVersionKind, Keep, Object, PolicyRef, Shards,
};
use kanon_plane::Family;
use serde_json::{Value, json};

use super::*;
use crate::{RulesFamily, Settings, api, index::Rules};

/// A responder with its rules, a clock, and what it asked for.
struct Bench {
    family: RulesFamily,
    responder: Responder,
    figures: Arc<Figures>,
    millis: u64,
    effects: Vec<Effect>,
}

fn rule(name: &str, actions: Value) -> Value {
    json!({
        "apiVersion": "portal.io/v1alpha1", "kind": "PortalClusterRule",
        "metadata": {"name": name, "uid": name, "generation": 1},
        "spec": {"name": name, "enabled": true, "mode": ["admission", "audit"], "severity": "high",
            "match": {"gvk": [{"group": "", "version": "v1", "kind": "Pod"}]}, "rule": "true", "actions": actions},
    })
}

impl Bench {
    fn new(rules: &[Value]) -> Bench {
        Bench::with(
            rules,
            Responses {
                leads: true,
                alerts: Some(AlertScope::Rules),
                reports: vec![ReportApi::WgPolicy],
                ..Responses::default()
            },
        )
    }

    fn with(rules: &[Value], responses: Responses) -> Bench {
        let language = Arc::new(kanon_expr::Expr::default());
        let family = RulesFamily::new(language.clone(), Settings::default()).with_actions(kanon_actions::all());
        let family = family.with_responses(responses.clone());
        let figures = Arc::clone(&responses.figures);
        let responder = Responder::new(responses, language);
        let mut bench = Bench { family, responder, figures, millis: 1000, effects: Vec::new() };
        rules.iter().for_each(|it| bench.apply(it));
        for kind in [api::policy_report(), api::cluster_policy_report()] {
            bench.input(&Input::Synced { kind: Arc::new(kind), keep: Keep::All });
        }
        bench
    }

    fn now(&self) -> Now {
        let start: jiff::Timestamp = "2026-11-21T09:00:00Z".parse().unwrap();
        let past = Duration::from_millis(self.millis);
        Now::new(start + past, Mono(past))
    }

    fn apply(&mut self, rule: &Value) {
        let kind = if rule["kind"] == api::RULE { api::portal_rule() } else { api::cluster_rule() };
        let mut out = Outbox::new(FamilyId("rules"));
        let object = Object::from_value(rule);
        let input = Input::Object { kind: Arc::new(kind), change: Change::Applied, object };
        self.family.handle(&input, self.now(), &mut out);
    }

    fn rules(&self) -> Arc<Rules> {
        self.family.rules().clone()
    }

    fn verdict(&self, rule: &str, pod: &str, part: &str, mode: Mode) -> Verdict {
        let rules = self.rules();
        let entry = rules.entries().iter().find(|it| it.policy.name == rule).unwrap();
        Verdict {
            family: FamilyId("rules"),
            policy: PolicyRef { ..entry.policy.clone() },
            subject: ObjectRef {
                gvk: GroupVersionKind::new("", "v1", "Pod"),
                namespace: "shop".into(),
                name: pod.into(),
                uid: format!("uid-{pod}"),
            },
            occasion: mode.as_str(),
            outcome: Outcome::Warn,
            reason: "RuleViolated",
            message: format!("rule violated: {rule}"),
            evidence: Evidence { part: part.into(), ..Evidence::default() },
            now: self.now(),
        }
    }

    fn fire(&mut self, rule: &str, pod: &str, part: &str, mode: Mode) {
        let verdict = self.verdict(rule, pod, part, mode);
        let rules = self.rules();
        let entry = rules.entries().iter().find(|it| it.policy.name == rule).unwrap();
        let mut out = Outbox::new(FamilyId("rules"));
        let now = self.now();
        self.responder.fired(entry, &verdict, mode, Share::ALL, now, &mut out);
        self.effects.extend(out.wanted().cloned());
        self.input(&Input::Tick);
    }

    fn end(&mut self, rule: &str, pod: &str, part: &str) {
        let verdict = self.verdict(rule, pod, part, Mode::Audit);
        let mut out = Outbox::new(FamilyId("rules"));
        let now = self.now();
        self.responder.resolved(&verdict, Mode::Audit, Share::ALL, now, &mut out);
        self.effects.extend(out.wanted().cloned());
        self.input(&Input::Tick);
    }

    fn input(&mut self, input: &Input) {
        let mut out = Outbox::new(FamilyId("rules"));
        let now = self.now();
        self.responder.handle(input, |_| 0, now, &mut out);
        self.effects.extend(out.wanted().cloned());
    }

    /// Lets time pass, from deadline to deadline, as the loop does.
    fn pass(&mut self, millis: u64) {
        let until = self.millis + millis;
        while let Some(at) = self.responder.next_deadline().map(|it| it.0.as_millis() as u64).filter(|it| *it <= until)
        {
            self.millis = at.max(self.millis);
            self.input(&Input::Tick);
        }
        self.millis = until;
        self.input(&Input::Tick);
    }

    /// What left since the last time, as `action pod`; reports and alerts aside.
    fn done(&mut self) -> Vec<String> {
        let effects = std::mem::take(&mut self.effects);
        let shown = |it: &Effect| {
            let action = it.cause.as_ref()?.action;
            Some(format!("{action} {}", it.subject.name))
        };
        effects.iter().filter_map(shown).collect()
    }

    /// Everything that is under way ends like this.
    fn deliver(&mut self, result: &Result<Done, Failure>) {
        let under_way: Vec<_> =
            self.responder.under_way.iter().map(|it| (it.0.clone(), it.1.verdict.subject.clone())).collect();
        for (effect, subject) in under_way {
            let delivery = Delivery { effect, family: FamilyId("rules"), subject, result: result.clone() };
            self.input(&Input::Delivered(delivery));
        }
    }

    fn count(&self, action: &str, result: &str) -> i64 {
        self.figures.value(ACTIONS, &[action, result])
    }

    /// The newest report of a namespace: its results by object.
    fn report(&mut self) -> Option<BTreeMap<String, Value>> {
        let report = self.effects.iter().rev().find_map(|it| match &it.action {
            Action::Apply { manifest, .. } if it.subject.gvk.kind == "PolicyReport" => Some(manifest.clone()),
            _ => None,
        });
        self.effects.retain(|it| !matches!(it.action, Action::Apply { .. }));
        let results = report?["results"].as_array().unwrap().clone();
        Some(results.into_iter().map(|it| (it["resources"][0]["name"].as_str().unwrap().to_owned(), it)).collect())
    }
}

fn later() -> Result<Done, Failure> {
    Err(Failure::later("the disruption budget needs 1"))
}

fn config_map(data: &Value) -> Input {
    named_map(BRAKE_MAP, data)
}

fn named_map(name: &str, data: &Value) -> Input {
    let object = json!({"metadata": {"name": name, "namespace": "kanon-system"}, "data": data});
    Input::Object {
        kind: Arc::new(super::brake::config_maps()),
        change: Change::Applied,
        object: Object::from_value(&object),
    }
}

#[test]
fn open_findings_wait_for_their_turn_and_are_called_off_when_they_end() {
    let mut bench = Bench::new(&[rule("r", json!([{"type": "evict", "on": ["audit"], "rateLimit": "2/min"}]))]);
    for pod in ["a", "b", "c", "d", "e"] {
        bench.fire("r", pod, "", Mode::Audit);
    }
    assert_eq!(bench.done(), ["evict a", "evict b"]);
    assert_eq!(bench.count("evict", "ratelimited"), 3);
    bench.deliver(&Ok(Done::Done));
    bench.end("r", "c", "");
    bench.pass(59_000);
    assert_eq!(bench.done(), [""; 0]);
    bench.pass(1_000);
    assert_eq!(bench.done(), ["evict d", "evict e"]);
    bench.pass(600_000);
    assert_eq!(bench.done(), [""; 0]);
    assert_eq!((bench.count("evict", "ok"), bench.count("evict", "ratelimited")), (2, 3));
}

#[test]
fn a_success_is_not_repeated_until_its_finding_has_ended() {
    let mut bench = Bench::new(&[rule("r", json!([{"type": "label", "key": "k"}, {"type": "label", "key": "l"}]))]);
    bench.fire("r", "a", "", Mode::Audit);
    assert_eq!(bench.done(), ["label a", "label a"]);
    bench.deliver(&Ok(Done::Done));
    // A further container, and the same one again.
    bench.fire("r", "a", "sidecar", Mode::Audit);
    bench.fire("r", "a", "", Mode::Audit);
    assert_eq!(bench.done(), [""; 0]);
    bench.end("r", "a", "");
    bench.fire("r", "a", "", Mode::Audit);
    assert_eq!(bench.done(), [""; 0], "one container violated the rule all the time");
    bench.end("r", "a", "");
    bench.end("r", "a", "sidecar");
    bench.fire("r", "a", "", Mode::Audit);
    assert_eq!(bench.done(), ["label a", "label a"]);
    assert_eq!(bench.count("label", "ok"), 2);
}

#[test]
fn an_edited_rule_acts_anew_on_what_it_still_finds() {
    let mut bench = Bench::new(&[rule("r", json!([{"type": "label", "key": "k"}]))]);
    bench.fire("r", "a", "", Mode::Audit);
    bench.deliver(&Ok(Done::Done));
    bench.done();
    let mut edited = rule("r", json!([{"type": "annotate", "key": "k"}]));
    edited["metadata"]["generation"] = json!(2);
    bench.apply(&edited);
    bench.fire("r", "a", "", Mode::Audit);
    assert_eq!(bench.done(), ["annotate a"]);
}

#[test]
fn what_a_disruption_budget_puts_off_is_tried_again_with_longer_pauses() {
    let mut bench = Bench::new(&[rule("r", json!([{"type": "evict"}]))]);
    bench.fire("r", "a", "", Mode::Audit);
    assert_eq!(bench.done(), ["evict a"]);
    let mut left = Vec::new();
    for _ in 0..6 {
        bench.deliver(&later());
        let before = bench.millis;
        while bench.done().is_empty() {
            bench.pass(1_000);
        }
        left.push((bench.millis - before) / 1000);
    }
    assert_eq!(left, [5, 10, 20, 40, 80, 160]);
    assert_eq!(bench.count("evict", "retrying"), 6);
    bench.deliver(&later());
    bench.end("r", "a", "");
    bench.done();
    bench.pass(3_600_000);
    assert_eq!(bench.done(), [""; 0]);
}

#[test]
fn an_admitted_object_is_acted_on_when_it_is_there_or_not_at_all() {
    let mut bench = Bench::new(&[rule("r", json!([{"type": "label", "key": "k"}]))]);
    bench.fire("r", "a", "", Mode::Admission);
    assert_eq!(bench.done(), [""; 0], "it is not stored yet");
    bench.pass(500);
    assert_eq!(bench.done(), ["label a"]);
    bench.deliver(&Ok(Done::Absent));
    bench.pass(500);
    assert_eq!(bench.done(), ["label a"]);
    bench.deliver(&Ok(Done::Done));
    assert_eq!(bench.count("label", "ok"), 1);
    bench.fire("r", "b", "", Mode::Admission);
    for _ in 0..40 {
        bench.pass(1_000);
        bench.deliver(&Ok(Done::Absent));
    }
    assert_eq!(bench.count("label", "skipped"), 1);
    bench.done();
    bench.pass(60_000);
    assert_eq!(bench.done(), [""; 0]);
}

#[test]
fn the_brake_holds_what_destroys_until_it_is_released() {
    let responses = Responses { leads: true, namespace: "kanon-system".into(), ..Responses::default() };
    let mut bench = Bench::with(&[rule("r", json!([{"type": "evict"}, {"type": "label", "key": "k"}]))], responses);
    bench.fire("r", "a", "", Mode::Audit);
    assert_eq!(bench.done(), ["label a"], "nobody knows yet what the brake says");
    bench.input(&config_map(&json!({"brake": "on"})));
    assert_eq!(bench.done(), [""; 0]);
    assert_eq!(bench.count("evict", "braked"), 1);
    bench.fire("r", "b", "", Mode::Audit);
    bench.end("r", "a", "");
    bench.done();
    bench.input(&config_map(&json!({"brake": "off", "budget": "1/min"})));
    assert_eq!(bench.done(), ["evict b"]);
    // The budget is over all rules and objects.
    bench.fire("r", "c", "", Mode::Audit);
    assert_eq!(bench.done(), ["label c"]);
    bench.pass(60_000);
    assert_eq!(bench.done(), ["evict c"]);
}

#[test]
fn a_missing_right_is_told_once_until_the_action_succeeds_or_the_rule_is_edited() {
    let mut bench = Bench::new(&[rule("r", json!([{"type": "evict"}, {"type": "annotate", "key": "a"}]))]);
    let lacks = |right: &str| Err(Failure { lacks: Some(right.into()), ..Failure::given_up("no") });
    // What the rule says of it, and whether that is news.
    let said = |bench: &mut Bench| {
        let news = std::iter::from_fn(|| bench.responder.denied.next_changed()).count();
        let rules = bench.rules();
        (bench.responder.denied.of(&rules.entries()[0]), news)
    };
    let fails = |bench: &mut Bench, pod: &str, right: &str| {
        bench.fire("r", pod, "", Mode::Audit);
        bench.deliver(&lacks(right));
    };
    assert_eq!(said(&mut bench), (None, 0));
    fails(&mut bench, "a", "do `x`");
    let (message, news) = said(&mut bench);
    let message = message.unwrap();
    assert!(
        message.starts_with("action `evict` needs the right to do `x`, which Kanon does not have\naction `annotate`"),
        "{message}"
    );
    assert_eq!(news, 1);
    fails(&mut bench, "b", "do `y`");
    assert_eq!(said(&mut bench), (Some(message), 0));
    bench.apply(&{
        let mut edited = rule("r", json!([{"type": "evict", "gracePeriodSeconds": 1}]));
        edited["metadata"]["generation"] = json!(2);
        edited
    });
    assert_eq!(said(&mut bench).0, None);
    fails(&mut bench, "c", "do `z`");
    assert_eq!(said(&mut bench).1, 1);
    bench.fire("r", "d", "", Mode::Audit);
    bench.deliver(&Ok(Done::Done));
    assert_eq!(said(&mut bench), (None, 1));
}

#[test]
fn accounts_that_are_noted_are_made_by_whoever_leads_until_the_note_is_gone() {
    let settings = Responses { namespace: "kanon-system".into(), leads: false, ..Responses::default() };
    let mut bench = Bench::with(&[], settings);
    let map = |data: &Value| named_map(kanon_core::ACCOUNTS_MAP, data);
    let asked = |bench: &mut Bench| {
        let asked = bench.effects.iter().filter(|it| it.action == Action::RestoreAccounts);
        let ids: Vec<_> = asked.map(|it| (it.id.clone(), it.subject.clone())).collect();
        bench.effects.clear();
        ids
    };
    let answer = |bench: &mut Bench, (effect, subject): (EffectId, ObjectRef), result| {
        bench.input(&Input::Delivered(Delivery { effect, family: FamilyId("rules"), subject, result }));
    };
    bench.input(&map(&json!({"k": "{}"})));
    bench.pass(10_000);
    assert_eq!(asked(&mut bench), [], "a follower");
    bench.input(&Input::Leadership(Shards::all()));
    bench.pass(0);
    let first = asked(&mut bench);
    assert_eq!((first.len(), first[0].1.name.as_str()), (1, kanon_core::ACCOUNTS_MAP));
    // Refused: again after twice the pause, for as long as it takes, whatever the brake says.
    bench.input(&config_map(&json!({"brake": "on"})));
    answer(&mut bench, first[0].clone(), later());
    bench.pass(9_999);
    assert_eq!(asked(&mut bench), []);
    bench.pass(1);
    let second = asked(&mut bench);
    assert_eq!(second.len(), 1);
    answer(&mut bench, second[0].clone(), Ok(Done::Count(1)));
    bench.input(&map(&json!({})));
    bench.pass(600_000);
    assert_eq!(asked(&mut bench), []);
    // Whoever notes one has five seconds to finish by itself.
    bench.input(&map(&json!({"l": "{}"})));
    bench.pass(4_999);
    assert_eq!(asked(&mut bench), []);
    bench.input(&map(&Value::Null));
    bench.pass(600_000);
    assert_eq!(asked(&mut bench), []);
}

#[test]
fn without_a_config_map_there_is_no_brake() {
    let responses = Responses { leads: true, namespace: "kanon-system".into(), ..Responses::default() };
    let mut bench = Bench::with(&[rule("r", json!([{"type": "evict"}]))], responses);
    bench.fire("r", "a", "", Mode::Audit);
    bench.input(&Input::PlacesSynced { kind: Arc::new(super::brake::config_maps()) });
    assert_eq!(bench.done(), ["evict a"]);
}

#[test]
fn a_finding_is_a_row_of_its_namespaces_report_until_it_ends() {
    let mut bench = Bench::new(&[rule("r", json!([]))]);
    bench.fire("r", "a", "web", Mode::Audit);
    let report = bench.report().unwrap();
    let revision = bench.verdict("r", "a", "", Mode::Audit).policy.revision;
    let want = json!({
        "policy": "r", "rule": "r", "category": "portal", "source": "portal", "result": "fail", "severity": "high",
        "message": "rule violated: r",
        "resources": [{"apiVersion": "v1", "kind": "Pod", "namespace": "shop", "name": "a", "uid": "uid-a"}],
        "timestamp": {"seconds": 1_795_251_601, "nanos": 0},
        "properties": {"mode": "audit", "eventID": "/v1, Kind=Pod/shop/a/1795251601000000000", "container": "web",
            "policyKind": "PortalClusterRule", "policyRevision": revision},
    });
    assert_eq!(report["a"], want);
    // Nothing more for two seconds; then all at once.
    bench.fire("r", "b", "", Mode::Audit);
    bench.fire("r", "a", "sidecar", Mode::Audit);
    bench.end("r", "a", "web");
    assert_eq!(bench.report(), None);
    bench.pass(2_000);
    let report = bench.report().unwrap();
    assert_eq!(report.keys().collect::<Vec<_>>(), ["a", "b"]);
    assert_eq!(report["a"]["properties"]["container"], "sidecar");
    bench.end("r", "a", "sidecar");
    bench.end("r", "b", "");
    bench.pass(2_000);
    assert_eq!(bench.report(), Some(BTreeMap::new()));
    bench.pass(600_000);
    assert_eq!(bench.report(), None, "nothing changed");
}

#[test]
fn more_results_than_fit_go_to_further_reports() {
    let mut bench = Bench::new(&[rule("r", json!([]))]);
    for number in 0..2_500 {
        bench.fire("r", &number.to_string(), "", Mode::Audit);
    }
    bench.effects.clear();
    bench.pass(2_000);
    let sizes: BTreeMap<_, _> = bench
        .effects
        .iter()
        .filter_map(|it| match &it.action {
            Action::Apply { manifest, .. } => Some((it.subject.name.clone(), manifest["results"].as_array()?.len())),
            _ => None,
        })
        .collect();
    assert_eq!(sizes.keys().collect::<Vec<_>>(), ["portal", "portal-1", "portal-2", "portal-3"]);
    assert_eq!(sizes.values().sum::<usize>(), 2_500);
    assert!(sizes.values().all(|it| *it <= 1000), "{sizes:?}");
}

#[test]
fn what_a_report_of_before_says_is_kept_until_everything_was_looked_at() {
    let row = |name: &str, uid: &str| {
        json!({
            "policy": "r", "rule": "r", "source": "portal", "result": "fail", "severity": "high", "message": "old",
            "resources": [{"apiVersion": "v1", "kind": "Pod", "namespace": "shop", "name": name, "uid": uid}],
            "timestamp": {"seconds": 1_700_000_000, "nanos": 5}, "properties": {"mode": "audit", "alert": "true"},
        })
    };
    let report = json!({
        "metadata": {"name": "portal", "namespace": "shop"}, "results": [row("a", "uid-a"), row("gone", "uid-gone")],
    });
    let mut bench = Bench::new(&[rule("r", json!([{"type": "alertmanager"}]))]);
    let object = Object::from_value(&report);
    bench.input(&Input::Object { kind: Arc::new(api::policy_report()), change: Change::Applied, object });
    bench.fire("r", "a", "", Mode::Audit);
    let alert = |bench: &mut Bench| {
        let sent = bench.effects.iter().rev().find_map(|it| match &it.action {
            Action::Send { body, .. } => Some(body[0].clone()),
            _ => None,
        });
        sent.unwrap()
    };
    assert_eq!(alert(&mut bench)["startsAt"], "2023-11-14T22:13:20.000000005Z", "the finding has not begun anew");
    let kept = bench.report().unwrap();
    assert_eq!(kept.keys().collect::<Vec<_>>(), ["a", "gone"]);
    assert_eq!(kept["a"]["timestamp"], json!({"seconds": 1_700_000_000, "nanos": 5}));
    let mut out = Outbox::new(FamilyId("rules"));
    let now = bench.now();
    let ended = bench.responder.settled(|_, _| None, now, &mut out).ended;
    let ended: Vec<_> = ended.iter().map(|it| (it.subject.name.as_str(), it.reason, it.message.as_str())).collect();
    assert_eq!(ended, [("gone", "RuleWithdrawn", "resolved")]);
    bench.effects.extend(out.wanted().cloned());
    let ended = alert(&mut bench);
    assert_eq!((&ended["labels"]["name"], ended.get("endsAt").is_some()), (&json!("gone"), true));
    bench.pass(2_000);
    assert_eq!(bench.report().unwrap().keys().collect::<Vec<_>>(), ["a"]);
}

#[test]
fn a_namespaces_own_rule_acts_in_its_namespace_only() {
    let actions = json!([{"type": "label", "key": "k"}, {"type": "evict"}, {"type": "alertmanager"}]);
    let mut own = rule("own", actions);
    own["kind"] = json!("PortalRule");
    own["metadata"]["namespace"] = json!("shop");
    let mut bench = Bench::new(&[own]);
    bench.fire("own", "a", "", Mode::Audit);
    assert_eq!(bench.done(), ["label a"], "evict is not for rules of a namespace");
    bench.deliver(&Ok(Done::Done));
    assert_eq!((bench.count("label", "ok"), bench.count("alertmanager", "ok")), (1, 1));
    // Were an object of elsewhere ever handed to it, the action would be refused.
    let mut verdict = bench.verdict("own", "b", "", Mode::Audit);
    verdict.subject.namespace = "other".into();
    let mut out = Outbox::new(FamilyId("rules"));
    let (rules, now) = (bench.rules(), bench.now());
    bench.responder.fired(&rules.entries()[0], &verdict, Mode::Audit, Share::ALL, now, &mut out);
    assert!(out.wanted().all(|it| it.cause.is_none()));
    assert_eq!(bench.count("label", "error"), 1);
}

#[test]
fn every_violation_is_a_line_of_the_log() {
    let responses = Responses { leads: true, log: true, ..Responses::default() };
    let mut bench = Bench::with(&[rule("r", json!([{"type": "label", "key": "k"}]))], responses);
    bench.fire("r", "a", "c", Mode::Audit);
    let line = bench.effects.iter().find_map(|it| match &it.action {
        Action::Send { sink: Sink::Log, body } => Some(body.clone()),
        _ => None,
    });
    let want = json!({
        "time": "2026-11-21T09:00:01Z", "level": "ERROR", "msg": "rule violated: r", "message": "rule violated: r",
        "rule": "r", "gvk": {"group": "", "version": "v1", "kind": "Pod"}, "namespace": "shop", "name": "a",
        "uid": "uid-a", "mode": "audit", "severity": "high", "username": "", "decision": "warn",
        "source": {"event_id": "/v1, Kind=Pod/shop/a/1795251601000000000", "operation": "", "container": "c"},
        "action_types": ["label"],
    });
    assert_eq!(line, Some(want));
}
