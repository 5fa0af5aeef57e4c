//! How many instructions a few rules take, held against committed counts: a gate for the engines that a busy machine does
//! not disturb. Valgrind's callgrind counts, in this very binary started again; without it the gate says so and passes,
//! and likewise with another compiler or target than the counts were taken with.
//!
//! The difference of two runs with a different number of calls is what the calls take: start and preparation cancel out.

use std::{fmt::Write as _, hint::black_box, path::Path, process::Command};

use anyhow::Context;
use kanon_lang::{Arena, Memo, RuleSet};

use crate::languages::{
    audit,
    inputs::Inputs,
    rules::{Engines, RULES},
};

/// What is counted, and calls in the short and the long run.
const CASES: [(&str, u64, u64); 6] = [
    ("C1", 20, 1020),
    ("C2", 20, 1020),
    ("E1", 20, 1020),
    ("E4", 20, 1020),
    // A call is 50 rules on one pod.
    ("set", 20, 220),
    ("parse", 5, 55),
];
/// How far a count may be off: hash seeds and addresses differ between runs, by far less than this.
const TOLERANCE: f64 = 0.03;
/// The committed counts: a line that names the build, then a line a case.
const COMMITTED: &str = include_str!("../instructions.txt");
const FILE: &str = "instructions.txt";

/// Counts all cases and compares; or writes the counts down.
pub(crate) fn gate(write: bool) -> anyhow::Result<()> {
    let Some(build) = build() else {
        println!("instructions: no rustc here to say what built this; nothing is compared");
        return Ok(());
    };
    if Command::new("valgrind").arg("--version").output().is_err() {
        println!("instructions: valgrind is not here; nothing is compared");
        return Ok(());
    }
    let (committed_build, committed) = committed();
    if !write && committed_build != build {
        println!("instructions: the counts are for `{committed_build}`, this is `{build}`; nothing is compared");
        return Ok(());
    }
    let mut text = format!("{build}\n");
    let mut off = Vec::new();
    for (case, short, long) in CASES {
        let calls = count(case, long)?.saturating_sub(count(case, short)?);
        let each = calls as f64 / (long - short) as f64;
        // Writing to a string does not fail.
        let _ = writeln!(text, "{case} {each:.0}");
        let wanted = committed.iter().find(|it| it.0 == case).map_or(f64::NAN, |it| it.1);
        let change = each / wanted - 1.0;
        println!("{case:<6} {each:>9.0} instructions a call, committed {wanted:>9.0}, {:+.1} %", change * 1e2);
        // A case without a count is off, too: no number is near it.
        let is_near = change.abs() <= TOLERANCE;
        if !is_near {
            off.push(case);
        }
    }
    if write {
        std::fs::write(Path::new(env!("CARGO_MANIFEST_DIR")).join(FILE), text)?;
        println!("written to {FILE}");
        return Ok(());
    }
    let remedy = "find out why, or take the new counts over with `instructions write`";
    anyhow::ensure!(off.is_empty(), "more than {:.0} % off: {}; {remedy}", TOLERANCE * 1e2, off.join(", "));
    Ok(())
}

/// What is run under the counter.
pub(crate) fn work(case: &str, calls: u64) -> anyhow::Result<()> {
    let (inputs, engines) = (Inputs::make()?, Engines::new());
    if case == "parse" {
        let text = inputs.pod.text();
        (0..calls).for_each(|_| drop(black_box(kanon_core::Object::parse(text.clone()))));
        return Ok(());
    }
    let mut arena = Arena::new();
    if case == "set" {
        let (pods, set) = (audit::pods(&inputs, 20)?, RuleSet::new(audit::rules(&engines)?));
        let mut room = Memo::default();
        for pod in pods.iter().cycle().take(usize::try_from(calls)?) {
            black_box(audit::as_set(&set, std::slice::from_ref(pod), &mut arena, &mut room));
        }
        return Ok(());
    }
    let rule = RULES.iter().find(|it| it.id == case).with_context(|| format!("there is no case `{case}`"))?;
    let prepared = engines.prepare(rule, &inputs)?;
    for _ in 0..calls {
        black_box(prepared.evaluate(&mut arena).is_ok());
    }
    Ok(())
}

/// Instructions of a process that does the case's work so many times.
fn count(case: &str, calls: u64) -> anyhow::Result<u64> {
    let mut command = Command::new("valgrind");
    command.args(["--tool=callgrind", "--callgrind-out-file=/dev/null"]).arg(std::env::current_exe()?);
    let output = command.args(["instructions", case, &calls.to_string()]).output()?;
    let told = String::from_utf8_lossy(&output.stderr);
    anyhow::ensure!(output.status.success(), "failed to count `{case}`: {told}");
    let line = told.lines().find_map(|line| line.split("Collected :").nth(1));
    let number = line.context("valgrind tells no count")?.trim().parse()?;
    Ok(number)
}

/// Compiler, target and profile: counts of one build say nothing about another.
fn build() -> Option<String> {
    let output = Command::new("rustc").arg("--version").output().ok()?;
    let version = String::from_utf8(output.stdout).ok()?;
    let profile = if cfg!(debug_assertions) { "debug" } else { "release" };
    Some(format!("{}, {} {profile}", version.trim(), std::env::consts::ARCH))
}

fn committed() -> (&'static str, Vec<(&'static str, f64)>) {
    let (build, lines) = COMMITTED.split_once('\n').unwrap_or_default();
    let count = |line: &'static str| {
        let (case, count) = line.split_once(' ')?;
        Some((case, count.parse().ok()?))
    };
    (build, lines.lines().filter_map(count).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_case_has_a_committed_count() {
        let (build, counts) = committed();
        assert!(build.starts_with("rustc "));
        assert_eq!(counts.iter().map(|it| it.0).collect::<Vec<_>>(), CASES.map(|it| it.0));
    }

    #[test]
    fn every_case_does_its_work() {
        for (case, ..) in CASES {
            work(case, 2).unwrap();
        }
        assert!(work("no such case", 1).is_err());
    }
}
