//! What an explanation rests on: the last value of every sub-expression, or the error that another one made up for.

use std::{cmp::Reverse, collections::BTreeMap};

use super::Machine;
use crate::{context::Fault, diagnostic::Span, dialect::Dialect, ir::OpId, value::Value};

/// Values by place: outer ones before inner ones that begin at the same letter.
#[derive(Default)]
pub(crate) struct Trace<'a> {
    pub(crate) values: BTreeMap<(u32, Reverse<u32>), Noted<'a>>,
}

/// What a sub-expression came to.
pub(crate) enum Noted<'a> {
    Value(Value<'a>),
    Error(String),
}

impl<'a> Trace<'a> {
    pub(crate) fn note(&mut self, span: Span, noted: Noted<'a>) {
        // What a front end made of nothing in the text has no place to be shown at.
        if span.start < span.end {
            self.values.insert((span.start, Reverse(span.end)), noted);
        }
    }
}

impl<'a, D: Dialect, const TRACE: bool> Machine<'_, 'a, D, TRACE> {
    #[cold]
    pub(super) fn note(&mut self, id: OpId, value: Value<'a>) {
        self.note_at(self.code.places[id.at()].span, value);
    }

    pub(super) fn note_at(&mut self, span: Span, value: Value<'a>) {
        if let Some(trace) = &mut self.trace {
            trace.note(span, Noted::Value(value));
        }
    }

    /// Takes the error of an operand back, where the language lets another operand decide; `None` for a budget.
    pub(super) fn absorb(&mut self, operand: Option<OpId>) -> Option<Fault<'a>> {
        let fault = self.cx.absorb()?;
        if TRACE {
            self.note_fault(operand, &fault);
        }
        Some(fault)
    }

    /// The smallest part that failed, and the operand that it is a part of.
    #[cold]
    fn note_fault(&mut self, operand: Option<OpId>, fault: &Fault<'a>) {
        let spans = [operand.map(|it| self.code.places[it.at()].span), fault.span()];
        if let Some(trace) = &mut self.trace {
            for span in spans.into_iter().flatten() {
                trace.note(span, Noted::Error(fault.text()));
            }
        }
    }
}
