//! Compiled policies as `kanon-lang` knows them: one query of one text.

use std::time::Duration;

use kanon_core::EvidenceValue;
use kanon_lang::{
    Arena, Environment, ErrorKind, EvalError, Explained, Limits, Options, Program, Reads, RuleKind, Span, TimeLimit,
    Value,
};
use regorus::Value as Rego;

use crate::{
    convert::{from_rego, to_rego},
    engine::plain,
    library::{OVERDUE, TOO_LARGE, is_bounded},
    policy::{Answers, Given, Policy, Query},
};

pub(crate) struct Compiled {
    source: String,
    policy: Policy,
    query: Query,
    /// The text is a module; otherwise it is the query.
    is_module: bool,
    input: Option<usize>,
    data: Option<usize>,
    now: Option<usize>,
    reads: Reads,
    boolean: bool,
    strict: bool,
    /// Undefined is told from null.
    tells_undefined: bool,
}

impl Compiled {
    pub(crate) fn new(
        source: &str,
        policy: Policy,
        query: Query,
        is_module: bool,
        env: &Environment,
        options: &Options,
    ) -> Compiled {
        let (input, data, now) = (env.slot("input"), env.slot("data"), env.slot(Environment::NOW));
        let (paths, clock) = policy.reads(&query);
        let slot = |path: &[String]| match path.first().map(String::as_str) {
            Some("input") => input,
            Some("data") => data,
            _ => None,
        };
        let paths: Vec<Vec<String>> = paths.into_iter().filter(|path| slot(path).is_some()).collect();
        let mut variables: Vec<usize> = paths.iter().filter_map(|path| slot(path)).collect();
        variables.sort_unstable();
        variables.dedup();
        Compiled {
            source: source.to_owned(),
            policy,
            query,
            is_module,
            input,
            data,
            now,
            reads: Reads { variables, paths, clock },
            boolean: options.boolean,
            strict: options.module.strict,
            tells_undefined: options.module.query.is_some(),
        }
    }

    fn given<'a>(&self, values: &[Value<'a>], limits: &Limits, arena: &'a Arena) -> Result<Given, EvalError> {
        let value = |slot: Option<usize>| slot.and_then(|slot| values.get(slot)).copied();
        let convert = |value: Option<Value<'a>>| {
            let converted = value.map(|value| to_rego(value, arena)).transpose();
            converted.map_err(|message| plain(ErrorKind::Value, message))
        };
        let now_ns = match value(self.now) {
            Some(Value::Time(time)) => i64::try_from(time.as_nanosecond()).ok(),
            Some(Value::Int(nanos)) => Some(nanos),
            _ => None,
        };
        Ok(Given {
            input: convert(value(self.input))?,
            data: convert(value(self.data).filter(|data| !data.is_nil()))?,
            now_ns,
            strict: self.strict,
            // The interpreter counts time, not steps: a step is a microsecond.
            limit: Some(Duration::from_micros(limits.steps)),
            time: limits.time.as_ref().map(TimeLimit::begun),
            coverage: false,
        })
    }

    fn in_time(limits: &Limits) -> Result<(), EvalError> {
        match &limits.time {
            Some(time) if time.is_over() => Err(plain(ErrorKind::Budget, OVERDUE.to_owned())),
            _ => Ok(()),
        }
    }

    fn run(&self, given: Given, limits: &Limits) -> Result<Answers, EvalError> {
        Compiled::in_time(limits)?;
        let answers = self.policy.evaluate(&self.query, given)?;
        Compiled::in_time(limits)?;
        Ok(answers)
    }

    fn result<'a>(&self, answers: &Answers, limits: &Limits, arena: &'a Arena) -> Result<Value<'a>, EvalError> {
        let mut left = limits.memory;
        let value = match answers.list.as_slice() {
            [] if self.tells_undefined && !self.boolean => return Ok(Value::Optional(None)),
            [] => Some(Value::Null),
            [one] => from_rego(&one.value, arena, &mut left),
            several => {
                let values = several.iter().map(|it| from_rego(&it.value, arena, &mut left));
                values.collect::<Option<Vec<Value<'a>>>>().map(|values| Value::List(arena.alloc_slice_copy(&values)))
            }
        };
        let Some(value) = value else {
            return Err(plain(ErrorKind::Budget, "the result is larger than the memory budget".to_owned()));
        };
        if !self.boolean || matches!(value, Value::Bool(_)) {
            Ok(value)
        } else if value.is_nil() {
            Ok(Value::Bool(false))
        } else {
            Err(plain(ErrorKind::Value, "expected a boolean".to_owned()))
        }
    }

    /// The values of rules that were evaluated, and of what they read of the input.
    fn evidence(&self, given: &Given, covered: &[(usize, Span)]) -> Vec<EvidenceValue> {
        let text = |span: Span| self.source.get(span.start as usize..span.end as usize).unwrap_or_default().to_owned();
        let inside = |outer: Span, inner: Span| outer.start <= inner.start && inner.end <= outer.end;
        let evaluated = |span: Span| covered.iter().any(|it| inside(it.1, span) && it.1 != Span::default());
        let mut out = Vec::new();
        for rule in self.policy.outlines().first().map_or(&[][..], |it| it.rules.as_slice()) {
            if rule.kind == RuleKind::Function || !evaluated(rule.span) && !rule.is_default {
                continue;
            }
            let path =
                rule.name.split('.').map(|part| format!("[{}]", serde_json::Value::from(part))).collect::<String>();
            let Ok(query) = self.policy.query(&format!("{}{path}", self.policy.package_path()), false) else {
                continue;
            };
            let Ok(answers) = self.policy.evaluate(&query, given.clone()) else { continue };
            if let Some(answer) = answers.list.first() {
                out.push(EvidenceValue {
                    span: (rule.span.start, rule.span.end),
                    text: text(rule.span),
                    value: json(&answer.value),
                });
            }
        }
        for (span, path) in self.policy.inputs(0).filter(|it| evaluated(it.0)) {
            let member = |value: &Rego, name: &str| match value {
                Rego::Object(members) => members.get(&Rego::from(name)).cloned(),
                _ => None,
            };
            let start = given.input.clone();
            let value = path.iter().skip(1).fold(start, |value, name| value.and_then(|value| member(&value, name)));
            if let Some(value) = value {
                out.push(EvidenceValue { span: (span.start, span.end), text: text(span), value: json(&value) });
            }
        }
        out.sort_by_key(|it| (it.span.0, std::cmp::Reverse(it.span.1)));
        out.dedup_by(|a, b| a.span == b.span);
        out
    }
}

fn json(value: &Rego) -> serde_json::Value {
    if !is_bounded(value) {
        return serde_json::Value::from(TOO_LARGE);
    }
    let text = value.to_json_str().unwrap_or_default();
    serde_json::from_str(&text).unwrap_or_default()
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
        let answers = self.run(self.given(values, limits, arena)?, limits)?;
        self.result(&answers, limits, arena)
    }

    fn explain<'a>(&'a self, values: &'a [Value<'a>], limits: &'a Limits, arena: &'a Arena) -> Explained<'a> {
        let given = match self.given(values, limits, arena) {
            Ok(given) => given,
            Err(error) => return Explained { result: Err(error), values: Vec::new(), spent: None },
        };
        match self.run(Given { coverage: true, ..given.clone() }, limits) {
            Err(error) => Explained { result: Err(error), values: Vec::new(), spent: None },
            Ok(answers) => {
                let result = self.result(&answers, limits, arena);
                let whole = result.as_ref().map(|value| value.to_json(arena));
                let mut values = if self.is_module { self.evidence(&given, &answers.covered) } else { Vec::new() };
                if let (true, Ok(value)) = (values.is_empty(), whole) {
                    let span = (0, self.source.len() as u32);
                    values.push(EvidenceValue { span, text: self.source.clone(), value });
                }
                Explained { result, values, spent: None }
            }
        }
    }
}
