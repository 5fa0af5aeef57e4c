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
    rules: Vec<Row>,
    parts: Vec<Part<'r>>,
    pub(super) by_container: bool,
}

/// A rule that is asked.
#[derive(Clone, Copy)]
struct Row {
    /// Position of its entry.
    entry: u32,
    /// Whether it is asked about each container.
    by_container: bool,
    /// Whether it is not asked about every object: then it is counted where it is.
    narrow: bool,
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
                    let (by_container, narrow) = (rule.per_container, rule.matcher.narrow.is_by_object());
                    plan.rules.push(Row { entry: at, by_container, narrow });
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
        self.rules.iter().map(|it| it.entry)
    }

    /// Whether the rule of a row is not asked about every object.
    pub(crate) fn is_narrow(&self, row: u32) -> bool {
        self.rules.get(row as usize).is_some_and(|it| it.narrow)
    }

    /// Whether one of a namespace's own rules looks things up.
    pub(super) fn looks_up_at_home(&self) -> bool {
        self.parts.iter().any(Part::is_at_home)
    }

    /// The counts of rules that all gave `false`: about so many objects with so many passes together.
    pub(crate) fn counts(&self, objects: u32, passes: u32) -> impl Iterator<Item = RuleTally> {
        self.rules.iter().map(move |it| RuleTally {
            entry: it.entry,
            evaluations: match (it.narrow, it.by_container) {
                (true, _) => 0,
                (false, true) => passes,
                (false, false) => objects,
            },
            ..RuleTally::default()
        })
    }
}

impl Part<'_> {
    fn is_at_home(&self) -> bool {
        self.bucket.is_confined() && self.bucket.looks_up()
    }
}

/// Around one question: what evaluations may cost, and whose business the object is.
pub(super) struct Scope<'a, 's> {
    pub rules: &'s Rules,
    pub limits: &'a Limits,
    pub arena: &'a Arena,
    /// Whether a narrow rule is about the object.
    pub admits: &'s dyn Fn(&Rule) -> bool,
    /// The object's namespace.
    pub namespace: &'s str,
}

impl Scope<'_, '_> {
    /// What a narrow rule looked at, with the Namespace where its labels count.
    fn queries(&self, rule: &Rule, mut queries: Vec<Query>) -> Vec<Query> {
        if rule.matcher.narrow.reads_namespace() && !self.namespace.is_empty() {
            let (kind, name) = (self.rules.namespace_kind.clone(), self.namespace.to_owned());
            queries.push(Query::Named { kind, namespace: String::new(), name });
        }
        queries
    }
}

/// What the rules answered about one object.
#[derive(Default)]
pub(super) struct Answers {
    /// Those other than `false`: row, pass.
    found: Vec<(u32, u32, Result<(), EvalError>)>,
    /// What rules looked up, by position of their entry.
    pub(super) queries: Vec<(usize, Vec<Query>)>,
    /// Rows of narrow rules that were asked, how often, and in which pass last.
    narrow: Vec<(u32, u32, u32)>,
}

impl Answers {
    /// Asks the rules of a plan. `home` is what a namespace's own rules see that look things up.
    pub(super) fn ask<'a>(
        &mut self,
        plan: &'a Plan<'a>,
        whole: &Facts<'a>,
        home: Option<&Facts<'a>>,
        scope: &Scope<'a, '_>,
        mut memo: Memo<'a>,
    ) -> Memo<'a> {
        let Scope { limits, arena, .. } = *scope;
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
                self.alone(plan, part, *place, facts, scope);
            }
        }
        memo
    }

    /// Whether all gave `false`.
    pub(super) fn is_clean(&self) -> bool {
        self.found.is_empty() && self.narrow.is_empty()
    }

    /// Asks a rule that looks things up, or is not asked about every object.
    fn alone<'a>(&mut self, plan: &Plan<'_>, part: &'a Part<'a>, place: u32, facts: &Facts<'a>, scope: &Scope<'a, '_>) {
        let row = part.row_of.get(place as usize).copied().unwrap_or(PASSED_OVER);
        let Some((program, per_container)) = part.programs.one(place) else { return };
        let Some(Row { entry, narrow, .. }) = plan.rules.get(row as usize).copied() else { return };
        let rule =
            if narrow { scope.rules.entries().get(entry as usize).and_then(|it| it.rule.as_deref()) } else { None };
        if let Some(rule) = rule
            && !(scope.admits)(rule)
        {
            self.queries.push((entry as usize, scope.queries(rule, Vec::new())));
            return;
        }
        let types = rule.map_or(&[][..], |it| &it.matcher.narrow.container_types);
        let (mut times, mut last) = (0, 0);
        for (number, pass) in facts.passes(per_container).iter().enumerate() {
            if !types.is_empty() && !types.contains(&pass.container_type) {
                continue;
            }
            (times, last) = (times + 1, number as u32);
            let answer = match program.evaluate(&pass.values, scope.limits, scope.arena) {
                Ok(Value::Bool(true)) => Some(Ok(())),
                // Nil is no violation; the compiler lets nothing else through.
                Ok(_) => None,
                Err(error) => Some(Err(error)),
            };
            self.found.extend(answer.map(|it| (row, number as u32, it)));
        }
        let queries = facts.reader.queries();
        match rule {
            Some(rule) => {
                self.queries.push((entry as usize, scope.queries(rule, queries)));
                self.narrow.extend((times > 0).then_some((row, times, last)));
            }
            None => self.queries.push((entry as usize, queries)),
        }
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
        let Answers { mut found, narrow, .. } = self;
        found.sort_by_key(|it| (it.0, it.1));
        let mut rows: Vec<(u32, RuleTally)> = Vec::new();
        // The last pass of each row that failed, and how many in a row did up to there.
        let mut run = (PASSED_OVER, 0, 0);
        for (row, number, answer) in found {
            let Some(Row { entry: at, by_container: per_container, .. }) = plan.rules.get(row as usize).copied() else {
                continue;
            };
            let Some(entry) = rules.entries().get(at as usize) else { continue };
            let Some(rule) = entry.rule.as_deref() else { continue };
            let passes = if rule.home.is_some() { home } else { whole }.passes(per_container);
            let reader = if rule.home.is_some() { home } else { whole }.reader;
            let Some(pass) = passes.get(number as usize) else { continue };
            let asked = narrow.iter().find(|it| it.0 == row);
            let last = asked.map_or(passes.len() as u32 - 1, |it| it.2);
            if rows.last().is_none_or(|it| it.0 != row) {
                let evaluations = asked.map_or(passes.len() as u32, |it| it.1);
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
                    tally.errors_at_end = if number == last { run.2 } else { 0 };
                    tally.last_error = Some(error.message.clone());
                    Finding::Error(error)
                }
            };
            let verdict = writer.verdict(entry, rule, pass, reader, arena, finding);
            found_out.push((at as usize, verdict));
        }
        for (row, evaluations, _) in narrow {
            if let Some(it) = plan.rules.get(row as usize).filter(|_| rows.iter().all(|it| it.0 != row)) {
                rows.push((row, RuleTally { entry: it.entry, evaluations, ..RuleTally::default() }));
            }
        }
        rows
    }
}
