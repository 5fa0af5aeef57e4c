//! `kanon-bench languages`: the policy languages on the rules and documents for which figures of the Go originals exist,
//! with those figures, the bars and, built with the feature `peers`, the crates beside them in the same run.
//!
//! Answers are checked before anything is timed: a fast wrong answer ends the run.

pub(crate) mod audit;
mod documents;
pub(crate) mod inputs;
#[cfg(feature = "peers")]
mod peers;
mod rego;
mod report;
pub(crate) mod rules;
pub(crate) mod stopwatch;
mod threads;

use std::hint::black_box;

use kanon_lang::Arena;

use inputs::Inputs;
use report::{Bar, Report, Row};
use rules::{Engines, RULES};
use stopwatch::{QUICK, Side, WINDOWS};

/// Measures everything; `quick` only shows that it runs.
pub(crate) fn run(quick: bool) -> anyhow::Result<()> {
    let windows = if quick { QUICK } else { WINDOWS };
    println!("time on a core: the fastest of {} windows of {:?}, the median beside it", windows.count, windows.length);
    if cfg!(feature = "allocations") {
        println!("allocations are counted: what allocates takes some nanoseconds a block more than it would");
    } else {
        println!("allocations are not counted: build with `--features allocations`");
    }
    if !cfg!(feature = "peers") {
        println!("the crates that the engines replace are not here: build with `--features peers`");
    }
    let inputs = Inputs::make()?;
    let engines = Engines::new();
    let mut report = Report::new(windows);
    single(&mut report, &inputs, &engines)?;
    compiling(&mut report, &engines)?;
    documents::run(&mut report, &inputs)?;
    explaining(&mut report, &inputs, &engines)?;
    audit::run(&mut report, &inputs, &engines)?;
    rego::run(&mut report, &inputs)?;
    threads::run(&mut report, &inputs, &engines)?;
    report.finish();
    Ok(())
}

/// Rules one at a time.
fn single(report: &mut Report, inputs: &Inputs, engines: &Engines) -> anyhow::Result<()> {
    report.heading("One evaluation");
    for rule in RULES {
        let prepared = engines.prepare(rule, inputs)?;
        let mut fresh = Arena::new();
        prepared.evaluate(&mut fresh)?;
        let arena_used = fresh.allocated_bytes() > 0;
        let mut arena = Arena::new();
        let sides = vec![Side::new("kanon", || prepared.evaluate(&mut arena).is_ok())];
        #[cfg(feature = "peers")]
        let sides = sides.into_iter().chain(peers::rule(rule, inputs)?).collect();
        let bars = rule.most.map(Bar::AtMost);
        let bars = bars.into_iter().chain(rule.go.map(|_| Bar::TimesGo(3.0))).chain([Bar::Allocations(0.0)]);
        let name = format!("{:<3} {}", rule.id, rule.what);
        report.row(Row { name, sides, go: rule.go, bars: bars.collect() });
        if arena_used {
            report.note("    keeps something in its arena");
        }
    }
    Ok(())
}

/// From text to a program.
fn compiling(report: &mut Report, engines: &Engines) -> anyhow::Result<()> {
    report.heading("Compile");
    for (id, go) in [("C1", (94e3, 942.0)), ("E3", (19.6e3, 170.0))] {
        let rule = RULES.iter().find(|it| it.id == id).ok_or_else(|| anyhow::anyhow!("no rule {id}"))?;
        let sides = vec![Side::new("kanon", || engines.compile(rule.language, rule.source, rule.document).is_ok())];
        #[cfg(feature = "peers")]
        let sides = sides.into_iter().chain(peers::compile(rule)?).collect();
        report.row(Row { name: format!("compile {id}"), sides, go: Some(go), bars: vec![Bar::AtMost(30e3)] });
    }
    Ok(())
}

/// Explaining costs those who ask for it, and nobody else.
fn explaining(report: &mut Report, inputs: &Inputs, engines: &Engines) -> anyhow::Result<()> {
    report.heading("Explain on demand");
    let rules = RULES.iter().filter(|it| matches!(it.id, "C1" | "C2" | "E3" | "E4"));
    for rule in rules {
        let (plain, explained) = (engines.prepare(rule, inputs)?, engines.prepare(rule, inputs)?);
        let arena = Arena::new();
        let told = explained.program.explain(&explained.values, &explained.limits, &arena);
        anyhow::ensure!(!told.values.is_empty(), "{} explains nothing", rule.id);
        let (mut first, mut second, mut third) = (Arena::new(), Arena::new(), Arena::new());
        let sides = vec![
            Side::new("", || plain.evaluate(&mut first).is_ok()),
            Side::new("after it was explained", || explained.evaluate(&mut second).is_ok()),
            Side::new("explained every time", || {
                third.reset();
                black_box(explained.program.explain(&explained.values, &explained.limits, &third).values.len())
            }),
        ];
        let name = format!("{:<3} decided only", rule.id);
        let figures = report.row(Row { name: name.clone(), sides, go: None, bars: Vec::new() });
        if let [plain, after, ..] = figures.as_slice() {
            let ratio = after.min / plain.min;
            report.line("    cost of being able to", &format!("{ratio:.3} ×"), Some(("≤ 1.05 ×", ratio <= 1.05)));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use kanon_lang::{Memo, RuleSet};

    use super::*;

    #[test]
    fn documents_have_the_lengths_of_the_tables() {
        assert!(Inputs::make().is_ok());
    }

    #[test]
    fn rules_give_the_answers_of_the_originals() {
        let (inputs, engines) = (Inputs::make().unwrap(), Engines::new());
        for rule in RULES {
            engines.prepare(rule, &inputs).unwrap();
        }
    }

    #[test]
    fn rules_take_nothing_from_the_heap_once_warm() {
        let (inputs, engines) = (Inputs::make().unwrap(), Engines::new());
        for rule in RULES {
            let prepared = engines.prepare(rule, &inputs).unwrap();
            let mut arena = Arena::new();
            let mut run = || {
                black_box(prepared.evaluate(&mut arena).is_ok());
            };
            // A worker's arena has its memory from the object before.
            run();
            assert_eq!(allocation_counter::measure(run).count_total, 0, "{}", rule.id);
        }
    }

    #[test]
    fn rule_sets_take_nothing_from_the_heap_once_warm() {
        let (inputs, engines) = (Inputs::make().unwrap(), Engines::new());
        let (pods, set) = (audit::pods(&inputs, 40).unwrap(), RuleSet::new(audit::rules(&engines).unwrap()));
        let (mut arena, mut room) = (Arena::new(), Memo::default());
        let mut run = || {
            black_box(audit::as_set(&set, &pods, &mut arena, &mut room));
        };
        run();
        assert_eq!(allocation_counter::measure(run).count_total, 0);
    }
}
