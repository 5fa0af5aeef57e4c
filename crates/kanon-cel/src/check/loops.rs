//! Types of the macros that bind names.

use kanon_lang::Diagnostic;

use super::{Checker, no_overload, types::Ty};
use crate::{
    ast::{Block, Expr, Form, Logic, Loop, slot_name},
    functions::CONDITIONAL,
};

impl Checker<'_> {
    pub(super) fn each(&mut self, it: &Loop) -> Ty {
        let range = self.expr(&it.range);
        let range = self.bindings.resolve(&range);
        let types = match it.form {
            Form::OptMap | Form::OptFlatMap => vec![self.held(&range, it)],
            Form::SortBy => vec![self.element(&range, &it.range, 1)[0].clone()],
            _ => self.element(&range, &it.range, it.variables.len()),
        };
        let variables: Vec<(String, Ty)> = it.variables.iter().map(|it| it.name.clone()).zip(types).collect();
        let first = variables.first().map_or(Ty::Dyn, |it| it.1.clone());
        let body = self.scoped(variables, |checker| {
            if let Some(filter) = &it.filter {
                let ty = checker.expr(filter);
                checker.condition(&ty, filter, &range);
            }
            let body = checker.expr(&it.body);
            match it.form {
                Form::All => checker.quantified(Logic::And, &body, &it.body),
                Form::Exists => checker.quantified(Logic::Or, &body, &it.body),
                Form::ExistsOne => checker.condition(&body, &it.body, &Ty::Int),
                Form::Filter => checker.condition(&body, &it.body, &range),
                _ => {}
            }
            body
        });
        match it.form {
            Form::All | Form::Exists | Form::ExistsOne => Ty::Bool,
            Form::Map | Form::TransformList => Ty::list(body),
            Form::Filter => Ty::list(first),
            Form::TransformMap => Ty::map(first, body),
            Form::TransformMapEntry => {
                let wanted = Ty::map(self.bindings.fresh(), self.bindings.fresh());
                self.must_be(&wanted, &body, &it.body);
                self.bindings.resolve(&wanted)
            }
            Form::SortBy => {
                self.must_be_sortable(&body, &it.body);
                Ty::list(first)
            }
            Form::OptMap => Ty::optional(body),
            Form::OptFlatMap => {
                let wanted = Ty::optional(self.bindings.fresh());
                self.must_be(&wanted, &body, &it.body);
                self.bindings.resolve(&wanted)
            }
        }
    }

    /// The types of a loop's variables: elements or keys, and with two of them, index or key and value.
    fn element(&mut self, range: &Ty, expr: &Expr, variables: usize) -> Vec<Ty> {
        match (range, variables) {
            (Ty::List(element), 1) => vec![(**element).clone()],
            (Ty::List(element), _) => vec![Ty::Int, (**element).clone()],
            (Ty::Map(key, value), _) => vec![(**key).clone(), (**value).clone()],
            (Ty::Dyn | Ty::Error, _) => vec![Ty::Dyn, Ty::Dyn],
            (Ty::Var(_), _) => {
                self.bindings.assignable(&Ty::Dyn, range);
                vec![Ty::Dyn, Ty::Dyn]
            }
            _ => {
                let message = format!(
                    "expression of type '{range}' cannot be range of a comprehension (must be list, map, or dynamic)"
                );
                self.report(Diagnostic { message, span: expr.at, help: None });
                vec![Ty::Error, Ty::Error]
            }
        }
    }

    /// What the optional holds that `optMap` and `optFlatMap` look into.
    fn held(&mut self, range: &Ty, it: &Loop) -> Ty {
        match range {
            Ty::Optional(inner) => (**inner).clone(),
            Ty::Dyn | Ty::Error => Ty::Dyn,
            Ty::Var(_) => {
                self.bindings.assignable(&Ty::Dyn, range);
                Ty::Dyn
            }
            other => {
                let message = no_overload(it.form.name(), std::slice::from_ref(other), true);
                self.report(Diagnostic { message, span: it.range.at, help: None });
                Ty::Error
            }
        }
    }

    /// The body of `all` and `exists` is joined by an operator, which the message names.
    fn quantified(&mut self, logic: Logic, ty: &Ty, body: &Expr) {
        if !self.bindings.assignable(ty, &Ty::Bool) {
            let ty = self.bindings.resolve(ty);
            let message = no_overload(logic.function(), &[Ty::Bool, ty], false);
            self.report(Diagnostic { message, span: body.at, help: None });
        }
    }

    /// Other conditions decide between two results, as `?:` does.
    fn condition(&mut self, ty: &Ty, body: &Expr, result: &Ty) {
        if !self.bindings.assignable(ty, &Ty::Bool) {
            let ty = self.bindings.resolve(ty);
            let message = no_overload(CONDITIONAL, &[ty, result.clone(), result.clone()], false);
            self.report(Diagnostic { message, span: body.at, help: None });
        }
    }

    fn must_be_sortable(&mut self, ty: &Ty, body: &Expr) {
        let ty = self.bindings.resolve(ty);
        let is_sortable = match &ty {
            Ty::Dyn | Ty::Error | Ty::Var(_) => true,
            Ty::Bool | Ty::Int | Ty::UInt | Ty::Double | Ty::String | Ty::Bytes | Ty::Timestamp | Ty::Duration => true,
            Ty::Null | Ty::List(_) | Ty::Map(..) | Ty::Type(_) | Ty::Optional(_) | Ty::Opaque(_) | Ty::Object(_) => {
                false
            }
        };
        if !is_sortable {
            let message = no_overload("sortBy", &[ty], false);
            self.report(Diagnostic { message, span: body.at, help: None });
        }
    }

    /// Every slot of a block sees the ones before it.
    pub(super) fn block(&mut self, block: &Block) -> Ty {
        let before = self.scope.len();
        for (index, slot) in block.slots.iter().enumerate() {
            let ty = self.expr(slot);
            self.scope.push((slot_name(index as u64), ty));
        }
        let result = self.expr(&block.body);
        self.scope.truncate(before);
        result
    }
}
