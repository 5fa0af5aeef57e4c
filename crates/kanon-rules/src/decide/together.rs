//! Asking the rules of a kind together: what several of them read is read once, and those that a test of their own rules out
//! are not run. What each is found to say, and how it is counted, is as if it were asked alone.

use kanon_core::Verdict;
use kanon_lang::{Arena, EvalError, Limits, Memo, RuleSet, Value};

use super::{
    RuleTally,
    verdicts::{Finding, Writer},
};
use crate::{
    facts::{Facts, Pass},
    index::{Programs, Rules},
    lookups::reader::Query,
};

/// A rule that is not asked about this object.
const PASSED_OVER: u32 = u32::MAX;

/// The rules that are asked, with what they answered.
#[derive(Default)]
pub(super) struct Asked {
    /// One a rule that is asked, in order.
    rows: Vec<RuleTally>,
    /// The row of each rule of the bucket that is looked at.
    row_of: Vec<u32>,
    /// Answers other than `false`: row, pass.
    found: Vec<(u32, u32, Result<(), EvalError>)>,
    /// What rules looked up, by position of their entry.
    pub(super) queries: Vec<(usize, Vec<Query>)>,
}

impl Asked {
    /// Begins a bucket of so many rules.
    pub(super) fn begin(&mut self, rules: usize) {
        self.row_of.clear();
        self.row_of.reserve(rules);
        self.rows.reserve(rules);
    }

    /// The bucket's next rule is not asked.
    pub(super) fn pass_over(&mut self) {
        self.row_of.push(PASSED_OVER);
    }

    /// The bucket's next rule is asked so many times.
    pub(super) fn ask(&mut self, entry: u32, passes: usize) {
        self.row_of.push(self.rows.len() as u32);
        self.rows.push(RuleTally { entry, evaluations: passes as u32, ..RuleTally::default() });
    }

    /// Asks the rules of the bucket.
    pub(super) fn answer<'a>(
        &mut self,
        programs: &'a Programs,
        facts: &Facts<'a>,
        limits: &'a Limits,
        arena: &'a Arena,
    ) {
        if self.row_of.iter().all(|it| *it == PASSED_OVER) {
            return;
        }
        let mut memo = Memo::default();
        for (by_container, set) in [(false, &programs.whole), (true, &programs.by_container)] {
            for (number, pass) in facts.passes(by_container).iter().enumerate() {
                memo = self.one_pass(set, number as u32, pass, limits, arena, memo.renew());
            }
        }
        for place in &programs.alone {
            self.alone(*place, programs, facts, limits, arena);
        }
    }

    /// Asks a rule that looks things up.
    fn alone<'a>(
        &mut self,
        place: u32,
        programs: &'a Programs,
        facts: &Facts<'a>,
        limits: &'a Limits,
        arena: &'a Arena,
    ) {
        let row = self.row_of.get(place as usize).copied().unwrap_or(PASSED_OVER);
        let Some((program, per_container)) = programs.one(place) else { return };
        let Some(tally) = self.rows.get(row as usize) else { return };
        let entry = tally.entry();
        for (number, pass) in facts.passes(per_container).iter().enumerate() {
            let answer = match program.evaluate(&pass.values, limits, arena) {
                Ok(Value::Bool(true)) => Some(Ok(())),
                // Nil is no violation; the compiler lets nothing else through.
                Ok(_) => None,
                Err(error) => Some(Err(error)),
            };
            self.found.extend(answer.map(|it| (row, number as u32, it)));
        }
        self.queries.push((entry, facts.reader.queries()));
    }

    fn one_pass<'a>(
        &mut self,
        (set, places): &'a (RuleSet, Vec<u32>),
        number: u32,
        pass: &'a Pass<'a>,
        limits: &'a Limits,
        arena: &'a Arena,
        mut memo: Memo<'a>,
    ) -> Memo<'a> {
        if set.is_empty() {
            return memo;
        }
        let Asked { row_of, found, .. } = self;
        let row = |program: usize| {
            let place = places.get(program).copied().unwrap_or(PASSED_OVER);
            row_of.get(place as usize).copied().unwrap_or(PASSED_OVER)
        };
        let wanted = |program: usize| row(program) != PASSED_OVER;
        set.decide_among(&pass.values, limits, arena, &mut memo, wanted, |program, answer| match answer {
            Ok(false) => {}
            Ok(true) => found.push((row(program), number, Ok(()))),
            Err(error) => found.push((row(program), number, Err(error))),
        });
        memo
    }

    /// The counts, and a verdict for each violation and failed evaluation: by rule, then by container.
    pub(super) fn finish<'a>(
        self,
        rules: &'a Rules,
        writer: &Writer<'_>,
        [whole, home]: [&Facts<'a>; 2],
        arena: &'a Arena,
        found_out: &mut Vec<(usize, Verdict)>,
    ) -> Vec<RuleTally> {
        let Asked { mut rows, mut found, .. } = self;
        found.sort_by_key(|it| (it.0, it.1));
        // The last pass of each row that failed, and how many in a row did up to there.
        let mut run = (PASSED_OVER, 0, 0);
        for (row, number, answer) in found {
            let Some(tally) = rows.get_mut(row as usize) else { continue };
            let Some(entry) = rules.entries().get(tally.entry()) else { continue };
            let Some(rule) = entry.rule.as_deref() else { continue };
            let facts = if rule.home.is_some() { home } else { whole };
            let Some(pass) = facts.passes(rule.per_container).get(number as usize) else { continue };
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
                    // Only a run that reaches the last evaluation stands at the end.
                    tally.errors_at_end = if number + 1 == tally.evaluations { run.2 } else { 0 };
                    tally.last_error = Some(error.message.clone());
                    Finding::Error(error)
                }
            };
            let verdict = writer.verdict(entry, rule, pass, facts.reader, arena, finding);
            found_out.push((tally.entry(), verdict));
        }
        rows
    }
}
