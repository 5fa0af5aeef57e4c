//! Thousands of programs over one object: an index by the tests that their truth implies leaves the few that can be true,
//! and what several of them read of the object is read once.
//!
//! A rule set gives for every program what evaluating it alone gives, errors included; only programs whose guard says `false`
//! are never run, and are not reported.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

use crate::{
    ir::{Guard, GuardTest},
    language::{Arena, ErrorKind, EvalError, Limits, Program},
    machine::Found,
    value::Value,
};

/// What a rule set asks of a compiled program.
pub trait Shareable: Send + Sync {
    /// The paths from variables through constant names that it reads, each in one spelling.
    fn paths(&self) -> Vec<&str>;

    /// Tests without which it gives `false`.
    fn guards(&self) -> &[Guard];

    /// The value of one of its paths; `None` where reading it is an error. `shared` says where each of its paths stands in
    /// the memo.
    fn read<'a>(
        &'a self,
        path: usize,
        values: &'a [Value<'a>],
        limits: &'a Limits,
        arena: &'a Arena,
        memo: &mut Memo<'a>,
        shared: &[u32],
    ) -> Option<Value<'a>>;

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
        shared: &[u32],
    ) -> Result<bool, EvalError>;
}

/// What the programs of a rule set have read of one object so far, and room to work in. One a thread; renewed, not cleared, for
/// the next object.
#[derive(Default)]
pub struct Memo<'a> {
    /// Where each path's finding stands, if it is one of this object's: a sparse set, which need not be cleared.
    positions: Vec<u32>,
    found: Vec<(u32, Found<'a>)>,
    candidates: Vec<u32>,
}

impl<'a> Memo<'a> {
    /// The same room for another object.
    #[must_use]
    pub fn renew<'b>(self) -> Memo<'b> {
        let Memo { positions, mut found, mut candidates } = self;
        found.clear();
        candidates.clear();
        // Nothing is left in it: collecting keeps the allocation for values of another lifetime.
        let found = found.into_iter().map_while(|_| None).collect();
        Memo { positions, found, candidates }
    }

    #[inline]
    pub(crate) fn get(&self, path: u32) -> Option<Found<'a>> {
        let at = *self.positions.get(path as usize)?;
        self.found.get(at as usize).filter(|it| it.0 == path).map(|it| it.1)
    }

    #[inline]
    pub(crate) fn set(&mut self, path: u32, found: Found<'a>) {
        if let Some(position) = self.positions.get_mut(path as usize) {
            *position = self.found.len() as u32;
            self.found.push((path, found));
        }
    }
}

/// Programs that decide together.
#[derive(Default)]
pub struct RuleSet {
    rules: Vec<Rule>,
    /// How many different paths they read.
    paths: usize,
    /// Programs without a guard.
    always: Vec<u32>,
    indexes: Vec<Index>,
}

struct Rule {
    program: Arc<dyn Program>,
    /// Where each of its paths stands in the memo.
    shared: Box<[u32]>,
}

/// Programs by the value of one path.
struct Index {
    /// A program that reads the path, and the path's position there.
    reader: (u32, usize),
    texts: HashMap<Box<str>, Vec<u32>>,
    /// By `false` and `true`.
    bools: [Vec<u32>; 2],
    /// All of them: where the path cannot be read, each has its own error.
    all: Vec<u32>,
}

impl RuleSet {
    /// The rule set of programs that were compiled against one environment with `boolean` set; a program's position is its name
    /// in the answers.
    pub fn new(programs: Vec<Arc<dyn Program>>) -> RuleSet {
        let mut numbers: BTreeMap<String, u32> = BTreeMap::new();
        let mut rules = Vec::with_capacity(programs.len());
        for program in programs {
            let paths = program.shareable().map(Shareable::paths).unwrap_or_default();
            let mut number = |path: &str| match numbers.get(path) {
                Some(number) => *number,
                None => {
                    let next = numbers.len() as u32;
                    numbers.insert(path.to_owned(), next);
                    next
                }
            };
            let shared = paths.into_iter().map(&mut number).collect();
            rules.push(Rule { program, shared });
        }
        let mut set = RuleSet { rules, paths: numbers.len(), ..RuleSet::default() };
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

    /// Puts every program under the most telling of its guards: that of the path which tells most values apart.
    fn index(&mut self) {
        let mut words: BTreeMap<u32, BTreeMap<&str, ()>> = BTreeMap::new();
        for (at, rule) in self.rules.iter().enumerate() {
            for guard in self.guards(at) {
                if let GuardTest::OneOf(texts) = &guard.test {
                    let path = rule.shared[usize::from(guard.path)];
                    words.entry(path).or_default().extend(texts.iter().map(|text| (&**text, ())));
                }
            }
        }
        let words: BTreeMap<u32, usize> = words.into_iter().map(|(path, words)| (path, words.len())).collect();
        let (mut always, mut indexes) = (Vec::new(), BTreeMap::<u32, Index>::new());
        for (at, rule) in self.rules.iter().enumerate() {
            let number = at as u32;
            let path_of = |guard: &Guard| rule.shared[usize::from(guard.path)];
            let telling = |guard: &&Guard| words.get(&path_of(guard)).copied().unwrap_or(0);
            // The first of equals, so that the outcome does not depend on the search.
            let Some(guard) = self.guards(at).iter().rev().max_by_key(telling) else {
                always.push(number);
                continue;
            };
            let index = indexes.entry(path_of(guard)).or_insert_with(|| Index {
                reader: (number, usize::from(guard.path)),
                texts: HashMap::new(),
                bools: [Vec::new(), Vec::new()],
                all: Vec::new(),
            });
            index.all.push(number);
            match &guard.test {
                GuardTest::Bool(bool) => index.bools[usize::from(*bool)].push(number),
                GuardTest::OneOf(texts) => {
                    for text in texts {
                        let list = index.texts.entry(text.clone()).or_default();
                        if list.last() != Some(&number) {
                            list.push(number);
                        }
                    }
                }
            }
        }
        (self.always, self.indexes) = (always, indexes.into_values().collect());
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
        memo.positions.resize(self.paths, 0);
        let mut candidates = std::mem::take(&mut memo.candidates);
        candidates.extend_from_slice(&self.always);
        for index in &self.indexes {
            let (reader, path) = index.reader;
            let Some(rule) = self.rules.get(reader as usize) else { continue };
            let Some(program) = rule.program.shareable() else { continue };
            match program.read(path, values, limits, arena, memo, &rule.shared) {
                Some(Value::Str(text)) => candidates.extend(index.texts.get(text).into_iter().flatten()),
                Some(Value::Bool(bool)) => candidates.extend_from_slice(&index.bools[usize::from(bool)]),
                Some(value) if value.is_nil() => {}
                // Where it cannot be read, or a test may fail, each program has its own error.
                Some(_) | None => candidates.extend_from_slice(&index.all),
            }
        }
        candidates.retain(|it| wanted(*it as usize));
        candidates.sort_unstable();
        for number in &candidates {
            let at = *number as usize;
            let Some(rule) = self.rules.get(at) else { continue };
            let result = match rule.program.shareable() {
                Some(program) => program.decide(values, limits, arena, memo, &rule.shared),
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
