//! What names refer to: variables of macros, of the environment, types.

use std::sync::Arc;

use kanon_lang::{Diagnostic, Span};

use super::{Checker, Reference, types::Ty};
use crate::{
    ast::{Expr, Name},
    suggest::nearest,
};

impl Checker<'_> {
    /// A name on its own.
    pub(super) fn name(&mut self, name: &Name, expr: &Expr) -> Ty {
        if let Some((at, ty)) = self.local(name) {
            self.refer(expr, Reference::Local(at));
            return ty;
        }
        if let Some(ty) = self.declared(name, expr) {
            return ty;
        }
        if self.listens() {
            let known = self.env.variables.iter().map(String::as_str).chain(self.scope.iter().map(|it| it.0.as_str()));
            let near = nearest(&name.text, known).map(str::to_owned);
            self.undeclared(&name.text, expr.span, near);
        }
        let message = self.no_reference(&name.text);
        self.missing(expr, message);
        Ty::Error
    }

    /// `a.b.c` as one name, if it is one.
    pub(super) fn qualified(&mut self, expr: &Expr) -> Option<Ty> {
        if !self.may_be_pointed(expr) {
            return None;
        }
        let name = expr.qualified()?;
        self.declared(&name, expr)
    }

    /// Whether a path can be a name with points in it. Most are members of a variable; nothing is looked up for those.
    pub(super) fn may_be_pointed(&self, expr: &Expr) -> bool {
        let Some(first) = expr.first_name() else { return false };
        let is_known = self.has_pointed || self.functions.is_namespace(&first.text);
        is_known && self.local(first).is_none()
    }

    /// The innermost variable of a macro with this name.
    pub(super) fn local(&self, name: &Name) -> Option<(usize, Ty)> {
        if name.absolute {
            return None;
        }
        let at = self.scope.iter().rposition(|it| it.0 == name.text)?;
        self.scope.get(at).map(|it| (at, it.1.clone()))
    }

    /// A variable or type of the environment.
    fn declared(&mut self, name: &Name, expr: &Expr) -> Option<Ty> {
        for candidate in candidates(self.rules.container, name) {
            if let Some(slot) = self.env.slot(&candidate) {
                let ty = Ty::of(self.env.type_of(slot), &mut |_| Ty::Dyn);
                self.refer(expr, Reference::Variable(slot));
                return Some(ty);
            }
            if let Some((name, ty)) = self.functions.type_named(&candidate) {
                let ty = Ty::of(ty, &mut |_| Ty::Dyn);
                self.refer(expr, Reference::Type(name));
                return Some(Ty::Type(Arc::new(ty)));
            }
        }
        None
    }

    pub(super) fn no_reference(&self, name: &str) -> String {
        format!("undeclared reference to '{name}' (in container '{}')", self.rules.container)
    }

    /// Reports a name that nothing has.
    pub(super) fn undeclared(&mut self, name: &str, span: Span, near: Option<String>) {
        let message = self.no_reference(name);
        let help = near.map(|it| format!("did you mean `{it}`?"));
        self.report(Diagnostic { message, span, help });
    }
}

/// What a name may mean inside a container, innermost first.
pub(super) fn candidates(container: &str, name: &Name) -> Vec<String> {
    let mut out = Vec::new();
    let mut container = if name.absolute { "" } else { container };
    while !container.is_empty() {
        out.push(format!("{container}.{}", name.text));
        container = container.rfind('.').map_or("", |point| &container[..point]);
    }
    out.push(name.text.clone());
    out
}
