//! Exceptions from rules: what they cover in every loop, who may grant them, how they end, what is told of them.
#![allow(clippy::unwrap_used, reason = "a test that panics has failed")]

mod agreement;
#[path = "../common/mod.rs"]
mod common;
mod world;

use std::{collections::BTreeSet, time::Duration};

use common::{language, now};
use kanon_core::{Change, Input, Mono, Object, Operation, Outcome, PolicyFile, Review, Verdict};
use kanon_plane::{NoLookups, Target};
use kanon_rules::{Mode, ReportApi, Rules, Settings, api};
use serde_json::{Value, json};
use world::{BY_CONTAINER, WHOLE, World, creation, edited, exception, of_namespace, pod, rule, with};

#[test]
fn what_an_exception_covers_is_let_through_and_says_why() {
    let mut world = World::new();
    world.apply(&rule(WHOLE));
    assert_eq!(world.review(&pod("web", json!({}))), (vec![Outcome::Deny], false));
    world.apply(&exception(json!({"expires": "2026-11-21T10:00:00Z"})));
    world.told.clear();
    let review = creation(&pod("web", json!({})));
    let answer = world.plane.views().review(&review, &NoLookups, now(0));
    assert_eq!((answer.allowed, answer.outcome, answer.warnings.len()), (true, Outcome::Skip, 0));
    let want = "r: exception e until 2026-11-21T10:00:00Z: moving house";
    assert_eq!(answer.annotations.get("exceptions").map(String::as_str), Some(want));
    assert_eq!(world.review(&pod("web", json!({}))), (vec![Outcome::Skip], true));
    assert_eq!(world.news(), ["r: skip ViolationExcepted web/"]);
    let evidence = world.records.last().unwrap().evidence.exception.clone().unwrap();
    assert_eq!((evidence.policy.kind.as_str(), evidence.owner.as_str()), ("ClusterRuleException", "team-shop"));
    assert_eq!(world.figure("portal_excepted_violations_total"), [("r e admission".to_owned(), 1)]);
    assert_eq!(world.figure("portal_admission_violations_total"), [("r high deny".to_owned(), 1)], "the first alone");
    // The clock alone ends it, before anybody has noticed.
    world.secs = 3600;
    assert_eq!(world.review(&pod("web", json!({}))), (vec![Outcome::Deny], false));
}

#[test]
fn a_finding_ends_with_its_exception_and_begins_anew_after_it() {
    let mut world = World::with(Settings::default(), vec![ReportApi::WgPolicy]);
    for kind in [api::policy_report(), api::cluster_policy_report()] {
        world.synced(&kind);
    }
    world.apply(&rule(WHOLE));
    world.apply(&pod("web", json!({})));
    world.apply(&pod("db", json!({})));
    assert_eq!(world.news(), ["r: dryrun RuleViolated web/"]);
    world.tick(2);
    assert_eq!(world.rows(), ["fail web  "]);
    world.apply(&exception(json!({"expires": "2026-11-21T10:00:00Z"})));
    assert_eq!(world.news(), ["r: skip ViolationExcepted web/", "r: allow FindingExcepted web/"]);
    assert_eq!(world.figure("portal_open_findings"), [], "none is open");
    world.tick(40);
    assert_eq!(world.rows(), ["skip web  e"]);
    let report = &world.written[&("PolicyReport".to_owned(), "portal".to_owned())];
    assert_eq!((&report["summary"]["fail"], &report["summary"]["skip"]), (&json!(0), &json!(1)));
    let row = &report["results"][0];
    assert_eq!(row["message"], "rule violated: r");
    assert_eq!(
        (&row["properties"]["reason"], &row["properties"]["expires"], &row["properties"]["owner"]),
        (&json!("moving house"), &json!("2026-11-21T10:00:00Z"), &json!("team-shop"))
    );
    assert_eq!((world.status("/matched"), world.status("/rules")), (json!(1), json!(["r"])));
    // Nothing is due before it ends, and then at once.
    let due = world.plane.next_deadline().unwrap();
    assert!(due <= Mono(Duration::from_secs(3600)), "{due:?}");
    world.tick(3599);
    assert_eq!(world.news(), Vec::<String>::new());
    assert_eq!(world.plane.next_deadline(), Some(Mono(Duration::from_secs(3600))));
    world.tick(3600);
    assert_eq!(world.news(), ["r: dryrun RuleViolated web/"]);
    assert_eq!(world.conditions(), ["Valid True Valid", "Expired True Expired"]);
    assert_eq!(world.events, ["e ExceptionExpired"]);
    world.tick(3640);
    assert_eq!(world.rows(), ["fail web  "]);
    assert_eq!(world.status("/matched"), 0);
    // Granted anew, edited, taken away.
    world.apply(&edited(exception(json!({"reason": "again"})), 2));
    assert_eq!(world.news(), ["r: skip ViolationExcepted web/", "r: allow FindingExcepted web/"]);
    world.apply(&edited(exception(json!({"reason": "and again"})), 3));
    assert_eq!(world.news(), ["r: skip ViolationExcepted web/"], "another reason is worth a record");
    world.apply(&edited(exception(json!({"reason": "and again", "match": {"names": ["db"]}})), 4));
    assert_eq!(world.news(), ["r: dryrun RuleViolated web/"]);
    world.apply(&edited(exception(json!({})), 5));
    world.news();
    world.change(Change::Deleted, &exception(json!({})));
    assert_eq!(world.news(), ["r: dryrun RuleViolated web/"]);
    world.tick(4000);
    assert_eq!(world.rows(), ["fail web  "]);
    assert_eq!(world.figure("portal_open_findings"), [("r high shop".to_owned(), 1)]);
}

#[test]
fn a_restart_takes_skipped_rows_over_without_news() {
    let begin = || {
        let mut world = World::with(Settings::default(), vec![ReportApi::WgPolicy]);
        world.apply(&exception(json!({})));
        world.apply(&rule(WHOLE));
        world.apply(&pod("web", json!({})));
        world
    };
    let ready = |world: &mut World| {
        for kind in [api::cluster_rule(), api::portal_rule(), api::policy_report(), api::cluster_policy_report()] {
            world.synced(&kind);
        }
    };
    let mut first = begin();
    ready(&mut first);
    assert_eq!(first.news(), ["r: skip ViolationExcepted web/"]);
    first.tick(2);
    let report = first.written[&("PolicyReport".to_owned(), "portal".to_owned())].clone();
    let mut second = begin();
    second.secs = 60;
    second.apply(&report);
    ready(&mut second);
    assert_eq!(second.news(), Vec::<String>::new());
    // What is fixed goes without a word: nothing was open.
    second.change(Change::Deleted, &pod("web", json!({})));
    second.tick(70);
    assert_eq!((second.news(), second.rows()), (Vec::new(), Vec::new()));
}

#[test]
fn an_end_of_before_the_start_is_an_end() {
    let mut world = World::new();
    world.apply(&exception(json!({"expires": "2020-01-01T00:00:00Z"})));
    world.apply(&rule(WHOLE));
    world.apply(&pod("web", json!({})));
    assert_eq!(world.news(), ["r: dryrun RuleViolated web/"]);
    assert_eq!(world.conditions(), ["Valid True Valid", "Expired True Expired"]);
    assert_eq!(world.figure("portal_exceptions"), [("ClusterRuleException Expired".to_owned(), 1)]);
}

#[test]
fn a_namespace_frees_itself_from_its_own_rules_and_from_those_that_let_it() {
    let own = |namespace: &str| {
        let mut rule = rule(WHOLE);
        rule["kind"] = json!("PortalRule");
        rule["metadata"]["namespace"] = json!(namespace);
        rule
    };
    let open = with(rule(WHOLE), json!({"exceptions": "namespaced"}));
    for (rule, exception, want) in [
        (rule(WHOLE), exception(json!({})), Outcome::Skip),
        (rule(WHOLE), of_namespace(exception(json!({})), "shop"), Outcome::Deny),
        (open.clone(), of_namespace(exception(json!({})), "shop"), Outcome::Skip),
        (open.clone(), of_namespace(exception(json!({})), "lab"), Outcome::Deny),
        (own("shop"), of_namespace(exception(json!({})), "shop"), Outcome::Skip),
        (own("shop"), of_namespace(exception(json!({})), "lab"), Outcome::Deny),
        (own("shop"), exception(json!({})), Outcome::Skip),
        (own("shop"), exception(json!({"rules": ["PortalClusterRule/*"]})), Outcome::Deny),
        (own("shop"), exception(json!({"rules": ["PortalRule/*"]})), Outcome::Skip),
        (rule(WHOLE), exception(json!({"rules": ["builtin/*"]})), Outcome::Deny),
    ] {
        let mut world = World::new();
        world.apply(&rule);
        world.apply(&exception);
        let said = world.review(&pod("web", json!({}))).0;
        assert_eq!(said, [want], "{} {exception}", rule["kind"]);
        world.apply(&pod("web", json!({})));
        let news = world.news();
        assert_eq!(news.last().unwrap().contains("skip"), want == Outcome::Skip, "{news:?}");
        if rule["kind"] == "PortalClusterRule" && exception["kind"] == "RuleException" && want == Outcome::Deny {
            let warned = world.conditions()[0].contains("ValidWithWarnings");
            assert_eq!(warned, rule["spec"]["exceptions"].is_null(), "{:?}", world.conditions());
        }
    }
}

#[test]
fn an_exception_is_as_narrow_as_it_says() {
    let of_pods = json!([{"group": "", "version": "v1", "kind": "Pod"}]);
    let cases = [
        (WHOLE, json!({}), "skip", "skip"),
        (WHOLE, json!({"rules": ["x", "r*"]}), "skip", "skip"),
        (WHOLE, json!({"rules": ["x"]}), "deny", "deny"),
        (WHOLE, json!({"match": {"gvk": of_pods}}), "skip", "skip"),
        (WHOLE, json!({"match": {"gvk": [{"group": "*", "version": "v1", "kind": "*"}]}}), "skip", "skip"),
        (WHOLE, json!({"match": {"gvk": [{"group": "apps", "version": "v1", "kind": "Deployment"}]}}), "deny", "deny"),
        (WHOLE, json!({"match": {"names": ["web-*"]}}), "deny", "deny"),
        (WHOLE, json!({"match": {"names": ["we?"]}}), "skip", "skip"),
        (WHOLE, json!({"match": {"namespaces": {"include": ["lab"]}}}), "deny", "deny"),
        (WHOLE, json!({"match": {"namespaces": {"exclude": ["shop"]}}}), "deny", "deny"),
        (WHOLE, json!({"match": {"labelSelector": {"matchLabels": {"tier": "gold"}}}}), "skip", "skip"),
        (WHOLE, json!({"match": {"labelSelector": {"matchLabels": {"tier": "tin"}}}}), "deny", "deny"),
        (WHOLE, json!({"match": {"namespaceSelector": {"matchLabels": {"team": "a"}}}}), "skip", "skip"),
        (WHOLE, json!({"match": {"namespaceSelector": {"matchLabels": {"team": "b"}}}}), "deny", "deny"),
        // Nobody asked for what is stored.
        (WHOLE, json!({"match": {"operations": ["CREATE"]}}), "skip", "deny"),
        (WHOLE, json!({"match": {"operations": ["UPDATE"]}}), "deny", "deny"),
        (WHOLE, json!({"match": {"subjects": {"include": {"users": [""]}}}}), "skip", "deny"),
        (WHOLE, json!({"match": {"subjects": {"exclude": {"users": ["*"]}}}}), "deny", "deny"),
        // A rule about the whole object is asked about no container.
        (WHOLE, json!({"containers": ["*"]}), "deny", "deny"),
        (BY_CONTAINER, json!({"containers": ["de*"]}), "deny/web skip/debug", "deny/web skip/debug"),
        (BY_CONTAINER, json!({"images": ["tools/*"]}), "deny/web skip/debug", "deny/web skip/debug"),
        (
            BY_CONTAINER,
            json!({"images": ["tools/*"], "containers": ["web"]}),
            "deny/web deny/debug",
            "deny/web deny/debug",
        ),
        (BY_CONTAINER, json!({"images": ["*:1", "*:2"]}), "skip/web skip/debug", "skip/web skip/debug"),
        (BY_CONTAINER, json!({}), "skip/web skip/debug", "skip/web skip/debug"),
    ];
    for (expression, spec, at_the_door, stored) in cases {
        let mut world = World::new();
        world.apply(&rule(expression));
        world.apply(&exception(spec.clone()));
        world.apply(
            &json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "shop", "labels": {"team": "a"}}}),
        );
        let object = pod("web", json!({"tier": "gold"}));
        let review = creation(&object);
        let answer = world.plane.views().review(&review, world.plane.objects(), now(0));
        let verdicts = answer.reviewed.into_iter().flat_map(|it| it.1.verdicts);
        let said: BTreeSet<_> = verdicts.map(|it| (it.evidence.part.clone(), it.outcome.as_str())).collect();
        assert_eq!(said, wanted(at_the_door), "admission: {spec}");
        world.apply(&object);
        world.work();
        let open = |it: &Verdict| if it.outcome == Outcome::Skip { "skip" } else { "deny" };
        let said: BTreeSet<_> = world.records.iter().map(|it| (it.evidence.part.clone(), open(it))).collect();
        assert_eq!(said, wanted(stored), "audit: {spec}");
    }
}

/// `deny/web skip/debug` by container.
fn wanted(text: &str) -> BTreeSet<(String, &str)> {
    let part = |it: &str| it.split_once('/').map_or(String::new(), |it| it.1.to_owned());
    text.split(' ').map(|it| (part(it), it.split('/').next().unwrap())).collect()
}

#[test]
fn labels_of_a_namespace_that_change_are_noticed() {
    let mut world = World::new();
    let namespace = |team: &str| json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "shop", "uid": "n", "labels": {"team": team}}});
    world.apply(&namespace("a"));
    world.apply(&exception(json!({"match": {"namespaceSelector": {"matchLabels": {"team": "b"}}}})));
    world.apply(&rule(WHOLE));
    world.apply(&pod("web", json!({})));
    assert_eq!(world.news(), ["r: dryrun RuleViolated web/"]);
    world.apply(&namespace("b"));
    assert_eq!(world.news(), ["r: skip ViolationExcepted web/", "r: allow FindingExcepted web/"]);
    world.apply(&namespace("a"));
    assert_eq!(world.news(), ["r: dryrun RuleViolated web/"]);
}

#[test]
fn a_second_exception_goes_on_where_the_first_ends() {
    let mut world = World::new();
    let mut longer = exception(json!({"expires": "2026-11-21T11:00:00Z"}));
    longer["metadata"]["name"] = json!("longer");
    world.apply(&longer);
    world.apply(&exception(json!({"expires": "2026-11-21T10:00:00Z"})));
    world.apply(&rule(WHOLE));
    world.apply(&pod("web", json!({})));
    assert_eq!(world.news(), ["r: skip ViolationExcepted web/"]);
    assert_eq!(world.records.last().unwrap().evidence.exception.as_ref().unwrap().policy.name, "e");
    world.tick(3600);
    assert_eq!(world.news(), ["r: skip ViolationExcepted web/"]);
    assert_eq!(world.records.last().unwrap().evidence.exception.as_ref().unwrap().policy.name, "longer");
    world.tick(7200);
    assert_eq!(world.news(), ["r: dryrun RuleViolated web/"]);
}

#[test]
fn loops_wait_until_exceptions_are_known() {
    let mut world = World::with(Settings { awaits_exceptions: true, ..Settings::default() }, Vec::new());
    world.apply(&rule(WHOLE));
    world.apply(&pod("web", json!({})));
    assert_eq!(world.news(), Vec::<String>::new());
    world.apply(&exception(json!({})));
    world.synced(&api::exception());
    assert_eq!(world.news(), Vec::<String>::new());
    world.synced(&api::cluster_exception());
    assert_eq!(world.news(), ["r: skip ViolationExcepted web/"]);
}

#[test]
fn mistakes_are_told_and_a_good_revision_stays_in_force() {
    let mut world = World::new();
    world.apply(&exception(json!({"reason": ""})));
    assert_eq!(world.conditions(), ["Valid False Invalid", "Expired Unknown Invalid"]);
    assert!(world.status("/conditions/0/message").as_str().unwrap().contains("`reason`: is required"));
    assert_eq!(world.events, ["e InvalidException"]);
    world.apply(&edited(exception(json!({})), 2));
    assert_eq!(world.conditions(), ["Valid True ValidWithWarnings", "Expired False InForce"]);
    assert!(world.status("/conditions/0/message").as_str().unwrap().contains("there is no rule `r`"));
    // The rule comes later.
    world.apply(&rule(WHOLE));
    assert_eq!(world.conditions(), ["Valid True Valid", "Expired False InForce"]);
    world.apply(&edited(exception(json!({"expires": "soon"})), 3));
    assert_eq!(world.conditions(), ["Valid False Invalid", "Expired False InForce"]);
    assert_eq!(world.review(&pod("web", json!({}))).0, [Outcome::Skip], "the last one without mistakes");
    // An own status that comes back is no news.
    let mut echo = edited(exception(json!({"expires": "soon"})), 3);
    echo["status"] = world.status("");
    let before = world.plane.views().clone();
    world.apply(&echo);
    assert!(world.plane.views().same(&before));
}

#[test]
fn rules_and_exceptions_say_what_they_have_of_each_other() {
    let mut world = World::new();
    world.apply(&rule(WHOLE));
    world.apply(&exception(json!({"expires": "2026-11-21T10:00:00Z"})));
    world.apply(&pod("web", json!({})));
    world.work();
    let explain = |world: &World, kind: &str, name: &str| {
        let target = Target { kind: kind.into(), name: name.into(), namespace: String::new() };
        world.plane.views().explain(&target, now(0)).unwrap()
    };
    let of_rule = explain(&world, "rule", "r");
    let titles: Vec<_> = of_rule.sections.iter().map(|it| it.title.as_str()).collect();
    assert_eq!(titles, ["r", "open findings: 0", "exceptions: 1", "skipped: 1"]);
    assert_eq!(of_rule.sections[2].rows[0], ["e", "team-shop", "2026-11-21T10:00:00Z", "moving house"]);
    assert_eq!(of_rule.data["rules"][0]["skipped"][0]["exception"]["reason"], "moving house");
    for kind in ["exception", "crex", "ClusterRuleException"] {
        let of_exception = explain(&world, kind, "e");
        assert_eq!(of_exception.headline, "exception `e` is in force until 2026-11-21T10:00:00Z");
        assert_eq!(of_exception.sections[1].rows, [["r", "Pod", "shop", "web", ""]]);
    }
    let listed = world.plane.views().iter().flat_map(|it| it.policies()).map(|it| (it.kind, it.name, it.active));
    let (rule, exception) = ("PortalClusterRule".to_owned(), "ClusterRuleException".to_owned());
    assert_eq!(listed.collect::<Vec<_>>(), [(rule, "r".to_owned(), true), (exception, "e".to_owned(), true)]);
}

#[test]
fn what_violated_before_is_asked_of_the_rule_alone() {
    let mut world = World::new();
    world.apply(&with(rule(WHOLE), json!({"preexisting": "tolerate"})));
    world.apply(&exception(json!({"match": {"labelSelector": {"matchLabels": {"tier": "gold"}}}})));
    let update = |before: Value, after: Value| Review {
        operation: Operation::Update,
        old_object: Some(Object::from_value(&before)),
        ..creation(&after)
    };
    let review = update(pod("web", json!({"tier": "gold"})), pod("web", json!({"tier": "tin"})));
    let answer = world.plane.views().review(&review, &NoLookups, now(0));
    assert_eq!((answer.allowed, answer.outcome), (true, Outcome::Warn));
}

#[test]
fn the_checks_of_the_process_have_exceptions_too() {
    let mut world = World::new();
    for kind in kanon_network::Kinds::all() {
        world.synced(&kind);
    }
    let namespace = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "shop"}});
    world.apply(&namespace);
    world.apply(&pod("web", json!({})));
    world.tick(10);
    let open = "np.default-deny-missing: dryrun NetworkFinding shop/";
    assert_eq!(world.news(), [open]);
    // A namespace frees itself from nothing here.
    world.apply(&of_namespace(exception(json!({"rules": ["np.*"]})), "shop"));
    assert_eq!(world.news(), Vec::<String>::new());
    let granted = exception(
        json!({"rules": ["np.*"], "match": {"namespaces": {"include": ["shop"]}}, "expires": "2026-11-21T10:00:00Z"}),
    );
    world.apply(&granted);
    let skipped = "np.default-deny-missing: skip ViolationExcepted shop/";
    assert_eq!(world.news(), ["np.default-deny-missing: allow FindingExcepted shop/", skipped]);
    assert_eq!(world.figure("portal_excepted_violations_total"), [("np.default-deny-missing e network".to_owned(), 1)]);
    world.tick(3600);
    assert_eq!(world.news(), [open]);
    world.apply(&edited(with(granted.clone(), json!({"expires": null})), 2));
    assert_eq!(world.news().last().unwrap(), skipped);
    // What is fixed while it is covered ends without a word.
    world.change(Change::Deleted, &pod("web", json!({})));
    world.tick(3700);
    assert_eq!(world.news(), Vec::<String>::new());
    // What begins while it is covered does, too.
    world.apply(&pod("web", json!({})));
    world.tick(3800);
    assert_eq!(world.news(), [skipped]);
    world.change(Change::Deleted, &granted);
    assert_eq!(world.news(), [open]);
}

#[test]
fn files_hold_exceptions_beside_rules() {
    let file = |text: &str| PolicyFile { path: "a.yaml".into(), text: text.to_owned().into() };
    let rule = rule(WHOLE)["spec"].to_string();
    let text = |spec: &str| {
        format!(
            "{rule}\n---\napiVersion: portal.io/v1alpha1\nkind: ClusterRuleException\nmetadata: {{name: e}}\nspec: {spec}\n"
        )
    };
    let compile =
        |text: &str| Rules::from_documents(&[file(text)], language(), Settings::default(), Default::default());
    let (rules, problems) = compile(&text("{rules: [r], reason: moving, expires: 2026-11-21T10:00:00Z}"));
    assert_eq!(problems, []);
    let pod = Object::from_value(&pod("web", json!({})));
    let said = |secs| rules.review_object(&pod, &[Mode::Audit], now(secs)).remove(0).outcome;
    assert_eq!((said(0), said(3600)), (Outcome::Skip, Outcome::DryRun));
    assert_eq!(rules.expired_exceptions(now(3600).wall).len(), 1);
    let (_, problems) = compile(&text("{rules: [r], match: {namespace: [shop]}}"));
    assert!(problems.iter().all(|it| !it.warning && it.exception && it.message.lines().count() == 2), "{problems:?}");
    let (rules, problems) = compile(&text("{rules: [other], reason: moving}"));
    assert!(problems[0].warning && problems[0].message.contains("there is no rule `other`"), "{problems:?}");
    assert_eq!(rules.endless_exceptions().len(), 1);
    // A folder whose file cannot be read keeps what it had.
    let mut world = World::new();
    let folder = |text: &str| Input::Folder { files: vec![file(text)], unreadable: Vec::new() };
    world.input(&folder(&text("{rules: [r], reason: moving}")));
    let object = world::pod("web", json!({}));
    assert_eq!(world.review(&object).0, [Outcome::Skip]);
    world.input(&folder("{"));
    assert_eq!(world.review(&object).0, [Outcome::Skip]);
    world.input(&folder(&rule));
    assert_eq!(world.review(&object).0, [Outcome::Deny]);
}
