//! The interpreter and its instances. An evaluation takes one for itself and gives it back: nothing is shared between threads
//! while they evaluate, not even reference counts, since each instance was built from text.

use std::{
    num::NonZeroU32,
    panic::AssertUnwindSafe,
    sync::{Arc, Mutex, atomic::Ordering},
    time::Duration,
};

use kanon_lang::{ErrorKind, EvalError, Span, TimeLimit};
use regorus::{Engine, PolicyLengthConfig, QueryResult, Value, utils::limits::ExecutionTimerConfig};

use crate::{
    library::{self, State},
    policy::Answer,
    print::Printed,
};

/// The name of the first text; its number follows.
const FILE: &str = "module-";

/// The name that the interpreter gives to queries.
const QUERY_FILE: &str = "<query.rego>";

/// How many instances wait for work at most.
const MAX_IDLE: usize = 64;

/// Work of the interpreter between two looks at its timer.
const CHECK_INTERVAL: NonZeroU32 = NonZeroU32::new(32).expect("32 is not 0");

/// Texts, and interpreters that have read them.
pub(crate) struct Engines {
    texts: Vec<Printed>,
    idle: Mutex<Vec<Runner>>,
}

/// An interpreter for one evaluation at a time.
struct Runner {
    engine: Engine,
    state: Arc<State>,
    /// Whether `data` was given to it.
    has_data: bool,
    /// Whether it notes what it evaluates.
    coverage: bool,
}

/// What one evaluation is given.
#[derive(Default)]
pub(crate) struct Run {
    pub(crate) input: Option<Value>,
    pub(crate) data: Option<Value>,
    pub(crate) now: Option<i64>,
    pub(crate) strict: bool,
    pub(crate) limit: Option<Duration>,
    /// Ends the evaluation at the next call of one of our functions after its time: the interpreter asks nobody else.
    pub(crate) time: Option<TimeLimit>,
    pub(crate) coverage: bool,
}

/// What one evaluation found.
pub(crate) struct Found {
    /// None where the query is undefined.
    pub(crate) answers: Vec<Answer>,
    /// Places of the source that were evaluated, where that was asked for; by text.
    pub(crate) covered: Vec<(usize, Span)>,
}

/// Runs `work`; a panic in the interpreter ends this work, nothing else: all it touched is thrown away.
fn guarded<T>(work: impl FnOnce() -> T) -> Result<T, EvalError> {
    std::panic::catch_unwind(AssertUnwindSafe(work))
        .map_err(|_| plain(ErrorKind::Value, "the evaluation failed inside the interpreter".to_owned()))
}

pub(crate) fn plain(kind: ErrorKind, message: String) -> EvalError {
    EvalError { kind, message, span: None }
}

impl Engines {
    /// Interpreters of these texts; one is made, so that what it does not understand shows now.
    pub(crate) fn new(texts: Vec<Printed>) -> Result<Engines, EvalError> {
        let engines = Engines { texts, idle: Mutex::new(Vec::new()) };
        let mut runner = engines.make()?;
        // A query makes the interpreter order all expressions of all modules.
        let ordered = guarded(|| runner.engine.eval_query("true".to_owned(), false))?;
        ordered.map_err(|error| engines.error(&format!("{error:#}"), None))?;
        engines.give_back(runner);
        Ok(engines)
    }

    fn make(&self) -> Result<Runner, EvalError> {
        guarded(|| {
            let mut engine = Engine::new();
            // What `print` says belongs to nobody here; by default it goes to the process's standard error.
            engine.set_gather_prints(true);
            engine.set_policy_length_config(PolicyLengthConfig {
                max_col: NonZeroU32::MAX,
                max_file_bytes: std::num::NonZeroUsize::MAX,
                max_lines: std::num::NonZeroUsize::MAX,
            });
            let state = Arc::new(State::default());
            library::install(&mut engine, &state).map_err(|message| plain(ErrorKind::Value, message))?;
            for (at, printed) in self.texts.iter().enumerate() {
                let added = engine.add_policy(format!("{FILE}{at}"), printed.text.clone());
                added.map_err(|error| self.error(&format!("{error:#}"), None))?;
            }
            Ok(Runner { engine, state, has_data: false, coverage: false })
        })?
    }

    fn take(&self) -> Result<Runner, EvalError> {
        let idle = self.idle.lock().ok().and_then(|mut idle| idle.pop());
        idle.map_or_else(|| self.make(), Ok)
    }

    fn give_back(&self, runner: Runner) {
        if let Ok(mut idle) = self.idle.lock()
            && idle.len() < MAX_IDLE
        {
            idle.push(runner);
        }
    }

    /// Evaluates a query; `rule` is the rule whose value it is, where it is no more than that.
    pub(crate) fn run(&self, query: &Printed, rule: Option<&str>, run: Run) -> Result<Found, EvalError> {
        let mut runner = self.take()?;
        let results = guarded(|| {
            let results = runner.run(query, rule, run);
            (runner, results)
        });
        // A runner that panicked is gone by now.
        let (runner, results) = results?;
        let found = match results {
            Ok(found) => found,
            Err(text) => {
                let error = self.error(&text, Some(query));
                self.give_back(runner);
                return Err(error);
            }
        };
        let covered = if runner.coverage { self.covered(&runner.engine) } else { Vec::new() };
        if !runner.coverage {
            self.give_back(runner);
        }
        Ok(Found { answers: found, covered })
    }

    fn covered(&self, engine: &Engine) -> Vec<(usize, Span)> {
        let Ok(report) = engine.get_coverage_report() else { return Vec::new() };
        let mut out = Vec::new();
        for file in &report.files {
            let Some(at) = file.path.strip_prefix(FILE).and_then(|it| it.parse::<usize>().ok()) else { continue };
            let Some(printed) = self.texts.get(at) else { continue };
            let lines = file.covered.iter().filter_map(|line| printed.lines.get((*line as usize).checked_sub(1)?));
            out.extend(lines.map(|span| (at, *span)));
        }
        out.sort_unstable();
        out.dedup();
        out
    }

    /// An error of the interpreter, with its place in the source: `… --> module-0:3:9 … error: what is wrong`.
    fn error(&self, rendered: &str, query: Option<&Printed>) -> EvalError {
        let message = rendered.rsplit("error: ").next().unwrap_or(rendered).lines().next().unwrap_or_default().trim();
        let message = if message.is_empty() { "the evaluation failed" } else { message };
        if rendered.contains("exceeded time limit") {
            return plain(ErrorKind::Budget, "step budget exceeded".to_owned());
        }
        if rendered.contains(library::OVERDUE) {
            return plain(ErrorKind::Budget, library::OVERDUE.to_owned());
        }
        let kind = if rendered.contains(library::TOO_LARGE) { ErrorKind::Budget } else { ErrorKind::Value };
        let place = rendered.rsplit("--> ").next().and_then(|place| {
            let (file, rest) = place.split_once(':')?;
            let line: usize = rest.split(':').next()?.parse().ok()?;
            let printed = match file.strip_prefix(FILE) {
                Some(at) => self.texts.get(at.parse::<usize>().ok()?)?,
                // A query beside modules has places in a text that is not the policy's.
                None if file == QUERY_FILE && self.texts.is_empty() => query?,
                None => return None,
            };
            printed.lines.get(line.checked_sub(1)?).copied()
        });
        EvalError { kind, message: message.to_owned(), span: place.filter(|span| span.end > 0) }
    }
}

impl Runner {
    fn run(&mut self, query: &Printed, rule: Option<&str>, run: Run) -> Result<Vec<Answer>, String> {
        let engine = &mut self.engine;
        self.state.strict.store(run.strict, Ordering::Relaxed);
        self.state.has_clock.store(run.now.is_some(), Ordering::Relaxed);
        self.state.now.store(run.now.unwrap_or_default(), Ordering::Relaxed);
        if let Ok(mut time) = self.state.time.lock() {
            *time = run.time;
        }
        engine.set_strict_builtin_errors(run.strict);
        if run.coverage {
            self.coverage = true;
            engine.set_enable_coverage(true);
        }
        match run.limit {
            Some(limit) => {
                engine.set_execution_timer_config(ExecutionTimerConfig { limit, check_interval: CHECK_INTERVAL })
            }
            None => engine.clear_execution_timer_config(),
        }
        engine.set_input(run.input.unwrap_or(Value::Undefined));
        if self.has_data {
            engine.clear_data();
            self.has_data = false;
        }
        if let Some(data) = run.data {
            self.has_data = true;
            engine.add_data(data).map_err(|error| error.to_string())?;
        }
        let answer = |result: QueryResult| {
            let value = result.expressions.into_iter().next_back()?.value;
            (value != Value::Undefined).then_some(Answer { value, bindings: result.bindings })
        };
        let results = match rule.filter(|_| !run.coverage) {
            // A query is read and ordered each time; a rule's value is not.
            Some(rule) => engine.eval_rule(rule.to_owned()).map(|value| {
                let defined = (value != Value::Undefined).then_some(value);
                defined.map(|value| Answer { value, bindings: Value::new_object() }).into_iter().collect()
            }),
            None => engine
                .eval_query(query.text.clone(), false)
                .map(|found| found.result.into_iter().filter_map(answer).collect()),
        };
        let results = results.map_err(|error| format!("{error:#}"));
        let _ = engine.take_prints();
        // Values of the policy are not kept longer than the evaluation.
        engine.set_input(Value::Undefined);
        results
    }
}
