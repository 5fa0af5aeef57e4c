//! What loads but is likely a mistake, much as `opa check --strict` names it: imports, assignments, declarations and arguments
//! that nothing reads, functions that OPA has given up, defaults of another kind than the values they stand for.
//!
//! It looks at the tree as it was parsed, before names become paths: what is told must be where it was written.

use std::collections::BTreeMap;

use kanon_lang::{Diagnostic, Span};

use crate::{
    ast::{Literal, LiteralKind, Module, Rule, Term, TermKind},
    walk::{self, Child},
};

/// Functions that OPA has given up, and what to write.
const DEPRECATED: [(&str, &str); 11] = [
    ("all", "write `every x in xs { x }`"),
    ("any", "write `true in xs`"),
    ("cast_array", "write a comprehension: `[x | some x in xs]`"),
    ("cast_boolean", "test it with `is_boolean`"),
    ("cast_null", "test it with `is_null`"),
    ("cast_object", "test it with `is_object`"),
    ("cast_set", "write a comprehension: `{x | some x in xs}`"),
    ("cast_string", "test it with `is_string`"),
    ("net.cidr_overlap", "write `net.cidr_contains`"),
    ("re_match", "write `regex.match`"),
    ("set_diff", "write `a - b`"),
];

/// The findings in a module, in order of place.
pub(crate) fn module(module: &Module) -> Vec<Diagnostic> {
    let mut lint = Lint::default();
    for import in &module.imports {
        if let Some(name) = import.name() {
            lint.imports.insert(name, (import.span, false));
        }
    }
    module.rules.iter().for_each(|rule| lint.rule(rule));
    let Lint { mut findings, imports, .. } = lint;
    for (name, (span, is_used)) in imports {
        if !is_used {
            findings.push(finding(format!("import `{name}` is never used"), span, "remove it"));
        }
    }
    defaults(module, &mut findings);
    findings.sort_by_key(|it| it.span);
    findings.dedup();
    findings
}

/// The findings in a query: its variables are what it answers, so all of them are used.
pub(crate) fn query(body: &[Literal]) -> Vec<Diagnostic> {
    let mut findings = Vec::new();
    walk::all(body, &mut |_| {}, &mut |term| {
        if let TermKind::Call(callee, _) = &term.kind {
            deprecated(callee, &mut findings);
        }
    });
    findings
}

fn finding(message: String, span: Span, help: &str) -> Diagnostic {
    Diagnostic { message, span, help: Some(help.to_owned()) }
}

fn deprecated(callee: &Term, out: &mut Vec<Diagnostic>) {
    let Some(name) = callee.path().map(|it| it.join(".")) else { return };
    if let Some((_, help)) = DEPRECATED.iter().find(|it| it.0 == name) {
        out.push(finding(format!("`{name}` is deprecated"), callee.span, help));
    }
}

/// How a name came into a scope.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Origin {
    Assigned,
    Declared,
    Argument,
    /// It is there to be matched, whether something reads it or not.
    Matched,
}

/// A name of a scope.
struct Name {
    origin: Origin,
    span: Span,
    is_used: bool,
}

type Scope<'t> = BTreeMap<&'t str, Name>;

#[derive(Default)]
struct Lint<'t> {
    /// By name: its place, and whether it was used.
    imports: BTreeMap<&'t str, (Span, bool)>,
    /// From outside to inside.
    scopes: Vec<Scope<'t>>,
    findings: Vec<Diagnostic>,
}

impl<'t> Lint<'t> {
    fn rule(&mut self, rule: &'t Rule) {
        if rule.is_default {
            // The parameters of a default are names only.
            return self.terms(&rule.head.value);
        }
        let mut arguments = Scope::new();
        for argument in rule.head.args.iter().flatten() {
            walk::all_in_term(argument, &mut |_| {}, &mut |term| {
                let Some(name) = term.as_var().filter(|it| *it != "_") else { return };
                // An argument that stands twice is compared with itself.
                let is_used = arguments.contains_key(name);
                arguments.insert(name, Name { origin: Origin::Argument, span: term.span, is_used });
            });
        }
        self.scopes.push(arguments);
        let heads = rule.head.path.iter().skip(1).chain(&rule.head.element).chain(&rule.head.value);
        self.closure(heads, &rule.body);
        for otherwise in &rule.otherwise {
            self.closure(otherwise.value.iter(), &otherwise.body);
        }
        self.leave();
    }

    fn leave(&mut self) {
        for (name, it) in self.scopes.pop().unwrap_or_default() {
            if it.is_used {
                continue;
            }
            let (message, help) = match it.origin {
                Origin::Assigned => (format!("`{name}` is assigned and never read"), "remove it, or assign to `_`"),
                Origin::Declared => (format!("`{name}` is declared and never used"), "remove it"),
                Origin::Argument => (format!("argument `{name}` is never used"), "write `_` in its place"),
                Origin::Matched => continue,
            };
            self.findings.push(finding(message, it.span, help));
        }
    }

    /// A body and the terms that are evaluated behind it.
    fn closure(&mut self, heads: impl Iterator<Item = &'t Term>, body: &'t [Literal]) {
        let mut scope = Scope::new();
        for literal in body {
            declare(literal, &mut scope);
        }
        self.scopes.push(scope);
        body.iter().for_each(|it| self.literal(it));
        heads.for_each(|it| self.term(it));
        self.leave();
    }

    fn literal(&mut self, literal: &'t Literal) {
        match &literal.kind {
            LiteralKind::Term(term) => self.term(term),
            LiteralKind::Assign(a, b) => {
                self.pattern(a);
                self.term(b);
            }
            LiteralKind::Unify(a, b) => {
                self.term(a);
                self.term(b);
            }
            LiteralKind::Some(_) => {}
            LiteralKind::SomeIn(key, value, domain) => {
                key.iter().for_each(|it| self.pattern(it));
                self.pattern(value);
                self.term(domain);
            }
            LiteralKind::Every(every) => {
                self.term(&every.domain);
                let name = |it: &'t (crate::ast::Text, Span)| {
                    (it.0.as_ref(), Name { origin: Origin::Matched, span: it.1, is_used: false })
                };
                self.scopes.push(every.key.iter().chain([&every.value]).map(name).collect());
                self.closure(std::iter::empty(), &every.body);
                self.leave();
            }
        }
        for with in &literal.with {
            self.term(&with.target);
            self.term(&with.value);
        }
    }

    /// A pattern: its names are declared, not read; what stands beside them is.
    fn pattern(&mut self, term: &'t Term) {
        match &term.kind {
            TermKind::Var(_) => {}
            TermKind::Array(items) => items.iter().for_each(|it| self.pattern(it)),
            TermKind::Object(members) => {
                for (key, value) in members {
                    self.term(key);
                    self.pattern(value);
                }
            }
            _ => self.term(term),
        }
    }

    fn terms(&mut self, terms: &'t Option<Term>) {
        terms.iter().for_each(|it| self.term(it));
    }

    fn term(&mut self, term: &'t Term) {
        match &term.kind {
            TermKind::Var(name) => self.read(name),
            TermKind::Call(callee, _) => {
                self.term(callee);
                deprecated(callee, &mut self.findings);
            }
            _ => {}
        }
        match &term.kind {
            TermKind::ArrayOf(head, body) | TermKind::SetOf(head, body) => {
                self.closure(std::iter::once(head.as_ref()), body);
            }
            TermKind::ObjectOf(head, body) => self.closure([&head.0, &head.1].into_iter(), body),
            _ => walk::children(term, &mut |child| match child {
                Child::Term(term) => self.term(term),
                Child::Literal(literal) => self.literal(literal),
                Child::Body(body) => self.closure(std::iter::empty(), body),
            }),
        }
    }

    fn read(&mut self, name: &str) {
        for scope in self.scopes.iter_mut().rev() {
            if let Some(it) = scope.get_mut(name) {
                it.is_used = true;
                return;
            }
        }
        if let Some(import) = self.imports.get_mut(name) {
            import.1 = true;
        }
    }
}

/// The names that an expression brings into its body's scope.
fn declare<'t>(literal: &'t Literal, scope: &mut Scope<'t>) {
    let mut add = |name: &'t str, span, origin| {
        // A declaration stands for the assignment that follows it.
        scope.entry(name).or_insert(Name { origin, span, is_used: false });
    };
    match &literal.kind {
        LiteralKind::Assign(left, _) => names(left, &mut |name, span| add(name, span, Origin::Assigned)),
        LiteralKind::Some(list) => list.iter().for_each(|(name, span)| add(name, *span, Origin::Declared)),
        LiteralKind::SomeIn(key, value, _) => {
            for term in key.iter().chain([value]) {
                names(term, &mut |name, span| add(name, span, Origin::Matched));
            }
        }
        LiteralKind::Term(_) | LiteralKind::Unify(..) | LiteralKind::Every(_) => {}
    }
}

/// The variables of a pattern, as `crate::resolve` knows them.
fn names<'t>(term: &'t Term, visit: &mut dyn FnMut(&'t str, Span)) {
    match &term.kind {
        TermKind::Var(name) if name.as_ref() != "_" => visit(name, term.span),
        TermKind::Array(items) => items.iter().for_each(|it| names(it, visit)),
        TermKind::Object(members) => members.iter().for_each(|(_, value)| names(value, visit)),
        _ => {}
    }
}

/// Defaults that are no booleans, of rules that are never anything else.
fn defaults(module: &Module, out: &mut Vec<Diagnostic>) {
    let is_bool = |value: &Option<Term>| value.as_ref().is_none_or(|it| matches!(it.kind, TermKind::Bool(_)));
    for default in module.rules.iter().filter(|it| it.is_default && !is_bool(&it.head.value)) {
        let name =
            |rule: &Rule| rule.head.path.iter().map(|it| it.as_var().or(it.as_str()).map(str::to_owned)).collect();
        let wanted: Vec<Option<String>> = name(default);
        let mut others = module.rules.iter().filter(|it| !it.is_default && name(it) == wanted).peekable();
        let is_test = others.peek().is_some()
            && others.all(|it| {
                let branches = it.otherwise.iter().all(|it| is_bool(&it.value));
                it.head.element.is_none() && is_bool(&it.head.value) && branches
            });
        if is_test {
            let span = default.head.value.as_ref().map_or(default.span, |it| it.span);
            let message = "the default is no boolean, and all other values of the rule are".to_owned();
            out.push(finding(message, span, "write `false`"));
        }
    }
}
