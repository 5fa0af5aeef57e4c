//! What an explanation rests on: the last value of every sub-expression.

use std::{cmp::Reverse, collections::BTreeMap};

use super::Machine;
use crate::{diagnostic::Span, dialect::Dialect, ir::OpId, value::Value};

/// Values by place: outer ones before inner ones that begin at the same letter.
#[derive(Default)]
pub(crate) struct Trace<'a> {
    pub(crate) values: BTreeMap<(u32, Reverse<u32>), Value<'a>>,
}

impl<'a> Trace<'a> {
    pub(crate) fn note(&mut self, span: Span, value: Value<'a>) {
        // What a front end made of nothing in the text has no place to be shown at.
        if span.start < span.end {
            self.values.insert((span.start, Reverse(span.end)), value);
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
            trace.note(span, value);
        }
    }
}
