//! Reviews a second on one core, engine only: 16 rules over 1,000 generated pods. `cargo run --release -p kanon-rules
//! --example review_bench`. The pods violate densely; the second figure is for the rules that these pods do not violate.
#![allow(clippy::disallowed_methods, reason = "a bench reads the clock")]
#![allow(clippy::disallowed_macros, reason = "a bench prints")]

#[path = "../tests/common/mod.rs"]
mod common;

use std::time::{Duration, Instant};

use kanon_core::{PolicyFile, Review};
use kanon_plane::{NoLookups, View};
use kanon_rules::{Rules, RulesView, Settings};

/// Design §6: admission, engine only, 16 rules on a 3 kB pod.
const TARGET: f64 = 60_000.0;
/// How long each figure is measured.
const WINDOW: Duration = Duration::from_secs(3);

fn main() {
    let Some((files, reviews)) = common::admission_data() else { return };
    // One of each pair first, so that every check is there; 16 in all. Rules that fail on these pods (they take the
    // façade's `container.image` for a string) are left out: a failure is not what a rule costs.
    let works = |file: &&PolicyFile| !file.path.starts_with("repo") && !file.path.starts_with("latest");
    let dense: Vec<_> = files.iter().filter(works).cloned().collect();
    report("16 rules, densely violated, with evidence", &view(&dense), &reviews);
    report("20 rules, failing ones too", &view(&files), &reviews);
    let clean: Vec<_> = (0..16).map(|at| quiet(&dense[at % dense.len()], at)).collect();
    report("16 rules, nothing violated", &view(&clean), &reviews);
    println!("target (design, 6): {TARGET:.0}/s; peers on 20 policies, one thread: gator Rego 358/s, CEL 703/s;");
    println!("Portal over HTTPS, 20 rules, 8 connections: 4,069/s (8,079/s on a clean pod)");
}

/// The same rule, made to hold for no pod of the data: every read and comparison stays.
fn quiet(file: &PolicyFile, at: usize) -> PolicyFile {
    let text = String::from_utf8_lossy(&file.text);
    let changed = text.lines().map(|line| match (line.strip_prefix("rule: "), line.strip_prefix("name: ")) {
        (Some(rule), _) => {
            let rule = rule.trim_matches('"');
            format!("rule: \"({rule}) && object.metadata.name == 'none'\"")
        }
        (_, Some(name)) => format!("name: {name}-{at}"),
        _ => line.to_owned(),
    });
    let text = changed.collect::<Vec<_>>().join("\n");
    PolicyFile { path: format!("{at:02}-{}", file.path), text: text.into() }
}

fn view(files: &[PolicyFile]) -> RulesView {
    let (rules, problems) = Rules::from_documents(files, common::language(), Settings::default(), Default::default());
    assert!(problems.iter().all(|it| it.warning), "{problems:?}");
    RulesView::new(rules)
}

fn report(what: &str, view: &RulesView, reviews: &[Review]) {
    let now = common::now(0);
    let mut best = Duration::MAX;
    let (begin, mut verdicts) = (Instant::now(), 0);
    while begin.elapsed() < WINDOW {
        let round = Instant::now();
        verdicts = reviews.iter().map(|it| view.review(it, &NoLookups, now).verdicts.len()).sum();
        best = best.min(round.elapsed());
    }
    let each = verdicts as f64 / reviews.len() as f64;
    let rate = reviews.len() as f64 / best.as_secs_f64();
    println!(
        "{what}: {rate:.0} reviews/s/core (best round), {each:.1} verdicts a review, {:.2} x target",
        rate / TARGET
    );
}
