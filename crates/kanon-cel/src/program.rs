//! Compiled expressions.

use std::{panic::AssertUnwindSafe, sync::Arc};

use cel::{
    Context,
    common::ast::{EntryExpr, Expr, IdedExpr},
};
use kanon_core::EvidenceValue;
use kanon_lang::{Arena, Environment, ErrorKind, EvalError, Explained, Limits, Options, Program, Reads, Span, Value};

use crate::{
    convert::{Size, from_cel, to_cel},
    walk::Facts,
};

pub(crate) struct Compiled {
    source: String,
    env: Arc<cel::Env>,
    program: cel::Program,
    reads: Reads,
    loops: u32,
    /// Names of the environment by slot.
    names: Vec<String>,
    boolean: bool,
}

impl Compiled {
    pub(crate) fn new(
        source: &str,
        env: Arc<cel::Env>,
        program: cel::Program,
        facts: Facts,
        declared: &Environment,
        options: &Options,
    ) -> Compiled {
        let Facts { reads, loops, undeclared: _ } = facts;
        let names = declared.variables.clone();
        Compiled { source: source.to_owned(), env, program, reads, loops, names, boolean: options.boolean }
    }

    /// The variables that the program reads, converted.
    fn context<'a>(
        &self,
        values: &[Value<'a>],
        limits: &'a Limits,
        arena: &'a Arena,
    ) -> Result<Context<'static, 'static>, EvalError> {
        let mut context = Context::with_env(self.env.clone());
        let mut size = Size::default();
        for slot in &self.reads.variables {
            let Some(name) = self.names.get(*slot) else { continue };
            let value = to_cel(values.get(*slot).copied().unwrap_or(Value::Null), arena, &mut size);
            context.add_variable_from_value(name.as_str(), value);
        }
        if size.units > limits.memory {
            return Err(budget("the variables are larger than the memory budget"));
        }
        // Lists that the text writes out are shorter than the text.
        let longest = size.longest.max(if self.loops > 1 { 2 } else { 1 });
        match longest.checked_pow(self.loops) {
            Some(turns) if turns <= limits.steps => Ok(context),
            _ => Err(budget("nested macros over a list of this length exceed the step budget")),
        }
    }

    fn resolve<'a>(
        &self,
        expr: &IdedExpr,
        context: &Context<'_, '_>,
        limits: &'a Limits,
        arena: &'a Arena,
    ) -> Result<Value<'a>, EvalError> {
        // A panic in the crate ends this evaluation, nothing else: all it touched is local to it.
        let result = std::panic::catch_unwind(AssertUnwindSafe(|| context.resolve(expr)));
        let value = match result {
            Ok(Ok(value)) => value,
            Ok(Err(error)) => return Err(plain(error.to_string())),
            Err(_) => return Err(plain("the evaluation failed inside the interpreter".to_owned())),
        };
        let mut size = Size::default();
        let value = from_cel(&value, arena, &mut size);
        if size.units > limits.memory {
            return Err(budget("the result is larger than the memory budget"));
        }
        Ok(value)
    }

    fn finish<'a>(&self, value: Value<'a>) -> Result<Value<'a>, EvalError> {
        if !self.boolean || matches!(value, Value::Bool(_)) {
            Ok(value)
        } else if value.is_nil() {
            Ok(Value::Bool(false))
        } else {
            Err(plain("expected a bool".to_owned()))
        }
    }
}

fn plain(message: String) -> EvalError {
    EvalError { kind: ErrorKind::Value, message, span: None }
}

fn budget(message: &str) -> EvalError {
    EvalError { kind: ErrorKind::Budget, message: message.to_owned(), span: None }
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
        let context = self.context(values, limits, arena)?;
        let value = self.resolve(self.program.expression(), &context, limits, arena)?;
        self.finish(value)
    }

    /// The crate keeps no values, so sub-expressions outside macros are evaluated once more, each for itself.
    fn explain<'a>(&'a self, values: &'a [Value<'a>], limits: &'a Limits, arena: &'a Arena) -> Explained<'a> {
        let context = match self.context(values, limits, arena) {
            Ok(context) => context,
            Err(error) => return Explained { result: Err(error), values: Vec::new(), spent: None },
        };
        let root = self.program.expression();
        let result = self.resolve(root, &context, limits, arena).and_then(|value| self.finish(value));
        let mut parts = Vec::new();
        self.parts(root, &mut parts);
        parts.sort_by_key(|(span, _)| (span.start, std::cmp::Reverse(span.end)));
        let evidence = |(span, expr): (Span, &IdedExpr)| {
            let value = match self.resolve(expr, &context, limits, arena) {
                Ok(value) => value.to_json(arena),
                Err(error) => serde_json::json!({ "error": error.message }),
            };
            let text = self.source.get(span.start as usize..span.end as usize)?.to_owned();
            Some(EvidenceValue { span: (span.start, span.end), text, value })
        };
        Explained { result, values: parts.into_iter().filter_map(evidence).collect(), spent: None }
    }
}

impl Compiled {
    /// The sub-expressions whose value is evidence, with what text they span.
    fn parts<'p>(&'p self, expr: &'p IdedExpr, out: &mut Vec<(Span, &'p IdedExpr)>) -> Span {
        let (start, stop) = self.program.source_info().offset_for(expr.id).unwrap_or_default();
        let mut span = Span::new(start as usize, stop as usize + 1);
        let mut children: Vec<&IdedExpr> = Vec::new();
        match &expr.expr {
            Expr::Unspecified | Expr::Literal(_) => return span,
            Expr::Ident(_) => {}
            Expr::Select(select) => {
                // The operand is part of the path, not evidence of its own, unless it computes something.
                let mut inner = Vec::new();
                span = span.to(self.parts(&select.operand, &mut inner));
                span.end = span.end.max(start + 1 + select.field.len() as u32);
                if !matches!(select.operand.expr, Expr::Ident(_) | Expr::Select(_)) {
                    out.append(&mut inner);
                }
            }
            Expr::Call(call) => {
                children.extend(call.target.as_deref());
                children.extend(&call.args);
            }
            Expr::List(list) => children.extend(&list.elements),
            Expr::Map(map) => children.extend(map.entries.iter().filter_map(|it| value_of(&it.expr))),
            Expr::Struct(message) => children.extend(message.entries.iter().filter_map(|it| value_of(&it.expr))),
            // What stands inside a macro has a value for each element only.
            Expr::Comprehension(it) => children.push(&it.iter_range),
        }
        for child in children {
            span = span.to(self.parts(child, out));
        }
        span.end = span.end.min(self.source.len() as u32);
        out.push((span, expr));
        span
    }
}

fn value_of(entry: &EntryExpr) -> Option<&IdedExpr> {
    match entry {
        EntryExpr::StructField(field) => Some(&field.value),
        EntryExpr::MapEntry(entry) => Some(&entry.value),
    }
}
