//! Signals that occur, put to a policy before it comes into force (spec/signal-approval 5.4): every severity in every
//! environment, nothing known at all, many labels. A value that may not be, or two values for one rule, show here and not
//! with the first alert.

use std::collections::BTreeMap;

use kanon_core::{Digest, Now};

use super::{Classifier, FailureKind, RuleFailure};
use crate::{
    api::{ClassificationInput, Namespace, Signal, Workload},
    ask::Steps,
    policy::Trial,
};

/// As senders spell them.
const SEVERITIES: [&str; 9] = ["critical", "high", "warning", "medium", "low", "info", "Critical", "p2", ""];
/// Values of the environment label; the empty one stands for a namespace without it.
const ENVIRONMENTS: [&str; 5] = ["production", "staging", "development", "test", ""];
/// Namespaces without an environment label.
const NAMES: [&str; 4] = ["production", "staging", "dev", "shop"];

/// Puts all of them to the policy.
pub(super) fn run(classifier: &Classifier, now: Now) -> Trial {
    let mut trial = Trial::default();
    for (about, input) in inputs() {
        let answer = classifier.ask(&input, Digest::ZERO, Steps::TRIED_LABELS, now);
        for failure in answer.failures().into_iter().chain(&answer.labels.failure) {
            note(&mut trial, failure, &about);
            // What is that slow would be slow for every signal.
            if failure.kind == FailureKind::Limit {
                return trial;
            }
        }
    }
    trial
}

fn note(trial: &mut Trial, failure: &RuleFailure, about: &str) {
    let rule = failure.rule;
    // One example a rule tells enough.
    let told = |list: &[String]| list.iter().any(|it| it.starts_with(&format!("rule `{rule}`")));
    match failure.kind {
        FailureKind::NoResults if !told(&trial.warnings) => {
            trial.warning(format!("rule `{rule}` has no result for {about}: such signals cannot be classified"));
        }
        FailureKind::NoResults | FailureKind::NotLoaded => {}
        FailureKind::InvalidOutput | FailureKind::Evaluation | FailureKind::Limit => {
            if !told(&trial.problems) {
                trial.problem(format!("rule `{rule}` fails for {about}: {}", failure.message));
            }
        }
    }
}

fn inputs() -> Vec<(String, ClassificationInput)> {
    let mut all = vec![("a signal of which nothing is known".to_owned(), ClassificationInput::default())];
    for severity in SEVERITIES {
        for environment in ENVIRONMENTS {
            let labels: &[(&str, &str)] = match environment {
                "" => &[],
                it => &[("kubernaut.ai/environment", it)],
            };
            let about = match environment {
                "" => format!("severity `{severity}` without an environment label"),
                it => format!("severity `{severity}` in environment `{it}`"),
            };
            all.push((about, input(severity, "shop", labels)));
        }
    }
    for name in NAMES {
        all.push((format!("severity `critical` in a namespace called `{name}`"), input("critical", name, &[])));
    }
    let many: Vec<_> = (0..20).map(|at| format!("kubernaut.ai/label-l{at:02}")).collect();
    let many: Vec<_> = many.iter().map(|it| (it.as_str(), "x")).chain([("tier", "critical")]).collect();
    all.push(("a namespace with twenty custom labels".to_owned(), input("warning", "shop", &many)));
    all
}

fn input(severity: &str, namespace: &str, labels: &[(&str, &str)]) -> ClassificationInput {
    let map = |pairs: &[(&str, &str)]| -> BTreeMap<String, String> {
        pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
    };
    ClassificationInput {
        namespace: Namespace { name: namespace.to_owned(), labels: map(labels), ..Namespace::default() },
        signal: Signal {
            severity: severity.to_owned(),
            signal_type: "alert".to_owned(),
            source: "prometheus".to_owned(),
            labels: map(&[("alertname", "HighMemory")]),
            ..Signal::default()
        },
        workload: Workload {
            kind: "Deployment".to_owned(),
            name: "cart".to_owned(),
            labels: map(&[("app", "cart")]),
            ..Workload::default()
        },
        ..ClassificationInput::default()
    }
}
