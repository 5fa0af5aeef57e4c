//! Compiled policies.

use std::panic::AssertUnwindSafe;

use kanon_core::EvidenceValue;
use kanon_lang::{Arena, Environment, ErrorKind, EvalError, Explained, Limits, Options, Program, Reads, Value};
use regorus::{Engine, Value as Rego};

use crate::convert::{from_rego, to_rego};

/// What the text is.
pub(crate) enum Form {
    Module {
        /// Its path, such as `data.shop.rules`.
        package: String,
    },
    Query,
}

pub(crate) struct Compiled {
    source: String,
    /// Holds the module, if there is one; every evaluation works on a copy of it.
    engine: Engine,
    form: Form,
    input: Option<usize>,
    data: Option<usize>,
    reads: Reads,
    boolean: bool,
}

/// Runs `work`; a panic in the interpreter ends this work, nothing else: all it touched is thrown away.
pub(crate) fn guarded<T>(work: impl FnOnce() -> T) -> Result<T, ()> {
    std::panic::catch_unwind(AssertUnwindSafe(work)).map_err(|_| ())
}

fn plain(message: impl Into<String>) -> EvalError {
    EvalError { kind: ErrorKind::Value, message: message.into(), span: None }
}

impl Compiled {
    pub(crate) fn new(source: &str, engine: Engine, form: Form, env: &Environment, options: &Options) -> Compiled {
        let (input, data) = (env.slot("input"), env.slot("data"));
        // The interpreter does not say which paths it reads: all of both.
        let mentions = |name: &str, slot: Option<usize>| slot.filter(|_| source.contains(name));
        let read = [("data", mentions("data", data)), ("input", mentions("input", input))];
        let paths = read.iter().filter(|it| it.1.is_some()).map(|it| vec![it.0.to_owned()]).collect();
        let mut variables: Vec<usize> = read.iter().filter_map(|it| it.1).collect();
        variables.sort_unstable();
        let reads = Reads { variables, paths, clock: false };
        Compiled { source: source.to_owned(), engine, form, input, data, reads, boolean: options.boolean }
    }

    fn run<'a>(&self, values: &[Value<'a>], arena: &'a Arena) -> Result<Rego, EvalError> {
        let mut engine = self.engine.clone();
        let value = |slot: Option<usize>| slot.and_then(|slot| values.get(slot)).copied();
        if let Some(input) = value(self.input) {
            engine.set_input(to_rego(input, arena).map_err(plain)?);
        }
        if let Some(data) = value(self.data).filter(|data| !data.is_nil()) {
            let data = to_rego(data, arena).map_err(plain)?;
            engine.add_data(data).map_err(|error| plain(error.to_string()))?;
        }
        let query = match &self.form {
            Form::Module { package } => package.clone(),
            Form::Query => self.source.clone(),
        };
        let results = engine.eval_query(query, false).map_err(|error| plain(error.to_string()))?;
        let mut answers: Vec<Rego> =
            results.result.iter().filter_map(|it| it.expressions.last()).map(|it| it.value.clone()).collect();
        Ok(match answers.len() {
            0 => Rego::Undefined,
            1 => answers.remove(0),
            _ => Rego::from(answers),
        })
    }
}

impl Program for Compiled {
    fn source(&self) -> &str {
        &self.source
    }

    fn reads(&self) -> &Reads {
        &self.reads
    }

    fn evaluate<'a>(
        &'a self,
        values: &'a [Value<'a>],
        limits: &'a Limits,
        arena: &'a Arena,
    ) -> Result<Value<'a>, EvalError> {
        let result = guarded(|| self.run(values, arena));
        let result = result.map_err(|()| plain("the evaluation failed inside the interpreter"))??;
        let mut units = 0;
        let value = from_rego(&result, arena, &mut units);
        if units > limits.memory {
            let message = "the result is larger than the memory budget".to_owned();
            return Err(EvalError { kind: ErrorKind::Budget, message, span: None });
        }
        if !self.boolean || matches!(value, Value::Bool(_)) {
            Ok(value)
        } else if value.is_nil() {
            Ok(Value::Bool(false))
        } else {
            Err(plain("expected a boolean"))
        }
    }

    /// The interpreter keeps no values on the way: the whole is all there is.
    fn explain<'a>(&'a self, values: &'a [Value<'a>], limits: &'a Limits, arena: &'a Arena) -> Explained<'a> {
        let result = self.evaluate(values, limits, arena);
        let value = match &result {
            Ok(value) => value.to_json(arena),
            Err(_) => return Explained { result, values: Vec::new(), spent: None },
        };
        let span = (0, self.source.len() as u32);
        Explained { result, values: vec![EvidenceValue { span, text: self.source.clone(), value }], spent: None }
    }
}
