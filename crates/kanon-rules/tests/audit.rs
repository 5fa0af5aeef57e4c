//! The audit over time: what is looked at when, what opens, what ends and why. The plane is the real one; scans run where a
//! worker thread would, at a time that the test chooses.
#![allow(clippy::unwrap_used, reason = "a test that panics has failed")]

mod common;

use std::{collections::VecDeque, sync::Arc};

use common::{language, now};
use kanon_core::{Change, Figures, Input, Keep, Kind, Object, Rate, Shards};
use kanon_plane::{Payload, Plane, Scan, Settings as PlaneSettings, Target};
use kanon_rules::{Mode, ReportApi, Responses, RulesFamily, Settings, api};
use serde_json::{Value, json};

fn pods() -> Kind {
    Kind::namespaced("", "v1", "Pod", "pods")
}

fn pod(name: &str, uid: &str, privileged: bool) -> Value {
    json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "namespace": "shop", "uid": uid},
        "spec": {"containers": [{"name": "c", "securityContext": {"privileged": privileged}}]}})
}

fn rule(name: &str, generation: i64, spec: Value) -> Value {
    let mut whole = json!({"name": name, "enabled": true, "severity": "high", "mode": ["audit"],
        "match": {"gvk": [{"group": "", "version": "v1", "kind": "Pod"}]},
        "rule": "container.securityContext.privileged == true"});
    whole.as_object_mut().unwrap().extend(spec.as_object().unwrap().clone());
    json!({"apiVersion": "portal.io/v1alpha1", "kind": "PortalClusterRule",
        "metadata": {"name": name, "uid": format!("uid-{name}"), "generation": generation}, "spec": whole})
}

/// A plane with the rules alone, and a worker that runs when it is told to.
struct World {
    plane: Plane,
    secs: u64,
    figures: Arc<Figures>,
    scans: VecDeque<Scan>,
    /// Objects looked at, by scan.
    sizes: Vec<usize>,
    /// Decisions recorded, as `rule/container object outcome reason`.
    told: Vec<String>,
    /// The last `.status` written of each rule.
    statuses: std::collections::BTreeMap<String, Value>,
    /// The last report written.
    report: Value,
}

impl World {
    fn new(leader: bool) -> World {
        World::paced(leader, None)
    }

    /// One that looks at so many objects at once and a second when it begins.
    fn paced(leader: bool, sweep: Option<Rate>) -> World {
        World::with(sweep, Responses { leads: leader, ..Responses::default() })
    }

    fn with(sweep: Option<Rate>, responses: Responses) -> World {
        let figures = Arc::<Figures>::default();
        let settings = Settings { loops: vec![Mode::Admission, Mode::Audit], sweep, ..Settings::default() };
        let leader = responses.leads;
        let responses = Responses { figures: Arc::clone(&figures), ..responses };
        let family = RulesFamily::new(language(), settings).with_responses(responses);
        let plane = Plane::new(vec![Box::new(family)], PlaneSettings { leader, ..PlaneSettings::default() });
        World {
            plane,
            secs: 0,
            figures,
            scans: VecDeque::new(),
            sizes: Vec::new(),
            told: Vec::new(),
            statuses: Default::default(),
            report: Value::Null,
        }
    }

    fn input(&mut self, input: &Input) {
        let step = self.plane.handle(input, now(self.secs));
        for payload in step.records {
            if let Payload::Decision(it) = payload {
                let (rule, part, name) = (&it.policy.name, &it.evidence.part, &it.subject.name);
                self.told.push(format!("{rule}/{part} {name} {} {}", it.outcome.as_str(), it.reason));
            }
        }
        for effect in step.effects {
            match effect.action {
                kanon_core::Action::Status { status, .. } => {
                    self.statuses.insert(effect.subject.name, status);
                }
                kanon_core::Action::Apply { manifest, .. } => self.report = manifest,
                _ => {}
            }
        }
        self.scans.extend(step.scans);
    }

    /// Runs the scans that were asked for, and those that follow.
    fn work(&mut self) {
        while let Some(scan) = self.scans.pop_front() {
            self.sizes.push(scan.work().objects(self.plane.objects()).len());
            let result = scan.run(self.plane.objects(), now(self.secs));
            self.input(&result);
        }
    }

    fn change(&mut self, kind: &Kind, change: Change, object: &Value) {
        let kind = Arc::new(kind.clone());
        self.input(&Input::Object { kind, change, object: Object::from_value(object) });
    }

    fn apply(&mut self, object: &Value) {
        let kind = match object["kind"].as_str().unwrap() {
            "PortalClusterRule" => api::cluster_rule(),
            "PortalRule" => api::portal_rule(),
            _ => pods(),
        };
        self.change(&kind, Change::Applied, object);
    }

    fn synced(&mut self, kind: &Kind) {
        self.input(&Input::Synced { kind: Arc::new(kind.clone()), keep: Keep::All });
    }

    /// What was recorded since the last call, once all work is done.
    fn news(&mut self) -> Vec<String> {
        self.work();
        std::mem::take(&mut self.told)
    }

    fn figure(&self, name: &str) -> Vec<(Vec<String>, i64)> {
        let all = self.figures.read();
        let found = all.into_iter().find(|it| it.0.name == name);
        found.into_iter().flat_map(|it| it.1).collect()
    }

    fn status(&self, rule: &str, path: &str) -> Value {
        self.statuses[rule].pointer(path).cloned().unwrap_or_default()
    }
}

const OPENED: &str = "privileged/c bad dryrun RuleViolated";

/// A pod that violates, and one that does not, were there before the rule.
fn found() -> World {
    let mut world = World::new(true);
    world.apply(&rule("privileged", 1, json!({})));
    assert_eq!(world.plane.facts().kinds.iter().map(|it| &*it.plural).collect::<Vec<_>>(), ["namespaces", "pods"]);
    world.apply(&pod("bad", "1", true));
    world.apply(&pod("good", "2", false));
    assert_eq!(world.news(), Vec::<String>::new());
    world.synced(&pods());
    assert_eq!(world.news(), [OPENED]);
    world
}

#[test]
fn rules_and_their_failures_are_counted() {
    let mut world = found();
    world.apply(&rule("broken", 1, json!({"rule": "spec +"})));
    world.apply(&rule("failing", 1, json!({"rule": "metadata.labels.team == 'a'"})));
    world.work();
    let row = |words: &[&str], count| (words.iter().map(|it| (*it).to_owned()).collect::<Vec<_>>(), count);
    let origin = "PortalClusterRule";
    assert_eq!(world.figure("portal_rules"), [row(&[origin, "Active"], 2), row(&[origin, "ParseError"], 1)]);
    // Two pods without labels.
    assert_eq!(world.figure("portal_rule_eval_errors_total"), [row(&["failing", "audit", "value"], 2)]);
    world.apply(&rule("broken", 2, json!({"enabled": false})));
    assert_eq!(world.figure("portal_rules"), [row(&[origin, "Active"], 2), row(&[origin, "Disabled"], 1)]);
}

#[test]
fn an_object_from_before_the_rule_is_found_once() {
    let mut world = found();
    assert_eq!(
        world.figure("portal_audit_violations"),
        [(vec!["privileged".into(), "high".into(), "/v1, Kind=Pod".into()], 1)]
    );
    assert_eq!(world.figure("portal_open_findings"), [(vec!["privileged".into(), "high".into(), "shop".into()], 1)]);
    // The same pod again, changed elsewhere: still one finding, no news.
    let mut changed = pod("bad", "1", true);
    changed["metadata"]["labels"] = json!({"a": "b"});
    world.apply(&changed);
    assert_eq!(world.news(), Vec::<String>::new());
    world.secs = 40;
    world.input(&Input::Tick);
    assert_eq!(world.status("privileged", "/activeOn"), json!(["audit"]));
    assert_eq!(
        (world.status("privileged", "/evalCount"), world.status("privileged", "/violationCount")),
        (json!(3), json!(2))
    );
}

#[test]
fn warnings_follow_the_cases_of_a_rule_whose_findings_go_on() {
    let mut world = found();
    let compiled = |world: &World| world.status("privileged", "/conditions/1/message").as_str().unwrap().to_owned();
    let opened = world.figure("portal_audit_violations");
    let broken = "`tests[0].name`: is required, as text";
    let named = json!({"name": "bad", "object": {"kind": "Pod"}});
    let cases = [(json!([{"object": {"kind": "Pod"}}]), broken), (json!([named]), "the expression compiles")];
    for (at, (tests, message)) in cases.into_iter().enumerate() {
        world.apply(&rule("privileged", 2 + at as i64, json!({"tests": tests})));
        assert_eq!(world.news(), Vec::<String>::new(), "the same revision");
        assert_eq!(compiled(&world), message);
    }
    assert_eq!(world.figure("portal_audit_violations"), opened);
    // No list is a mistake of the rule, and mending that is noticed.
    world.apply(&rule("privileged", 4, json!({"tests": "none"})));
    assert!(compiled(&world).starts_with("`tests`: "), "{}", compiled(&world));
    world.apply(&rule("privileged", 5, json!({})));
    assert_eq!((world.news(), &*compiled(&world)), (Vec::new(), "the expression compiles"));
}

#[test]
fn a_finding_ends_when_the_object_is_fixed_deleted_or_replaced() {
    let fixed = "privileged/c bad allow FindingFixed";
    let deleted = "privileged/c bad allow ObjectDeleted";
    let mut world = found();
    world.apply(&pod("bad", "1", false));
    assert_eq!(world.news(), [fixed]);
    world.apply(&pod("bad", "1", true));
    assert_eq!(world.news(), [OPENED]);
    world.change(&pods(), Change::Deleted, &pod("bad", "1", true));
    assert_eq!(world.news(), [deleted]);
    assert_eq!(world.figure("portal_open_findings"), []);
    world.apply(&pod("bad", "3", true));
    assert_eq!(world.news(), [OPENED]);
    // Deleted and made again between two lists: another object.
    world.apply(&pod("bad", "4", true));
    assert_eq!(world.news(), [deleted, OPENED]);
}

#[test]
fn a_finding_ends_with_its_rule() {
    let withdrawn = "privileged/c bad allow RuleWithdrawn";
    let mut world = found();
    world.apply(&rule("privileged", 2, json!({"enabled": false})));
    assert_eq!(world.told, [withdrawn]);
    assert!(world.plane.facts().kinds.iter().all(|it| it.plural != "pods"));
    for (generation, gone) in [
        (
            3,
            json!({"match": {"gvk": [{"group": "", "version": "v1", "kind": "Pod"}], "namespaces": {"exclude": ["shop"]}}}),
        ),
        (5, json!({"mode": ["admission"]})),
        (7, json!({"match": {"gvk": [{"group": "", "version": "v1", "kind": "Secret"}]}})),
    ] {
        world.apply(&rule("privileged", generation, json!({})));
        world.news();
        world.apply(&rule("privileged", generation + 1, gone));
        assert_eq!(world.news(), [withdrawn], "{generation}");
    }
    world.apply(&rule("privileged", 9, json!({})));
    assert_eq!(world.news(), [OPENED]);
    // One that still violates the new revision stays, and is decided anew.
    world.apply(&rule("privileged", 10, json!({"message": "no"})));
    assert_eq!(world.news(), [OPENED]);
    assert_eq!(world.figure("portal_open_findings")[0].1, 1);
    world.apply(&rule("privileged", 11, json!({"rule": "container.name == 'x'"})));
    assert_eq!(world.news(), ["privileged/c bad allow FindingFixed"]);
    world.apply(&rule("privileged", 12, json!({})));
    assert_eq!(world.news(), [OPENED]);
    world.change(&api::cluster_rule(), Change::Deleted, &rule("privileged", 12, json!({})));
    assert_eq!(world.news(), [withdrawn]);
    assert_eq!(world.figure("portal_open_findings"), []);
}

#[test]
fn a_kind_that_is_watched_again_is_looked_at_when_all_of_it_has_arrived() {
    let mut world = found();
    world.apply(&rule("privileged", 2, json!({"enabled": false})));
    world.input(&Input::Unwatched { kind: Arc::new(pods()) });
    assert_eq!(world.plane.objects().after(&pods().gvk, None).count(), 0);
    world.news();
    world.apply(&rule("privileged", 3, json!({})));
    world.apply(&pod("bad", "1", true));
    assert_eq!(world.news(), Vec::<String>::new());
    world.synced(&pods());
    assert_eq!(world.news(), [OPENED]);
}

#[test]
fn a_changed_rule_alone_looks_at_its_objects_again() {
    let mut world = found();
    world.apply(&rule("named", 1, json!({"rule": "metadata.name == 'good'"})));
    assert_eq!(world.news(), ["named/ good dryrun RuleViolated"]);
    world.secs = 40;
    world.input(&Input::Tick);
    // The other rule was not asked again: two pods, once.
    assert_eq!(world.status("privileged", "/evalCount"), json!(2));
    assert_eq!(world.status("named", "/evalCount"), json!(2));
}

#[test]
fn a_result_about_an_object_that_changed_meanwhile_does_not_count() {
    let mut world = found();
    world.apply(&pod("late", "9", true));
    let scan = world.scans.pop_front().unwrap();
    let result = scan.run(world.plane.objects(), now(0));
    // Deleted while the scan ran: what it found is about nothing.
    world.change(&pods(), Change::Deleted, &pod("late", "9", true));
    world.input(&result);
    assert_eq!(world.news(), Vec::<String>::new());
    // The rule is withdrawn while a scan runs with it.
    world.apply(&pod("late", "10", true));
    let result = world.scans.pop_front().unwrap().run(world.plane.objects(), now(0));
    world.apply(&rule("privileged", 2, json!({"enabled": false})));
    world.told.clear();
    world.input(&result);
    assert_eq!(world.news(), Vec::<String>::new());
}

#[test]
fn a_neighbour_that_changes_meanwhile_takes_nothing_from_other_rules() {
    let mut world = found();
    world.apply(&rule("gated", 1, json!({"rule": "cluster.pods.exists('shop', 'gate')"})));
    assert_eq!(world.news(), Vec::<String>::new());
    // While both rules look at the pod, what one of them looked up appears: that one is asked again, and the other's finding stands.
    world.apply(&pod("good", "2", true));
    world.apply(&pod("gate", "3", false));
    let mut news = world.news();
    news.sort();
    assert_eq!(
        news,
        ["gated/ bad", "gated/ gate", "gated/ good", "privileged/c good"].map(|it| format!("{it} dryrun RuleViolated"))
    );
}

#[test]
fn followers_look_at_nothing_until_they_lead() {
    let mut world = World::new(false);
    world.apply(&rule("privileged", 1, json!({})));
    world.apply(&pod("bad", "1", true));
    world.synced(&pods());
    world.apply(&pod("worse", "2", true));
    assert_eq!(world.news(), Vec::<String>::new());
    world.input(&Input::Leadership(Shards::lead(true)));
    assert_eq!(world.news(), [OPENED, "privileged/c worse dryrun RuleViolated"]);
    world.input(&Input::Leadership(Shards::lead(false)));
    world.change(&pods(), Change::Deleted, &pod("bad", "1", true));
    // Nothing ended: somebody else tells now.
    assert_eq!(world.news(), Vec::<String>::new());
    assert_eq!(world.figure("portal_open_findings"), []);
    world.input(&Input::Leadership(Shards::lead(true)));
    assert_eq!(world.news(), ["privileged/c worse dryrun RuleViolated"]);
}

#[test]
fn many_objects_are_looked_at_in_parts_and_changed_ones_do_not_wait() {
    let mut world = World::new(true);
    world.apply(&rule("privileged", 1, json!({})));
    for number in 0..4500 {
        world.apply(&pod(&format!("p{number:04}"), &number.to_string(), number % 1000 == 999));
    }
    world.synced(&pods());
    let first = world.scans.pop_front().unwrap();
    world.apply(&pod("z", "z", true));
    let result = first.run(world.plane.objects(), now(0));
    world.input(&result);
    let changed = world.scans.front().unwrap().work().objects(world.plane.objects()).len();
    assert_eq!((first.work().objects(world.plane.objects()).len(), changed), (2000, 1));
    world.work();
    assert_eq!(world.sizes, [1, 2000, 501]);
    assert_eq!(world.told.len(), 5);
}

#[test]
fn the_first_look_is_paced_and_nothing_else_waits_for_it() {
    // The bucket holds less than one part of a sweep: each takes all of it, and ten seconds to fill it again.
    let mut world = World::paced(true, Some("100/s".parse().unwrap()));
    world.apply(&rule("privileged", 1, json!({})));
    for at in 0..4100 {
        world.apply(&pod(&format!("p{at:04}"), &at.to_string(), false));
    }
    world.synced(&pods());
    world.work();
    assert_eq!(world.sizes, [2000]);
    world.secs = 1;
    let due = world.plane.next_deadline().map(|it| it.since(now(0).mono).as_secs());
    assert_eq!(due, Some(10));
    world.apply(&pod("p4000", "4000", true));
    assert_eq!(world.news(), ["privileged/c p4000 dryrun RuleViolated"]);
    world.apply(&rule("other", 1, json!({"rule": "metadata.name == 'p4099'"})));
    assert_eq!(world.news(), ["other/ p4099 dryrun RuleViolated"]);
    assert_eq!(world.sizes, [2000, 1, 2000, 2000, 100]);
    for secs in [10, 20, 30] {
        world.secs = secs;
        world.input(&Input::Tick);
        world.work();
    }
    assert_eq!(world.sizes[5..], [2000, 100]);
    assert_eq!(world.told, Vec::<String>::new());
}

#[test]
fn a_container_that_fails_to_evaluate_says_nothing_about_the_others() {
    let mut world = World::new(true);
    world.apply(&rule("tags", 1, json!({"rule": "container.securityContext.runAsUser < 10"})));
    world.synced(&pods());
    let pod = |users: &[Value]| {
        let container =
            |(at, user): (usize, &Value)| json!({"name": format!("c{at}"), "securityContext": {"runAsUser": user}});
        json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p", "namespace": "shop", "uid": "1"},
            "spec": {"containers": users.iter().enumerate().map(container).collect::<Vec<_>>()}})
    };
    world.apply(&pod(&[json!(0), json!("text"), json!(0)]));
    assert_eq!(
        world.news(),
        ["tags/c1 p error EvaluationError", "tags/c0 p dryrun RuleViolated", "tags/c2 p dryrun RuleViolated"]
    );
    // The first cannot be evaluated any more: that is no fix. The last is fixed.
    world.apply(&pod(&[json!("text"), json!("text"), json!(1000)]));
    assert_eq!(world.news(), ["tags/c0 p error EvaluationError", "tags/c2 p allow FindingFixed"]);
    world.apply(&pod(&[json!(1000), json!(1000), json!(1000)]));
    assert_eq!(world.news(), ["tags/c0 p allow FindingFixed"]);
    world.secs = 40;
    world.input(&Input::Tick);
    assert_eq!(world.status("tags", "/lastEvalError/object"), json!("Pod shop/p"));
}

#[test]
fn a_kind_that_cannot_be_seen_degrades_its_rule_alone() {
    let mut world = found();
    let of = |kind: &str| json!({"match": {"gvk": [{"group": "shop.example", "version": "v1", "kind": kind}]}});
    world.apply(&rule("widgets", 1, of("Widget")));
    let evaluating = |world: &World, rule: &str| {
        let conditions = world.status(rule, "/conditions");
        let found = conditions.as_array().unwrap().iter().find(|it| it["type"] == "Evaluating").cloned();
        found.map(|it| format!("{} {}", it["reason"].as_str().unwrap(), it["message"].as_str().unwrap())).unwrap()
    };
    assert!(evaluating(&world, "widgets").starts_with("KindNotWatched not all objects are seen: shop.example"));
    assert!(evaluating(&world, "privileged").starts_with("Evaluated"));
    assert!(world.plane.facts().unknown);
    let widgets = Kind::namespaced("shop.example", "v1", "Widget", "widgets");
    world.input(&Input::Resources { kinds: [widgets.clone()].into() });
    assert!(!world.plane.facts().unknown && world.plane.facts().kinds.contains(&widgets));
    let problem = "widgets is forbidden".to_owned();
    world.input(&Input::WatchFailed { kind: Arc::new(widgets.clone()), problem });
    assert!(evaluating(&world, "widgets").ends_with("cannot be listed: widgets is forbidden"));
    world.synced(&widgets);
    assert!(evaluating(&world, "widgets").starts_with("Evaluated"));
}

#[test]
fn explain_shows_what_is_open() {
    let world = found();
    let target = Target { kind: "rule".into(), name: "privileged".into(), namespace: String::new() };
    let explained = world.plane.views().explain(&target, now(0)).unwrap();
    assert_eq!(explained.sections[1].title, "open findings: 1");
    assert_eq!(explained.data["rules"][0]["findings"][0]["subject"]["name"], "bad");
}

#[test]
fn the_same_inputs_at_the_same_times_have_the_same_effects() {
    let run = || {
        let mut world = found();
        for step in 0..60_u64 {
            world.secs = step;
            match step % 5 {
                0 => world.apply(&pod(&format!("p{}", step % 7), &step.to_string(), step % 2 == 0)),
                1 => world.apply(&rule(
                    "named",
                    step as i64,
                    json!({"rule": format!("metadata.name == 'p{}'", step % 7)}),
                )),
                2 => world.change(&pods(), Change::Deleted, &pod(&format!("p{}", step % 3), "0", true)),
                _ => world.work(),
            }
        }
        world.work();
        (world.told, format!("{:?}", world.statuses), format!("{:?}", world.figures.read()))
    };
    let first = run();
    assert!(first.0.len() > 10);
    assert_eq!(first, run());
}

#[test]
fn a_rule_that_reads_more_is_asked_when_more_is_there() {
    let mut world = World::new(true);
    let whole = |uid: &str| {
        let mut pod = pod("bad", uid, true);
        pod["status"] = json!({"phase": "Failed"});
        Object::from_value(&pod)
    };
    let deliver = |world: &mut World, keep: &Keep, uid: &str| {
        let object = whole(uid).keep(keep);
        world.input(&Input::Object { kind: Arc::new(pods()), change: Change::Applied, object });
    };
    world.apply(&rule("privileged", 1, json!({})));
    let little = world.plane.facts().keep(&pods().gvk).clone();
    assert!(!little.covers(&Keep::All) && whole("1").keep(&little).is_cut());
    deliver(&mut world, &little, "1");
    world.input(&Input::Synced { kind: Arc::new(pods()), keep: little.clone() });
    assert_eq!(world.news(), [OPENED]);

    // More is read: of what is there it would be said that no pod has a phase.
    world.apply(&rule("phase", 1, json!({"rule": "object.status?.phase != 'Running'"})));
    let more = world.plane.facts().keep(&pods().gvk).clone();
    assert!(more.covers(&little) && more != little);
    assert_eq!(world.news(), Vec::<String>::new());
    let reason = |world: &World| world.status("phase", "/conditions/2/reason");
    assert_eq!(reason(&world), json!("ReadingMore"));
    // What changes meanwhile has it already, other objects have not.
    deliver(&mut world, &more, "1");
    assert_eq!(world.news(), Vec::<String>::new());
    world.input(&Input::Synced { kind: Arc::new(pods()), keep: more.clone() });
    assert_eq!(world.news(), ["phase/ bad dryrun RuleViolated"]);
    assert_eq!(reason(&world), json!("Evaluated"));

    // The rule goes and comes again: what is there is enough.
    world.apply(&rule("phase", 2, json!({"enabled": false})));
    assert_eq!(world.news(), ["phase/ bad allow RuleWithdrawn"]);
    assert_eq!(world.plane.facts().keep(&pods().gvk), &little);
    world.apply(&rule("phase", 3, json!({"rule": "object.status?.phase != 'Running'"})));
    assert_eq!(world.news(), ["phase/ bad dryrun RuleViolated"]);

    // A lookup reads everything.
    let lookup = json!({"rule": "cluster.pods.byName('shop', 'bad').spec.nodeName == nil"});
    world.apply(&rule("lookup", 1, lookup));
    assert_eq!(world.plane.facts().keep(&pods().gvk), &Keep::All);
    assert_eq!((world.news(), world.status("lookup", "/conditions/3/reason")), (Vec::new(), json!("Waiting")));
    deliver(&mut world, &Keep::All, "1");
    world.synced(&pods());
    assert_eq!(world.news(), ["lookup/ bad dryrun RuleViolated"]);
}

#[test]
fn a_finding_ends_when_its_object_was_clean_for_long_enough() {
    let mut world = World::new(true);
    let slow = |generation, fields: Value| rule("privileged", generation, fields);
    world.apply(&slow(1, json!({"resolveAfter": "1m"})));
    world.apply(&pod("bad", "1", true));
    world.synced(&pods());
    assert_eq!(world.news(), [OPENED]);
    // Clean, and back: the same finding all the time.
    world.apply(&pod("bad", "1", false));
    assert_eq!(world.news(), Vec::<String>::new());
    world.secs = 59;
    world.input(&Input::Tick);
    world.apply(&pod("bad", "1", true));
    assert_eq!(world.news(), Vec::<String>::new());
    assert_eq!(world.figure("portal_open_findings")[0].1, 1);
    world.secs = 100;
    world.input(&Input::Tick);
    world.apply(&pod("bad", "1", false));
    world.news();
    // Another look at a clean object does not begin anew.
    world.secs = 130;
    world.apply(&pod("bad", "1", false));
    world.news();
    let target = Target { kind: "rule".into(), name: "privileged".into(), namespace: String::new() };
    let explained = world.plane.views().explain(&target, now(world.secs)).unwrap();
    assert_eq!(explained.data["rules"][0]["findings"][0]["cleanSince"], "2026-11-21T09:01:40Z");
    let shown = explained.sections[1].rows[0][4].clone();
    assert!(shown.ends_with("(clean since 2026-11-21T09:01:40Z, resolves at 2026-11-21T09:02:40Z)"), "{shown}");
    world.secs = 159;
    world.input(&Input::Tick);
    assert_eq!(world.news(), Vec::<String>::new());
    world.secs = 160;
    world.input(&Input::Tick);
    assert_eq!(world.news(), ["privileged/c bad allow FindingFixed"]);
    assert_eq!(world.figure("portal_open_findings"), []);
    assert_eq!(world.figure("portal_audit_violations")[0].1, 1);
}

/// What ends a finding.
type End = fn(&mut World);

#[test]
fn a_resting_finding_ends_at_once_with_its_object_its_rule_or_the_wish_to_wait() {
    let ends: [(End, &str); 3] = [
        (|world| world.change(&pods(), Change::Deleted, &pod("bad", "1", false)), "ObjectDeleted"),
        (|world| world.apply(&rule("privileged", 2, json!({"enabled": false}))), "RuleWithdrawn"),
        (|world| world.apply(&rule("privileged", 2, json!({}))), "FindingFixed"),
    ];
    for (end, reason) in ends {
        let mut world = World::new(true);
        world.apply(&rule("privileged", 1, json!({"resolveAfter": "1h30m"})));
        world.apply(&pod("bad", "1", true));
        world.synced(&pods());
        assert_eq!(world.news(), [OPENED]);
        world.apply(&pod("bad", "1", false));
        assert_eq!(world.news(), Vec::<String>::new());
        end(&mut world);
        assert_eq!(world.news(), [format!("privileged/c bad allow {reason}")]);
    }
}

#[test]
fn an_evaluation_that_fails_ends_the_rest_and_nothing_else() {
    let mut world = World::new(true);
    let labels = json!({"rule": "object.metadata.labels.team == 'a'", "resolveAfter": "1m"});
    world.apply(&rule("team", 1, labels));
    let of_team = |team: &str| {
        let mut pod = pod("bad", "1", false);
        pod["metadata"]["labels"] = json!({"team": team});
        pod
    };
    world.apply(&of_team("a"));
    world.synced(&pods());
    world.news();
    world.apply(&of_team("b"));
    world.news();
    world.secs = 50;
    world.apply(&pod("bad", "1", false));
    assert_eq!(world.news(), ["team/ bad error EvaluationError"]);
    world.secs = 90;
    world.input(&Input::Tick);
    world.apply(&of_team("b"));
    assert_eq!(world.news(), Vec::<String>::new());
    world.secs = 150;
    world.input(&Input::Tick);
    assert_eq!(world.news(), ["team/ bad allow FindingFixed"]);
}

#[test]
fn the_summary_of_a_report_says_how_many_pass() {
    let responses = Responses { leads: true, reports: vec![ReportApi::WgPolicy], ..Responses::default() };
    let mut world = World::with(None, responses);
    let later = |world: &mut World, secs| {
        world.secs += secs;
        world.input(&Input::Tick);
        world.work();
        let of = |name: &str| world.report["summary"][name].as_u64().unwrap_or_default();
        (of("pass"), of("fail"), of("error"))
    };
    for kind in [api::cluster_rule(), api::portal_rule()] {
        world.synced(&kind);
    }
    for (kind, plural) in [("PolicyReport", "policyreports"), ("ClusterPolicyReport", "clusterpolicyreports")] {
        let mut kind = Kind::namespaced("wgpolicyk8s.io", "v1alpha2", kind, plural);
        if plural.starts_with("cluster") {
            kind.scope = kanon_core::Scope::Cluster;
        }
        world.synced(&kind);
    }
    world.apply(&rule("privileged", 1, json!({})));
    world.apply(&rule("named", 1, json!({"match": {"gvk": [{"version": "v1", "kind": "Pod"}], "names": ["good"]}})));
    for (name, privileged) in [("bad", true), ("good", false), ("better", false)] {
        world.apply(&pod(name, name, privileged));
    }
    world.synced(&pods());
    world.work();
    assert_eq!(later(&mut world, 3), (2, 1, 0), "rules about some names are not counted");
    // Another rule passes all of them, and a third fails on all.
    world.apply(&rule("never", 1, json!({"rule": "false"})));
    world.apply(&rule("fails", 1, json!({"rule": "metadata.labels.team == 'a'"})));
    world.work();
    assert_eq!(later(&mut world, 3), (5, 1, 3));
    // What passes alone is written in its time.
    world.apply(&rule("fails", 2, json!({"rule": "metadata.labels?.team == 'a'"})));
    world.work();
    assert_eq!(later(&mut world, 3), (8, 1, 0));
    world.apply(&pod("best", "best", false));
    assert_eq!(later(&mut world, 3), (8, 1, 0));
    assert_eq!(later(&mut world, 300), (11, 1, 0));
    world.change(&pods(), Change::Deleted, &pod("bad", "bad", true));
    assert_eq!(later(&mut world, 3), (9, 0, 0));
}
