//! The language and its programs, as families see them.

mod reads;

use std::{collections::BTreeMap, sync::Arc};

use kanon_core::EvidenceValue;
use kanon_lang::{
    Arena, Diagnostics, Environment, EvalError, Explained, Language, LanguageId, Limits, Options, Program, Reads,
    Record, Span, Value,
};

use crate::{
    code::Code,
    eval::{Machine, Outcome},
    value::type_name,
};

/// A function that expressions may call by name: a record whose `call` answers.
pub type Function = Arc<dyn Record + Send>;

/// The language expr. `regexMatch` is always there (spec/rules 2.8); other functions are given at construction.
#[derive(Clone, Default)]
pub struct Expr {
    functions: Arc<[(&'static str, Function)]>,
}

impl Expr {
    /// The language with functions besides the built-ins. Names of built-ins stay with the built-ins' meaning.
    pub fn with_functions(functions: impl IntoIterator<Item = (&'static str, Function)>) -> Expr {
        Expr { functions: functions.into_iter().collect() }
    }
}

impl Language for Expr {
    fn id(&self) -> LanguageId {
        LanguageId::EXPR
    }

    fn compile(&self, source: &str, env: &Environment, options: &Options) -> Result<Arc<dyn Program>, Diagnostics> {
        let mut names: Vec<&'static str> = self.functions.iter().map(|it| it.0).collect();
        names.push(crate::REGEX_MATCH);
        let tree = crate::parser::parse(source, env, &names)?;
        if !options.unchecked {
            crate::check::check(&tree, source, options.boolean)?;
        }
        let code = crate::lower::lower(&tree, source, env, &names)?;
        let clock = env.slot(Environment::NOW);
        let reads = reads::reads(&code, clock);
        let source = source.to_owned();
        let functions = self.functions.clone();
        Ok(Arc::new(Compiled { source, code, reads, clock, boolean: options.boolean, functions }))
    }
}

struct Compiled {
    source: String,
    code: Code,
    reads: Reads,
    /// The slot of [`Environment::NOW`].
    clock: Option<usize>,
    boolean: bool,
    functions: Arc<[(&'static str, Function)]>,
}

impl Compiled {
    fn machine<'a>(&'a self, values: &'a [Value<'a>], limits: &'a Limits, arena: &'a Arena) -> Machine<'a> {
        let mut machine = Machine::new(&self.code, &self.functions, values, limits, arena);
        machine.now = self.clock.and_then(|slot| values.get(slot).copied());
        machine
    }

    fn finish<'a>(&self, result: Outcome<Value<'a>>) -> Result<Value<'a>, EvalError> {
        let value = result.map_err(|error| *error)?;
        match value {
            Value::Bool(_) => Ok(value),
            _ if !self.boolean => Ok(value),
            _ if value.is_nil() => Ok(Value::Bool(false)),
            other => {
                let message = format!("expected bool, but got {}", type_name(other));
                Err(EvalError::value(message, Span::new(0, self.source.len())))
            }
        }
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
        self.finish(self.machine(values, limits, arena).run())
    }

    fn explain<'a>(&'a self, values: &'a [Value<'a>], limits: &'a Limits, arena: &'a Arena) -> Explained<'a> {
        let mut machine = self.machine(values, limits, arena);
        machine.trace = Some(BTreeMap::new());
        let result = machine.run();
        let trace = machine.trace.take().unwrap_or_default();
        let result = self.finish(result);
        let mut last: BTreeMap<(u32, std::cmp::Reverse<u32>), serde_json::Value> = trace
            .into_iter()
            .filter(|it| !is_bulky(it.1))
            .map(|(place, value)| (place, value.to_json(arena)))
            .collect();
        if let Err(error) = &result {
            let whole = self.code.spans.get(self.code.root.at()).map_or(Span::default(), |it| it.0);
            let shown = serde_json::json!({ "error": error.message });
            last.insert((whole.start, std::cmp::Reverse(whole.end)), shown);
        }
        let evidence = |((start, std::cmp::Reverse(end)), value)| {
            let text = self.source.get(start as usize..end as usize).unwrap_or_default().to_owned();
            EvidenceValue { span: (start, end), text, value }
        };
        Explained { result, values: last.into_iter().map(evidence).collect(), spent: None }
    }
}

/// Whole objects and large lists are no evidence: what was read of them is, and follows them in the trace. Evidence goes into
/// the decision log with every violation, so it must stay small and must not carry objects there.
fn is_bulky(value: Value<'_>) -> bool {
    const TEXT_MAX: usize = 256;
    const ITEMS_MAX: usize = 32;
    match value {
        Value::Record(_) => true,
        Value::Node(node) => node.raw().len() > TEXT_MAX,
        Value::List(items) => items.len() > ITEMS_MAX,
        Value::Map(members) => members.len() > ITEMS_MAX,
        Value::Str(text) => text.len() > TEXT_MAX,
        Value::Bytes(bytes) => bytes.len() > TEXT_MAX,
        Value::Null
        | Value::NilList
        | Value::NilMap
        | Value::Bool(_)
        | Value::Int(_)
        | Value::UInt(_)
        | Value::Float(_)
        | Value::Time(_)
        | Value::Duration(_)
        | Value::Optional(_)
        | Value::Type(_)
        | Value::Opaque(_) => false,
    }
}
