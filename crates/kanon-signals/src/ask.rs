//! One question to a policy: a compiled query, its limits, and its answer as JSON.

use std::sync::Arc;

use kanon_core::{Now, Object};
use kanon_lang::{
    Arena, Diagnostics, Environment, ErrorKind, Language, Limits, ModuleOptions, Options, Program, Type, Value,
};
use serde_json::Value as Json;

/// Longest input document (spec/signal-approval 9).
const INPUT_LEN_MAX: usize = 1 << 20;
/// Longest answer.
const OUTPUT_LEN_MAX: usize = 64 << 10;

/// How much one question may cost. A step is taken for a microsecond, since the specification speaks of time and code
/// without a clock of steps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Steps(u64);

impl Steps {
    /// Environment, severity and priority: 100 ms (1.1).
    pub(crate) const RULE: Steps = Steps(100_000);
    /// Labels: 5 s (1.1).
    pub(crate) const LABELS: Steps = Steps(5_000_000);
    /// Labels of a policy that is tried out, while nothing else can be handled: 1 s.
    pub(crate) const TRIED_LABELS: Steps = Steps(1_000_000);
    /// Approval: 1 s (3.1).
    pub(crate) const APPROVAL: Steps = Steps(1_000_000);
}

/// What a policy answered.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Answer {
    /// The rule is undefined or not there.
    Undefined,
    /// The rule's value.
    Value(Json),
    /// The evaluation failed.
    Failed {
        /// Whether it was a limit.
        limit: bool,
        /// Why: a lower-case fragment.
        message: String,
    },
}

/// A compiled query of a module.
#[derive(Clone)]
pub(crate) struct Query(Arc<dyn Program>);

impl Query {
    /// Compiles `query` of the module. With `strict`, a built-in that fails is an error.
    pub(crate) fn compile(
        language: &dyn Language,
        text: &str,
        package: &str,
        query: &str,
        strict: bool,
    ) -> Result<Query, Diagnostics> {
        let module = ModuleOptions {
            package: Some(package.to_owned()),
            query: Some(query.to_owned()),
            strict,
            ..ModuleOptions::default()
        };
        let env = Environment::new(["input"]).with_variable(Environment::NOW, Type::Timestamp);
        language.compile(text, &env, &Options { module, ..Options::default() }).map(Query)
    }

    /// Asks about one input.
    pub(crate) fn ask(&self, input: &Object, Steps(steps): Steps, now: Now) -> Answer {
        if input.text().len() > INPUT_LEN_MAX {
            return Answer::limit("the input is larger than 1 MiB");
        }
        let (arena, limits) = (Arena::new(), Limits { steps, ..Limits::default() });
        let values = [Value::from_node(input.root(), &arena), Value::Time(now.wall)];
        let answer = match self.0.evaluate(&values, &limits, &arena) {
            Ok(Value::Optional(None)) => Answer::Undefined,
            Ok(value) => Answer::Value(value.to_json(&arena)),
            Err(error) => Answer::Failed {
                limit: error.kind == ErrorKind::Budget,
                message: self.placed(&error.message, error.span),
            },
        };
        match &answer {
            Answer::Value(value) if value.to_string().len() > OUTPUT_LEN_MAX => {
                Answer::limit("the result is larger than 64 KiB")
            }
            _ => answer,
        }
    }

    /// The message with line and column, where the place is known.
    fn placed(&self, message: &str, span: Option<kanon_lang::Span>) -> String {
        let message = message.lines().map(str::trim).filter(|it| !it.is_empty()).collect::<Vec<_>>().join(" ");
        let Some(span) = span else { return message };
        let (line, column) = Diagnostics { source: self.0.source().to_owned(), list: Vec::new() }.position(span);
        format!("{message} ({line}:{column})")
    }
}

impl Answer {
    fn limit(message: &str) -> Answer {
        Answer::Failed { limit: true, message: message.to_owned() }
    }
}
