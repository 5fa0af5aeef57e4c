//! Calls: most are calls of the overloads that the checker found; a few have operations of their own.

use std::sync::Arc;

use kanon_lang::{
    Environment, Function, Type,
    ir::{Op, OpId, Overload, Place, TextTest},
};

use super::{Lowering, natives};
use crate::{
    ast::{Call, Expr, Kind},
    check::Pass,
    library::pattern,
};

impl<'c> Lowering<'c> {
    pub(super) fn call(&mut self, expr: &'c Expr, overloads: &'c [Arc<Function>], pass: Pass, place: Place) -> OpId {
        let Kind::Call(call) = &expr.kind else { return self.failure("undeclared reference", place) };
        let target = call.target.as_ref().filter(|_| pass == Pass::Receiver);
        let mut args: Vec<OpId> = target.into_iter().chain(&call.args).map(|it| self.expr(it)).collect();
        if let Some(id) = self.special(call, overloads, &args, place) {
            return id;
        }
        if pass == Pass::Packed {
            args = vec![self.builder.push(Op::List(args.into()), place)];
        }
        let clock = overloads.iter().any(|it| it.clock || it.name == "now");
        if clock {
            self.builder.reads_clock(self.env.slot(Environment::NOW));
        }
        let overload = |it: &Arc<Function>| {
            // Types that were found may still not be those of the run, where something dynamic went in; only a parameter
            // that takes everything needs no look.
            let is_open = it.parameters.iter().all(|it| matches!(it, Type::Dyn | Type::Param(_)));
            let parameters =
                if is_open && overloads.len() == 1 { Box::default() } else { it.parameters.as_slice().into() };
            Overload { parameters, body: it.body }
        };
        let overloads = overloads.iter().map(overload).collect();
        let is_constant = args.iter().all(|it| self.builder.is_constant(*it));
        let id = self.builder.push(Op::Call { overloads, args: args.into() }, place);
        if !clock && is_constant && self.takes_time() { self.folded(id) } else { id }
    }

    /// Functions of the library that have an operation of their own.
    fn special(&mut self, call: &Call, overloads: &[Arc<Function>], args: &[OpId], place: Place) -> Option<OpId> {
        let [overload] = overloads else { return None };
        let is_text = overload.parameters == [Type::String, Type::String] && overload.result == Type::Bool;
        match (overload.name, overload.method, args) {
            ("dyn", false, [value]) => Some(*value),
            ("or" | "orValue", true, [target, other]) if matches!(overload.parameters[0], Type::Optional(_)) => {
                Some(self.otherwise(call.function == "orValue", *target, *other, place))
            }
            ("startsWith", true, [text, part]) if is_text => self.text(TextTest::StartsWith, *text, *part, place),
            ("endsWith", true, [text, part]) if is_text => self.text(TextTest::EndsWith, *text, *part, place),
            ("contains", true, [text, part]) if is_text => self.text(TextTest::Contains, *text, *part, place),
            ("matches", _, [text, pattern]) if is_text => {
                if !self.takes_time() {
                    return None;
                }
                let Op::Str(pattern) = self.builder.op(*pattern) else { return None };
                // One that is no pattern is an error where it is evaluated.
                let regex = Box::new(pattern::compile(pattern).ok()?);
                let id = self.builder.push(Op::Matches { text: *text, regex }, place);
                Some(self.folded(id))
            }
            _ => None,
        }
    }

    fn text(&mut self, op: TextTest, left: OpId, right: OpId, place: Place) -> Option<OpId> {
        let id = self.builder.push(Op::Text { op, left, right }, place);
        Some(self.folded(id))
    }

    /// `target.or(other)` and `target.orValue(other)`: what is instead is only computed when it is needed.
    fn otherwise(&mut self, unwraps: bool, target: OpId, other: OpId, place: Place) -> OpId {
        let slot = self.builder.local();
        let local = |lowering: &mut Self| lowering.builder.push(Op::Local(slot), place);
        let test = local(self);
        let test = self.native(natives::holds, vec![test], place);
        let yes = local(self);
        let (yes, no) = if unwraps {
            (self.native(natives::held, vec![yes], place), other)
        } else {
            (yes, self.native(natives::optional, vec![other], place))
        };
        let body = self.builder.push(Op::Cond { test, yes, no }, place);
        self.builder.push(Op::Let { slot, value: target, body }, place)
    }
}
