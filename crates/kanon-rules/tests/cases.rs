//! Cases as data: each document of `cases/*.yaml` names a policy, an object or request, and what is wanted. One `check`
//! runs them all: through the family as the binary does, and where the policy is a file also through the offline path.

#![allow(clippy::unwrap_used, reason = "a test that panics has failed")]

mod common;

use std::{collections::BTreeSet, sync::Arc};

use common::{Cluster, Plane, now};
use kanon_core::{GroupVersionKind, Object, Operation, PolicyFile, Review, UserInfo, Verdict};
use kanon_plane::{View, Views};
use kanon_rules::{Mode, Rules, RulesView, Settings};
use serde::Deserialize;
use serde_json::{Value, json};

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Case {
    case: String,
    /// Files of the folder by name: text, or a document.
    #[serde(default)]
    files: serde_json::Map<String, Value>,
    /// Rule objects.
    #[serde(default)]
    objects: Vec<Value>,
    /// Namespaces that lookups find.
    #[serde(default)]
    namespaces: Vec<Value>,
    review: ReviewCase,
    want: Want,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase", default)]
struct ReviewCase {
    operation: Operation,
    object: Value,
    old_object: Value,
    namespace: Option<String>,
    user: String,
    groups: Vec<String>,
    dry_run: bool,
}

impl Default for ReviewCase {
    fn default() -> ReviewCase {
        let (object, old_object, namespace) = (Value::Null, Value::Null, None);
        let (user, groups, dry_run) = ("admin".to_owned(), Vec::new(), false);
        ReviewCase { operation: Operation::Create, object, old_object, namespace, user, groups, dry_run }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Want {
    allowed: bool,
    #[serde(default)]
    message: String,
    #[serde(default)]
    warnings: Vec<String>,
    /// `outcome rule part reason`, in order.
    #[serde(default)]
    verdicts: Vec<String>,
    /// `rule evaluations/violations/errors`.
    #[serde(default)]
    counts: Vec<String>,
    /// Texts that the problems of the policies contain, in order.
    #[serde(default)]
    problems: Vec<String>,
}

fn review_of(case: &ReviewCase) -> Review {
    let object = |value: &Value| (!value.is_null()).then(|| Object::from_value(value));
    let subject = if case.object.is_null() { &case.old_object } else { &case.object };
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let namespace = case.namespace.clone().unwrap_or_else(|| text(&subject["metadata"]["namespace"]));
    Review {
        uid: "review-1".into(),
        operation: case.operation,
        kind: GroupVersionKind::from_api_version(&text(&subject["apiVersion"]), &text(&subject["kind"])),
        resource: Default::default(),
        sub_resource: String::new(),
        namespace,
        name: text(&subject["metadata"]["name"]),
        user: UserInfo { username: case.user.clone(), groups: case.groups.clone(), ..UserInfo::default() },
        object: object(&case.object),
        old_object: object(&case.old_object),
        options: None,
        dry_run: case.dry_run,
    }
}

fn files_of(case: &Case) -> Vec<PolicyFile> {
    let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    case.files.iter().map(|(path, value)| PolicyFile { path: path.clone(), text: text(value).into() }).collect()
}

fn lines(verdicts: &[Verdict]) -> Vec<String> {
    let line = |it: &Verdict| {
        let words = [it.outcome.as_str(), &it.policy.name, &it.evidence.part, it.reason];
        words.into_iter().filter(|it| !it.is_empty()).collect::<Vec<_>>().join(" ")
    };
    verdicts.iter().map(line).collect()
}

fn check(case: &Case) {
    let mut plane = Plane::new();
    if !case.files.is_empty() {
        plane.folder(files_of(case));
    }
    for object in &case.objects {
        plane.apply(object);
    }
    let view = plane.view();
    let cluster = Cluster::of_namespaces(&case.namespaces);
    let review = review_of(&case.review);
    let reviewed = view.review(&review, &cluster, now(0));
    let tally = reviewed.counts.clone().downcast::<kanon_rules::Tally>().unwrap();
    let name = &case.case;
    assert_eq!(lines(&reviewed.verdicts), case.want.verdicts, "{name}: verdicts");
    assert!(reviewed.verdicts.windows(2).all(|it| it[0].outcome >= it[1].outcome), "{name}: worst first");
    if !case.want.counts.is_empty() {
        let rows =
            tally.counts().map(|(rule, row)| format!("{rule} {}/{}/{}", row.evaluations, row.violations, row.errors));
        assert_eq!(rows.collect::<Vec<_>>(), case.want.counts, "{name}: counts");
    }
    let answer = Views::new(vec![view.clone()]).review(&review, &cluster, now(0));
    assert_eq!(answer.allowed, case.want.allowed, "{name}: allowed");
    assert_eq!(answer.message, case.want.message, "{name}: message");
    assert_eq!(answer.warnings, case.want.warnings, "{name}: warnings");
    let problems: Vec<_> = view.policies().into_iter().map(|it| it.problem).filter(|it| !it.is_empty()).collect();
    assert_eq!(problems.len(), case.want.problems.len(), "{name}: problems {problems:?}");
    for (problem, want) in problems.iter().zip(&case.want.problems) {
        assert!(problem.contains(want.as_str()), "{name}: `{want}` not in `{problem}`");
    }
    if case.objects.is_empty() {
        check_offline(case, &review, &cluster);
    }
}

/// The offline path gives what the family gives.
fn check_offline(case: &Case, review: &Review, cluster: &Cluster) {
    let (rules, _) =
        Rules::from_documents(&files_of(case), common::language(), Settings::default(), Default::default());
    let view = RulesView::new(Arc::clone(&rules));
    let verdicts = view.review(review, cluster, now(0)).verdicts;
    assert_eq!(lines(&verdicts), case.want.verdicts, "{}: offline", case.case);
    // A namespace that is exempt is not evaluated; a trace shows what would be.
    if let Some(object) = review.subject_object()
        && verdicts.iter().all(|it| it.reason != kanon_plane::NAMESPACE_BYPASSED)
    {
        let traces = rules.trace(object, Some(review), None, &[Mode::Admission], cluster, now(0));
        let shown = traces.into_iter().filter(|it| it.result != Ok(false)).map(|it| (it.policy.name, it.part));
        let decided = verdicts.into_iter().map(|it| (it.policy.name, it.evidence.part));
        assert_eq!(shown.collect::<BTreeSet<_>>(), decided.collect(), "{}: traces", case.case);
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FactsCase {
    about: String,
    object: Value,
    /// Expression, and its `evaluations/violations/errors`.
    expressions: Vec<(String, String)>,
}

fn check_facts(case: &FactsCase) {
    let object = Object::from_value(&case.object);
    let kind = GroupVersionKind::from_api_version(object.str_at(&["apiVersion"]), object.str_at(&["kind"]));
    let groups = vec!["system:masters".to_owned()];
    let review = review_of(&ReviewCase { object: case.object.clone(), groups, ..ReviewCase::default() });
    for (expression, want) in &case.expressions {
        let rule = json!({"name": "r", "enabled": true, "mode": ["admission"], "rule": expression,
            "match": {"gvk": [kind.clone()]}});
        let file = PolicyFile { path: "a.yaml".into(), text: rule.to_string().into() };
        let (rules, problems) =
            Rules::from_documents(&[file], common::language(), Settings::default(), Default::default());
        assert!(problems.iter().all(|it| it.warning), "{}: {expression}: {problems:?}", case.about);
        let reviewed = RulesView::new(rules).review(&review, &kanon_plane::NoLookups, now(0));
        let tally = reviewed.counts.downcast::<kanon_rules::Tally>().unwrap();
        let (_, row) = tally.counts().next().unwrap();
        let counts = format!("{}/{}/{}", row.evaluations, row.violations, row.errors);
        assert_eq!(counts, *want, "{}: {expression}: {:?}", case.about, row.last_error);
    }
}

fn run(text: &str) {
    let cases: Vec<Case> = serde_saphyr::from_multiple(text).unwrap();
    assert!(!cases.is_empty());
    cases.iter().for_each(check);
}

#[test]
fn outcomes_follow_mode_and_enforcement() {
    run(include_str!("cases/outcomes.yaml"));
}

#[test]
fn rules_match_by_kind_and_namespace() {
    run(include_str!("cases/matching.yaml"));
}

#[test]
fn rules_match_by_labels_names_operations_subjects_and_container_types() {
    run(include_str!("cases/narrow.yaml"));
}

#[test]
fn facts_are_those_of_the_specification() {
    let cases: Vec<FactsCase> = serde_saphyr::from_multiple(include_str!("cases/facts.yaml")).unwrap();
    assert!(cases.len() > 5);
    cases.iter().for_each(check_facts);
}

#[test]
fn broken_rules_say_what_is_wrong() {
    run(include_str!("cases/problems.yaml"));
}

#[test]
fn an_object_is_checked_offline_by_the_loops_asked_for() {
    let file = PolicyFile { path: "a.yaml".into(), text: include_str!("cases/seed-rule.yaml").into() };
    let (rules, problems) = Rules::from_documents(&[file], common::language(), Settings::default(), Default::default());
    assert_eq!(problems, []);
    let pod = json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p", "namespace": "production"},
        "spec": {"containers": [{"name": "c", "securityContext": {"privileged": true}}]}});
    let ask = |modes: &[Mode]| lines(&rules.review_object(&Object::from_value(&pod), modes, now(0)));
    assert_eq!(ask(&[Mode::Admission]), ["deny privileged-container c RuleViolated"]);
    assert_eq!(ask(&[Mode::Audit]), ["dryrun privileged-container c RuleViolated"]);
    assert_eq!(ask(&[Mode::Network]), Vec::<String>::new());
}
