//! A fake language for tests of this crate: just enough to see what rules are given and what becomes of their answers. It is
//! not CEL.
//!
//! `a.b < c.d`, `==` and `!=` over paths, numbers and 'text'; `true`; `many`, which is true after 4,000,000 steps; `fail` and `costly` raise errors; `text(x)` makes a
//! message. Where `oldSelf` is an optional, `has` and `none` test it.

use std::sync::Arc;

use kanon_lang::{
    Arena, Diagnostics, Environment, ErrorKind, EvalError, Explained, Language, LanguageId, Limits, Options, Program,
    Reads, Span, Spent, Value,
};

pub(super) struct Fake;

struct FakeProgram {
    source: String,
    variables: Vec<String>,
    reads: Reads,
}

impl Language for Fake {
    fn id(&self) -> LanguageId {
        LanguageId("fake")
    }

    fn compile(&self, source: &str, env: &Environment, _: &Options) -> Result<Arc<dyn Program>, Diagnostics> {
        if let Some(at) = source.find("nope") {
            return Err(Diagnostics::one(source, "undefined field 'nope'", Span::new(at, at + 4)));
        }
        let used = |name: &&String| source.contains(name.as_str());
        let variables = env.variables.iter().enumerate().filter(|(_, it)| used(it)).map(|(slot, _)| slot).collect();
        let reads = Reads { variables, ..Reads::default() };
        Ok(Arc::new(FakeProgram { source: source.to_owned(), variables: env.variables.clone(), reads }))
    }
}

impl FakeProgram {
    fn operand<'a>(&'a self, text: &'a str, values: &'a [Value<'a>], arena: &'a Arena) -> Value<'a> {
        let text = text.trim();
        if let Some(quoted) = text.strip_prefix('\'') {
            return Value::Str(quoted.trim_end_matches('\''));
        }
        if let Ok(number) = text.parse() {
            return Value::Int(number);
        }
        let mut steps = text.split('.');
        let slot = self.variables.iter().position(|it| Some(it.as_str()) == steps.clone().next());
        let start = slot.and_then(|it| values.get(it)).copied().unwrap_or(Value::Null);
        steps.next();
        steps.fold(start, |value, name| match value {
            Value::Node(node) => Value::from_option(node.get(name), arena),
            _ => Value::Null,
        })
    }

    fn json<'a>(&'a self, text: &'a str, values: &'a [Value<'a>], arena: &'a Arena) -> serde_json::Value {
        self.operand(text, values, arena).to_json(arena)
    }
}

impl Program for FakeProgram {
    fn source(&self) -> &str {
        &self.source
    }

    fn reads(&self) -> &Reads {
        &self.reads
    }

    fn evaluate<'a>(&'a self, values: &'a [Value<'a>], _: &Limits, arena: &'a Arena) -> Result<Value<'a>, EvalError> {
        let source = self.source.as_str();
        if let Some(Value::Optional(old)) = values.get(1) {
            return Ok(Value::Bool(if source.contains("has") { old.is_some() } else { old.is_none() }));
        }
        let error = |kind, message: &str| Err(EvalError { kind, message: message.to_owned(), span: None });
        match source {
            "fail" => return error(ErrorKind::Value, "no such key: x"),
            "costly" => return error(ErrorKind::Budget, "operation cancelled: actual cost limit exceeded"),
            "true" | "many" => return Ok(Value::Bool(true)),
            _ => {}
        }
        if let Some(inner) = source.strip_prefix("text(") {
            let text = self.json(inner.trim_end_matches(')'), values, arena);
            return Ok(Value::Str(arena.alloc_str(&format!("got {text}"))));
        }
        for sign in ["==", "!=", "<"] {
            let Some((left, right)) = source.split_once(sign) else { continue };
            let (left, right) = (self.json(left, values, arena), self.json(right, values, arena));
            return Ok(Value::Bool(match sign {
                "==" => left == right,
                "!=" => left != right,
                _ => left.as_f64() < right.as_f64(),
            }));
        }
        Ok(self.operand(source, values, arena))
    }

    fn measure<'a>(
        &'a self,
        values: &'a [Value<'a>],
        limits: &'a Limits,
        arena: &'a Arena,
    ) -> (Result<Value<'a>, EvalError>, Option<Spent>) {
        let steps = if self.source == "many" { 4_000_000 } else { 1 };
        (self.evaluate(values, limits, arena), Some(Spent { steps, memory: 0 }))
    }

    fn explain<'a>(&'a self, values: &'a [Value<'a>], limits: &'a Limits, arena: &'a Arena) -> Explained<'a> {
        Explained { result: self.evaluate(values, limits, arena), values: Vec::new(), spent: None }
    }
}
