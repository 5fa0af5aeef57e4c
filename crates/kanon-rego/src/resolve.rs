//! Names to paths: every name of a rule or an import becomes a path from `data` or `input`, so that afterwards a variable is
//! a local one, and nothing depends on imports. Names declared in a body (`some`, `:=`, `every`, parameters) hide others.

use std::collections::{BTreeMap, BTreeSet};

use kanon_lang::Span;

use crate::{
    ast::{Body, Every, Head, Literal, LiteralKind, Module, Term, TermKind, Text},
    walk::{Change, change_literal, change_term},
};

/// What names mean in a module: paths.
pub(crate) type Globals = BTreeMap<Text, Vec<Text>>;

/// The names that a module may use without declaring them; `names` are those of the rules of its package.
pub(crate) fn globals<'m>(module: &Module, names: impl Iterator<Item = &'m str>) -> Globals {
    let path = |name: &str| {
        let package = module.package.iter().cloned();
        std::iter::once("data".into()).chain(package).chain(std::iter::once(name.into())).collect::<Vec<Text>>()
    };
    let mut globals: Globals = names.map(|name| (name.into(), path(name))).collect();
    for import in &module.imports {
        if let Some(name) = import.name() {
            globals.insert(name.into(), import.path.clone());
        }
    }
    globals
}

/// Replaces the names in all rules of a module.
pub(crate) fn module(module: &mut Module, globals: &Globals) {
    let mut resolver = Resolver { globals, scopes: Vec::new() };
    for rule in &mut module.rules {
        resolver.rule_part(&mut rule.head, &mut rule.body);
        for otherwise in &mut rule.otherwise {
            let mut head = Head { value: otherwise.value.take(), ..rule.head.clone() };
            // Parameters are already replaced; going over them again changes nothing.
            resolver.rule_part(&mut head, &mut otherwise.body);
            otherwise.value = head.value;
        }
    }
}

/// Replaces the names in a query.
pub(crate) fn query(body: &mut Body, globals: &Globals) {
    Resolver { globals, scopes: Vec::new() }.body(body);
}

struct Resolver<'g> {
    globals: &'g Globals,
    scopes: Vec<BTreeSet<Text>>,
}

impl Resolver<'_> {
    fn rule_part(&mut self, head: &mut Head, body: &mut Body) {
        let mut scope = BTreeSet::new();
        for arg in head.args.iter().flatten() {
            pattern_names(arg, &mut |name, _| {
                scope.insert(name.into());
            });
        }
        declared(body, &mut |name, _| {
            scope.insert(name.into());
        });
        self.scopes.push(scope);
        let heads = head.path.iter_mut().skip(1).chain(head.args.iter_mut().flatten());
        for term in heads.chain(&mut head.element).chain(&mut head.value) {
            self.term(term);
        }
        for literal in body {
            change_literal(self, literal);
        }
        self.scopes.pop();
    }

    fn scoped(&mut self, scope: BTreeSet<Text>, run: impl FnOnce(&mut Self)) {
        self.scopes.push(scope);
        run(self);
        self.scopes.pop();
    }

    fn global(&self, name: &str) -> Option<&Vec<Text>> {
        let hidden = self.scopes.iter().any(|scope| scope.contains(name));
        if hidden { None } else { self.globals.get(name) }
    }
}

/// The path as a term in the place of the name at `span`, followed by `rest`.
fn path_term(path: &[Text], rest: Vec<Term>, span: Span, whole: Span) -> Term {
    let head = Term::var(path.first().map_or("data", AsRef::as_ref), span);
    let names = path.iter().skip(1).map(|name| Term::new(TermKind::Str(name.clone()), span));
    let operands: Vec<Term> = names.chain(rest).collect();
    if operands.is_empty() { head } else { Term::new(TermKind::Ref(Box::new(head), operands), whole) }
}

impl Change for Resolver<'_> {
    fn term(&mut self, term: &mut Term) {
        let whole = term.span;
        if let Some(path) = term.as_var().and_then(|name| self.global(name)) {
            *term = path_term(path, Vec::new(), whole, whole);
            return;
        }
        if let TermKind::Ref(head, rest) = &mut term.kind
            && let Some(path) = head.as_var().and_then(|name| self.global(name)).cloned()
        {
            rest.iter_mut().for_each(|operand| self.term(operand));
            *term = path_term(&path, std::mem::take(rest), head.span, whole);
            return;
        }
        if let TermKind::Call(callee, args) = &mut term.kind {
            // A function of the language is not hidden by a variable of its name; a rule hides it.
            let name = callee.path().and_then(|path| path.first().copied().map(str::to_owned));
            let resolved = name.as_deref().and_then(|name| self.globals.get(name)).is_some();
            if resolved {
                let saved = std::mem::take(&mut self.scopes);
                self.term(callee);
                self.scopes = saved;
            }
            args.iter_mut().for_each(|arg| self.term(arg));
            return;
        }
        change_term(self, term);
    }

    fn body(&mut self, body: &mut Body) {
        self.closure(&mut [], body);
    }

    fn closure(&mut self, heads: &mut [&mut Term], body: &mut Body) {
        let mut scope = BTreeSet::new();
        declared(body, &mut |name, _| {
            scope.insert(name.into());
        });
        self.scoped(scope, |this| {
            for literal in body {
                change_literal(this, literal);
            }
            for head in heads {
                this.term(head);
            }
        });
    }

    fn every(&mut self, every: &mut Every) {
        self.term(&mut every.domain);
        let names = every.key.iter().chain([&every.value]).map(|it| it.0.clone()).collect();
        self.scoped(names, |this| this.body(&mut every.body));
    }
}

/// The names that a body declares for itself, each time it does.
pub(crate) fn declared(body: &[Literal], visit: &mut dyn FnMut(&str, Span)) {
    for literal in body {
        match &literal.kind {
            LiteralKind::Assign(left, _) => pattern_names(left, visit),
            LiteralKind::Some(names) => names.iter().for_each(|(name, span)| visit(name, *span)),
            LiteralKind::SomeIn(key, value, _) => {
                key.iter().for_each(|key| pattern_names(key, visit));
                pattern_names(value, visit);
            }
            LiteralKind::Term(_) | LiteralKind::Unify(..) | LiteralKind::Every(_) => {}
        }
    }
}

/// The variables of a pattern: names in arrays and in objects' values. `_` is none.
pub(crate) fn pattern_names(term: &Term, visit: &mut dyn FnMut(&str, Span)) {
    match &term.kind {
        TermKind::Var(name) if name.as_ref() != "_" => visit(name, term.span),
        TermKind::Array(items) => items.iter().for_each(|it| pattern_names(it, visit)),
        TermKind::Object(members) => members.iter().for_each(|(_, value)| pattern_names(value, visit)),
        _ => {}
    }
}
