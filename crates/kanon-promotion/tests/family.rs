//! The family as the plane drives it: objects and time in; statuses, Events, records and explanations out
//! (spec/promotion-gates 2.5, 2.10.3).

#![allow(clippy::unwrap_used, reason = "in a test it says where the expectation broke")]

mod common;

use std::time::Duration;

use common::{World, bundle, gate, object, pipeline};
use serde_json::{Value, json};

const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(3600);

/// A world with a Pipeline and a Bundle on its way.
fn shop() -> World {
    let mut world = World::new();
    world.apply(pipeline("shop", "my-app"));
    world.apply(bundle("shop", "my-app-v1", 0, json!([])));
    world
}

fn condition<'v>(status: &'v Value, kind: &str) -> &'v Value {
    status["conditions"].as_array().unwrap().iter().find(|it| it["type"] == kind).unwrap()
}

#[test]
fn templates_without_a_bundle_are_compiled_and_not_asked() {
    let mut world = World::new();
    world.apply(gate("good", "!schedule.isWeekend"));
    world.apply(gate("bad", "this is not valid CEL !!!"));
    let awaiting = "valid CEL syntax (not yet evaluated — awaiting bundle promotion)";
    assert_eq!(world.gate("good"), (false, awaiting.to_owned()));
    assert_eq!(world.status("PolicyGate", "good").get("lastEvaluatedAt"), None);
    let (ready, reason) = world.gate("bad");
    assert!(!ready && reason.starts_with("CEL syntax error: "), "{reason}");
    assert!(world.events.iter().any(|it| it.starts_with("Warning GateInvalid bad")), "{:?}", world.events);
    assert_eq!(world.plane.next_deadline(), None, "nothing waits, so nothing wakes");
}

#[test]
fn a_gate_follows_the_clock_and_wakes_only_when_something_changes() {
    let mut world = shop();
    world.apply(gate("no-weekend", "!schedule.isWeekend"));
    let want = "bundle.version=1.29.0: !schedule.isWeekend = true";
    assert_eq!(world.gate("no-weekend"), (true, want.to_owned()));
    let status = world.status("PolicyGate", "no-weekend");
    assert_eq!(status["lastEvaluatedAt"], common::START);
    assert_eq!(status["observedInputs"]["schedule.isWeekend"], "false");
    assert_eq!(status["targets"][0]["environment"], "prod");
    // Tuesday ten o'clock to Saturday: the fallback every five minutes, nothing else.
    let wakes = world.pass(86 * HOUR - MINUTE);
    assert!(wakes <= 86 * 12, "{wakes}");
    assert!(world.gate("no-weekend").0);
    world.pass(MINUTE);
    assert_eq!(world.status("PolicyGate", "no-weekend")["lastEvaluatedAt"], "2026-04-11T00:00:00Z");
    assert!(!world.gate("no-weekend").0, "at the first instant of Saturday");
    assert_eq!(world.status("PolicyGate", "no-weekend")["blockedSince"], "2026-04-11T00:00:00Z");
    world.pass(48 * HOUR);
    assert!(world.gate("no-weekend").0, "and open at the first instant of Monday");
    assert_eq!(world.status("PolicyGate", "no-weekend").get("blockedSince"), None);
    let words: Vec<_> = world.events.iter().map(|it| it.split(':').next().unwrap()).collect();
    assert_eq!(words, ["Warning Blocked no-weekend", "Normal Allowed no-weekend"]);
    let outcomes: Vec<_> = world.decisions.iter().map(|it| it["outcome"].as_str().unwrap()).collect();
    assert_eq!(outcomes, ["allow", "deny", "allow"]);
    assert_eq!(world.decisions[1]["evidence"]["values"][0]["value"], false);
}

#[test]
fn a_soak_gate_opens_at_the_second_it_can() {
    let mut world = shop();
    let verified = json!([{"name": "staging", "phase": "Verified", "healthCheckedAt": "2026-04-07T09:45:20Z"}]);
    world.apply(bundle("shop", "my-app-v1", 0, verified));
    let mut soak = gate("soak", "bundle.upstreamSoakMinutes >= 30");
    soak["spec"]["message"] = json!("let it soak");
    soak["spec"]["recheckInterval"] = json!("1h");
    world.apply(soak);
    assert!(!world.gate("soak").0);
    assert_eq!(world.status("PolicyGate", "soak")["message"], "let it soak");
    assert_eq!(world.status("PolicyGate", "soak")["nextEvaluationAt"], "2026-04-07T10:15:20Z");
    let wakes = world.pass(Duration::from_secs(15 * 60 + 19));
    assert_eq!((wakes, world.gate("soak").0), (0, false));
    world.pass(Duration::from_secs(1));
    assert!(world.gate("soak").0);
    assert_eq!(world.status("PolicyGate", "soak").get("message"), None);
}

#[test]
fn intervals_that_make_no_sense_are_five_minutes() {
    for (interval, minutes) in [("10m", 10), ("", 5), ("banana", 5), ("-1m", 5), ("1h30m", 90)] {
        let mut world = shop();
        let mut gate = gate("g", "bundle.version == '1'");
        gate["spec"]["recheckInterval"] = json!(interval);
        world.apply(gate);
        let wait = world.plane.next_deadline().unwrap().since(world.now().mono);
        assert_eq!(wait, minutes * MINUTE, "{interval}");
    }
}

#[test]
fn a_clock_ticks_and_asks_every_live_gate() {
    let mut world = shop();
    let mut every_hour = gate("g", "bundle.version == '1.29.0'");
    every_hour["spec"]["recheckInterval"] = json!("1h");
    world.apply(every_hour);
    world.apply(object("ScheduleClock", "kardinal-system", "kardinal-clock", json!({"interval": "1m"})));
    assert_eq!(world.status("ScheduleClock", "kardinal-clock")["tick"], common::START);
    world.pass(3 * MINUTE);
    assert_eq!(world.status("ScheduleClock", "kardinal-clock")["tick"], "2026-04-07T10:03:00Z");
    assert_eq!(world.status("PolicyGate", "g")["lastEvaluatedAt"], "2026-04-07T10:03:00Z");
    world.delete("ScheduleClock", "kardinal-clock");
    assert_eq!(world.pass(10 * MINUTE), 0, "a clock that is gone ticks no more");
    assert!(world.decisions.len() == 1, "the same answer again is no news");
}

#[test]
fn change_windows_tell_their_state_and_open_gates_when_they_end() {
    let mut world = shop();
    world.apply(gate("freeze", r#"changewindow.isAllowed("holiday")"#));
    assert!(world.gate("freeze").0, "a window that does not exist is inactive");
    assert_eq!(condition(world.status("PolicyGate", "freeze"), "UnknownReference")["status"], "True");
    assert!(world.events.iter().any(|it| it.starts_with("Warning UnknownReference freeze")));
    let spec = json!({"type": "blackout", "reason": "holidays", "start": "2026-04-07T10:30:00Z", "end": "2026-04-07T11:00:00Z"});
    world.apply(object("ChangeWindow", "", "holiday", spec));
    assert_eq!(world.status("ChangeWindow", "holiday")["active"], false);
    assert_eq!(condition(world.status("PolicyGate", "freeze"), "UnknownReference")["status"], "False");
    world.pass(30 * MINUTE);
    assert_eq!(world.status("ChangeWindow", "holiday")["active"], true);
    assert_eq!(world.status("ChangeWindow", "holiday")["reason"], "holidays");
    assert_eq!(world.status("ChangeWindow", "holiday")["nextChangeAt"], "2026-04-07T11:00:00Z");
    assert!(!world.gate("freeze").0);
    world.pass(30 * MINUTE);
    assert!(world.gate("freeze").0);
    assert_eq!(world.status("ChangeWindow", "holiday")["active"], false);
}

#[test]
fn a_broken_edit_leaves_the_last_good_gate_in_force() {
    let mut world = shop();
    world.apply(gate("g", "bundle.version == '1.29.0'"));
    assert!(world.gate("g").0);
    world.apply(gate("g", "bundle.version =="));
    let (ready, reason) = world.gate("g");
    assert!(ready, "{reason}");
    assert!(reason.starts_with("CEL syntax error: ") && reason.contains("last good revision is in force"), "{reason}");
    assert_eq!(condition(world.status("PolicyGate", "g"), "Compiled")["status"], "False");
    assert!(world.events.iter().any(|it| it.starts_with("Warning GateInvalid g") && it.contains("stays in force")));
    let listed = world.plane.views().iter().flat_map(|it| it.policies()).collect::<Vec<_>>();
    assert!(listed[0].active && listed[0].problem.starts_with("CEL syntax error"));
    world.apply(gate("g", "bundle.version == '2'"));
    let (ready, reason) = world.gate("g");
    assert_eq!((ready, reason.as_str()), (false, "bundle.version=1.29.0: bundle.version == '2' = false"));
    assert_eq!(condition(world.status("PolicyGate", "g"), "Compiled")["status"], "True");
}

#[test]
fn an_instance_is_asked_for_its_own_bundle() {
    let mut world = shop();
    let mut instance = object("PolicyGate", "shop", "g--v1", json!({"expression": "environment.name == 'prod'"}));
    instance["metadata"]["labels"] = json!({"kardinal.io/bundle": "my-app-v1", "kardinal.io/pipeline": "my-app",
        "kardinal.io/environment": "prod"});
    world.apply(instance.clone());
    assert!(world.gate("g--v1").0);
    instance["metadata"]["name"] = json!("orphan");
    instance["metadata"]["labels"]["kardinal.io/bundle"] = json!("gone");
    world.apply(instance);
    let (ready, reason) = world.gate("orphan");
    assert!(!ready && reason.starts_with("context error: "), "{reason}");
    let mut done = bundle("shop", "my-app-v1", 0, json!([]));
    done["status"]["phase"] = json!("Verified");
    world.apply(done);
    let evaluated = world.status("PolicyGate", "g--v1").clone();
    world.pass(HOUR);
    let after = world.status("PolicyGate", "g--v1");
    assert_eq!(evaluated["lastEvaluatedAt"], after["lastEvaluatedAt"], "a finished Bundle's gates rest");
}

#[test]
fn overrides_let_through_where_and_while_they_count() {
    let check = |exception: Value, want: bool| {
        let mut world = shop();
        let mut gate = gate("g", "false");
        gate["spec"]["overrides"] = json!([exception]);
        world.apply(gate);
        let (ready, reason) = world.gate("g");
        assert_eq!(ready, want, "{exception}: {reason}");
        assert_eq!(reason.starts_with("OVERRIDDEN by alice: INC-77 (expires 2026-04-07T"), want, "{reason}");
        world
    };
    let entry = |stage: &str, expires: &str| json!({"reason": "INC-77", "createdBy": "alice", "stage": stage, "expiresAt": expires});
    let mut world = check(entry("prod", "2026-04-07T11:00:00Z"), true);
    world.pass(HOUR);
    assert!(world.gate("g").0, "the last instant counts");
    world.pass(Duration::from_secs(1));
    assert!(!world.gate("g").0, "and not one second more");
    check(entry("", "2026-04-07T11:00:00Z"), true);
    check(entry("prod", common::START), true);
    check(entry("prod", "2026-04-07T09:00:00Z"), false);
    check(entry("uat", "2026-04-07T11:00:00Z"), false);
    let mut revoked = entry("", "2026-04-07T11:00:00Z");
    revoked["revokedAt"] = json!("2026-04-07T09:30:00Z");
    check(revoked, false);
    let mut elsewhere = entry("", "2026-04-07T11:00:00Z");
    elsewhere["pipeline"] = json!("other");
    check(elsewhere, false);
}

#[test]
fn a_warning_gate_tells_and_never_blocks() {
    let mut world = shop();
    let mut gate = gate("g", "false");
    gate["spec"]["mode"] = json!("Warn");
    world.apply(gate);
    let (ready, reason) = world.gate("g");
    assert!(ready && reason.starts_with("would block: "), "{reason}");
    assert_eq!(world.decisions[0]["outcome"], "warn");
}

#[test]
fn nothing_is_asked_before_everything_is_known() {
    let mut world = World::unsynced(kanon_promotion::Settings::default());
    world.apply(pipeline("shop", "my-app"));
    world.apply(bundle("shop", "my-app-v1", 0, json!([])));
    world.apply(gate("freeze", r#"!changewindow["holiday"]"#));
    assert_eq!(world.object("PolicyGate", "freeze").get("status"), None);
    let spec = json!({"type": "blackout", "start": "2026-04-07T00:00:00Z", "end": "2026-04-08T00:00:00Z"});
    world.apply(object("ChangeWindow", "", "holiday", spec));
    world.sync();
    assert!(!world.gate("freeze").0);
    assert!(world.decisions.iter().all(|it| it["outcome"] == "deny"), "it was never open");
}

#[test]
fn a_restart_repeats_no_news_and_a_jump_of_the_clock_is_noticed() {
    let mut world = shop();
    world.apply(gate("g", "schedule.isWeekend"));
    let objects = world.objects.clone();
    let mut again = World::unsynced(kanon_promotion::Settings::default());
    again.advance(MINUTE);
    objects.into_iter().for_each(|it| again.apply(it));
    again.sync();
    assert_eq!((again.events.len(), again.decisions.len()), (0, 0));
    assert_eq!(again.status("PolicyGate", "g")["lastEvaluatedAt"], "2026-04-07T10:01:00Z");
    // The wall clock alone moves to Saturday; the plane looks at it at its next wake.
    again.wall = "2026-04-11T10:00:00Z".parse().unwrap();
    again.send(kanon_core::Input::Tick);
    assert!(again.gate("g").0);
}

#[test]
fn explain_shows_the_values_and_when_it_changes() {
    let mut world = shop();
    let mut hours = gate("hours", "schedule.hour >= 12 && bundle.provenance.author != \"bot\"");
    hours["spec"]["message"] = json!("afternoons only");
    world.apply(hours);
    let explained = world.explain("gate/hours").unwrap();
    let headline = &explained.headline;
    assert!(headline.contains("blocks prod") && headline.ends_with("opens at 2026-04-07T12:00:00Z"), "{headline}");
    let cells: Vec<_> = explained.sections.iter().flat_map(|it| &it.rows).flatten().map(String::as_str).collect();
    for want in
        ["schedule.hour", "10", "schedule.hour >= 12", "false", "2026-04-07T12:00:00Z (in 2h 0m)", "afternoons only"]
    {
        assert!(cells.contains(&want), "{want}: {cells:#?}");
    }
    let place = &explained.data["gates"][0]["places"][0];
    assert_eq!((&place["state"], &place["changesAt"]), (&json!("Block"), &json!("2026-04-07T12:00:00Z")));
    let way = world.explain("pipeline/my-app").unwrap();
    assert!(way.headline.ends_with("BLOCKED by hours"), "{}", way.headline);
    assert_eq!(way.sections[0].rows[0][..4], ["prod", "PolicyGate", "hours", "Block"]);
    assert!(world.explain("bundle/my-app-v1").is_some());
    assert!(world.explain("gate/none").is_none());
    assert!(world.explain("rule/hours").is_none());
    world.delete("Bundle", "my-app-v1");
    let idle = world.explain("pg/hours").unwrap();
    assert!(idle.headline.contains("not yet evaluated"), "{}", idle.headline);
    assert_eq!(idle.data["gates"][0]["places"][0]["assumed"], true);
}

#[test]
fn pipelines_tell_what_is_wrong_and_keep_their_last_good_shape() {
    let mut world = shop();
    world.apply(gate("g", "true"));
    assert_eq!(condition(world.status("Pipeline", "my-app"), "Ready")["reason"], "Valid");
    let mut broken = pipeline("shop", "my-app");
    broken["spec"]["environments"][0]["dependsOn"] = json!(["prod"]);
    world.apply(broken);
    let ready = condition(world.status("Pipeline", "my-app"), "Ready").clone();
    assert_eq!((&ready["status"], &ready["reason"]), (&json!("False"), &json!("ValidationFailed")));
    assert!(ready["message"].as_str().unwrap().contains("circular"), "{ready}");
    assert!(world.gate("g").0);
}
