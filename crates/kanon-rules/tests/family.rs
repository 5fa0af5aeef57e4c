//! What the family does over time: statuses, Events, last good revisions, counts, sources.

#![allow(clippy::unwrap_used, reason = "a test that panics has failed")]

mod common;

use std::sync::Arc;

use common::{Plane, creation, now};
use kanon_core::{Action, Change, Delivery, Effect, Failure, FamilyId, Input, Mono, PolicyFile, Review, Shards};
use kanon_plane::{Family, NoLookups, PolicySummary, Target};
use kanon_rules::RuleStatus;
use serde_json::{Value, json};

const PRIVILEGED: &str = "container.securityContext.privileged == true";

fn rule(generation: i64, expression: &str) -> Value {
    named("no-privileged", "no-privileged", generation, expression)
}

fn named(object: &str, name: &str, generation: i64, expression: &str) -> Value {
    json!({
        "apiVersion": "portal.io/v1alpha1", "kind": "PortalClusterRule",
        "metadata": {"name": object, "uid": format!("uid-{object}"), "generation": generation},
        "spec": {
            "name": name, "enabled": true, "mode": ["audit", "admission"], "enforcementAction": "deny",
            "match": {"gvk": [{"group": "", "version": "v1", "kind": "Pod"}]}, "rule": expression,
        },
    })
}

fn pod(privileged: bool) -> Review {
    let object = json!({
        "apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p", "namespace": "shop"},
        "spec": {"containers": [{"name": "c", "securityContext": {"privileged": privileged}}]},
    });
    creation(&object)
}

impl Plane {
    /// Whether the view denies; the answer is posted back as the webhook does.
    fn denies(&mut self, privileged: bool) -> bool {
        let review = pod(privileged);
        let reviewed = self.view().review(&review, &NoLookups, now(self.secs));
        let denied = reviewed.verdicts.iter().any(|it| it.outcome == kanon_core::Outcome::Deny);
        self.input(&Input::Reviewed {
            family: FamilyId("rules"),
            review: Arc::new(review),
            verdicts: reviewed.verdicts,
            counts: reviewed.counts,
        });
        denied
    }

    fn take(&mut self) -> Vec<Effect> {
        std::mem::take(&mut self.effects)
    }

    /// The statuses asked for since the last call.
    fn statuses(&mut self) -> Vec<RuleStatus> {
        let status = |effect: Effect| match effect.action {
            Action::Status { status, .. } => Some(serde_json::from_value(status).unwrap()),
            _ => None,
        };
        self.take().into_iter().filter_map(status).collect()
    }

    fn status(&mut self) -> RuleStatus {
        let mut all = self.statuses();
        assert_eq!(all.len(), 1, "{all:?}");
        all.remove(0)
    }

    /// Applies the object with this status, as its watch delivers it after the write.
    fn echo(&mut self, object: &Value, status: &RuleStatus) {
        let mut object = object.clone();
        object["status"] = serde_json::to_value(status).unwrap();
        self.apply(&object);
    }

    fn tick(&mut self, secs: u64) {
        self.secs = secs;
        self.input(&Input::Tick);
    }

    fn policies(&self) -> Vec<PolicySummary> {
        self.view().policies()
    }
}

fn conditions(status: &RuleStatus) -> Vec<String> {
    status.conditions.iter().map(|it| format!("{} {} {}", it.condition, it.status, it.reason)).collect()
}

fn file(path: &str, text: &str) -> PolicyFile {
    PolicyFile { path: path.to_owned(), text: text.to_owned().into() }
}

#[test]
fn a_good_rule_gets_a_status_at_once() {
    let mut plane = Plane::new();
    plane.apply(&rule(3, PRIVILEGED));
    let status = plane.status();
    assert_eq!(status.last_applied.as_deref(), Some("2026-11-21T09:00:00Z"));
    assert_eq!((status.observed_generation, status.parse_error.as_deref()), (3, None));
    assert_eq!(status.active_on, ["admission"], "audit does not run in this process");
    assert_eq!(conditions(&status), ["Ready True Active", "Compiled True Compiled", "Evaluating True Evaluated"]);
}

#[test]
fn own_status_writes_change_nothing() {
    let mut plane = Plane::new();
    plane.apply(&rule(1, PRIVILEGED));
    let status = plane.status();
    let view = plane.view();
    plane.echo(&rule(1, PRIVILEGED), &status);
    assert_eq!(plane.take(), []);
    assert!(Arc::ptr_eq(&view, &plane.view()), "the view is the same until policies change");
}

#[test]
fn a_broken_revision_keeps_the_last_good_one_and_says_so() {
    let mut plane = Plane::new();
    plane.apply(&rule(1, PRIVILEGED));
    plane.take();
    plane.apply(&rule(2, "container.securityContext.privileged =="));
    let effects = plane.take();
    let Action::Event { reason, message, .. } = &effects[0].action else { panic!("{effects:?}") };
    assert_eq!(reason, "ParseError");
    assert!(message.contains("compile: "), "{message}");
    let Action::Status { status, .. } = &effects[1].action else { panic!("{effects:?}") };
    let status: RuleStatus = serde_json::from_value(status.clone()).unwrap();
    let error = status.parse_error.clone().unwrap();
    assert!(error.starts_with("compile: ") && error.contains("(1:") && error.contains('^'), "{error}");
    assert_eq!(
        conditions(&status),
        ["Ready False ParseError", "Compiled False ParseError", "Evaluating True Evaluated"]
    );
    assert_eq!((&status.active_on[..], status.observed_generation), (&["admission".to_owned()][..], 2));
    assert!(plane.denies(true), "the last good revision is in force");
    plane.take();
    plane.apply(&rule(3, "false"));
    let status = plane.status();
    assert_eq!((status.parse_error.as_deref(), conditions(&status)[0].as_str()), (None, "Ready True Active"));
    assert!(!plane.denies(true));
}

#[test]
fn a_rule_that_never_compiled_is_not_evaluated() {
    let mut plane = Plane::new();
    plane.apply(&rule(1, "a =="));
    let status = plane.statuses().remove(0);
    assert_eq!(
        conditions(&status),
        ["Ready False ParseError", "Compiled False ParseError", "Evaluating Unknown NotActive"]
    );
    assert!(status.active_on.is_empty());
    assert!(!plane.denies(true));
}

#[test]
fn the_kill_switch_works_on_a_broken_revision() {
    let mut plane = Plane::new();
    plane.apply(&rule(1, PRIVILEGED));
    plane.take();
    let mut off = rule(2, "a ==");
    off["spec"]["enabled"] = json!(false);
    plane.apply(&off);
    let status = plane.status();
    assert!(status.parse_error.is_some_and(|it| it.starts_with("compile: ")));
    assert_eq!(status.conditions[0].reason, "Disabled");
    assert!(!plane.denies(true));
}

#[test]
fn counts_go_out_at_most_every_thirty_seconds() {
    let mut plane = Plane::new();
    plane.apply(&rule(1, PRIVILEGED));
    let first = plane.status();
    plane.echo(&rule(1, PRIVILEGED), &first);
    assert!(plane.denies(true));
    let status = plane.status();
    assert_eq!((status.eval_count, status.violation_count), (1, 1));
    plane.echo(&rule(1, PRIVILEGED), &status);
    plane.secs = 10;
    for _ in 0..5 {
        plane.denies(false);
    }
    assert_eq!(plane.take(), []);
    assert_eq!(plane.family.next_deadline(), Some(Mono(std::time::Duration::from_secs(30))));
    plane.tick(29);
    assert_eq!(plane.take(), []);
    plane.tick(30);
    let status = plane.status();
    assert_eq!((status.eval_count, status.violation_count), (6, 1));
    assert_eq!(plane.family.next_deadline(), None, "nothing to wait for");
    plane.tick(90);
    assert_eq!(plane.take(), [], "nothing changed");
}

#[test]
fn counts_begin_again_with_a_generation_and_go_on_after_a_restart() {
    let mut plane = Plane::new();
    plane.apply(&rule(1, PRIVILEGED));
    plane.denies(true);
    let status = plane.statuses().pop().unwrap();
    let mut restarted = Plane::new();
    restarted.secs = 500;
    restarted.echo(&rule(1, PRIVILEGED), &status);
    assert_eq!(restarted.take(), [], "a restart writes nothing twice");
    restarted.denies(true);
    let status = restarted.status();
    assert_eq!((status.eval_count, status.violation_count), (2, 2));
    assert_eq!(status.last_applied.as_deref(), Some("2026-11-21T09:00:00Z"));
    restarted.echo(&rule(2, "container.securityContext.privileged != nil"), &status);
    let status = restarted.status();
    assert_eq!((status.eval_count, status.violation_count, status.observed_generation), (0, 0, 2));
    assert_eq!(status.last_applied.as_deref(), Some("2026-11-21T09:08:20Z"));
}

#[test]
fn counts_of_other_replicas_are_added_to() {
    let mut plane = Plane::new();
    plane.apply(&rule(1, PRIVILEGED));
    let mut status = plane.status();
    plane.echo(&rule(1, PRIVILEGED), &status);
    status.eval_count = 40;
    status.violation_count = 4;
    plane.echo(&rule(1, PRIVILEGED), &status);
    plane.denies(true);
    let status = plane.status();
    assert_eq!((status.eval_count, status.violation_count), (41, 5));
}

#[test]
fn a_write_that_was_given_up_is_made_again() {
    let mut plane = Plane::new();
    plane.apply(&rule(1, PRIVILEGED));
    let effect = plane.take().remove(0);
    let result = Err(Failure::given_up("the server is gone"));
    plane.input(&Input::Delivered(Delivery {
        effect: effect.id,
        family: effect.family,
        subject: effect.subject,
        result,
    }));
    assert_eq!(plane.take(), [], "not at once");
    plane.tick(30);
    assert_eq!(plane.status().observed_generation, 1);
}

#[test]
fn three_failures_in_a_row_show_and_a_value_clears_them() {
    let mut plane = Plane::new();
    // Fails for pods that leave the field unset, gives a value for others.
    plane.apply(&rule(1, "!container.securityContext.privileged && metadata.labels.x.y == 1"));
    let first = plane.status();
    plane.echo(&rule(1, "!container.securityContext.privileged && metadata.labels.x.y == 1"), &first);
    for _ in 0..3 {
        plane.denies(false);
    }
    let status = plane.statuses().pop().unwrap();
    let failure = status.last_eval_error.clone().unwrap();
    assert_eq!((failure.count, failure.object.as_str()), (3, "Pod shop/p"));
    assert!(!failure.message.is_empty() && failure.time == "2026-11-21T09:00:00Z");
    assert_eq!(conditions(&status)[2], "Evaluating False EvalErrors");
    plane.secs = 5;
    plane.denies(true);
    let status = plane.status();
    assert_eq!(conditions(&status)[2], "Evaluating True Evaluated");
    assert_eq!(status.conditions[2].last_transition_time, "2026-11-21T09:00:05Z");
    assert_eq!(status.conditions[0].last_transition_time, "2026-11-21T09:00:00Z");
}

#[test]
fn colliding_names_are_shown_on_both_objects_and_cleared() {
    let mut plane = Plane::new();
    plane.apply(&named("one", "same", 1, PRIVILEGED));
    assert_eq!(plane.status().conditions[0].reason, "Active");
    plane.apply(&named("two", "same", 1, PRIVILEGED));
    let reasons: Vec<_> = plane.statuses().iter().map(|it| conditions(it)[0].clone()).collect();
    assert_eq!(reasons, ["Ready True NameCollision"; 2]);
    plane.object(&named("two", "same", 1, PRIVILEGED), Change::Deleted);
    assert_eq!(conditions(&plane.status())[0], "Ready True Active");
    assert!(plane.denies(true));
    plane.object(&named("one", "same", 1, PRIVILEGED), Change::Deleted);
    assert!(!plane.denies(true));
    assert_eq!(plane.policies(), []);
}

#[test]
fn a_broken_file_keeps_its_rules_in_force() {
    let good = json!({"name": "f", "enabled": true, "mode": ["admission"], "enforcementAction": "deny",
        "match": {"gvk": [{"group": "", "version": "v1", "kind": "Pod"}]}, "rule": PRIVILEGED});
    let mut plane = Plane::new();
    plane.folder(vec![file("a.yaml", &good.to_string()), file("b.yaml", "name: [")]);
    assert!(plane.denies(true));
    assert_eq!(plane.policies().iter().map(|it| it.active).collect::<Vec<_>>(), [true, false]);
    plane.folder(vec![file("a.yaml", "name: ["), file("b.yaml", "")]);
    assert!(plane.denies(true), "the last good revision is in force");
    let policies = plane.policies();
    assert_eq!(policies.len(), 1);
    assert!(policies[0].active && policies[0].problem.contains("file is not YAML"), "{policies:?}");
    let mut broken = good.clone();
    broken["rule"] = json!("a ==");
    plane.folder(vec![file("a.yaml", &broken.to_string())]);
    assert!(plane.denies(true) && plane.policies()[0].problem.starts_with("compile: "));
    plane.folder(vec![file("a.yaml", &good.to_string())]);
    assert!(plane.denies(true) && plane.policies()[0].problem.is_empty());
    plane.folder(Vec::new());
    assert!(!plane.denies(true));
    assert!(plane.policies().is_empty());
}

#[test]
fn folder_and_objects_are_in_force_together() {
    let folder = json!({"name": "f", "enabled": true, "mode": ["admission"], "enforcementAction": "deny",
        "match": {"gvk": [{"group": "", "version": "v1", "kind": "Pod"}]}, "rule": PRIVILEGED});
    let mut plane = Plane::new();
    plane.folder(vec![file("a.yaml", &folder.to_string())]);
    plane.apply(&named("o", "o", 1, "false"));
    assert!(plane.denies(true));
    assert_eq!(plane.policies().iter().filter(|it| it.active).count(), 2);
}

#[test]
fn a_new_leader_writes_what_the_objects_do_not_say() {
    let mut plane = Plane::new();
    plane.apply(&rule(1, PRIVILEGED));
    let status = plane.status();
    plane.echo(&rule(1, PRIVILEGED), &RuleStatus { observed_generation: 1, ..RuleStatus::default() });
    plane.input(&Input::Leadership(Shards::lead(true)));
    let again = plane.status();
    assert_eq!((again.last_applied, again.active_on), (status.last_applied, status.active_on));
}

#[test]
fn explain_shows_state_and_counts() {
    let mut plane = Plane::new();
    plane.apply(&rule(1, PRIVILEGED));
    plane.denies(true);
    let explain = |kind: &str, name: &str, namespace: &str| {
        let target = Target { kind: kind.into(), name: name.into(), namespace: namespace.into() };
        plane.view().explain(&target, now(0))
    };
    for kind in ["rule", "pcr", "PortalClusterRule"] {
        let explanation = explain(kind, "no-privileged", "").unwrap();
        assert_eq!(explanation.headline, "rule `no-privileged` is in force on admission");
        let rows = &explanation.sections[0].rows;
        for row in [["state", "Active"], ["expression", PRIVILEGED], ["evaluations", "1"], ["violations", "1"]] {
            assert!(rows.iter().any(|it| it[..] == row), "{row:?} not in {rows:?}");
        }
        assert_eq!(explanation.data["rules"][0]["activeOn"], json!(["admission"]));
    }
    assert!(explain("pr", "no-privileged", "").is_none());
    assert!(explain("gate", "no-privileged", "").is_none());
    assert!(explain("rule", "other", "").is_none());
}

#[test]
fn admission_asks_for_deletions_only_where_a_rule_reads_the_operation() {
    let mut plane = Plane::new();
    plane.apply(&rule(1, PRIVILEGED));
    let operations = |plane: &Plane| {
        let rules = plane.view().admission_rules();
        rules.iter().map(|it| (it.kind.clone(), it.operations.len())).collect::<Vec<_>>()
    };
    assert_eq!(operations(&plane), [("Pod".to_owned(), 2)]);
    plane.apply(&named("o", "o", 1, "request?.operation == 'DELETE'"));
    assert_eq!(operations(&plane), [("Pod".to_owned(), 3)]);
    plane.object(&named("o", "o", 1, "x"), Change::Deleted);
    assert_eq!(operations(&plane), [("Pod".to_owned(), 2)]);
}

#[test]
fn evidence_shows_the_values_that_were_compared() {
    let mut plane = Plane::new();
    plane.apply(&rule(1, PRIVILEGED));
    let verdict = plane.view().review(&pod(true), &NoLookups, now(0)).verdicts.remove(0);
    assert_eq!((verdict.policy.kind.as_str(), verdict.policy.revision.len()), ("PortalClusterRule", 12));
    assert_eq!((verdict.evidence.expression.as_str(), verdict.evidence.part.as_str()), (PRIVILEGED, "c"));
    assert_eq!(verdict.evidence.operation, "CREATE");
    assert_eq!(verdict.evidence.reads[0].object.name, "shop", "the namespace was looked up, and missing");
    let value = verdict.evidence.values.iter().find(|it| it.text == "container.securityContext.privileged");
    assert_eq!(value.map(|it| &it.value), Some(&json!(true)), "{:?}", verdict.evidence.values);
}

#[test]
fn actions_are_read_from_both_forms() {
    let mut plane = Plane::new();
    let mut object = rule(1, PRIVILEGED);
    object["spec"]["alert"] = json!("loud");
    object["spec"]["actions"] = json!([
        {"type": "alertmanager", "template": "loud"},
        {"type": "label", "key": "a", "value": "x", "params": {"value": "y"}, "on": ["audit"]},
        {"type": "evict", "rateLimit": "5 / Minutes", "true": ["audit"]},
        {"type": "evict", "rateLimit": "often"},
    ]);
    plane.apply(&object);
    let view = plane.view();
    let status = plane.status();
    assert!(status.conditions[1].message.contains("`often` is not a rate"), "{status:?}");
    drop(view);
    let files = [file("a.yaml", &object["spec"].to_string())];
    let (rules, problems) = kanon_rules::Rules::from_documents(
        &files,
        common::language(),
        kanon_rules::Settings::default(),
        Default::default(),
    );
    assert_eq!(problems.len(), 1);
    let rule = rules.active().next().unwrap();
    let actions: Vec<_> = rule
        .actions
        .iter()
        .map(|it| {
            format!(
                "{} {:?} {} {}",
                it.action,
                it.on,
                it.rate.map_or("-".into(), |it| it.to_string()),
                json!(it.params)
            )
        })
        .collect();
    assert_eq!(
        actions,
        [
            r#"alertmanager [] - {"template":"loud"}"#,
            r#"label [Audit] - {"key":"a","value":"y"}"#,
            "evict [Audit] 5/min {}",
            "evict [] - {}",
        ]
    );
}

#[test]
fn definitions_of_rules_and_exceptions_are_installed() {
    let plane = Plane::new();
    let crds = plane.family.crds();
    let names: Vec<_> = crds.iter().map(|it| it["metadata"]["name"].as_str().unwrap()).collect();
    let rules = ["portalclusterrules.portal.io", "portalrules.portal.io"];
    assert_eq!(names, [rules, ["clusterruleexceptions.portal.io", "ruleexceptions.portal.io"]].concat());
    let version = &crds[0]["spec"]["versions"][0];
    assert_eq!(version["subresources"], json!({"status": {}}));
    let spec = &version["schema"]["openAPIV3Schema"]["properties"]["spec"];
    assert_eq!(spec["properties"]["actions"]["items"]["x-kubernetes-preserve-unknown-fields"], json!(true));
    assert_eq!(spec["properties"]["match"]["properties"]["gvk"]["minItems"], json!(1));
}
