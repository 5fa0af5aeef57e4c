//! The traits that every language implements and every family uses.

use std::{collections::BTreeMap, fmt, sync::Arc};

use kanon_core::EvidenceValue;

use crate::{
    allowance::Limits,
    bound::Bound,
    diagnostic::{Diagnostic, Diagnostics, Span},
    function::Function,
    ir::Estimate,
    module::{ModuleOptions, Outline},
    rules::Shareable,
    types::Type,
    value::Value,
};

/// Memory of one evaluation: lists, maps and text made on the way live here and go together.
pub type Arena = bumpalo::Bump;

/// A language's name on the command line and in `languages.rs`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LanguageId(pub &'static str);

impl LanguageId {
    /// Common Expression Language.
    pub const CEL: LanguageId = LanguageId("cel");
    /// expr-lang, as of 1.17.8.
    pub const EXPR: LanguageId = LanguageId("expr");
    /// Rego, the language of OPA.
    pub const REGO: LanguageId = LanguageId("rego");
}

impl fmt::Display for LanguageId {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.0)
    }
}

/// The names a program may use. Position in the list is the slot in the values given to an evaluation.
#[derive(Clone, Debug, Default)]
pub struct Environment {
    /// Variable names, each once.
    pub variables: Vec<String>,
    /// Types of the variables, by slot; those without one are dynamic.
    pub types: Vec<Type>,
    /// Functions besides those of the language.
    pub functions: Vec<Function>,
}

impl Environment {
    /// The variable that `now()` reads: an environment that has it, with a time as its value, has a clock. In others
    /// `now()` is a run-time error. Programs cannot name it.
    pub const NOW: &'static str = "$now";

    /// An environment of these variables, all dynamic.
    pub fn new<'n>(names: impl IntoIterator<Item = &'n str>) -> Environment {
        Environment { variables: names.into_iter().map(str::to_owned).collect(), ..Environment::default() }
    }

    /// The environment with one more variable.
    #[must_use]
    pub fn with_variable(mut self, name: &str, of: Type) -> Environment {
        self.types.resize(self.variables.len(), Type::Dyn);
        self.variables.push(name.to_owned());
        self.types.push(of);
        self
    }

    /// The environment with more functions.
    #[must_use]
    pub fn with_functions(mut self, functions: impl IntoIterator<Item = Function>) -> Environment {
        self.functions.extend(functions);
        self
    }

    /// The slot of a variable.
    pub fn slot(&self, name: &str) -> Option<usize> {
        self.variables.iter().position(|it| it == name)
    }

    /// The type of the variable in a slot.
    pub fn type_of(&self, slot: usize) -> &Type {
        self.types.get(slot).unwrap_or(&Type::Dyn)
    }
}

/// How to compile.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Options {
    /// The result must be a boolean; a nil result reads as `false` (spec/rules 2.9).
    pub boolean: bool,
    /// Skip the static type check, where the language has one.
    pub unchecked: bool,
    /// What texts that are modules need besides; languages without modules do not look at it.
    pub module: ModuleOptions,
}

/// A policy language.
pub trait Language: Send + Sync {
    /// Its name.
    fn id(&self) -> LanguageId;

    /// Compiles `source`. Deterministic, and without effect on anything else.
    ///
    /// # Errors
    /// Every mistake found, with spans. Text of any size and depth gives an error, never a panic.
    fn compile(&self, source: &str, env: &Environment, options: &Options) -> Result<Arc<dyn Program>, Diagnostics>;

    /// The text in the language's canonical layout; reading it back gives the same program.
    ///
    /// # Errors
    /// Text that does not parse.
    fn format(&self, source: &str) -> Result<String, Diagnostics> {
        Err(Diagnostics::one(source, format!("{} texts cannot be formatted yet", self.id()), Span::default()))
    }

    /// The syntax tree as indented lines, for people: one node a line, with what it is and its text.
    ///
    /// # Errors
    /// Text that does not parse.
    fn tree(&self, source: &str) -> Result<String, Diagnostics> {
        Err(Diagnostics::one(
            source,
            format!("the syntax tree of {} texts cannot be shown yet", self.id()),
            Span::default(),
        ))
    }

    /// What compiles but is likely a mistake: conditions that are always true or false, comparisons that can never hold,
    /// names that nothing uses. Empty for text that does not compile: `compile` says what is wrong with it.
    fn lint(&self, source: &str, env: &Environment, options: &Options) -> Vec<Diagnostic> {
        let _ = (source, env, options);
        Vec::new()
    }

    /// What an evaluation of `source` costs at most in the units by which Kubernetes bounds the rules of a CRD, when variables
    /// are no larger than `bounds` say, by slot. `None` for languages that Kubernetes does not have, and for text that does not
    /// compile in `env`.
    fn worst_cost(&self, source: &str, env: &Environment, bounds: &[Bound]) -> Option<u64> {
        let _ = (source, env, bounds);
        None
    }

    /// The package and the rules of a module, in order of place, without compiling it further. Languages without modules
    /// have nothing to list.
    ///
    /// # Errors
    /// Where the text does not parse: every mistake found, with spans.
    fn outline(&self, source: &str, options: &Options) -> Result<Outline, Diagnostics> {
        let _ = (source, options);
        Ok(Outline::default())
    }
}

/// All languages of a binary, by id.
pub type Languages = BTreeMap<LanguageId, Arc<dyn Language>>;

/// Compiled text, shared by all threads.
pub trait Program: Send + Sync {
    /// The text it was compiled from.
    fn source(&self) -> &str;

    /// What it reads.
    fn reads(&self) -> &Reads;

    /// Evaluates against `values`, one a slot of the environment; missing ones read as null.
    ///
    /// # Errors
    /// The language's run-time errors, and [`ErrorKind::Budget`] beyond the limits. Never panics.
    fn evaluate<'a>(
        &'a self,
        values: &'a [Value<'a>],
        limits: &'a Limits,
        arena: &'a Arena,
    ) -> Result<Value<'a>, EvalError>;

    /// Evaluates and notes the value of every sub-expression that was evaluated.
    fn explain<'a>(&'a self, values: &'a [Value<'a>], limits: &'a Limits, arena: &'a Arena) -> Explained<'a>;

    /// Evaluates, and says what that took, where the language counts.
    fn measure<'a>(
        &'a self,
        values: &'a [Value<'a>],
        limits: &'a Limits,
        arena: &'a Arena,
    ) -> (Result<Value<'a>, EvalError>, Option<Spent>) {
        (self.evaluate(values, limits, arena), None)
    }

    /// What an evaluation costs when every list and map that it runs over has `len` elements; `None` where the language cannot
    /// say.
    fn estimate(&self, len: u64) -> Option<Estimate> {
        let _ = len;
        None
    }

    /// Itself, for a [`crate::RuleSet`] that shares reads among programs; `None` where the language cannot.
    fn shareable(&self) -> Option<&dyn Shareable> {
        None
    }
}

/// A result with the values on the way to it.
pub struct Explained<'a> {
    /// What [`Program::evaluate`] gives.
    pub result: Result<Value<'a>, EvalError>,
    /// Sub-expressions in source order, outer before inner; those inside predicates show their last value. Of a path there is
    /// what it ends at, not what it passes (`object.spec.hostPID`, without `object` and `object.spec`), and no value is large.
    pub values: Vec<EvidenceValue>,
    /// What the evaluation cost, where the language counts.
    pub spent: Option<Spent>,
}

/// What an evaluation cost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Spent {
    /// Steps, as in [`Limits::steps`].
    pub steps: u64,
    /// Elements and bytes made, as in [`Limits::memory`].
    pub memory: u64,
}

/// What a program reads, found in its text.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reads {
    /// Variables by slot.
    pub variables: Vec<usize>,
    /// Paths from a variable through constant member names, each ending where the program stops following it:
    /// `object.spec.hostNetwork` is `["object", "spec", "hostNetwork"]`.
    pub paths: Vec<Vec<String>>,
    /// Whether it reads the clock.
    pub clock: bool,
}

/// What kind of run-time error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ErrorKind {
    /// A value had a type or form that the operation does not take.
    Value,
    /// The program exceeded its limits.
    Budget,
}

/// Why an evaluation gave no value.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct EvalError {
    /// Its kind.
    pub kind: ErrorKind,
    /// What happened: a lower-case fragment.
    pub message: String,
    /// Where in the source, if known.
    pub span: Option<Span>,
}

impl EvalError {
    /// A value error at a place.
    pub fn value(message: impl Into<String>, span: Span) -> EvalError {
        EvalError { kind: ErrorKind::Value, message: message.into(), span: Some(span) }
    }
}
