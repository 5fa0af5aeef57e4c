//! Macros that go through a list or map, or look into an optional value.

use kanon_lang::ir::{Collect, Loop as Each, LoopKind, Op, OpId, Place};

use super::{Lowering, natives};
use crate::ast::{Form, Loop};

impl<'c> Lowering<'c> {
    pub(super) fn each(&mut self, it: &'c Loop, place: Place) -> OpId {
        let kind = match it.form {
            Form::OptMap | Form::OptFlatMap => return self.look_into(it, place),
            Form::All => LoopKind::All,
            Form::Exists => LoopKind::Any,
            Form::ExistsOne => LoopKind::One,
            Form::Map | Form::TransformList => LoopKind::Map,
            Form::Filter => LoopKind::Filter,
            Form::TransformMap => LoopKind::Collect(Collect(natives::keyed)),
            Form::TransformMapEntry => LoopKind::Collect(Collect(natives::merged)),
            Form::SortBy => LoopKind::Collect(Collect(natives::sorted)),
        };
        let source = self.expr(&it.range);
        let pairs = it.variables.len() == 2;
        let element = self.builder.local();
        let index = pairs.then(|| self.builder.local());
        let before = self.scope.len();
        self.scope.extend(index);
        self.scope.push(element);
        let extra = it.filter.as_ref().map(|filter| self.expr(filter));
        let body = self.expr(&it.body);
        self.scope.truncate(before);
        let mut each = Each::new(kind, source, element, Some(body));
        (each.index, each.pairs, each.extra) = (index, pairs, extra);
        self.builder.each(each, place)
    }

    /// `optMap` and `optFlatMap`: the body, if the optional holds something.
    fn look_into(&mut self, it: &'c Loop, place: Place) -> OpId {
        let target = self.expr(&it.range);
        let slot = self.builder.local();
        let local = |lowering: &mut Self| lowering.builder.push(Op::Local(slot), place);
        let test = local(self);
        let test = self.native(natives::holds, vec![test], place);
        let held = local(self);
        let held = self.native(natives::held, vec![held], place);
        let result = self.bound(held, place, |lowering| lowering.expr(&it.body));
        let wrap = if it.form == Form::OptMap { natives::of } else { natives::optional };
        let yes = self.native(wrap, vec![result], place);
        let no = self.native(natives::none, Vec::new(), place);
        let body = self.builder.push(Op::Cond { test, yes, no }, place);
        self.builder.push(Op::Let { slot, value: target, body }, place)
    }
}
