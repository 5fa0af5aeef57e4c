//! The family as the plane drives it: ConfigMaps and files in; Events, records, the state map and explanations out.
#![allow(clippy::unwrap_used, reason = "in a test it says where the expectation broke")]

mod common;

use std::sync::Arc;

use common::{language, now};
use kanon_core::{Action, Change, Effect, EventType, Input, Keep, Object, PolicyFile, Shards};
use kanon_plane::{Explanation, Family, Plane, Settings as PlaneSettings, Target, Views};
use kanon_signals::{CLASSIFICATION_POLICY, Settings, SignalsFamily, api};
use serde_json::{Value, json};

/// A plane with this family alone, and what came out of it.
struct World {
    plane: Plane,
    secs: u64,
    /// `type reason: message` of Events.
    events: Vec<String>,
    /// The state map as last written.
    state: Value,
    /// `outcome reason` of records.
    records: Vec<String>,
    views: usize,
}

const CLASSIFICATION: &str = "signalprocessing-policy";
const APPROVAL: &str = "aianalysis-policies";

/// A classification policy that calls every signal by one severity.
fn always(severity: &str) -> String {
    format!(
        "package signalprocessing\n\ndefault severity := \"{severity}\"\n\ndefault environment := \
         {{\"environment\": \"test\"}}\n\ndefault priority := {{\"priority\": \"P2\"}}\n"
    )
}

fn approval(reason: &str) -> String {
    format!("package aianalysis.approval\n\ndefault require_approval := true\n\nreason := \"{reason}\"\n")
}

fn map(name: &str, namespace: &str, key: &str, text: &str) -> Value {
    json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, "namespace": namespace, "uid": "u1"},
        "data": {key: text}})
}

fn policy_map(text: &str) -> Value {
    map(CLASSIFICATION, "kanon-system", "policy.rego", text)
}

impl World {
    fn new() -> World {
        let family = SignalsFamily::new(language(), Settings::of("kanon-system"));
        assert_eq!((family.kinds(), family.places().len()), (&[][..], 2));
        let plane = Plane::new(vec![Box::new(family)], PlaneSettings::default());
        let (events, records) = (Vec::new(), Vec::new());
        World { plane, secs: 0, events, state: Value::Null, records, views: 0 }
    }

    /// One that has seen all there was at the start.
    fn started(objects: &[Value]) -> World {
        let mut world = World::new();
        objects.iter().for_each(|it| world.send(Change::Applied, it));
        world.sync();
        world
    }

    fn input(&mut self, input: &Input) {
        self.secs += 1;
        let step = self.plane.handle(input, now(self.secs));
        self.views += usize::from(step.views.is_some());
        for record in &step.records {
            let record = format!("{record:?}");
            for reason in ["PolicyLoaded", "PolicyRejected"] {
                if record.contains("Decision") && record.contains(reason) {
                    self.records.push(reason.to_owned());
                }
            }
        }
        for Effect { action, subject, .. } in step.effects {
            match action {
                Action::Event { event_type, reason, message } => {
                    let kind = if event_type == EventType::Normal { "Normal" } else { "Warning" };
                    self.events.push(format!("{kind} {reason} {subject}: {message}"));
                }
                Action::Apply { manifest, .. } => self.state = manifest,
                other => panic!("a ConfigMap has no status, {other:?}"),
            }
        }
    }

    fn send(&mut self, change: Change, object: &Value) {
        let kind = Arc::new(api::config_map());
        self.input(&Input::Object { kind, change, object: Object::from_value(object) });
    }

    fn apply(&mut self, object: &Value) {
        self.send(Change::Applied, object);
    }

    fn sync(&mut self) {
        self.input(&Input::PlacesSynced { kind: Arc::new(api::config_map()) });
    }

    fn folder(&mut self, files: &[(&str, &str)]) {
        let file = |(path, text): &(&str, &str)| PolicyFile { path: (*path).into(), text: text.to_string().into() };
        self.input(&Input::Folder { files: files.iter().map(file).collect(), unreadable: Vec::new() });
    }

    fn views(&self) -> &Views {
        self.plane.views()
    }

    fn explain(&self, target: &str) -> Explanation {
        let (kind, name) = target.split_once('/').unwrap();
        let target = Target { kind: kind.into(), name: name.into(), namespace: String::new() };
        self.views().explain(&target, now(self.secs)).unwrap()
    }

    /// What the policy of a surface gives: seen by its text, since views are asked by their family's own type.
    fn text(&self, surface: &str) -> String {
        self.explain(&format!("signals/{surface}")).data["text"].as_str().unwrap_or_default().to_owned()
    }

    /// `reloads/errors` and the beginning of the problem.
    fn counts(&self, surface: &str) -> (String, String) {
        let data = self.explain(&format!("signals/{surface}")).data;
        let problem = data["problem"].as_str().unwrap_or_default();
        (format!("{}/{}", data["reloads"], data["errors"]), problem.lines().next().unwrap_or_default().to_owned())
    }

    /// The state map as the API server would give it back.
    fn remembered(&self) -> Value {
        assert_eq!(self.state["metadata"]["name"], "kanon-signals-state");
        self.state.clone()
    }
}

#[test]
fn without_config_maps_the_built_in_policies_are_in_force() {
    let world = World::started(&[]);
    assert_eq!(world.text("classification"), CLASSIFICATION_POLICY);
    let policies = world.views().iter().flat_map(|it| it.policies()).collect::<Vec<_>>();
    let lines: Vec<_> =
        policies.iter().map(|it| format!("{} {} {} {}", it.kind, it.name, it.active, it.problem)).collect();
    assert_eq!(lines, ["built-in classification true ", "built-in approval true ", "built-in modes true "]);
    assert_eq!(world.explain("signals/classification").headline, "the classification policy of built-in is in force");
    assert!(world.events.is_empty() && world.state.is_null() && world.records.is_empty());
}

#[test]
fn an_edit_comes_into_force_and_is_told() {
    let mut world = World::started(&[]);
    world.apply(&policy_map(&always("high")));
    assert_eq!(world.text("classification"), always("high"));
    assert_eq!(world.counts("classification"), ("1/0".into(), String::new()));
    assert!(world.events[0].starts_with("Normal PolicyLoaded ConfigMap kanon-system/signalprocessing-policy: "));
    assert_eq!(world.records, ["PolicyLoaded"]);
    let state = &world.remembered()["data"];
    assert_eq!(state["classification.rego"], always("high"));
    let report: Value = serde_json::from_str(state["classification.json"].as_str().unwrap()).unwrap();
    let hash = report["hash"].as_str().unwrap();
    assert_eq!((hash.len(), &report["reloads"]), (64, &json!(1)));
    assert_eq!(report["loadedAt"], "2026-11-21T09:00:02.000Z");
    // The other policy is as it was.
    assert_eq!(world.counts("approval"), ("0/0".into(), String::new()));
    assert_eq!(world.explain("cm/signalprocessing-policy").data["hash"], hash);
}

#[test]
fn a_broken_edit_keeps_the_last_good_policy_and_says_why() {
    let mut world = World::started(&[policy_map(&always("high"))]);
    world.apply(&policy_map(&always("hight")));
    assert_eq!(world.text("classification"), always("high"));
    let (counts, problem) = world.counts("classification");
    assert_eq!(counts, "1/1");
    assert!(problem.starts_with("rule `severity` fails for "), "{problem}");
    let event = &world.events[1];
    assert!(event.starts_with("Warning PolicyRejected ConfigMap kanon-system/signalprocessing-policy: "), "{event}");
    assert!(event.contains("stays in force: rule `severity` fails for"), "{event}");
    assert_eq!(world.records, ["PolicyLoaded", "PolicyRejected"]);
    let explained = world.explain("signals/classification");
    assert!(explained.headline.contains("is broken; the last good one, "), "{}", explained.headline);
    let summary = world.views().iter().flat_map(|it| it.policies()).next().unwrap();
    assert!(summary.active && summary.problem.starts_with("rule `severity`"), "{summary:?}");
    // A syntax error next: its place is told.
    world.apply(&policy_map("package signalprocessing\nseverity :=\n"));
    let (counts, problem) = world.counts("classification");
    assert!(counts == "1/2" && (problem.contains("(2:") || problem.contains("(3:")), "{counts} {problem}");
    // And mended.
    world.apply(&policy_map(&always("low")));
    assert_eq!((world.text("classification"), world.counts("classification").0), (always("low"), "2/2".into()));
    assert!(world.events.last().unwrap().contains("in place of "), "{:?}", world.events);
}

#[test]
fn the_same_text_is_not_tried_again() {
    let mut world = World::started(&[policy_map(&always("high"))]);
    let views = world.views;
    for _ in 0..3 {
        world.apply(&policy_map(&always("high")));
    }
    world.apply(&policy_map("package x\n"));
    world.apply(&policy_map("package x\n"));
    assert_eq!((world.views, world.counts("classification").0), (views + 1, "1/1".into()));
    assert_eq!(world.events.len(), 2);
}

#[test]
fn a_restart_goes_on_where_the_process_ended() {
    let mut world = World::started(&[policy_map(&always("high"))]);
    world.apply(&policy_map(&always("low")));
    let broken = policy_map("package signalprocessing\nseverity := \"x\"\n");
    world.apply(&broken);
    let next = World::started(&[world.remembered(), broken]);
    assert_eq!(next.text("classification"), always("low"));
    assert_eq!(next.counts("classification"), world.counts("classification"));
    let (before, after) = (world.explain("signals/classification"), next.explain("signals/classification"));
    assert_eq!(before, after);
    // Nothing is news: no Event, no record, no write.
    assert!(next.events.is_empty() && next.records.is_empty() && next.state.is_null(), "{:?}", next.events);
    // A good text goes on counting.
    let next = World::started(&[world.remembered(), policy_map(&always("medium"))]);
    assert_eq!((next.text("classification"), next.counts("classification").0), (always("medium"), "3/1".into()));
}

#[test]
fn what_was_never_good_is_not_replaced_by_a_guess() {
    let broken = map(APPROVAL, "kanon-system", "approval.rego", "package aianalysis.approval\n");
    let world = World::started(&[policy_map("package x\n"), broken]);
    for surface in ["classification", "approval"] {
        let explained = world.explain(&format!("signals/{surface}"));
        assert!(explained.headline.starts_with(&format!("no {surface} policy is in force")), "{}", explained.headline);
        assert_eq!((world.text(surface), world.counts(surface).0), (String::new(), "0/1".into()));
    }
    assert!(world.events.iter().all(|it| it.contains("none is in force")), "{:?}", world.events);
    // A state map that was tampered with is no memory.
    let mut forged = World::started(&[policy_map(&always("high"))]).remembered();
    forged["data"]["classification.rego"] = json!(always("low"));
    let world = World::started(&[forged, policy_map("package x\n")]);
    assert_eq!(world.text("classification"), "");
}

#[test]
fn a_config_map_that_goes_leaves_its_policy() {
    let mut world = World::started(&[policy_map(&always("high"))]);
    world.send(Change::Deleted, &policy_map(&always("high")));
    assert_eq!(world.text("classification"), always("high"));
    let headline = world.explain("signals/classification").headline;
    assert!(headline.ends_with("is in force, although that is gone"), "{headline}");
    world.apply(&policy_map(&always("high")));
    assert_eq!(world.counts("classification"), ("1/0".into(), String::new()));
    assert!(!world.explain("signals/classification").headline.contains("gone"));
    // Without its key it is as good as broken.
    world.apply(&map(CLASSIFICATION, "kanon-system", "other.rego", "x"));
    assert_eq!(world.counts("classification"), ("1/1".into(), "it has no key `policy.rego`".into()));
    assert_eq!(world.text("classification"), always("high"));
}

#[test]
fn the_first_place_counts() {
    let mut world = World::new();
    world.folder(&[("policy.rego", &always("low")), ("approval.rego", &approval("file")), ("rule.yaml", "a: 1")]);
    world.sync();
    assert_eq!((world.text("classification"), world.text("approval")), (always("low"), approval("file")));
    // A file has no object that an Event could be about.
    assert!(world.events.is_empty() && world.records.len() == 2);
    let usual = |text: &str| map(APPROVAL, "kubernaut-system", "approval.rego", text);
    world.apply(&usual(&approval("usual")));
    assert_eq!(world.text("approval"), approval("usual"));
    world.apply(&map("aianalysis-rego", "kanon-system", "approval.rego", &approval("second name")));
    assert_eq!(world.text("approval"), approval("second name"));
    world.apply(&map(APPROVAL, "kanon-system", "approval.rego", &approval("own")));
    assert_eq!(world.text("approval"), approval("own"));
    // Tenants' maps are nobody's policy; edits of others than the first change nothing.
    world.apply(&map(APPROVAL, "shop", "approval.rego", &approval("tenant")));
    world.apply(&usual("package broken\n"));
    assert_eq!(world.counts("approval"), ("4/0".into(), String::new()));
    // A file follows its folder, and stays when it goes.
    world.folder(&[("policy.rego", &always("medium"))]);
    assert_eq!(world.text("classification"), always("medium"));
    world.folder(&[]);
    assert_eq!((world.text("classification"), world.text("approval")), (always("medium"), approval("own")));
}

#[test]
fn examples_beside_a_policy_hold_or_it_is_rejected() {
    let with = |want: &str| {
        let mut map = policy_map(&always("high"));
        map["data"]["policy_test.yaml"] = json!(format!("[{{name: one, input: {{}}, expect: {{severity: {want}}}}}]"));
        map
    };
    let mut world = World::started(&[]);
    world.apply(&with("low"));
    let problem = "`policy_test.yaml`: `one`: `severity` is \"high\", expected \"low\"";
    assert_eq!(world.counts("classification"), ("0/1".into(), problem.into()));
    // The built-in policy was in force, so it stays.
    assert_eq!(world.text("classification"), CLASSIFICATION_POLICY);
    world.apply(&with("high"));
    assert_eq!((world.text("classification"), world.counts("classification").0), (always("high"), "1/1".into()));
}

#[test]
fn signal_modes_are_read_once() {
    let modes = |text: &str| map(api::MODES_MAP, "kanon-system", api::MODES_KEY, text);
    let table = "proactive_signal_mappings: {Soon: Now}\n";
    let mut world = World::started(&[modes(table)]);
    let data = world.explain("signals/modes").data;
    assert_eq!((&data["proactive"], &data["stale"]), (&json!({"Soon": "Now"}), &json!(false)));
    world.apply(&modes("proactive_signal_mappings: {}\n"));
    let data = world.explain("cm/signalprocessing-proactive-signal-mappings").data;
    assert_eq!((&data["proactive"], &data["stale"]), (&json!({"Soon": "Now"}), &json!(true)));
    assert!(world.events[0].starts_with("Warning SignalModesStale"), "{:?}", world.events);
    world.apply(&modes(table));
    assert_eq!(world.explain("signals/modes").data["stale"], json!(false));
    // A broken table makes every signal reactive, and stops nothing.
    let world = World::started(&[modes("[1]")]);
    let explained = world.explain("signals/modes");
    assert_eq!(explained.data["proactive"], json!({}));
    assert!(explained.headline.contains("every signal is reactive"), "{}", explained.headline);
    assert_eq!(World::started(&[]).explain("signals/modes").data["proactive"]["PredictedOOMKill"], "OOMKilled");
}

#[test]
fn a_follower_says_nothing_until_it_leads() {
    let family = SignalsFamily::new(language(), Settings::of(""));
    let settings = PlaneSettings { leader: false, ..PlaneSettings::default() };
    let mut plane = Plane::new(vec![Box::new(family)], settings);
    let kind = Arc::new(api::config_map());
    let object = Object::from_value(&policy_map(&always("high")));
    let step = plane.handle(&Input::Object { kind: kind.clone(), change: Change::Applied, object }, now(0));
    assert!(step.effects.is_empty());
    assert!(plane.handle(&Input::Synced { kind, keep: Keep::All }, now(1)).effects.is_empty());
    let effects = plane.handle(&Input::Leadership(Shards::lead(true)), now(2)).effects;
    assert!(matches!(&effects[..], [Effect { action: Action::Apply { .. }, .. }]), "{effects:?}");
}
