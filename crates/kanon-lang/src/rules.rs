//! Thousands of programs over one object: an index by the tests that their truth implies leaves the few that can be true,
//! what several of them read of the object is read once, and a conjunct that several of them have is evaluated once.
//!
//! A rule set gives for every program what evaluating it alone gives, errors included; only programs whose guard says `false`
//! are never run, and are not reported.

mod index;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use crate::{
    allowance::Limits,
    ir::{Guard, GuardTest, Subject},
    language::{Arena, ErrorKind, EvalError, Program},
    machine::Found,
    value::Value,
};
use index::Index;

/// What a rule set asks of a compiled program.
pub trait Shareable: Send + Sync {
    /// The paths from variables through constant names that it reads, each in one spelling.
    fn paths(&self) -> Vec<&str>;

    /// Tests without which it gives `false`.
    fn guards(&self) -> &[Guard];

    /// One spelling for each operand of the conjunction that it is, or of all of it: those of equal spelling are equal. `None`
    /// where it cannot be told.
    fn conjuncts(&self) -> Vec<Option<String>>;

    /// Steps that an evaluation takes before any turn of a loop.
    fn steps(&self) -> u64;

    /// Tells the values of the subject of one of its guards; `None` where reading one is an error, and then not all are told.
    /// `shared` says where its parts stand in the memo.
    #[expect(clippy::too_many_arguments, reason = "an evaluation, and what becomes of it")]
    fn read<'a>(
        &'a self,
        subject: &'a Subject,
        values: &'a [Value<'a>],
        limits: &'a Limits,
        arena: &'a Arena,
        memo: &mut Memo<'a>,
        shared: Places<'_>,
        found: &mut dyn FnMut(Value<'a>),
    ) -> Option<()>;

    /// Whether it is true, reading what is in the memo from there.
    ///
    /// # Errors
    /// As [`Program::evaluate`].
    fn decide<'a>(
        &'a self,
        values: &'a [Value<'a>],
        limits: &'a Limits,
        arena: &'a Arena,
        memo: &mut Memo<'a>,
        shared: Places<'_>,
    ) -> Result<bool, EvalError>;
}

/// Where the shared parts of a program stand in the memo.
#[derive(Clone, Copy, Default)]
pub struct Places<'s> {
    pub(crate) paths: &'s [u32],
    pub(crate) conjuncts: &'s [u32],
}

/// What is known of a conjunct.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Conjunct {
    pub(crate) truth: bool,
    /// What evaluating it took.
    pub(crate) steps: u64,
    pub(crate) memory: usize,
}

impl Conjunct {
    /// The number of those that no other program has.
    pub(crate) const NONE: u32 = u32::MAX;
}

/// What the programs of a rule set have read of one object so far, and room to work in. One a thread; renewed, not cleared, for
/// the next object.
#[derive(Default)]
pub struct Memo<'a> {
    paths: Sparse<Found<'a>>,
    conjuncts: Sparse<Conjunct>,
    candidates: Vec<u32>,
}

impl<'a> Memo<'a> {
    /// The same room for another object.
    #[must_use]
    pub fn renew<'b>(self) -> Memo<'b> {
        let Memo { paths, conjuncts, mut candidates } = self;
        candidates.clear();
        Memo { paths: paths.renew(), conjuncts: conjuncts.renew(), candidates }
    }

    #[inline]
    pub(crate) fn get(&self, path: u32) -> Option<Found<'a>> {
        self.paths.get(path)
    }

    #[inline]
    pub(crate) fn set(&mut self, path: u32, found: Found<'a>) {
        self.paths.set(path, found);
    }

    #[inline]
    pub(crate) fn conjunct(&self, number: u32) -> Option<Conjunct> {
        self.conjuncts.get(number)
    }

    #[inline]
    pub(crate) fn set_conjunct(&mut self, number: u32, known: Conjunct) {
        self.conjuncts.set(number, known);
    }
}

/// Values by number: a sparse set, which need not be cleared.
struct Sparse<T> {
    /// Where each number's value stands, if it is one of this object's.
    positions: Vec<u32>,
    values: Vec<(u32, T)>,
}

impl<T> Default for Sparse<T> {
    fn default() -> Sparse<T> {
        Sparse { positions: Vec::new(), values: Vec::new() }
    }
}

impl<T: Copy> Sparse<T> {
    fn renew<U>(self) -> Sparse<U> {
        let Sparse { positions, mut values } = self;
        values.clear();
        // Nothing is left in it: collecting keeps the allocation for values of another lifetime.
        Sparse { positions, values: values.into_iter().map_while(|_| None).collect() }
    }

    #[inline]
    fn get(&self, number: u32) -> Option<T> {
        let at = *self.positions.get(number as usize)?;
        self.values.get(at as usize).filter(|it| it.0 == number).map(|it| it.1)
    }

    #[inline]
    fn set(&mut self, number: u32, value: T) {
        if let Some(position) = self.positions.get_mut(number as usize) {
            *position = self.values.len() as u32;
            self.values.push((number, value));
        }
    }
}

/// Programs that decide together.
#[derive(Default)]
pub struct RuleSet {
    rules: Vec<Rule>,
    /// How many different paths they read.
    paths: usize,
    /// How many conjuncts several of them have.
    conjuncts: usize,
    /// Programs without a guard.
    always: Vec<u32>,
    indexes: Vec<Index>,
}

struct Rule {
    program: Arc<dyn Program>,
    /// Where each of its paths stands in the memo.
    paths: Box<[u32]>,
    /// The numbers of its conjuncts; [`Conjunct::NONE`] for those that no other program has.
    conjuncts: Box<[u32]>,
    /// See [`Shareable::steps`].
    steps: u64,
}

impl Rule {
    fn places(&self) -> Places<'_> {
        Places { paths: &self.paths, conjuncts: &self.conjuncts }
    }

    /// The truth, where other programs have found out all that decides, and no limit is near: then the program is not even
    /// looked at.
    fn known(&self, memo: &Memo<'_>, limits: &Limits) -> Option<bool> {
        let (mut steps, mut memory) = (self.steps, 0);
        for number in &self.conjuncts {
            let known = memo.conjunct(*number)?;
            (steps, memory) = (steps.saturating_add(known.steps), memory + known.memory as u64);
            if steps > limits.steps || memory > limits.memory {
                return None;
            }
            if !known.truth {
                return Some(false);
            }
        }
        if self.conjuncts.is_empty() { None } else { Some(true) }
    }
}

impl RuleSet {
    /// The rule set of programs of one language that were compiled against one environment with `boolean` set; a program's
    /// position is its name in the answers. (What two of them have in common is told by their code, which means what the
    /// language makes of it.)
    pub fn new(programs: Vec<Arc<dyn Program>>) -> RuleSet {
        let (mut numbers, mut counts) = (Numbers::default(), BTreeMap::<String, usize>::new());
        let keys = |program: &Arc<dyn Program>| program.shareable().map(Shareable::conjuncts).unwrap_or_default();
        let keys: Vec<_> = programs.iter().map(keys).collect();
        for key in keys.iter().flatten().flatten() {
            *counts.entry(key.clone()).or_default() += 1;
        }
        let mut conjuncts = Numbers::default();
        let mut rules = Vec::with_capacity(programs.len());
        for (program, keys) in programs.into_iter().zip(keys) {
            let shareable = program.shareable();
            let paths = shareable.map(Shareable::paths).unwrap_or_default();
            let paths = paths.into_iter().map(|path| numbers.of(path)).collect();
            let number = |key: Option<String>| match key {
                Some(key) if counts.get(&key).is_some_and(|count| *count > 1) => conjuncts.of(&key),
                _ => Conjunct::NONE,
            };
            let conjuncts = keys.into_iter().map(number).collect();
            let steps = shareable.map_or(0, Shareable::steps);
            rules.push(Rule { program, paths, conjuncts, steps });
        }
        let (paths, conjuncts) = (numbers.0.len(), conjuncts.0.len());
        let mut set = RuleSet { rules, paths, conjuncts, ..RuleSet::default() };
        set.index();
        set
    }

    /// How many programs there are.
    pub fn len(&self) -> usize {
        self.rules.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.rules.is_empty()
    }

    fn guards(&self, rule: usize) -> &[Guard] {
        self.rules.get(rule).and_then(|it| it.program.shareable()).map_or(&[], Shareable::guards)
    }

    /// Puts every program under the most telling of its guards: that of the subject which tells most values apart.
    fn index(&mut self) {
        let mut subjects = Numbers::default();
        let guards: Vec<Vec<(u32, &Guard)>> = (0..self.rules.len())
            .map(|at| self.guards(at).iter().map(|it| (subjects.of(&self.subject(at, &it.subject)), it)).collect())
            .collect();
        let mut words: BTreeMap<u32, BTreeSet<&str>> = BTreeMap::new();
        for (subject, guard) in guards.iter().flatten() {
            let words = words.entry(*subject).or_default();
            match &guard.test {
                GuardTest::OneOf(texts) => words.extend(texts.iter().map(|it| &**it)),
                GuardTest::Text(_, part) => words.extend([&**part]),
                GuardTest::Bool(_) | GuardTest::Nil => {}
            }
        }
        let telling = |it: &&(u32, &Guard)| words.get(&it.0).map_or(0, BTreeSet::len);
        let (mut always, mut indexes) = (Vec::new(), BTreeMap::<u32, Index>::new());
        for (at, guards) in guards.iter().enumerate() {
            let number = at as u32;
            // The first of equals, so that the outcome does not depend on the search.
            let Some((subject, guard)) = guards.iter().rev().max_by_key(telling) else {
                always.push(number);
                continue;
            };
            let index = indexes.entry(*subject).or_insert_with(|| Index::new(guard.subject.clone(), number));
            index.add(number, &guard.test);
        }
        (self.always, self.indexes) = (always, indexes.into_values().collect());
    }

    /// One spelling of a guard's subject for all programs.
    fn subject(&self, rule: usize, subject: &Subject) -> String {
        match subject {
            Subject::Path(path) => self.rules.get(rule).map_or(0, |it| it.paths[usize::from(*path)]).to_string(),
            Subject::Elements(elements) => format!("each {}", elements.key),
        }
    }

    /// Decides about one object: calls `answer` with the position and the truth or error of every program that can be anything
    /// but `false`, in order of position. `values` are those of the environment.
    pub fn decide<'a>(
        &'a self,
        values: &'a [Value<'a>],
        limits: &'a Limits,
        arena: &'a Arena,
        memo: &mut Memo<'a>,
        answer: impl FnMut(usize, Result<bool, EvalError>),
    ) {
        self.decide_among(values, limits, arena, memo, |_| true, answer);
    }

    /// The same about the programs at the positions that are `wanted`; others are not run.
    pub fn decide_among<'a>(
        &'a self,
        values: &'a [Value<'a>],
        limits: &'a Limits,
        arena: &'a Arena,
        memo: &mut Memo<'a>,
        wanted: impl Fn(usize) -> bool,
        mut answer: impl FnMut(usize, Result<bool, EvalError>),
    ) {
        memo.paths.positions.resize(self.paths, 0);
        memo.conjuncts.positions.resize(self.conjuncts, 0);
        let mut candidates = std::mem::take(&mut memo.candidates);
        candidates.extend_from_slice(&self.always);
        for index in &self.indexes {
            let Some(rule) = self.rules.get(index.reader as usize) else { continue };
            let Some(program) = rule.program.shareable() else { continue };
            let mut found = |value| index.find(value, &mut candidates);
            let read = program.read(&index.subject, values, limits, arena, memo, rule.places(), &mut found);
            if read.is_none() {
                index.cannot_be_told(&mut candidates);
            }
        }
        candidates.retain(|it| wanted(*it as usize));
        candidates.sort_unstable();
        // Several elements may have named one.
        candidates.dedup();
        for number in &candidates {
            let at = *number as usize;
            let Some(rule) = self.rules.get(at) else { continue };
            if let Some(truth) = rule.known(memo, limits) {
                answer(at, Ok(truth));
                continue;
            }
            let result = match rule.program.shareable() {
                Some(program) => program.decide(values, limits, arena, memo, rule.places()),
                None => rule.program.evaluate(values, limits, arena).and_then(truth),
            };
            answer(at, result);
        }
        candidates.clear();
        memo.candidates = candidates;
    }
}

/// The truth of a program's value; nil is false.
fn truth(value: Value<'_>) -> Result<bool, EvalError> {
    match value {
        Value::Bool(truth) => Ok(truth),
        value if value.is_nil() => Ok(false),
        _ => {
            Err(EvalError { kind: ErrorKind::Value, message: "expected bool, but got another type".into(), span: None })
        }
    }
}

/// Texts by the order in which they came.
#[derive(Default)]
struct Numbers(BTreeMap<String, u32>);

impl Numbers {
    fn of(&mut self, text: &str) -> u32 {
        match self.0.get(text) {
            Some(number) => *number,
            None => {
                let next = self.0.len() as u32;
                self.0.insert(text.to_owned(), next);
                next
            }
        }
    }
}
