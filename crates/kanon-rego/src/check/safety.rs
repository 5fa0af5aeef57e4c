//! Safety: every variable has a value before something reads it, whatever the order of the expressions.
//!
//! A body is gone through until nothing changes: an expression whose needs are met gives its outputs. What is left over
//! cannot be ordered, and its variables are unsafe. Calls inside expressions stand for expressions of their own before it,
//! also under `not`; see `crate::rewrite::negation`.

use std::collections::{BTreeMap, BTreeSet};

use kanon_lang::{Diagnostic, Span};

use super::mistake;
use crate::{
    ast::{Body, Infix, Literal, LiteralKind, Part, Rule, Term, TermKind},
    builtins,
    resolve::declared,
    walk,
};

/// Variables by name.
type Names<'t> = BTreeSet<&'t str>;

pub(super) fn rule(rule: &Rule, out: &mut Vec<Diagnostic>) {
    let mut safe = Names::new();
    for arg in rule.head.args.iter().flatten() {
        walk::all_in_term(arg, &mut |_| {}, &mut |term| {
            if let Some(name) = term.as_var().filter(|it| *it != "_") {
                safe.insert(name);
            }
        });
    }
    if rule.is_default {
        return;
    }
    let heads = rule.head.path.iter().skip(1).chain(&rule.head.element).chain(&rule.head.value);
    Safety { out }.closure(&heads.collect::<Vec<_>>(), &rule.body, &safe);
    for otherwise in &rule.otherwise {
        let heads: Vec<&Term> = otherwise.value.iter().collect();
        Safety { out }.closure(&heads, &otherwise.body, &safe);
    }
}

pub(super) fn query(body: &Body, out: &mut Vec<Diagnostic>) {
    Safety { out }.closure(&[], body, &Names::new());
}

/// The variables of a body outside its closures: a closure that has one of them means the same variable, unless it declares
/// it, or the body declares it only further down.
struct Level<'t> {
    names: Names<'t>,
    declared: BTreeMap<&'t str, usize>,
    /// The place of the expression that is looked at.
    at: usize,
}

impl Level<'_> {
    fn contains(&self, name: &str) -> bool {
        self.names.contains(name) && self.declared.get(name).is_none_or(|at| *at <= self.at)
    }
}

/// What an expression needs before it can be evaluated, and what it gives then.
#[derive(Default)]
struct Flow<'t> {
    needs: BTreeMap<&'t str, Span>,
    gives: Names<'t>,
    /// Closures inside: their head terms, their body, and what they declare as their own.
    closures: Vec<Closure<'t>>,
}

struct Closure<'t> {
    heads: Vec<&'t Term>,
    body: &'t [Literal],
    own: Names<'t>,
}

struct Safety<'o> {
    out: &'o mut Vec<Diagnostic>,
}

impl Safety<'_> {
    /// Checks a body and the terms that are evaluated behind it.
    fn closure<'t>(&mut self, heads: &[&'t Term], body: &'t [Literal], safe: &Names<'t>) {
        duplicates(body, self.out);
        let mut safe = safe.clone();
        let mut level = Level { names: safe.clone(), declared: BTreeMap::new(), at: 0 };
        for (at, literal) in body.iter().enumerate() {
            level_names(literal, &mut level.names);
            let mut here = Names::new();
            declared_names(std::slice::from_ref(literal), &mut here);
            here.into_iter().for_each(|name| {
                level.declared.entry(name).or_insert(at);
            });
        }
        let mut left: Vec<(usize, &Literal)> = body.iter().enumerate().collect();
        // What each expression missed when it was looked at last: until one of these is safe, nothing is new.
        let mut missed: BTreeMap<usize, Vec<&str>> = BTreeMap::new();
        loop {
            let before = left.len();
            left.retain(|(at, literal)| {
                if missed.get(at).is_some_and(|names| !names.iter().any(|name| safe.contains(name))) {
                    return true;
                }
                level.at = *at;
                let flow = literal_flow(literal, &safe, &level);
                let missing: Vec<&str> = flow.needs.keys().copied().filter(|name| !safe.contains(name)).collect();
                if missing.is_empty() {
                    safe.extend(&flow.gives);
                    self.inner(&flow, &safe);
                    return false;
                }
                missed.insert(*at, missing);
                true
            });
            if left.is_empty() || left.len() == before {
                break;
            }
        }
        let mut reported = BTreeSet::new();
        for (at, literal) in left {
            level.at = at;
            let flow = literal_flow(literal, &safe, &level);
            for (name, span) in flow.needs.into_iter().filter(|it| !safe.contains(it.0)) {
                if reported.insert(name) {
                    self.report(name, span);
                }
            }
        }
        level.at = body.len();
        for head in heads {
            let mut flow = Flow::default();
            // References in a head may bring variables of their own.
            term_flow(head, Role::Value, &level, &mut flow);
            for (name, span) in
                flow.needs.clone().into_iter().filter(|it| !safe.contains(it.0) && !flow.gives.contains(it.0))
            {
                if reported.insert(name) {
                    self.report(name, span);
                }
            }
            let mut inside = safe.clone();
            inside.extend(&flow.gives);
            self.inner(&flow, &inside);
        }
    }

    fn inner<'t>(&mut self, flow: &Flow<'t>, safe: &Names<'t>) {
        for Closure { heads, body, own } in &flow.closures {
            let mut safe = safe.clone();
            // What a closure declares is its own, whatever is called so outside.
            let mut declares = Names::new();
            declared_names(body, &mut declares);
            safe.retain(|name| !declares.contains(name));
            safe.extend(own);
            self.closure(heads, body, &safe);
        }
    }

    fn report(&mut self, name: &str, span: Span) {
        let mut problem = mistake(format!("variable `{name}` is unsafe"), span);
        problem.help = Some(match name {
            "_" => "`_` has no value here: bind it outside the negation or the call".to_owned(),
            _ => format!("nothing gives `{name}` a value: declare it with `some`, or check its spelling"),
        });
        self.out.push(problem);
    }
}

fn declared_names<'t>(body: &'t [Literal], out: &mut Names<'t>) {
    for literal in body {
        match &literal.kind {
            LiteralKind::Assign(left, _) => pattern(left, out),
            LiteralKind::Some(names) => out.extend(names.iter().map(|it| it.0.as_ref())),
            LiteralKind::SomeIn(key, value, _) => {
                key.iter().for_each(|key| pattern(key, out));
                pattern(value, out);
            }
            LiteralKind::Term(_) | LiteralKind::Unify(..) | LiteralKind::Every(_) => {}
        }
    }
}

/// The variables of a pattern; `_` counts for nothing.
fn pattern<'t>(term: &'t Term, out: &mut Names<'t>) {
    match &term.kind {
        TermKind::Var(name) if name.as_ref() != "_" => {
            out.insert(name);
        }
        TermKind::Array(items) => items.iter().for_each(|it| pattern(it, out)),
        TermKind::Object(members) => members.iter().for_each(|it| pattern(&it.1, out)),
        _ => {}
    }
}

/// A name declared twice in one body.
fn duplicates(body: &[Literal], out: &mut Vec<Diagnostic>) {
    let mut seen = BTreeSet::new();
    for literal in body {
        let mut here = BTreeMap::new();
        declared(std::slice::from_ref(literal), &mut |name, span| {
            here.insert(name.to_owned(), span);
        });
        for (name, span) in here {
            if !seen.insert(name.clone()) {
                out.push(mistake(format!("variable `{name}` is declared twice"), span));
            }
        }
    }
}

/// The variables of an expression outside its closures.
fn level_names<'t>(literal: &'t Literal, out: &mut Names<'t>) {
    fn term_names<'t>(term: &'t Term, out: &mut Names<'t>) {
        if let Some(name) = term.as_var() {
            out.insert(name);
        }
        match &term.kind {
            TermKind::ArrayOf(..) | TermKind::SetOf(..) | TermKind::ObjectOf(..) => {}
            _ => walk::children(term, &mut |child| match child {
                walk::Child::Term(term) => term_names(term, out),
                walk::Child::Body(_) => {}
                walk::Child::Literal(literal) => walk::terms(literal, &mut |term| term_names(term, out)),
            }),
        }
    }
    if let LiteralKind::Some(names) = &literal.kind {
        out.extend(names.iter().map(|it| it.0.as_ref()));
    }
    walk::terms(literal, &mut |term| term_names(term, out));
}

/// Where a term stands.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Role {
    /// Its value is read: variables in it are needed.
    Value,
    /// It is matched against a value: variables in it get theirs.
    Pattern,
    /// As a value, inside `not`: references in it do not bring variables.
    Negated,
}

fn literal_flow<'t>(literal: &'t Literal, safe: &Names<'t>, level: &Level<'t>) -> Flow<'t> {
    let mut flow = Flow::default();
    let role = if literal.negated { Role::Negated } else { Role::Value };
    match &literal.kind {
        LiteralKind::Term(term) => match &term.kind {
            TermKind::Infix(Infix::Equal, pair) if !literal.negated => {
                unify_values(&pair.0, &pair.1, safe, level, &mut flow);
            }
            // Its operands stand under the negation; what is called inside them stands before it.
            TermKind::Call(callee, args) => {
                let walks = callee.as_var() == Some("walk") && !literal.negated;
                for (at, arg) in args.iter().enumerate() {
                    let role = if walks && at == 1 { Role::Pattern } else { role };
                    term_flow(arg, role, level, &mut flow);
                }
            }
            TermKind::Infix(_, pair) => {
                term_flow(&pair.0, role, level, &mut flow);
                term_flow(&pair.1, role, level, &mut flow);
            }
            TermKind::Member(key, pair) => {
                key.iter().for_each(|key| term_flow(key, role, level, &mut flow));
                term_flow(&pair.0, role, level, &mut flow);
                term_flow(&pair.1, role, level, &mut flow);
            }
            _ => term_flow(term, role, level, &mut flow),
        },
        LiteralKind::Assign(left, right) => {
            term_flow(right, role, level, &mut flow);
            term_flow(left, Role::Pattern, level, &mut flow);
        }
        LiteralKind::Unify(a, b) if literal.negated => {
            term_flow(a, role, level, &mut flow);
            term_flow(b, role, level, &mut flow);
        }
        LiteralKind::Unify(a, b) => unify(a, b, safe, level, &mut flow),
        LiteralKind::Some(_) => {}
        LiteralKind::SomeIn(key, value, domain) => {
            term_flow(domain, role, level, &mut flow);
            key.iter().for_each(|key| term_flow(key, Role::Pattern, level, &mut flow));
            term_flow(value, Role::Pattern, level, &mut flow);
        }
        LiteralKind::Every(every) => {
            term_flow(&every.domain, role, level, &mut flow);
            let own = every.key.iter().chain([&every.value]).map(|it| it.0.as_ref()).collect();
            closure_flow(&[], &every.body, own, level, &mut flow);
        }
    }
    for with in &literal.with {
        // A function may stand for a function.
        let function = with.value.path().is_some_and(|path| builtins::find(&path.join(".")).is_some());
        if function && with.value.as_var().is_none_or(|name| !safe.contains(name)) {
            continue;
        }
        term_flow(&with.value, Role::Value, level, &mut flow);
    }
    // What an expression brings itself, it does not need from others.
    let gives = std::mem::take(&mut flow.gives);
    flow.needs.retain(|name, _| !gives.contains(name) || *name == "_");
    flow.gives = gives;
    flow
}

/// A closure needs the variables that it shares with the body around it.
fn closure_flow<'t>(heads: &[&'t Term], body: &'t [Literal], own: Names<'t>, level: &Level<'t>, flow: &mut Flow<'t>) {
    let mut needs = Vec::new();
    free(heads, body, &own, &mut |name, span| {
        if level.contains(name) {
            needs.push((name, span));
        }
    });
    flow.needs.extend(needs);
    flow.closures.push(Closure { heads: heads.to_vec(), body, own });
}

/// The names in a closure that neither it nor a closure inside it declares.
fn free<'t>(heads: &[&'t Term], body: &'t [Literal], own: &Names<'t>, visit: &mut dyn FnMut(&'t str, Span)) {
    fn in_term<'t>(term: &'t Term, hidden: &Names<'t>, visit: &mut dyn FnMut(&'t str, Span)) {
        match &term.kind {
            TermKind::Var(name)
                if !matches!(name.as_ref(), "_" | "data" | "input") && !hidden.contains(name.as_ref()) =>
            {
                visit(name, term.span);
            }
            TermKind::ArrayOf(head, body) | TermKind::SetOf(head, body) => free(&[head], body, hidden, visit),
            TermKind::ObjectOf(head, body) => free(&[&head.0, &head.1], body, hidden, visit),
            _ => walk::children(term, &mut |child| match child {
                walk::Child::Term(term) => in_term(term, hidden, visit),
                walk::Child::Body(_) => {}
                walk::Child::Literal(literal) => in_literal(literal, hidden, visit),
            }),
        }
    }
    fn in_literal<'t>(literal: &'t Literal, hidden: &Names<'t>, visit: &mut dyn FnMut(&'t str, Span)) {
        walk::terms(literal, &mut |term| in_term(term, hidden, visit));
        if let LiteralKind::Every(every) = &literal.kind {
            let mut hidden = hidden.clone();
            hidden.extend(every.key.iter().chain([&every.value]).map(|it| it.0.as_ref()));
            free(&[], &every.body, &hidden, visit);
        }
    }
    let mut hidden = own.clone();
    declared_names(body, &mut hidden);
    heads.iter().for_each(|head| in_term(head, &hidden, visit));
    body.iter().for_each(|literal| in_literal(literal, &hidden, visit));
}

/// Both sides of `=`.
fn unify<'t>(a: &'t Term, b: &'t Term, safe: &Names<'t>, level: &Level<'t>, flow: &mut Flow<'t>) {
    match (&a.kind, &b.kind) {
        (TermKind::Array(left), TermKind::Array(right)) if left.len() == right.len() => {
            left.iter().zip(right).for_each(|(a, b)| unify(a, b, safe, level, flow));
        }
        (TermKind::Object(left), TermKind::Object(right)) if left.len() == right.len() => {
            for (key, value) in left {
                let same = right.iter().find(|it| same_key(&it.0, key));
                term_flow(key, Role::Value, level, flow);
                match same {
                    Some((_, other)) => unify(value, other, safe, level, flow),
                    None => term_flow(value, Role::Value, level, flow),
                }
            }
        }
        _ => unify_values(a, b, safe, level, flow),
    }
}

fn same_key(a: &Term, b: &Term) -> bool {
    match (&a.kind, &b.kind) {
        (TermKind::Str(a) | TermKind::Number(a), TermKind::Str(b) | TermKind::Number(b)) => a == b,
        (TermKind::Var(a), TermKind::Var(b)) => a == b,
        _ => false,
    }
}

fn unify_values<'t>(a: &'t Term, b: &'t Term, safe: &Names<'t>, level: &Level<'t>, flow: &mut Flow<'t>) {
    let of = |term: &'t Term, role: Role| {
        let mut flow = Flow::default();
        term_flow(term, role, level, &mut flow);
        flow
    };
    let missing = |flow: &Flow<'t>| flow.needs.keys().any(|name| !safe.contains(name) && !flow.gives.contains(name));
    let (left, right) = (of(a, Role::Value), of(b, Role::Value));
    let chosen = match (missing(&left), missing(&right)) {
        (true, false) => (of(a, Role::Pattern), right),
        (false, true) => (left, of(b, Role::Pattern)),
        _ => (left, right),
    };
    for part in [chosen.0, chosen.1] {
        flow.needs.extend(part.needs.into_iter().filter(|it| !part.gives.contains(it.0) || it.0 == "_"));
        flow.gives.extend(part.gives);
        flow.closures.extend(part.closures);
    }
}

fn term_flow<'t>(term: &'t Term, role: Role, level: &Level<'t>, flow: &mut Flow<'t>) {
    match &term.kind {
        TermKind::Null | TermKind::Bool(_) | TermKind::Number(_) | TermKind::Str(_) => {}
        TermKind::Var(name) => match (name.as_ref(), role) {
            ("data" | "input", _) | ("_", Role::Pattern) => {}
            (name, Role::Pattern) => {
                flow.gives.insert(name);
            }
            (name, _) => {
                flow.needs.entry(name).or_insert(term.span);
            }
        },
        TermKind::Ref(head, operands) => {
            let inner = if role == Role::Negated { Role::Negated } else { Role::Value };
            term_flow(head, inner, level, flow);
            // Operands are matched against keys; under `not` they must have values.
            let operand_role = if role == Role::Negated { Role::Negated } else { Role::Pattern };
            operands.iter().for_each(|operand| match &operand.kind {
                TermKind::Var(_) | TermKind::Array(_) | TermKind::Object(_) => {
                    term_flow(operand, operand_role, level, flow);
                }
                _ => term_flow(operand, inner, level, flow),
            });
        }
        TermKind::Call(_, args) => args.iter().for_each(|arg| term_flow(arg, Role::Value, level, flow)),
        TermKind::Infix(_, pair) => {
            term_flow(&pair.0, Role::Value, level, flow);
            term_flow(&pair.1, Role::Value, level, flow);
        }
        TermKind::Member(key, pair) => {
            key.iter().for_each(|key| term_flow(key, Role::Value, level, flow));
            term_flow(&pair.0, Role::Value, level, flow);
            term_flow(&pair.1, Role::Value, level, flow);
        }
        TermKind::Array(items) => items.iter().for_each(|it| term_flow(it, role, level, flow)),
        TermKind::Set(items) => {
            let inner = if role == Role::Pattern { Role::Value } else { role };
            items.iter().for_each(|it| term_flow(it, inner, level, flow));
        }
        TermKind::Object(members) => {
            let keys = if role == Role::Pattern { Role::Value } else { role };
            for (key, value) in members {
                term_flow(key, keys, level, flow);
                term_flow(value, role, level, flow);
            }
        }
        TermKind::Template(parts) => {
            for part in parts {
                if let Part::Expr(literal) = part {
                    walk::terms(literal, &mut |term| {
                        let mut own = Flow::default();
                        term_flow(term, Role::Value, level, &mut own);
                        flow.needs.extend(own.needs.into_iter().filter(|it| !own.gives.contains(it.0)));
                        flow.closures.extend(own.closures);
                    });
                }
            }
        }
        TermKind::ArrayOf(head, body) | TermKind::SetOf(head, body) => {
            closure_flow(&[head], body, Names::new(), level, flow);
        }
        TermKind::ObjectOf(head, body) => closure_flow(&[&head.0, &head.1], body, Names::new(), level, flow),
    }
}
