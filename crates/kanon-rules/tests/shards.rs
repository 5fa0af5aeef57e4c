//! The audit over several replicas, simulated by seed: objects change, shards are won and lost, and what all replicas together
//! say is compared with what one says that has everything. One file of reports and one Alertmanager stand for the cluster's.
#![allow(clippy::unwrap_used, reason = "a test that panics has failed")]

mod common;

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    sync::Arc,
};

use common::{language, now};
use kanon_core::{Action, Change, Delivery, Done, Effect, Figures, Input, Keep, Kind, Object, Shards, Sink};
use kanon_plane::{Plane, Scan, Settings as PlaneSettings};
use kanon_rules::{AlertScope, Mode, ReportApi, Responses, RulesFamily, Settings, api};
use serde_json::{Value, json};

const SHARDS: u32 = 4;

fn kinds() -> [Kind; 8] {
    [
        api::cluster_exception(),
        api::exception(),
        api::cluster_rule(),
        api::portal_rule(),
        Kind::namespaced("wgpolicyk8s.io", "v1alpha2", "PolicyReport", "policyreports"),
        Kind::cluster("wgpolicyk8s.io", "v1alpha2", "ClusterPolicyReport", "clusterpolicyreports"),
        Kind::cluster("", "v1", "Namespace", "namespaces"),
        Kind::namespaced("", "v1", "Pod", "pods"),
    ]
}

fn kind(name: &str) -> Arc<Kind> {
    Arc::new(kinds().into_iter().find(|it| it.gvk.kind == name).unwrap())
}

fn rule(name: &str, expression: &str, actions: Value) -> Value {
    json!({"apiVersion": "portal.io/v1alpha1", "kind": "PortalClusterRule",
        "metadata": {"name": name, "uid": format!("uid-{name}"), "generation": 1},
        "spec": {"name": name, "enabled": true, "severity": "high", "mode": ["audit"], "rule": expression, "actions": actions,
            "match": {"gvk": [{"group": "", "version": "v1", "kind": "Pod"}]}}})
}

fn pod(namespace: &str, name: &str, uid: u64, is_bad: bool) -> Value {
    json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "namespace": namespace, "uid": uid.to_string(),
        "labels": {"bad": if is_bad { "yes" } else { "no" }}}, "spec": {"containers": [{"name": "c"}]}})
}

/// Frees the pods of a namespace from two of the rules, until a second.
fn exception(namespace: &str, generation: u64, until: u64) -> Value {
    json!({"apiVersion": "portal.io/v1alpha1", "kind": "ClusterRuleException",
        "metadata": {"name": namespace, "uid": format!("uid-{namespace}"), "generation": generation},
        "spec": {"rules": ["alerts", "m*"], "match": {"namespaces": {"include": [namespace]}}, "reason": "for now",
            "expires": now(until).wall.to_string()}})
}

struct Replica {
    plane: Plane,
    scans: VecDeque<Scan>,
    figures: Arc<Figures>,
    shards: Shards,
}

/// Replicas, and what they share.
struct Cluster {
    replicas: Vec<Replica>,
    secs: u64,
    reports: BTreeMap<(String, String), Value>,
    /// Open alerts by labels, with the time they began and the uid of the pod that they are about.
    alerts: BTreeMap<String, (String, Option<String>)>,
    /// How often `once` acted.
    once: usize,
    /// What `marks` labelled and has not taken back.
    marks: BTreeSet<String>,
    /// The uids of the pods that there are: patches are about one of them.
    uids: BTreeMap<String, String>,
    /// Openings and ends recorded, by replicas together.
    records: BTreeMap<String, usize>,
}

impl Cluster {
    fn new(replicas: usize) -> Cluster {
        let mut cluster = Cluster {
            replicas: (0..replicas).map(|_| Replica::new()).collect(),
            secs: 10,
            reports: BTreeMap::new(),
            alerts: BTreeMap::new(),
            once: 0,
            marks: BTreeSet::new(),
            uids: BTreeMap::new(),
            records: BTreeMap::new(),
        };
        for kind in kinds() {
            cluster.all(&Input::Synced { kind: Arc::new(kind), keep: Keep::All });
        }
        let alert = json!([{"type": "alertmanager"}]);
        let marks = json!([{"type": "label", "key": "marked", "removeOnResolve": true}]);
        let once = json!([{"type": "label", "key": "once", "rateLimit": "1/h"}]);
        for rule in [
            rule("alerts", "metadata.labels.bad == 'yes'", alert),
            rule("marks", "metadata.labels.bad == 'yes'", marks),
            rule("once", "metadata.labels.bad == 'yes'", once),
            rule("looks", "cluster.pods.exists('team-0', 'gate')", json!([{"type": "alertmanager"}])),
        ] {
            cluster.object("PortalClusterRule", Change::Applied, &rule);
        }
        cluster
    }

    fn all(&mut self, input: &Input) {
        (0..self.replicas.len()).for_each(|at| self.input(at, input));
    }

    fn object(&mut self, of: &str, change: Change, object: &Value) {
        let object = Object::from_value(object);
        self.all(&Input::Object { kind: kind(of), change, object });
    }

    fn pod(&mut self, change: Change, object: &Value) {
        let text = |name: &str| object["metadata"][name].as_str().unwrap().to_owned();
        let name = format!("{}/{}", text("namespace"), text("name"));
        match change {
            Change::Applied => drop(self.uids.insert(name, text("uid"))),
            Change::Deleted => {
                self.uids.remove(&name);
                self.marks.remove(&name);
            }
        }
        self.object("Pod", change, object);
    }

    fn input(&mut self, at: usize, input: &Input) {
        let replica = &mut self.replicas[at];
        let step = replica.plane.handle(input, now(self.secs));
        replica.scans.extend(step.scans);
        for payload in step.records {
            if let kanon_plane::Payload::Decision(it) = payload {
                let text = format!("{} {}/{} {}", it.policy.name, it.subject.namespace, it.subject.name, it.reason);
                *self.records.entry(text).or_default() += 1;
            }
        }
        for effect in step.effects {
            self.carry_out(at, &effect);
            let Effect { id, family, subject, .. } = effect;
            let delivery = Delivery { effect: id, family, subject, result: Ok(Done::Done) };
            self.input(at, &Input::Delivered(delivery));
        }
    }

    fn carry_out(&mut self, at: usize, effect: &Effect) {
        let (namespace, name) = (effect.subject.namespace.clone(), effect.subject.name.clone());
        match &effect.action {
            Action::Apply { kind: of, manifest } => {
                assert!(self.replicas[at].shards.holds(&namespace), "{at} reports about {namespace}");
                self.reports.insert((namespace, name), manifest.clone());
                self.object(&of.gvk.kind, Change::Applied, manifest);
            }
            Action::Send { sink: Sink::Alertmanager, body } => body.as_array().unwrap().iter().for_each(|it| {
                let labels = it["labels"].to_string();
                if it.get("endsAt").is_some() {
                    self.alerts.remove(&labels);
                    return;
                }
                let since = it["startsAt"].as_str().unwrap().to_owned();
                let text = |name: &str| it["labels"][name].as_str().unwrap_or_default().to_owned();
                let uid = self.uids.get(&format!("{}/{}", text("namespace"), text("name"))).cloned();
                let known = self.alerts.insert(labels.clone(), (since.clone(), uid.clone()));
                // Of another pod of the same name it is another alert.
                assert!(known.is_none_or(|it| it.0 == since || it.1 != uid), "{labels} is told twice, by {at}");
            }),
            Action::Patch { patch, .. } => {
                let labels = &patch["metadata"]["labels"];
                // Whoever sees an end that nobody saw takes back; only the leader acts.
                let takes_back = labels.get("marked") == Some(&Value::Null);
                assert!(takes_back || self.replicas[at].shards.leads(), "{at} acts");
                let name = format!("{namespace}/{name}");
                if self.uids.get(&name) != Some(&effect.subject.uid) {
                    return;
                }
                self.once += usize::from(labels.get("once").is_some());
                match labels.get("marked") {
                    Some(Value::Null) => drop(self.marks.remove(&name)),
                    Some(_) => drop(self.marks.insert(name)),
                    None => {}
                }
            }
            _ => {}
        }
    }

    /// Everything is looked at and written.
    fn settle(&mut self) {
        for _ in 0..4 {
            for at in 0..self.replicas.len() {
                while let Some(scan) = self.replicas[at].scans.pop_front() {
                    let result = scan.run(self.replicas[at].plane.objects(), now(self.secs));
                    self.input(at, &result);
                }
            }
            self.secs += 1;
            self.all(&Input::Tick);
        }
    }

    fn give(&mut self, shard: u32, to: Option<usize>) {
        for at in 0..self.replicas.len() {
            let before = self.replicas[at].shards;
            let after = if to == Some(at) { before.with(shard) } else { before.without(shard) };
            if before != after {
                self.replicas[at].shards = after;
                self.input(at, &Input::Leadership(after));
            }
        }
    }

    /// What is reported: `result rule namespace/name`.
    fn rows(&self) -> Vec<String> {
        let of = |(key, report): (&(String, String), &Value)| {
            let rows = report["results"].as_array().unwrap().iter();
            let shown = |it: &Value| {
                let text = |it: &Value| it.as_str().unwrap().to_owned();
                format!("{} {} {}/{}", text(&it["result"]), text(&it["rule"]), key.0, text(&it["resources"][0]["name"]))
            };
            rows.map(shown).collect::<Vec<_>>()
        };
        let mut rows: Vec<_> = self.reports.iter().flat_map(of).collect();
        rows.sort();
        rows
    }

    /// Open findings by rule and namespace, over all replicas.
    fn open(&self) -> BTreeMap<Vec<String>, i64> {
        let mut open = BTreeMap::new();
        for replica in &self.replicas {
            let all = replica.figures.read().into_iter().filter(|it| it.0.name == "portal_open_findings");
            for (labels, count) in all.flat_map(|it| it.1) {
                *open.entry(labels).or_default() += count;
            }
        }
        open.retain(|_, it| *it != 0);
        open
    }
}

impl Replica {
    fn new() -> Replica {
        let figures = Arc::<Figures>::default();
        let settings = Settings { loops: vec![Mode::Admission, Mode::Audit], ..Settings::default() };
        let responses = Responses {
            figures: Arc::clone(&figures),
            alerts: Some(AlertScope::Rules),
            reports: vec![ReportApi::WgPolicy],
            ..Responses::default()
        };
        let family =
            RulesFamily::new(language(), settings).with_actions(kanon_actions::all()).with_responses(responses);
        let settings = PlaneSettings { leader: false, ..PlaneSettings::default() };
        let plane = Plane::new(vec![Box::new(family)], settings);
        Replica { plane, scans: VecDeque::new(), figures, shards: Shards::none_of(SHARDS) }
    }
}

/// Numbers of a seed.
struct Dice(u64);

impl Dice {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % limit
    }
}

/// One run: every step is done to the replicas and to one that has all shards. `moves` says which shards may change hands.
fn check(seed: u64, moves: std::ops::Range<u32>) {
    let mut dice = Dice(seed);
    let (mut many, mut one) = (Cluster::new(3), Cluster::new(1));
    (0..SHARDS).for_each(|shard| one.give(shard, Some(0)));
    (0..SHARDS).for_each(|shard| many.give(shard, Some(shard as usize % 3)));
    let (mut pods, mut unheld, mut ends) = (BTreeMap::new(), BTreeSet::new(), BTreeSet::new());
    let mut uid = 0;
    for step in 0..60 {
        let namespace = format!("team-{}", dice.below(6));
        let name = if dice.below(6) == 0 { "gate".to_owned() } else { format!("p{}", dice.below(3)) };
        let key = (namespace.clone(), name.clone());
        match dice.below(12) {
            10 => {
                let until = many.secs + dice.below(40);
                ends.insert(until);
                let exception = exception(&namespace, step, until);
                let _ = [&mut many, &mut one].map(|it| it.object("ClusterRuleException", Change::Applied, &exception));
            }
            11 => {
                let exception = exception(&namespace, step, 0);
                let _ = [&mut many, &mut one].map(|it| it.object("ClusterRuleException", Change::Deleted, &exception));
            }
            0..5 => {
                let uid = *pods.entry(key).or_insert_with(|| {
                    uid += 1;
                    uid
                });
                let pod = pod(&namespace, &name, uid, dice.below(2) == 0);
                let _ = [&mut many, &mut one].map(|it| it.pod(Change::Applied, &pod));
            }
            5..7 => {
                if let Some(uid) = pods.remove(&key) {
                    let pod = pod(&namespace, &name, uid, true);
                    let _ = [&mut many, &mut one].map(|it| it.pod(Change::Deleted, &pod));
                }
            }
            _ => {
                // What was found in the last moment before is not yet written.
                many.settle();
                one.settle();
                let shard = moves.start + dice.below(u64::from(moves.end - moves.start)) as u32;
                let to = usize::try_from(dice.below(4)).unwrap();
                many.give(shard, (to < 3).then_some(to));
                let _ = if to < 3 { unheld.remove(&shard) } else { unheld.insert(shard) };
            }
        }
        if dice.below(3) > 0 {
            many.settle();
            one.settle();
        }
        if step % 10 == 9 {
            // Every shard is taken up in the end.
            for shard in std::mem::take(&mut unheld) {
                many.give(shard, Some(usize::try_from(dice.below(3)).unwrap()));
            }
            many.settle();
            one.settle();
            // What has just ended is looked at in a moment.
            while ends.range(many.secs.saturating_sub(6)..=many.secs).next().is_some() {
                many.settle();
                one.settle();
            }
            let place = format!("seed {seed}, step {step}");
            assert_eq!(many.rows(), one.rows(), "{place}");
            assert_eq!(many.open(), one.open(), "{place}");
            let alerts = |it: &Cluster| it.alerts.keys().cloned().collect::<Vec<_>>();
            assert_eq!(alerts(&many), alerts(&one), "{place}");
            if moves.start > 0 {
                assert_eq!((many.once, &many.marks), (one.once, &one.marks), "{place}");
            }
        }
    }
    if moves.start > 0 {
        assert!(many.once <= 1, "seed {seed}: {}", many.once);
    }
}

/// More of them by `PROPTEST_CASES`, of which a seed counts for six.
fn seeds() -> u64 {
    u64::from(proptest::test_runner::Config::default().cases) / 6
}

#[test]
fn replicas_together_say_what_one_would_say() {
    (0..seeds()).for_each(|seed| check(seed, 0..SHARDS));
}

#[test]
fn limits_hold_for_all_replicas_together_while_the_lead_stays() {
    (0..seeds()).for_each(|seed| check(seed, 1..SHARDS));
}

#[test]
fn nothing_is_recorded_twice_when_shards_change_hands() {
    let mut cluster = Cluster::new(2);
    (0..SHARDS).for_each(|shard| cluster.give(shard, Some(0)));
    for number in 0..6 {
        cluster.pod(Change::Applied, &pod(&format!("team-{number}"), "p", number, true));
    }
    cluster.settle();
    let before = cluster.records.clone();
    assert_eq!(before.len(), 18, "{before:#?}");
    for (shard, to) in [(1, 1), (2, 1), (0, 1), (3, 1), (0, 0), (1, 0)] {
        cluster.give(shard, Some(to));
        cluster.settle();
        assert_eq!(cluster.records, before, "{shard} to {to}");
    }
}
