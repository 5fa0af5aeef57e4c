//! Asking the rules of a kind together: what several of them read is read once, and those that a test of their own rules out
//! are not run. What each is found to say, and how it is counted, is as if it were asked alone.

use kanon_core::Verdict;
use kanon_lang::{Arena, ErrorKind, EvalError, Limits, Memo, RuleSet, Value};

use super::{
    RuleTally,
    verdicts::{Finding, Writer},
};
use crate::{
    facts::{Facts, Pass},
    index::{Bucket, Programs, Rules},
    lookups::reader::Query,
    rule::Rule,
};

/// A rule that is not asked.
const PASSED_OVER: u32 = u32::MAX;

/// The rules that are asked about objects of one kind in one namespace, by certain loops, in order: those of the cluster, then
/// the namespace's own. What many objects have in common is found out once.
pub(crate) struct Plan<'r> {
    /// Position of each rule's entry, and whether it is asked about each container.
    rules: Vec<(u32, bool)>,
    parts: Vec<Part<'r>>,
    pub(super) by_container: bool,
}

/// The rules of one bucket.
struct Part<'r> {
    bucket: &'r Bucket,
    programs: &'r Programs,
    /// The row of each of its rules, by their place in it.
    row_of: Vec<u32>,
}

impl<'r> Plan<'r> {
    /// The rules of these buckets that `concerns` lets through.
    pub(super) fn new(
        rules: &'r Rules,
        buckets: impl Iterator<Item = &'r Bucket>,
        concerns: impl Fn(u32, &Rule) -> bool,
    ) -> Plan<'r> {
        let mut plan = Plan { rules: Vec::new(), parts: Vec::new(), by_container: false };
        for bucket in buckets {
            let asked_before = plan.rules.len();
            plan.rules.reserve(bucket.len());
            let mut row_of = Vec::with_capacity(bucket.len());
            for (at, _, rule) in rules.in_bucket(bucket) {
                let is_asked = concerns(at, rule);
                row_of.push(if is_asked { plan.rules.len() as u32 } else { PASSED_OVER });
                if is_asked {
                    plan.rules.push((at, rule.per_container));
                    plan.by_container |= rule.per_container;
                }
            }
            if plan.rules.len() > asked_before {
                plan.parts.push(Part { bucket, programs: rules.programs(bucket), row_of });
            }
        }
        plan
    }

    /// Whether nothing is asked.
    pub(super) fn is_empty(&self) -> bool {
        self.rules.is_empty()
    }

    /// Positions of the entries of the rules that are asked, in order.
    pub(crate) fn entries(&self) -> impl Iterator<Item = u32> {
        self.rules.iter().map(|it| it.0)
    }

    /// Whether one of a namespace's own rules looks things up.
    pub(super) fn looks_up_at_home(&self) -> bool {
        self.parts.iter().any(Part::is_at_home)
    }

    /// The counts of rules that all gave `false`: about so many objects with so many passes together.
    pub(crate) fn counts(&self, objects: u32, passes: u32) -> impl Iterator<Item = RuleTally> {
        self.rules.iter().map(move |(entry, by_container)| RuleTally {
            entry: *entry,
            evaluations: if *by_container { passes } else { objects },
            ..RuleTally::default()
        })
    }
}

impl Part<'_> {
    fn is_at_home(&self) -> bool {
        self.bucket.is_confined() && self.bucket.looks_up()
    }
}

/// What the rules answered about one object.
#[derive(Default)]
pub(super) struct Answers {
    /// Those other than `false`: row, pass.
    found: Vec<(u32, u32, Result<(), EvalError>)>,
    /// What rules looked up, by position of their entry.
    pub(super) queries: Vec<(usize, Vec<Query>)>,
}

impl Answers {
    /// Asks the rules of a plan. `home` is what a namespace's own rules see that look things up.
    pub(super) fn ask<'a>(
        &mut self,
        plan: &'a Plan<'a>,
        whole: &Facts<'a>,
        home: Option<&Facts<'a>>,
        limits: &'a Limits,
        arena: &'a Arena,
        mut memo: Memo<'a>,
    ) -> Memo<'a> {
        for part in &plan.parts {
            let facts = home.filter(|_| part.is_at_home()).unwrap_or(whole);
            let programs = part.programs;
            for (by_container, set) in [(false, &programs.whole), (true, &programs.by_container)] {
                if set.0.is_empty() {
                    continue;
                }
                for (number, pass) in facts.passes(by_container).iter().enumerate() {
                    memo = self.one_pass(part, set, number as u32, pass, limits, arena, memo.renew());
                }
            }
            for place in &programs.alone {
                self.alone(plan, part, *place, facts, limits, arena);
            }
        }
        memo
    }

    /// Whether all gave `false`.
    pub(super) fn is_clean(&self) -> bool {
        self.found.is_empty()
    }

    /// Asks a rule that looks things up.
    fn alone<'a>(
        &mut self,
        plan: &Plan<'_>,
        part: &'a Part<'a>,
        place: u32,
        facts: &Facts<'a>,
        limits: &'a Limits,
        arena: &'a Arena,
    ) {
        let row = part.row_of.get(place as usize).copied().unwrap_or(PASSED_OVER);
        let Some((program, per_container)) = part.programs.one(place) else { return };
        let Some((entry, _)) = plan.rules.get(row as usize) else { return };
        for (number, pass) in facts.passes(per_container).iter().enumerate() {
            let answer = match program.evaluate(&pass.values, limits, arena) {
                Ok(Value::Bool(true)) => Some(Ok(())),
                // Nil is no violation; the compiler lets nothing else through.
                Ok(_) => None,
                Err(error) => Some(Err(error)),
            };
            self.found.extend(answer.map(|it| (row, number as u32, it)));
        }
        self.queries.push((*entry as usize, facts.reader.queries()));
    }

    #[expect(clippy::too_many_arguments, reason = "the inner loop: what a rule set needs, and where the answers go")]
    fn one_pass<'a>(
        &mut self,
        part: &Part<'a>,
        (set, places): &'a (RuleSet, Vec<u32>),
        number: u32,
        pass: &'a Pass<'a>,
        limits: &'a Limits,
        arena: &'a Arena,
        mut memo: Memo<'a>,
    ) -> Memo<'a> {
        let row = |program: usize| {
            let place = places.get(program).copied().unwrap_or(PASSED_OVER);
            part.row_of.get(place as usize).copied().unwrap_or(PASSED_OVER)
        };
        let wanted = |program: usize| row(program) != PASSED_OVER;
        set.decide_among(&pass.values, limits, arena, &mut memo, wanted, |program, answer| match answer {
            Ok(false) => {}
            Ok(true) => self.found.push((row(program), number, Ok(()))),
            Err(error) => self.found.push((row(program), number, Err(error))),
        });
        memo
    }

    /// A verdict for each violation and failed evaluation, by rule, then by container; and the counts of the rules that have one.
    pub(super) fn finish<'a>(
        self,
        plan: &Plan<'_>,
        rules: &'a Rules,
        writer: &Writer<'_>,
        [whole, home]: [&Facts<'a>; 2],
        arena: &'a Arena,
        found_out: &mut Vec<(usize, Verdict)>,
    ) -> Vec<(u32, RuleTally)> {
        let Answers { mut found, .. } = self;
        found.sort_by_key(|it| (it.0, it.1));
        let mut rows: Vec<(u32, RuleTally)> = Vec::new();
        // The last pass of each row that failed, and how many in a row did up to there.
        let mut run = (PASSED_OVER, 0, 0);
        for (row, number, answer) in found {
            let Some((at, per_container)) = plan.rules.get(row as usize).copied() else { continue };
            let Some(entry) = rules.entries().get(at as usize) else { continue };
            let Some(rule) = entry.rule.as_deref() else { continue };
            let passes = if rule.home.is_some() { home } else { whole }.passes(per_container);
            let reader = if rule.home.is_some() { home } else { whole }.reader;
            let Some(pass) = passes.get(number as usize) else { continue };
            if rows.last().is_none_or(|it| it.0 != row) {
                let evaluations = passes.len() as u32;
                rows.push((row, RuleTally { entry: at, evaluations, ..RuleTally::default() }));
            }
            let Some((_, tally)) = rows.last_mut() else { continue };
            let finding = match answer {
                Ok(()) => {
                    tally.violations += 1;
                    Finding::Violation
                }
                Err(error) => {
                    let error = writer.conceal(error);
                    let goes_on = run.0 == row && run.1 + 1 == number;
                    run = (row, number, if goes_on { run.2 + 1 } else { 1 });
                    tally.errors += 1;
                    tally.over_budget += u32::from(error.kind == ErrorKind::Budget);
                    // Only a run that reaches the last evaluation stands at the end.
                    tally.errors_at_end = if number + 1 == tally.evaluations { run.2 } else { 0 };
                    tally.last_error = Some(error.message.clone());
                    Finding::Error(error)
                }
            };
            let verdict = writer.verdict(entry, rule, pass, reader, arena, finding);
            found_out.push((at as usize, verdict));
        }
        rows
    }
}
