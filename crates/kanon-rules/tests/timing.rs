//! How long rules take by themselves, by a clock that the test holds: of one question in so many, after the answer, in every loop.
#![allow(clippy::unwrap_used, reason = "a test that panics has failed")]

mod common;

use std::{
    num::NonZeroU64,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use common::{Ticks, creation, language, now};
use kanon_core::{Change, FamilyId, Figures, Input, Keep, Kind, Object, PolicyFile};
use kanon_events::of_audit;
use kanon_plane::{Plane, Scan, Settings as PlaneSettings};
use kanon_rules::{Mode, Responses, RulesFamily, Settings, Timing, timed_limits};
use serde_json::{Value, json};

/// A plane with rules of every loop about pods, whose scans run when the test says so.
struct World {
    plane: Plane,
    figures: Arc<Figures>,
    clock: Arc<Ticks>,
    scans: Vec<Scan>,
}

impl World {
    /// Rules are timed after one question in so many; never where there is nothing.
    fn new(one_in: Option<u64>) -> World {
        let (figures, clock) = (Arc::<Figures>::default(), Arc::new(Ticks(3, AtomicU64::new(0))));
        let responses = Responses { figures: Arc::clone(&figures), leads: true, ..Responses::default() };
        let settings = Settings {
            loops: vec![Mode::Admission, Mode::Audit, Mode::Runtime],
            limits: timed_limits(clock.clone()),
            timing: one_in.and_then(NonZeroU64::new).map(|it| Arc::new(Timing::one_in(it))),
            ..Settings::default()
        };
        let family = RulesFamily::new(language(), settings).with_responses(responses);
        let plane = Plane::new(vec![Box::new(family)], PlaneSettings::default());
        let mut world = World { plane, figures, clock, scans: Vec::new() };
        let rule = |name: &str, expression: &str| {
            json!({"name": name, "enabled": true, "rule": expression, "mode": ["admission", "audit", "runtime"],
                "match": {"gvk": [{"group": "", "version": "v1", "kind": "Pod"}]}})
        };
        let text = json!([
            rule("whole", "metadata.name == ''"),
            rule("each", "container.name == ''"),
            rule("fails", "object.metadata.name.first.second == 1"),
        ]);
        let file = PolicyFile { path: "rules.yaml".into(), text: text.to_string().into() };
        world.input(&Input::Folder { files: vec![file], unreadable: Vec::new() });
        world
    }

    fn input(&mut self, input: &Input) {
        self.scans.extend(self.plane.handle(input, now(0)).scans);
    }

    /// Decides about the creation of the pod; nothing is timed meanwhile.
    fn review(&mut self) {
        let before = self.clock.1.load(Ordering::Relaxed);
        let review = Arc::new(creation(&pod()));
        let answer = self.plane.views().review(&review, self.plane.objects(), now(0));
        assert_eq!(self.clock.1.load(Ordering::Relaxed), before);
        for (family, reviewed) in answer.reviewed {
            let (verdicts, counts) = (reviewed.verdicts, reviewed.counts);
            self.input(&Input::Reviewed { family, review: Arc::clone(&review), verdicts, counts });
        }
    }

    /// Runs what waits for the worker.
    fn work(&mut self) {
        while !self.scans.is_empty() {
            let result = self.scans.remove(0).run(self.plane.objects(), now(0));
            self.input(&result);
        }
    }

    /// What was timed: rule, loop, how often, how long altogether.
    fn timed(&self) -> Vec<(String, u64, u128)> {
        let all = self.figures.read_times();
        assert!(all.iter().all(|it| it.0.name == "portal_rule_eval_seconds"));
        let row = |(labels, spread): (&Vec<String>, &kanon_core::Spread)| {
            (labels.join(" "), spread.counts.iter().sum(), spread.sum.as_millis())
        };
        all.iter().flat_map(|it| it.1.iter().map(row)).collect()
    }
}

fn pod() -> Value {
    json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p", "namespace": "shop", "uid": "u"},
        "spec": {"containers": [{"name": "a"}, {"name": "b"}]}})
}

fn rows(of: &str, times: u64) -> Vec<(String, u64, u128)> {
    // Each evaluation takes one tick of the clock.
    let row = |rule: &str, count: u64| (format!("{rule} {of}"), count, u128::from(count) * 3);
    vec![row("each", 2 * times), row("whole", times)]
}

#[test]
fn one_request_in_so_many_has_its_rules_timed_after_the_answer() {
    let mut world = World::new(Some(2));
    for (requests, timed) in [(1, 1), (1, 1), (1, 2), (4, 4)] {
        for _ in 0..requests {
            world.review();
            world.work();
        }
        assert_eq!(world.timed(), rows("admission", timed));
    }
    let (histogram, spreads) = world.figures.read_times().remove(0);
    let place = histogram.bounds.iter().position(|it| *it >= Duration::from_millis(3)).unwrap();
    assert!(spreads.values().all(|it| it.counts[place] == it.counts.iter().sum::<u64>()));
}

#[test]
fn one_request_is_timed_at_a_time() {
    let mut world = World::new(Some(1));
    for _ in 0..5 {
        world.review();
    }
    assert_eq!(world.scans.len(), 1);
    // What broke off does not hold the next one up.
    let broken = world.scans.remove(0).failed();
    world.input(&broken);
    assert_eq!(world.timed(), []);
    world.review();
    world.work();
    assert_eq!(world.timed(), rows("admission", 1));
}

#[test]
fn rules_of_the_audit_and_of_events_are_timed_where_they_are_asked() {
    for (one_in, want) in [(Some(1), 1), (None, 0)] {
        let mut world = World::new(one_in);
        let kind = Arc::new(Kind::namespaced("", "v1", "Pod", "pods"));
        let object = Object::from_value(&pod());
        world.input(&Input::Object { kind: Arc::clone(&kind), change: Change::Applied, object });
        for kind in [Arc::new(Kind::cluster("", "v1", "Namespace", "namespaces")), kind] {
            world.input(&Input::Synced { kind, keep: Keep::All });
        }
        world.work();
        assert_eq!(world.timed(), if want == 1 { rows("audit", 1) } else { Vec::new() });

        let event = json!({
            "auditID": "a-1", "stage": "ResponseStarted", "verb": "get", "user": {"username": "eve"},
            "requestURI": "/api/v1/namespaces/shop/pods/p/exec?command=sh&container=a",
            "objectRef": {"resource": "pods", "namespace": "shop", "name": "p", "apiVersion": "v1", "subresource": "exec"},
            "responseStatus": {"code": 101}, "requestReceivedTimestamp": "2026-11-21T09:00:00.000000Z",
        });
        let event = of_audit(&Object::from_value(&event)).unwrap().unwrap();
        let view = world.plane.views().iter().next().unwrap().clone();
        let reviewed = view.observe(&event, world.plane.objects(), now(0)).unwrap();
        let (family, verdicts, counts) = (FamilyId("rules"), reviewed.verdicts, reviewed.counts);
        world.input(&Input::Observed { family, verdicts, counts });
        // Of an event one container is meant.
        let of_event = ["each", "whole"].map(|it| (format!("{it} runtime"), 1, 3));
        let of_event = world.timed().iter().filter(|it| of_event.contains(it)).count();
        assert_eq!(of_event, 2 * want);

        world.review();
        world.work();
        assert_eq!(world.timed().len(), 6 * want);
        assert!(world.timed().iter().all(|it| !it.0.starts_with("fails")));
    }
}
