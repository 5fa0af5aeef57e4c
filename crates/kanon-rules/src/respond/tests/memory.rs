//! What the responder remembers over the end of a process and a change of the lead, and what it takes back.

use kanon_plane::PolicyKey;

use super::*;

/// A row of an earlier process's report.
fn row(bench: &Bench, pod: &str, containers: &str) -> Value {
    let revision = bench.verdict("r", pod, "", Mode::Audit).policy.revision;
    json!({
        "policy": "r", "rule": "r", "source": "portal", "result": "fail", "severity": "high", "message": "old",
        "resources": [{"apiVersion": "v1", "kind": "Pod", "namespace": "shop", "name": pod, "uid": format!("uid-{pod}")}],
        "timestamp": {"seconds": 1_700_000_000, "nanos": 5},
        "properties": {"mode": "audit", "alert": "true", "container": containers, "policyKind": "PortalClusterRule",
            "policyRevision": revision},
    })
}

fn report(change: Change, results: &[Value]) -> Input {
    let object = json!({"metadata": {"name": "portal", "namespace": "shop"}, "results": results});
    Input::Object { kind: Arc::new(api::policy_report()), change, object: Object::from_value(&object) }
}

/// Everything was looked at: what ended, as `pod part reason`.
fn settle(bench: &mut Bench) -> Vec<String> {
    let mut out = Outbox::new(FamilyId("rules"));
    let (now, rules) = (bench.now(), bench.rules());
    let rule_of = |policy: &PolicyRef, _| rules.entries().iter().find(|it| it.policy.name == policy.name);
    let ended = bench.responder.settled(rule_of, now, &mut out).ended;
    bench.effects.extend(out.wanted().cloned());
    bench.input(&Input::Tick);
    let shown = |it: &Verdict| format!("{} {} {}", it.subject.name, it.evidence.part, it.reason);
    ended.iter().map(shown).collect()
}

/// Whether a violation is news.
fn is_news(bench: &mut Bench, pod: &str, part: &str) -> bool {
    let verdict = bench.verdict("r", pod, part, Mode::Audit);
    let rules = bench.rules();
    let mut out = Outbox::new(FamilyId("rules"));
    let now = bench.now();
    let is_news = bench.responder.fired(&rules.entries()[0], &verdict, Mode::Audit, Share::ALL, now, &mut out);
    bench.effects.extend(out.wanted().cloned());
    is_news
}

#[test]
fn a_finding_goes_on_container_by_container() {
    let mut bench = Bench::new(&[rule("r", json!([{"type": "label", "key": "k"}]))]);
    bench.input(&report(Change::Applied, &[row(&bench, "a", "sidecar,web"), row(&bench, "b", "web")]));
    assert!(!is_news(&mut bench, "a", "web"), "a report says so");
    assert!(is_news(&mut bench, "a", "web"), "the same again is for whoever calls to tell");
    assert!(is_news(&mut bench, "a", "debug"), "another container");
    assert!(is_news(&mut bench, "c", "web"), "another object");
    assert_eq!(settle(&mut bench), ["a sidecar EndedUnseen", "b web EndedUnseen"]);
    assert_eq!(settle(&mut bench), [""; 0], "once");
    bench.pass(2_000);
    let report = bench.report().unwrap();
    assert_eq!(report.keys().collect::<Vec<_>>(), ["a", "c"]);
    assert_eq!(report["a"]["properties"]["container"], "debug,web");
    assert_eq!(report["a"]["timestamp"]["seconds"], 1_700_000_000);
}

#[test]
fn what_an_edited_rule_finds_or_another_object_of_the_name_is_news() {
    let mut bench = Bench::new(&[rule("r", json!([]))]);
    let mut edited = row(&bench, "a", "");
    edited["properties"]["policyRevision"] = json!("older");
    let mut other = row(&bench, "b", "");
    other["resources"][0]["uid"] = json!("another");
    bench.input(&report(Change::Applied, &[edited, other]));
    assert!(is_news(&mut bench, "a", "") && is_news(&mut bench, "b", ""));
}

#[test]
fn a_follower_takes_over_what_stands_in_the_reports_when_it_leads_and_no_more() {
    let responses = Responses { reports: vec![ReportApi::WgPolicy], ..Responses::default() };
    let mut bench = Bench::with(&[rule("r", json!([]))], responses);
    bench.input(&report(Change::Applied, &[row(&bench, "a", ""), row(&bench, "b", "")]));
    // The leader took one out.
    bench.input(&report(Change::Applied, &[row(&bench, "a", "")]));
    assert_eq!(settle(&mut bench), [""; 0], "followers end nothing");
    bench.input(&Input::Leadership(Shards::lead(true)));
    assert!(!is_news(&mut bench, "a", ""));
    assert_eq!(settle(&mut bench), [""; 0]);
    // The lead is lost, and somebody else goes on.
    bench.input(&Input::Leadership(Shards::lead(false)));
    bench.input(&report(Change::Applied, &[row(&bench, "c", "")]));
    bench.effects.clear();
    bench.pass(60_000);
    assert_eq!(bench.report(), None, "followers write nothing");
    bench.input(&Input::Leadership(Shards::lead(true)));
    assert_eq!(settle(&mut bench), ["c  EndedUnseen"]);
    bench.input(&report(Change::Deleted, &[]));
    bench.input(&Input::Leadership(Shards::lead(false)));
    bench.input(&Input::Leadership(Shards::lead(true)));
    assert_eq!(settle(&mut bench), [""; 0], "a report that is gone says nothing");
}

#[test]
fn what_was_done_is_taken_back_with_the_last_finding_that_wants_it() {
    let marks = json!([{"type": "label", "key": "k", "removeOnResolve": true}]);
    let mut bench = Bench::new(&[rule("r", marks.clone()), rule("s", marks)]);
    bench.fire("r", "a", "", Mode::Audit);
    bench.fire("s", "a", "", Mode::Audit);
    assert_eq!(bench.done(), ["label a", "label a"]);
    bench.deliver(&Ok(Done::Done));
    bench.end("r", "a", "");
    assert_eq!(bench.done(), [""; 0]);
    bench.end("s", "a", "");
    let undone = bench.effects.iter().find_map(|it| match &it.action {
        Action::Patch { patch, .. } => Some(patch.clone()),
        _ => None,
    });
    assert_eq!(undone, Some(json!({"metadata": {"labels": {"k": null}}})));
    assert_eq!(bench.done(), ["label a"]);
    bench.deliver(&Ok(Done::Done));
    assert_eq!((bench.count("label", "ok"), bench.count("label", "undone")), (2, 1));
    // It is done anew when it is found anew.
    bench.fire("r", "a", "", Mode::Audit);
    assert_eq!(bench.done(), ["label a"]);
}

#[test]
fn what_an_earlier_process_did_is_taken_back_when_it_ended_unseen() {
    let mut bench = Bench::new(&[rule("r", json!([{"type": "label", "key": "k", "removeOnResolve": true}]))]);
    bench.input(&report(Change::Applied, &[row(&bench, "a", ""), row(&bench, "b", "")]));
    is_news(&mut bench, "b", "");
    assert_eq!(bench.done(), ["label b"]);
    assert_eq!(settle(&mut bench), ["a  EndedUnseen"]);
    assert_eq!(bench.done(), ["label a"]);
}

#[test]
fn a_failing_evaluation_is_an_error_in_the_report_until_it_works() {
    let mut bench = Bench::new(&[rule("r", json!([]))]);
    let verdict = Verdict { outcome: Outcome::Error, ..bench.verdict("r", "a", "", Mode::Audit) };
    let rules = bench.rules();
    let now = bench.now();
    assert!(bench.responder.failed(&rules.entries()[0], &verdict, Mode::Audit, now));
    bench.fire("r", "b", "", Mode::Audit);
    bench.input(&Input::Tick);
    bench.pass(2_000);
    let report = bench.report().unwrap();
    let results: Vec<_> = report.iter().map(|it| (it.0.as_str(), it.1["result"].as_str().unwrap())).collect();
    assert_eq!(results, [("a", "error"), ("b", "fail")]);
    bench.responder.recovered(&verdict);
    bench.pass(2_000);
    assert_eq!(bench.report().unwrap().keys().collect::<Vec<_>>(), ["b"]);
}

/// A rule that waits an hour before its findings end.
fn slow(actions: Value) -> Value {
    let mut rule = rule("r", actions);
    rule["spec"]["resolveAfter"] = json!("1h");
    rule
}

#[test]
fn what_waits_because_of_a_finding_waits_while_it_rests_and_goes_on_when_it_is_back() {
    let mut bench = Bench::new(&[slow(json!([{"type": "evict", "on": ["audit"], "rateLimit": "1/min"}]))]);
    bench.fire("r", "a", "", Mode::Audit);
    bench.fire("r", "b", "", Mode::Audit);
    assert_eq!(bench.done(), ["evict a"]);
    let verdict = bench.verdict("r", "b", "", Mode::Audit);
    let since = bench.now().wall;
    bench.responder.rests(&verdict, since);
    bench.pass(600_000);
    assert_eq!(bench.report().unwrap()["b"]["properties"]["cleanSince"], since.to_string());
    assert_eq!(bench.done(), [""; 0], "it is clean");
    let mut out = Outbox::new(FamilyId("rules"));
    let now = bench.now();
    bench.responder.returned(&verdict, now, &mut out);
    bench.effects.extend(out.wanted().cloned());
    bench.pass(2_000);
    assert!(bench.report().unwrap()["b"]["properties"].get("cleanSince").is_none());
    assert_eq!(bench.done(), ["evict b"]);
}

#[test]
fn a_finding_that_rested_when_a_process_ended_rests_on() {
    let mut bench =
        Bench::new(&[slow(json!([{"type": "alertmanager"}, {"type": "label", "key": "k", "removeOnResolve": true}]))]);
    let now = bench.now();
    let clean = |bench: &Bench, pod: &str, minutes: u64| {
        let mut row = row(bench, pod, "");
        row["properties"]["cleanSince"] = json!((now.wall - Duration::from_mins(minutes)).to_string());
        row
    };
    let rows = [clean(&bench, "a", 10), clean(&bench, "b", 70), row(&bench, "c", ""), clean(&bench, "d", 10)];
    bench.input(&report(Change::Applied, &rows));
    assert!(!is_news(&mut bench, "d", ""), "it is back");
    assert_eq!(bench.done().iter().filter(|it| it.starts_with("label")).count(), 1);
    let mut out = Outbox::new(FamilyId("rules"));
    let rules = bench.rules();
    let rule_of = |policy: &PolicyRef, _| rules.entries().iter().find(|it| it.policy.name == policy.name);
    let Settled { ended, resting } = bench.responder.settled(rule_of, now, &mut out);
    let ended: Vec<_> = ended.iter().map(|it| it.subject.name.clone()).collect();
    assert_eq!(ended, ["b"], "it was clean for longer than the rule asks for");
    let until = |it: &(PolicyKey, Mode, crate::audit::findings::Finding)| {
        let rest = it.2.rests.unwrap();
        (it.2.verdict.subject.name.clone(), rest.until().duration_since(now.wall).as_mins())
    };
    assert_eq!(resting.iter().map(until).collect::<Vec<_>>(), [("a".to_owned(), 50), ("c".to_owned(), 60)]);
    bench.effects.extend(out.wanted().cloned());
    // Their alerts are kept alive; nothing else is done, but what was done is taken back with the end.
    let firing: Vec<_> = bench
        .effects
        .iter()
        .filter_map(|it| match &it.action {
            Action::Send { body, .. } if body[0].get("endsAt").is_none() => Some(body[0]["labels"]["name"].clone()),
            _ => None,
        })
        .collect();
    assert_eq!(firing, ["a", "c"]);
    let undone = bench.done();
    assert_eq!(undone.iter().filter(|it| it.starts_with("label")).collect::<Vec<_>>(), ["label b"]);
    bench.end("r", "a", "");
    bench.pass(2_000);
    let report = bench.report().unwrap();
    assert_eq!(report.keys().collect::<Vec<_>>(), ["c", "d"]);
    assert_eq!(bench.done(), ["label a"]);
    assert!(report["c"]["properties"].get("cleanSince").is_some());
}
