//! What the family counts about its rules as such: how many there are, how often one could not be evaluated, and how long they take.

use std::{collections::BTreeMap, time::Duration};

use kanon_core::{Figure, FigureKind, Figures, Histogram};

use crate::{
    decide::{RuleTally, Times},
    documents::file_of,
    index::{FOLDER, Rules},
    rule::Mode,
    status::problem,
};

/// Rules by where they come from and what became of them.
pub(crate) const RULES: Figure = Figure {
    name: "portal_rules",
    kind: FigureKind::Gauge,
    help: "Rules by origin and state",
    labels: &["origin", "state"],
};

/// Evaluations that gave no value. The class says whether a limit was exceeded (`budget`) or a value did not fit (`value`).
pub(crate) const EVAL_ERRORS: Figure = Figure {
    name: "portal_rule_eval_errors_total",
    kind: FigureKind::Counter,
    help: "Evaluations that gave no value",
    labels: &["rule", "mode", "class"],
};

/// How long evaluations take, of rules that are timed: most take some microseconds, and none may take more than a second.
pub(crate) const EVAL_SECONDS: Histogram = Histogram {
    name: "portal_rule_eval_seconds",
    help: "Time that evaluations of a rule take by themselves, of a sample",
    labels: &["rule", "mode"],
    bounds: &[
        Duration::from_micros(1),
        Duration::from_nanos(2500),
        Duration::from_micros(5),
        Duration::from_micros(10),
        Duration::from_micros(25),
        Duration::from_micros(50),
        Duration::from_micros(100),
        Duration::from_micros(250),
        Duration::from_millis(1),
        Duration::from_millis(10),
        Duration::from_millis(100),
        Duration::from_secs(1),
    ],
};

/// What is wrong in files of the folders that are read (spec/rules 1.8): they have no status.
pub(crate) const FILE_PROBLEMS: Figure = Figure {
    name: "portal_folder_file_problems",
    kind: FigureKind::Gauge,
    help: "What is wrong in files of rules and of alert templates",
    labels: &["folder", "file"],
};

/// The folder of rules, as a label.
const RULES_FOLDER: &str = "rules";

/// Files of the folder of rules with something wrong, and how much.
pub(super) type BrokenFiles = BTreeMap<String, i64>;

/// Shows what is wrong in files now; `shown` is what was shown before.
pub(super) fn count_files(figures: &Figures, rules: &Rules, shown: &mut BrokenFiles) {
    let mut now = BrokenFiles::new();
    let of_folder = rules.entries().iter().filter(|it| it.key.origin == FOLDER);
    let rules_with = of_folder.filter(|it| problem(it).is_some()).map(|it| &it.key);
    let exceptions = rules.exceptions().iter().filter(|it| it.key.origin == FOLDER && it.problem.is_some());
    for key in rules_with.chain(exceptions.map(|it| &it.key)) {
        *now.entry(file_of(key).to_owned()).or_default() += 1;
    }
    for file in shown.keys().chain(now.keys()) {
        figures.set(FILE_PROBLEMS, &[RULES_FOLDER, file], now.get(file).copied().unwrap_or_default());
    }
    *shown = now;
}

/// The rules of a snapshot, by the labels of [`RULES`].
pub(super) type Population = BTreeMap<(String, &'static str), i64>;

/// Shows how many rules there are now; `shown` is what was shown before.
pub(super) fn count_rules(figures: &Figures, rules: &Rules, shown: &mut Population) {
    let entries = rules.entries().iter().map(|it| (it.key.origin.clone(), it.state.reason()));
    show_population(figures, RULES, entries, shown);
}

fn show_population(
    figures: &Figures,
    figure: Figure,
    all: impl Iterator<Item = (String, &'static str)>,
    shown: &mut Population,
) {
    let mut now = Population::new();
    for it in all {
        *now.entry(it).or_default() += 1;
    }
    for (origin, state) in shown.keys().filter(|it| !now.contains_key(it)) {
        figures.set(figure, &[origin, state], 0);
    }
    for ((origin, state), count) in &now {
        figures.set(figure, &[origin, state], *count);
    }
    *shown = now;
}

/// Exceptions by where they come from and what became of them.
pub(crate) const EXCEPTIONS: Figure = Figure {
    name: "portal_exceptions",
    kind: FigureKind::Gauge,
    help: "Exceptions from rules by origin and state",
    labels: &["origin", "state"],
};

/// Shows how many exceptions there are now; `shown` is what was shown before.
pub(super) fn count_exceptions(figures: &Figures, rules: &Rules, shown: &mut Population) {
    let listed = rules.exceptions().iter().map(|it| (it.key.origin.clone(), it.state()));
    show_population(figures, EXCEPTIONS, listed, shown);
}

/// Counts the errors of one rule in one loop.
pub(super) fn count_errors(figures: &Figures, rule: &str, row: &RuleTally, mode: Mode) {
    let mode = mode.as_str();
    for (class, count) in [("budget", row.over_budget), ("value", row.errors - row.over_budget)] {
        if count > 0 {
            figures.add(EVAL_ERRORS, &[rule, mode, class], i64::from(count));
        }
    }
}

/// Shows what evaluations took.
pub(super) fn show_times(figures: &Figures, rules: &Rules, times: &Times, mode: Mode) {
    for (at, took) in times {
        if let Some(entry) = rules.entries().get(*at) {
            figures.observe(EVAL_SECONDS, &[&entry.policy.name, mode.as_str()], *took);
        }
    }
}
