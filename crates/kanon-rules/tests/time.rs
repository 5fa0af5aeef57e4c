//! How long evaluations may take, by a clock that the test holds: a rule that takes too long fails, and the others go on.
#![allow(clippy::unwrap_used, reason = "a test that panics has failed")]

mod common;

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use common::{Ticks, creation, language, now};
use kanon_core::{Mono, Object, PolicyFile, Verdict};
use kanon_plane::{LiveAnswers, LiveLookups, ObjectStore, View};
use kanon_rules::{Mode, Rules, RulesView, Settings, Tally, timed_limits};
use serde_json::{Value, json};

/// Takes some tens of thousands of steps, so that the clock is looked at dozens of times.
const SLOW: &str = "all(1..100, {all(1..100, {# > len(metadata.name) - 10})})";

/// Rules `slow` and `quick`, which both deny every pod, by a clock of such ticks.
fn rules(tick: u64) -> (Arc<Rules>, Arc<Ticks>) {
    let rule = |name: &str, expression: &str| {
        json!({"name": name, "enabled": true, "enforcementAction": "deny", "rule": expression,
            "mode": ["admission", "audit"], "match": {"gvk": [{"group": "", "version": "v1", "kind": "Pod"}]}})
    };
    let text = json!([rule("slow", SLOW), rule("quick", "metadata.name != ''")]).to_string();
    let clock = Arc::new(Ticks(tick, AtomicU64::new(0)));
    let settings = Settings { limits: timed_limits(clock.clone()), ..Settings::default() };
    let file = PolicyFile { path: "rules.yaml".into(), text: text.into() };
    let (rules, problems) = Rules::from_documents(&[file], language(), settings, Default::default());
    assert!(problems.is_empty(), "{problems:?}");
    (rules, clock)
}

fn pod() -> Value {
    json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p", "namespace": "shop"}})
}

fn texts(verdicts: &[Verdict]) -> Vec<String> {
    let text = |it: &Verdict| format!("{} {}: {}", it.policy.name, it.outcome.as_str(), it.message);
    verdicts.iter().map(text).collect()
}

/// What is found in a request's time, in milliseconds, and how often the clock was looked at.
fn check(tick: u64, until: u64, want: &[&str], looks: u64) {
    let (rules, clock) = rules(tick);
    let (store, answers) = (ObjectStore::default(), LiveAnswers::default());
    let lookups = LiveLookups::new(&store, &answers, Mono(Duration::from_millis(until)));
    let reviewed = RulesView::new(rules).review(&creation(&pod()), &lookups, now(0));
    assert_eq!(texts(&reviewed.verdicts), want, "{tick} {until}");
    assert_eq!(clock.1.load(Ordering::Relaxed) / tick, looks, "{tick} {until}");
    let tally = (*reviewed.counts).downcast_ref::<Tally>().unwrap();
    let counts = |name: &str| tally.counts().find(|it| it.0 == name).map(|it| (it.1.errors, it.1.over_budget)).unwrap();
    let failed = u32::from(want.contains(&OVER));
    assert_eq!((counts("slow"), counts("quick")), ((failed, failed), (0, 0)));
}

const QUICK: &str = "quick deny: rule violated: quick";
const OVER: &str = "slow error: could not be evaluated: time budget exceeded";

#[test]
fn a_rule_of_admission_has_a_quarter_of_a_second_and_no_more_than_the_request() {
    // The look that begins, and those up to the end.
    check(100, 10_000, &[OVER, QUICK], 4);
    check(100, 150, &[OVER, QUICK], 3);
    check(100, 0, &[OVER, QUICK], 1);
}

#[test]
fn a_rule_of_the_audit_has_a_second() {
    let object = Object::from_value(&pod());
    // Within a second, but not within a quarter of it.
    for (tick, want) in [(10, "slow dryrun: rule violated: slow"), (100, OVER)] {
        let (rules, _) = rules(tick);
        let found = texts(&rules.review_object(&object, &[Mode::Audit], now(0)));
        assert!(found.iter().any(|it| it == want), "{found:?}");
    }
    check(10, 10_000, &[OVER, QUICK], 26);
}
