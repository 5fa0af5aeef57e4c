//! The plain way to ask rules, one after the other, for tests: what asking them together must come to.

use std::sync::Arc;

use kanon_core::{Change, GroupVersionKind, Keep, Now, Object, PolicyFile, Verdict};
use kanon_lang::{Arena, ErrorKind, EvalError, Value};
use kanon_plane::{NoLookups, ObjectStore, Which, Work};
use proptest::prelude::*;
use serde_json::json;

use super::{
    Decision, Question, RuleTally,
    verdicts::{Finding, Writer},
};
use crate::{Mode, Rules, Settings, audit::scan::scan, facts::Facts, lookups::reader::Reader};

/// The verdicts and counts of all rules, each evaluated alone.
fn one_by_one(rules: &Rules, question: &Question<'_>) -> (Vec<Verdict>, Vec<RuleTally>) {
    let namespace = question.namespace(rules);
    let reader = Reader::new(&NoLookups, &rules.resources, None, None, None);
    let arena = Arena::new();
    let facts = Facts::new(question.kind, question.object, None, question.now, true, &reader, &arena);
    let writer = Writer::new(rules, question, namespace, &NoLookups, &rules.settings.limits);
    let (mut verdicts, mut rows) = (Vec::new(), Vec::new());
    for (at, entry) in rules.entries().iter().enumerate() {
        let Some(rule) = entry.rule.as_deref().filter(|it| question.concerns(at as u32, it, namespace)) else {
            continue;
        };
        let program = rule.program.as_deref().expect("a rule in force has a program");
        let mut row = RuleTally { entry: at as u32, ..RuleTally::default() };
        for pass in facts.passes(rule.per_container) {
            row.evaluations += 1;
            let finding = match program.evaluate(&pass.values, &rules.settings.limits, &arena).and_then(truth) {
                Ok(false) => None,
                Ok(true) => Some(Finding::Violation),
                Err(error) => {
                    row.last_error = Some(error.message.clone());
                    row.over_budget += u32::from(error.kind == ErrorKind::Budget);
                    Some(Finding::Error(error))
                }
            };
            row.violations += u32::from(matches!(finding, Some(Finding::Violation)));
            let failed = matches!(finding, Some(Finding::Error(_)));
            row.errors += u32::from(failed);
            row.errors_at_end = if failed { row.errors_at_end + 1 } else { 0 };
            verdicts.extend(finding.map(|it| writer.verdict(entry, rule, pass, &reader, &arena, it)));
        }
        rows.push(row);
    }
    verdicts.sort_by_key(|it| std::cmp::Reverse(it.outcome));
    (verdicts, rows)
}

fn truth(value: Value<'_>) -> Result<bool, EvalError> {
    match value {
        Value::Bool(truth) => Ok(truth),
        _ => Ok(false),
    }
}

/// Parts of conditions: tests that an index knows, tests that it does not, and what fails on some objects.
const PARTS: [&str; 16] = [
    "object.metadata.namespace == 'a'",
    "object.metadata.namespace in ['a', 'b']",
    "object.spec.hostNetwork == true",
    "object.spec.mode == 'x'",
    "object.spec.mode == 'y'",
    "object.spec.mode startsWith 'x'",
    "metadata.labels.team == 'web'",
    "metadata.name == 'p'",
    "container.name == 'c'",
    "container.image.tag == 'latest'",
    "container.image startsWith 'x'",
    "container.securityContext.privileged == true",
    "len(object.spec.mode) > 0",
    "any(object.spec.containers, .name == 'c')",
    "spec.hostPID == true",
    "object.spec.mode != 'x'",
];

const NAMES: [&str; 3] = ["a", "b", "c"];

fn values() -> impl Strategy<Value = serde_json::Value> {
    prop_oneof![
        Just(json!(null)),
        any::<bool>().prop_map(|it| json!(it)),
        prop::sample::select(vec!["x", "y", "a", "latest", "c", "web"]).prop_map(|it| json!(it)),
        Just(json!(1)),
        Just(json!(["x"])),
        Just(json!({"x": 1})),
    ]
}

fn part() -> impl Strategy<Value = String> {
    prop::sample::select(PARTS.to_vec()).prop_map(str::to_owned)
}

fn rule() -> impl Strategy<Value = serde_json::Value> {
    let all = prop::collection::vec(part(), 1..4).prop_map(|it| it.join(" && "));
    let some = prop::collection::vec(part(), 1..3).prop_map(|it| it.join(" || "));
    let modes = prop::sample::select(vec![json!(["admission"]), json!(["audit"]), json!(["audit", "admission"])]);
    let actions = prop::sample::select(vec!["deny", "warn", "dryrun"]);
    let include = prop::collection::vec(prop::sample::select(NAMES.to_vec()), 0..2);
    (prop_oneof![3 => all, 1 => some], modes, actions, include, any::<bool>()).prop_map(
        |(text, modes, action, include, excludes)| {
            let key = if excludes { "exclude" } else { "include" };
            json!({"enabled": true, "mode": modes, "enforcementAction": action, "onError": "warn", "rule": text,
                "match": {"gvk": [{"group": "", "version": "v1", "kind": "Pod"}], "namespaces": {key: include}}})
        },
    )
}

fn pod() -> impl Strategy<Value = serde_json::Value> {
    let container = (values(), values(), values()).prop_map(|(name, image, privileged)| {
        json!({"name": name, "image": image, "securityContext": {"privileged": privileged}})
    });
    let containers = prop::collection::vec(container, 0..4);
    (prop::sample::select(NAMES.to_vec()), values(), values(), values(), values(), containers).prop_map(
        |(namespace, mode, network, pid, team, containers)| {
            json!({"apiVersion": "v1", "kind": "Pod",
                "metadata": {"name": "p", "namespace": namespace, "labels": {"team": team}},
                "spec": {"mode": mode, "hostNetwork": network, "hostPID": pid, "containers": containers}})
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig { cases: ProptestConfig::default().cases.max(400), ..ProptestConfig::default() })]

    #[test]
    fn together_is_as_one_by_one(rules in prop::collection::vec(rule(), 1..24), pod in pod()) {
        let rules = rules_of(rules);
        prop_assert!(rules.active().count() > 0);
        let object = Object::from_value(&pod);
        let kind = GroupVersionKind::new("", "v1", "Pod");
        let now = now();
        for modes in [&[Mode::Admission][..], &[Mode::Audit], &[Mode::Admission, Mode::Audit]] {
            let question = Question::new(&kind, &object, modes, now);
            let together = rules.decide(&question, &NoLookups);
            let (verdicts, rows) = one_by_one(&rules, &question);
            prop_assert_eq!(&together.rows, &rows);
            prop_assert_eq!(text(&Decision::verdicts(together.found)), text(&verdicts));
        }
    }

    #[test]
    fn a_scan_counts_as_one_by_one(rules in prop::collection::vec(rule(), 1..12), pods in prop::collection::vec(pod(), 1..12)) {
        let rules = rules_of(rules);
        let kind = GroupVersionKind::new("", "v1", "Pod");
        let mut store = ObjectStore::default();
        for (at, mut pod) in pods.into_iter().enumerate() {
            pod["metadata"]["name"] = json!(format!("p{at}"));
            store.apply(&kind, Change::Applied, &Object::from_value(&pod));
        }
        store.synced(&kind, &Keep::All);
        let (occasion, which) = (Mode::Audit.as_str(), Which::After { last: None, limit: 100 });
        let work = Work { occasion, kind: kind.clone(), which, policies: None, area: kanon_plane::Area::default() };
        let (mut verdicts, mut rows) = (Vec::new(), vec![None::<RuleTally>; rules.entries().len()]);
        for object in work.objects(&store) {
            let question = Question::new(&kind, object, &[Mode::Audit], now());
            let (found, counts) = one_by_one(&rules, &question);
            verdicts.extend(found);
            for row in counts {
                let sum = rows[row.entry()].get_or_insert_with(|| row.without_counts());
                sum.evaluations += row.evaluations;
                sum.absorb(row);
            }
        }
        let scanned = scan(&rules, &work, &store, now());
        let found = scanned.found.into_iter().flat_map(|it| Decision::verdicts(it.verdicts)).collect::<Vec<_>>();
        prop_assert_eq!(scanned.rows, rows.into_iter().flatten().collect::<Vec<_>>());
        prop_assert_eq!(text(&found), text(&verdicts));
    }
}

fn rules_of(rules: Vec<serde_json::Value>) -> Arc<Rules> {
    let named = rules.into_iter().enumerate().map(|(at, mut rule)| {
        rule["name"] = json!(format!("r{at}"));
        rule
    });
    let file = PolicyFile { path: "a.yaml".into(), text: json!(named.collect::<Vec<_>>()).to_string().into() };
    let settings = Settings { loops: vec![Mode::Admission, Mode::Audit], ..Settings::default() };
    Rules::from_documents(&[file], Arc::new(kanon_expr::Expr::default()), settings, Default::default()).0
}

fn now() -> Now {
    Now::new(Default::default(), kanon_core::Mono::default())
}

fn text(verdicts: &[Verdict]) -> String {
    serde_json::to_string(verdicts).expect("verdicts are JSON")
}
