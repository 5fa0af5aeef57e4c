//! What the family keeps between ticks (inputs, answers, deadlines, statuses that wait) never shows: after every input, each
//! gate's status says what a fresh look at everything says.
#![allow(clippy::unwrap_used, reason = "in a test it says where the expectation broke")]

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use jiff::Timestamp;
use kanon_core::{Action, Change, FamilyId, Input, Keep, Mono, Now, Object};
use kanon_plane::{Family, Outbox};
use kanon_promotion::{
    PromotionFamily, Settings, api,
    decide::{Decision, State},
    facts::Target,
};
use proptest::prelude::*;
use serde_json::{Value, json};

const START: &str = "2026-04-10T21:07:30Z";
const NAMES: [&str; 2] = ["a", "b"];
const EXPRESSIONS: [&str; 9] = [
    "!schedule.isWeekend",
    "schedule.hour % 2 == 0",
    "bundle.upstreamSoakMinutes >= 7",
    "!changewindow.isBlocked('freeze')",
    "metrics.errors.value < 1.0",
    "upstream.test.recentSuccessCount > 0",
    "bundle.version == '1'",
    "schedule.minute < 30 && bundle.labels['team'] == 'web'",
    "previousBundle.version != ''",
];

/// Something that happens.
#[derive(Clone, Debug)]
enum Step {
    Pass { seconds: u64 },
    Gate { name: usize, expression: usize, instance: bool, space: usize, warn: bool },
    NoGate { name: usize, space: usize },
    Pipeline { space: usize, environments: usize },
    Bundle { space: usize, name: usize, version: usize, verified: bool, done: bool },
    NoBundle { space: usize, name: usize },
    Window { minutes: i64 },
    Metric { space: usize, value: usize },
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        4 => (1..4000_u64).prop_map(|seconds| Step::Pass { seconds }),
        4 => (0..6_usize, 0..EXPRESSIONS.len(), any::<bool>(), 0..2_usize, prop::bool::weighted(0.2)).prop_map(
            |(name, expression, instance, space, warn)| Step::Gate { name, expression, instance, space, warn }
        ),
        1 => (0..6_usize, 0..2_usize).prop_map(|(name, space)| Step::NoGate { name, space }),
        2 => (0..2_usize, 1..4_usize).prop_map(|(space, environments)| Step::Pipeline { space, environments }),
        4 => (0..2_usize, 0..3_usize, 0..3_usize, any::<bool>(), prop::bool::weighted(0.2)).prop_map(
            |(space, name, version, verified, done)| Step::Bundle { space, name, version, verified, done }
        ),
        1 => (0..2_usize, 0..3_usize).prop_map(|(space, name)| Step::NoBundle { space, name }),
        1 => (-30..90_i64).prop_map(|minutes| Step::Window { minutes }),
        1 => (0..2_usize, 0..3_usize).prop_map(|(space, value)| Step::Metric { space, value }),
    ];
    prop::collection::vec(step, 1..40)
}

struct World {
    family: PromotionFamily,
    passed: Duration,
    statuses: BTreeMap<(String, String), Value>,
}

impl World {
    fn now(&self) -> Now {
        let start: Timestamp = START.parse().unwrap();
        Now::new(start.checked_add(self.passed).unwrap(), Mono::default().after(self.passed))
    }

    fn send(&mut self, input: &Input) {
        let mut out = Outbox::new(FamilyId("promotion"));
        self.family.handle(input, self.now(), &mut out);
        for effect in out.wanted() {
            if let Action::Status { status, .. } = &effect.action
                && &*effect.subject.gvk.kind == "PolicyGate"
            {
                let key = (effect.subject.namespace.clone(), effect.subject.name.clone());
                self.statuses.insert(key, status.clone());
            }
        }
    }

    fn object(&mut self, kind: usize, change: Change, namespace: &str, name: &str, rest: Value) {
        let mut object =
            json!({"metadata": {"namespace": namespace, "name": name, "uid": format!("{namespace}/{name}")}});
        for (name, value) in rest.as_object().unwrap() {
            match value {
                Value::Object(members) if name == "metadata" => {
                    object["metadata"].as_object_mut().unwrap().extend(members.clone());
                }
                _ => object[name] = value.clone(),
            }
        }
        let kind = Arc::new(api::kinds().into_iter().nth(kind).unwrap());
        self.send(&Input::Object { kind, change, object: Object::from_value(&object) });
    }

    fn apply(&mut self, step: &Step) {
        let at = |minutes: i64| {
            let time = self.now().wall.checked_add(jiff::SignedDuration::from_mins(minutes)).unwrap();
            time.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
        };
        let now = at(0);
        match *step {
            Step::Pass { seconds } => {
                self.passed += Duration::from_secs(seconds);
                self.send(&Input::Tick);
            }
            Step::Gate { name, expression, instance, space, warn } => {
                let labels = match instance {
                    true => {
                        json!({"kardinal.io/bundle": "v0", "kardinal.io/pipeline": "app", "kardinal.io/environment": "prod"})
                    }
                    false => json!({"kardinal.io/applies-to": "test,prod"}),
                };
                let mode = if warn { "Warn" } else { "Enforce" };
                let spec = json!({"expression": EXPRESSIONS[expression], "mode": mode, "recheckInterval": "20m"});
                let space = if instance { NAMES[space] } else { "platform-policies" };
                self.object(
                    0,
                    Change::Applied,
                    space,
                    &format!("g{name}"),
                    json!({"metadata": {"labels": labels}, "spec": spec}),
                );
            }
            Step::NoGate { name, space } => {
                for space in [NAMES[space], "platform-policies"] {
                    self.statuses.remove(&(space.to_owned(), format!("g{name}")));
                    self.object(0, Change::Deleted, space, &format!("g{name}"), json!({}));
                }
            }
            Step::Pipeline { space, environments } => {
                let list: Vec<_> =
                    ["test", "uat", "prod"][..environments].iter().map(|it| json!({"name": it})).collect();
                self.object(1, Change::Applied, NAMES[space], "app", json!({"spec": {"environments": list}}));
            }
            Step::Bundle { space, name, version, verified, done } => {
                let phase = if done { "Failed" } else { "Promoting" };
                let test = if verified { "Verified" } else { "Promoting" };
                let created = format!("2026-04-10T0{name}:00:00Z");
                let object = json!({"metadata": {"creationTimestamp": created, "labels": {"team": "web"}},
                    "spec": {"type": "image", "pipeline": "app", "images": [{"repository": "r", "tag": version.to_string()}]},
                    "status": {"phase": phase, "environments": [{"name": "test", "phase": test, "healthCheckedAt": now}]}});
                self.object(2, Change::Applied, NAMES[space], &format!("v{name}"), object);
            }
            Step::NoBundle { space, name } => {
                self.object(2, Change::Deleted, NAMES[space], &format!("v{name}"), json!({}));
            }
            Step::Window { minutes } => {
                let spec = json!({"type": "blackout", "start": at(minutes), "end": at(minutes + 20)});
                self.object(3, Change::Applied, "", "freeze", json!({"spec": spec}));
            }
            Step::Metric { space, value } => {
                let status = json!({"lastValue": value.to_string(), "result": "Pass", "lastEvaluatedAt": now});
                let kind = api::kinds().iter().position(|it| &*it.gvk.kind == "MetricCheck").unwrap();
                self.object(kind, Change::Applied, NAMES[space], "errors", json!({"spec": {}, "status": status}));
            }
        }
    }

    /// Every gate's status against a fresh look.
    fn check(&self, step: &Step) -> Result<(), TestCaseError> {
        let view = self.family.promotion_view();
        for row in view.gates.values() {
            let fresh: Vec<(Target, Decision)> = view.decisions(row, self.now());
            let subject = &row.meta.subject;
            let status = &self.statuses[&(subject.namespace.clone(), subject.name.clone())];
            let ready = !fresh.is_empty() && fresh.iter().all(|it| it.1.state.is_ready());
            prop_assert_eq!(&status["ready"], &json!(ready), "{} after {:?}", subject.name, step);
            let worst = fresh.iter().map(|it| it.1.state).max();
            // Why a gate blocks, or only warns, may change without its answer; that is told when it is asked next.
            let warns = row.gate.as_ref().is_some_and(|it| it.warn_only);
            let passing = worst.filter(|it| *it == State::Pass && !warns);
            if let Some((_, leading)) = fresh.first().filter(|_| passing.is_some()) {
                prop_assert_eq!(&status["reason"], &json!(leading.reason), "{} after {:?}", subject.name, step);
            }
            prop_assert_eq!(status["targets"].as_array().map_or(0, Vec::len), fresh.len());
        }
        Ok(())
    }
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: ProptestConfig::default().cases.max(200),
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn a_status_says_what_a_fresh_look_says(steps in steps()) {
        let family = PromotionFamily::new(Arc::new(kanon_cel::Cel::default()), Settings::default());
        let mut world = World { family, passed: Duration::ZERO, statuses: BTreeMap::new() };
        for kind in api::kinds() {
            world.send(&Input::Synced { kind: Arc::new(kind), keep: Keep::All });
        }
        for step in &steps {
            world.apply(step);
            world.check(step)?;
        }
    }
}

/// Statuses with nothing new but times are written at the plane's pace, and all of them in the end.
#[test]
fn times_wait_for_their_turn() {
    let family = PromotionFamily::new(Arc::new(kanon_cel::Cel::default()), Settings::default());
    let mut world = World { family, passed: Duration::ZERO, statuses: BTreeMap::new() };
    for kind in api::kinds() {
        world.send(&Input::Synced { kind: Arc::new(kind), keep: Keep::All });
    }
    world.apply(&Step::Pipeline { space: 0, environments: 3 });
    world.apply(&Step::Bundle { space: 0, name: 0, version: 1, verified: true, done: false });
    for number in 0..200 {
        let labels =
            json!({"kardinal.io/bundle": "v0", "kardinal.io/pipeline": "app", "kardinal.io/environment": "prod"});
        let rest = json!({"metadata": {"labels": labels}, "spec": {"expression": "true", "recheckInterval": "1h"}});
        world.object(0, Change::Applied, "a", &format!("g{number}"), rest);
    }
    assert_eq!(world.statuses.len(), 200, "what is new is told at once");
    world.statuses.clear();
    let due = world.family.next_deadline().unwrap();
    world.passed = due.since(Mono::default());
    world.send(&Input::Tick);
    let first = world.statuses.len();
    assert!((1..=60).contains(&first), "{first}");
    let mut ticks = 0;
    while world.statuses.len() < 200 {
        let next = world.family.next_deadline().unwrap().since(Mono::default());
        assert!(next > world.passed && next < world.passed + Duration::from_secs(2), "it waits for its turn only");
        world.passed = next;
        world.send(&Input::Tick);
        ticks += 1;
        assert!(ticks < 1_000);
    }
    assert!(world.passed > due.since(Mono::default()) + Duration::from_secs(10), "{:?}", world.passed);
    let times: Vec<_> = world.statuses.values().map(|it| it["lastEvaluatedAt"].clone()).collect();
    assert!(times.iter().all(|it| *it == times[0]), "each tells when it was asked");
}
