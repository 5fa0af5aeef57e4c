//! What holds for every text in every language.

use std::{
    cell::{Cell, RefCell},
    panic::AssertUnwindSafe,
    time::Duration,
};

use kanon_core::Object;
use kanon_lang::{
    Arena, Diagnostic, Diagnostics, Environment, ErrorKind, Explained, Language, LanguageId, Limits, Options, Span,
    Value,
};
use serde_json::json;

/// Small enough that a case is cheap, large enough that loops turn.
const LIMITS: Limits = Limits { steps: 50_000, memory: 50_000, time: None };

/// Memory that an evaluation within [`LIMITS`] may take: an element of a map is two values of 24 bytes, and the arena doubles.
const MEMORY_MAX: usize = 16 << 20;

/// CPU time that a text may take from beginning to end, all checks together. Generous: what bounds an evaluation is its
/// count of steps, and this only finds what is not counted. Optimised builds are held to a tenth.
const CPU_MAX: Duration = Duration::from_secs(if cfg!(debug_assertions) { 20 } else { 2 });

/// How often an explanation is asked for again that ran out of time where its evaluation did not.
const TRIES: usize = 8;

/// A language with an object to run its programs on.
pub(crate) struct Checker<'l> {
    language: &'l dyn Language,
    object: Object,
    worst: RefCell<Vec<(Duration, String)>>,
    failures: Cell<usize>,
}

/// A broken language need not be shown broken in more ways than this at once.
const FAILURES_MAX: usize = 12;

impl<'l> Checker<'l> {
    pub(crate) fn new(language: &'l dyn Language) -> Checker<'l> {
        let inner = json!({"spec": {"containers": [{"image": "docker.io/a\"b"}, {"image": "é"}]}, "n": 3, "s": "a,é",
            "a": {"b": [1, 2, 3]}, "big": u64::MAX, "float": -0.0, "deep": {"é": {"": [[[null]]]}}});
        let object = match language.id() {
            LanguageId::REGO => json!({"input": {"object": inner}, "data": {"x": 1}}),
            _ => json!({"object": inner}),
        };
        Checker { language, object: Object::from_value(&object), worst: RefCell::default(), failures: Cell::new(0) }
    }

    /// Checks a text; a failure names the case and the text.
    pub(crate) fn check(&self, text: &str, case: &str) {
        if self.failures.get() >= FAILURES_MAX {
            return;
        }
        let work = AssertUnwindSafe(|| self.check_all(text));
        if let Err(panic) = std::panic::catch_unwind(work) {
            let said = panic.downcast_ref::<String>().map(String::as_str).or(panic.downcast_ref::<&str>().copied());
            let short = |text: &str| text.chars().take(400).collect::<String>();
            let (said, shown) = (short(said.unwrap_or_default()), short(text));
            println!("FAILED: {} on {case}, {} bytes: {shown:?}\n  {said}", self.language.id(), text.len());
            self.failures.set(self.failures.get() + 1);
        }
    }

    /// Which language this is.
    pub(crate) fn language(&self) -> LanguageId {
        self.language.id()
    }

    /// How many texts failed.
    pub(crate) fn failures(&self) -> usize {
        self.failures.get()
    }

    /// The same, within a bound of CPU time where the system tells it.
    pub(crate) fn check_cost(&self, text: &str, case: &str) {
        let before = cpu();
        self.check(text, case);
        if let (Some(before), Some(after)) = (before, cpu()) {
            let taken = after.saturating_sub(before);
            if taken > CPU_MAX {
                println!("FAILED: {} takes {taken:?} on {case}", self.language.id());
                self.failures.set(self.failures.get() + 1);
            }
            self.worst.borrow_mut().push((taken, case.to_owned()));
        }
    }

    /// Prints what took longest.
    pub(crate) fn say_worst(&self) {
        let mut worst = self.worst.borrow_mut();
        worst.sort_by(|a, b| b.cmp(a));
        for (taken, case) in worst.iter().take(8) {
            println!("{:5} {:9.2} ms  {case}", self.language.id().to_string(), taken.as_secs_f64() * 1e3);
        }
    }

    fn check_all(&self, text: &str) {
        if let Err(mistakes) = self.language.tree(text) {
            check_mistakes(text, &mistakes);
        }
        match self.language.format(text) {
            Err(mistakes) => check_mistakes(text, &mistakes),
            Ok(formatted) => {
                let again = self.language.format(&formatted);
                assert_eq!(again.as_ref(), Ok(&formatted), "the layout is not stable");
            }
        }
        let names: Vec<_> = self.object.root().members().map(|(name, _)| name.into_owned()).collect();
        let env = Environment::new(names.iter().map(String::as_str));
        for (boolean, unchecked) in [(false, false), (false, true), (true, false)] {
            let options = Options { boolean, unchecked, ..Options::default() };
            let marks = self.language.lint(text, &env, &options);
            marks.iter().for_each(|it| check_mark(text, it));
            self.check_program(text, &env, &options);
        }
    }

    fn check_program(&self, text: &str, env: &Environment, options: &Options) {
        let program = match self.language.compile(text, env, options) {
            Ok(program) => program,
            Err(mistakes) => return check_mistakes(text, &mistakes),
        };
        assert_eq!(program.source(), text);
        assert!(program.reads().variables.iter().all(|slot| *slot < env.variables.len()));
        if let Some(estimate) = program.estimate(1_000) {
            assert!(estimate.min <= estimate.max, "{estimate:?}");
        }
        let arena = Arena::new();
        let values: Vec<_> = self.object.root().members().map(|(_, node)| Value::from_node(node, &arena)).collect();
        let result = program.evaluate(&values, &LIMITS, &arena);
        let taken = arena.allocated_bytes();
        assert!(taken <= MEMORY_MAX, "{taken} bytes in the arena");
        let mut told = program.explain(&values, &LIMITS, &arena);
        // A limit by time may be met because the machine was busy; whoever asks again is told.
        for _ in 0..TRIES {
            let is_late = told.spent.is_none() && told.result.as_ref().is_err_and(|it| it.kind == ErrorKind::Budget);
            if !is_late || result.as_ref().is_err_and(|it| it.kind == ErrorKind::Budget) {
                break;
            }
            told = program.explain(&values, &LIMITS, &arena);
        }
        let Explained { result: explained, values: evidence, spent } = told;
        match (&result, &explained) {
            (Ok(value), Ok(other)) => {
                let (value, other) = (value.to_json(&arena), other.to_json(&arena));
                assert!(value == other || text.contains("now"), "explained to {other}, evaluated to {value}");
            }
            (Err(error), Err(other)) => {
                assert!(!error.message.is_empty());
                // Which limit is met first may differ: noting values takes none, but neither is it free.
                assert!(
                    error == other || error.kind == ErrorKind::Budget,
                    "explained to {other}, evaluated to {error}"
                );
                error.span.into_iter().for_each(|it| check_span(text, it));
            }
            // Where no steps are counted, a limit by time may be met in one of the two only.
            (Ok(_), Err(error)) | (Err(error), Ok(_)) if error.kind == ErrorKind::Budget && spent.is_none() => {}
            (value, other) => {
                let shown = |it: &Result<Value<'_>, _>| it.as_ref().map(|it| it.to_json(&arena)).map_err(Clone::clone);
                panic!("explained to {:?}, evaluated to {:?}", shown(other), shown(value));
            }
        }
        for it in &evidence {
            check_span(text, Span { start: it.span.0, end: it.span.1 });
        }
        if let Some(spent) = spent {
            assert!(spent.steps <= LIMITS.steps && spent.memory <= LIMITS.memory, "{spent:?}");
        }
    }
}

fn check_mistakes(text: &str, mistakes: &Diagnostics) {
    // A text that is too long to be read is too long to be carried along.
    assert!(mistakes.source == text || (mistakes.source.is_empty() && text.len() > 10_000), "another text's mistakes");
    assert!(!mistakes.list.is_empty(), "no mistake is named");
    mistakes.list.iter().for_each(|it| check_mark(text, it));
    // It can be shown, whatever the text; only long texts are too many lines to do it in every case.
    if text.len() < 10_000 {
        assert!(!mistakes.to_string().is_empty());
    }
}

fn check_mark(text: &str, mark: &Diagnostic) {
    assert!(!mark.message.trim().is_empty(), "a mistake without a message");
    assert!(mark.message.len() <= 4_000, "a message of {} bytes", mark.message.len());
    check_span(text, mark.span);
}

fn check_span(text: &str, span: Span) {
    let Span { start, end } = span;
    assert!(start <= end && text.get(start as usize..end as usize).is_some(), "{span:?} is no part of the text");
}

/// CPU time of this thread, where the system tells it.
fn cpu() -> Option<Duration> {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").ok()?;
    text.split(' ').next()?.parse().ok().map(Duration::from_nanos)
}
