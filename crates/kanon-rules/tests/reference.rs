//! Twenty rules over a thousand pods, against a plain second evaluation of the same rules written on JSON trees.
//!
//! The second evaluation follows spec/rules 2.3 as a reader of the text would: `container` is the façade. So the rules that
//! take `container.image` for a string fail on every container, and those that ask for `container.resources` or probes are
//! true for every one.

#![allow(clippy::unwrap_used, reason = "a test that panics has failed")]

mod common;

use std::collections::BTreeMap;

use common::now;
use kanon_plane::{NoLookups, View};
use kanon_rules::{Rules, RulesView, Settings, Tally};
use serde_json::{Value, json};

/// What a rule says of one container, or of the whole pod.
enum Plain {
    /// Once a container.
    Container(fn(&Value, &Value) -> Option<bool>),
    /// Once a pod.
    Pod(fn(&Value) -> bool),
}

fn drops(container: &Value, capability: &str) -> bool {
    let drop = container["securityContext"]["capabilities"]["drop"].as_array();
    drop.is_some_and(|it| it.contains(&json!(capability)))
}

fn lacks_label(pod: &Value, label: &str) -> bool {
    pod["metadata"]["labels"].get(label).is_none()
}

fn has_host_path(pod: &Value, harmless: &str) -> bool {
    let volumes = pod["spec"]["volumes"].as_array();
    volumes.into_iter().flatten().any(|it| !it["hostPath"].is_null() && it["hostPath"]["path"] != harmless)
}

fn is_privileged(container: &Value) -> bool {
    container["securityContext"]["privileged"] == true
}

fn runs_as_non_root(holder: &Value) -> bool {
    holder["securityContext"]["runAsNonRoot"] == true
}

fn plain(rule: &str) -> Plain {
    use Plain::{Container, Pod};
    match rule {
        "caps0" => Container(|_, c| Some(!drops(c, "ALL"))),
        "caps1" => Container(|_, c| Some(!drops(c, "NET_RAW") || !drops(c, "SYS_ADMIN"))),
        "hn0" | "hn1" => Pod(|pod| pod["spec"]["hostNetwork"] == true && pod["metadata"]["namespace"] != "kube-system"),
        "hp0" => Pod(|pod| has_host_path(pod, "")),
        "hp1" => Pod(|pod| has_host_path(pod, "/y")),
        "labels0" => Pod(|pod| lacks_label(pod, "app") || lacks_label(pod, "owner")),
        "labels1" => Pod(|pod| ["env", "team", "cost"].iter().any(|it| lacks_label(pod, it))),
        "latest0" | "latest1" | "repo0" | "repo1" => Container(|_, _| None),
        "lim0" | "lim1" | "probe0" | "probe1" => Container(|_, _| Some(true)),
        "priv0" => Container(|_, c| Some(is_privileged(c))),
        "priv1" => Container(|pod, c| Some(is_privileged(c) && pod["metadata"]["namespace"] != "kube-system")),
        "root0" => Container(|pod, c| Some(!runs_as_non_root(c) && !runs_as_non_root(&pod["spec"]))),
        "root1" => Container(|_, c| Some(!runs_as_non_root(c))),
        _ => panic!("a rule that this test does not know: {rule}"),
    }
}

/// Evaluations, violations, errors.
type Counts = (u32, u32, u32);

fn plain_counts(rule: &str, pod: &Value) -> Counts {
    match plain(rule) {
        Plain::Pod(holds) => (1, holds(pod).into(), 0),
        Plain::Container(holds) => {
            let results: Vec<_> =
                pod["spec"]["containers"].as_array().unwrap().iter().map(|it| holds(pod, it)).collect();
            let count = |wanted| results.iter().filter(|it| **it == wanted).count() as u32;
            (results.len() as u32, count(Some(true)), count(None))
        }
    }
}

#[test]
fn verdicts_agree_with_a_plain_evaluation() {
    let Some((files, reviews)) = common::admission_data() else { return };
    let (rules, problems) = Rules::from_documents(&files, common::language(), Settings::default(), Default::default());
    assert_eq!(rules.active().count(), 20);
    assert!(problems.iter().all(|it| it.warning), "{problems:?}");
    let mut warned: Vec<_> = problems.iter().map(|it| it.rule.as_str()).collect();
    warned.dedup();
    // Every rule that a reader of the façade's definition would call mistaken, and no other.
    assert_eq!(warned, ["latest0", "latest1", "lim0", "lim1", "probe0", "probe1", "repo0", "repo1"]);
    let view = RulesView::new(rules);
    let mut totals: BTreeMap<String, Counts> = BTreeMap::new();
    for review in &reviews {
        let pod = review.object.as_ref().unwrap().to_value();
        let reviewed = view.review(review, &NoLookups, now(0));
        let tally = reviewed.counts.downcast::<Tally>().unwrap();
        let mut findings = 0;
        for (rule, row) in tally.counts() {
            let got = (row.evaluations, row.violations, row.errors);
            assert_eq!(got, plain_counts(rule, &pod), "{rule} on {}", review.name);
            findings += (row.violations + row.errors) as usize;
            let total = totals.entry(rule.to_owned()).or_default();
            *total = (total.0 + got.0, total.1 + got.1, total.2 + got.2);
        }
        assert_eq!(reviewed.verdicts.len(), findings, "each finding is one verdict: {}", review.name);
    }
    assert_eq!((reviews.len(), totals.len()), (1000, 20));
    assert_eq!(totals["lim0"], (2000, 2000, 0));
    assert_eq!(totals["repo0"], (2000, 0, 2000));
    assert!(totals["priv0"].1 > 50 && totals["hp0"].1 > 30 && totals["labels1"].1 > 300, "{totals:?}");
}
