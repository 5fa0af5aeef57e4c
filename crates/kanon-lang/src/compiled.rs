//! The program of every language that compiles to the shared form.

use std::{cmp::Reverse, collections::BTreeMap};

use kanon_core::EvidenceValue;

use crate::{
    allowance::Limits,
    context::{Context, Stop},
    diagnostic::Span,
    dialect::Dialect,
    ir::{Code, Estimate, Guard, Subject},
    language::{Arena, EvalError, Explained, Program, Reads, Spent},
    machine::{Machine, Noted},
    rules::{Memo, Places, Shareable},
    value::Value,
};

/// Code with its text: what a front end's `compile` gives.
pub struct Compiled<D> {
    source: String,
    code: Code,
    reads: Reads,
    guards: Vec<Guard>,
    boolean: bool,
    dialect: std::marker::PhantomData<D>,
}

impl<D: Dialect> Compiled<D> {
    /// The program of `code`, compiled from `source`; `boolean` as in [`crate::Options`].
    pub fn new(source: &str, code: Code, boolean: bool) -> Compiled<D> {
        let reads = code.reads();
        let guards = if boolean { code.guards::<D>() } else { Vec::new() };
        Compiled { source: source.to_owned(), code, reads, guards, boolean, dialect: std::marker::PhantomData }
    }

    /// Names variables that stand in the text and were folded away: what a program is about does not change with what is
    /// left of it (a rule that names a container is asked about every container).
    #[must_use]
    pub fn mentioning(mut self, variables: impl IntoIterator<Item = usize>) -> Compiled<D> {
        self.reads.variables.extend(variables);
        self.reads.variables.sort_unstable();
        self.reads.variables.dedup();
        self
    }

    #[inline]
    fn run<'a, const TRACE: bool>(&self, machine: &mut Machine<'_, 'a, D, TRACE>) -> Result<Value<'a>, Stop> {
        if self.boolean { machine.run_boolean().map(Value::Bool) } else { machine.run() }
    }
}

impl<D: Dialect> Program for Compiled<D> {
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
        let mut machine = Machine::<D, false>::new(&self.code, values, limits, arena, None);
        // Each result is written where it is wanted: one that is handed on is copied on its way.
        match self.boolean {
            true => match machine.run_boolean() {
                Ok(bool) => Ok(Value::Bool(bool)),
                Err(Stop) => Err(machine.cx.error()),
            },
            false => machine.run().map_err(|Stop| machine.cx.error()),
        }
    }

    fn measure<'a>(
        &'a self,
        values: &'a [Value<'a>],
        limits: &'a Limits,
        arena: &'a Arena,
    ) -> (Result<Value<'a>, EvalError>, Option<Spent>) {
        let mut machine = Machine::<D, false>::new(&self.code, values, limits, arena, None);
        let result = self.run(&mut machine).map_err(|Stop| machine.cx.error());
        (result, Some(spent(&machine.cx, limits)))
    }

    fn explain<'a>(&'a self, values: &'a [Value<'a>], limits: &'a Limits, arena: &'a Arena) -> Explained<'a> {
        let mut machine = Machine::<D, true>::new(&self.code, values, limits, arena, None);
        let result = self.run(&mut machine).map_err(|Stop| machine.cx.error());
        let spent = spent(&machine.cx, limits);
        let mut last: BTreeMap<(u32, Reverse<u32>), serde_json::Value> = machine
            .trace
            .take()
            .into_iter()
            .flat_map(|trace| trace.values)
            .filter_map(|(place, noted)| match noted {
                Noted::Value(value) if is_bulky(value) => None,
                Noted::Value(value) => Some((place, value.to_json(arena))),
                Noted::Error(message) => Some((place, serde_json::json!({ "error": message }))),
            })
            .collect();
        if let Err(error) = &result {
            let whole = Span::new(0, self.source.len());
            let span = error.span.unwrap_or(whole);
            let shown = serde_json::json!({ "error": error.message });
            // The whole failed; so did the smallest part that is known to have.
            last.insert((whole.start, Reverse(whole.end)), shown.clone());
            last.entry((span.start, Reverse(span.end))).or_insert(shown);
        }
        let evidence = |((start, Reverse(end)), value)| {
            let text = self.source.get(start as usize..end as usize).unwrap_or_default().to_owned();
            EvidenceValue { span: (start, end), text, value }
        };
        Explained { result, values: last.into_iter().map(evidence).collect(), spent: Some(spent) }
    }

    fn estimate(&self, len: u64) -> Option<Estimate> {
        Some(self.code.estimate(len))
    }

    fn shareable(&self) -> Option<&dyn Shareable> {
        Some(self)
    }
}

fn spent(cx: &Context<'_>, limits: &Limits) -> Spent {
    Spent { steps: limits.steps - cx.steps_left(), memory: limits.memory.saturating_sub(cx.memory_left() as u64) }
}

impl<D: Dialect> Shareable for Compiled<D> {
    fn paths(&self) -> Vec<&str> {
        self.code.paths.iter().map(|path| &*path.key).collect()
    }

    fn guards(&self) -> &[Guard] {
        &self.guards
    }

    fn conjuncts(&self) -> Vec<Option<String>> {
        if self.boolean { self.code.conjuncts() } else { Vec::new() }
    }

    fn steps(&self) -> u64 {
        u64::from(self.code.base_cost)
    }

    fn read<'a>(
        &'a self,
        subject: &'a Subject,
        values: &'a [Value<'a>],
        limits: &'a Limits,
        arena: &'a Arena,
        memo: &mut Memo<'a>,
        shared: Places<'_>,
        found: &mut dyn FnMut(Value<'a>),
    ) -> Option<()> {
        let mut machine = Machine::<D, false>::new(&self.code, values, limits, arena, Some((memo, shared)));
        match subject {
            Subject::Path(path) => {
                let path = self.code.paths.get(usize::from(*path))?;
                found(machine.eval(path.op).ok()?);
                Some(())
            }
            Subject::Elements(elements) => machine.elements(elements, found).ok(),
        }
    }

    fn decide<'a>(
        &'a self,
        values: &'a [Value<'a>],
        limits: &'a Limits,
        arena: &'a Arena,
        memo: &mut Memo<'a>,
        shared: Places<'_>,
    ) -> Result<bool, EvalError> {
        let mut machine = Machine::<D, false>::new(&self.code, values, limits, arena, Some((memo, shared)));
        machine.run_boolean().map_err(|Stop| machine.cx.error())
    }
}

/// Whole objects and large lists are no evidence, even where a path ends at one: evidence goes into the decision log with every
/// violation, so it must stay small and must not carry objects there.
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
        Value::Optional(Some(value)) => is_bulky(*value),
        Value::Optional(None)
        | Value::Null
        | Value::NilList
        | Value::NilMap
        | Value::Bool(_)
        | Value::Int(_)
        | Value::UInt(_)
        | Value::Float(_)
        | Value::Time(_)
        | Value::Duration(_)
        | Value::Type(_)
        | Value::Opaque(_) => false,
    }
}
