//! Going through the tree: the parts of a node, one level down. Passes recurse by themselves; depth is bounded by the parser.

use crate::ast::{Body, Else, Head, Literal, LiteralKind, Part, Rule, Term, TermKind};

/// What stands directly in a term.
pub(crate) enum Child<'t> {
    Term(&'t Term),
    /// A closure: its head terms come as terms before.
    Body(&'t [Literal]),
    Literal(&'t Literal),
}

/// The parts of a term in order.
pub(crate) fn children<'t>(term: &'t Term, visit: &mut dyn FnMut(Child<'t>)) {
    match &term.kind {
        TermKind::Null | TermKind::Bool(_) | TermKind::Number(_) | TermKind::Str(_) | TermKind::Var(_) => {}
        TermKind::Template(parts) => {
            for part in parts {
                if let Part::Expr(literal) = part {
                    visit(Child::Literal(literal));
                }
            }
        }
        TermKind::Ref(head, rest) => {
            visit(Child::Term(head));
            rest.iter().for_each(|it| visit(Child::Term(it)));
        }
        // The name of a function is no term of its own.
        TermKind::Call(_, args) => args.iter().for_each(|it| visit(Child::Term(it))),
        TermKind::Infix(_, pair) => {
            visit(Child::Term(&pair.0));
            visit(Child::Term(&pair.1));
        }
        TermKind::Member(key, pair) => {
            key.iter().for_each(|it| visit(Child::Term(it)));
            visit(Child::Term(&pair.0));
            visit(Child::Term(&pair.1));
        }
        TermKind::Array(items) | TermKind::Set(items) => items.iter().for_each(|it| visit(Child::Term(it))),
        TermKind::Object(members) => {
            for (key, value) in members {
                visit(Child::Term(key));
                visit(Child::Term(value));
            }
        }
        TermKind::ArrayOf(head, body) | TermKind::SetOf(head, body) => {
            visit(Child::Term(head));
            visit(Child::Body(body));
        }
        TermKind::ObjectOf(head, body) => {
            visit(Child::Term(&head.0));
            visit(Child::Term(&head.1));
            visit(Child::Body(body));
        }
    }
}

/// The terms of a literal in order, the values of its `with` last; what `with` replaces and the body of `every` are not among
/// them.
pub(crate) fn terms<'t>(literal: &'t Literal, visit: &mut dyn FnMut(&'t Term)) {
    match &literal.kind {
        LiteralKind::Term(term) => visit(term),
        LiteralKind::Assign(a, b) | LiteralKind::Unify(a, b) => {
            visit(a);
            visit(b);
        }
        LiteralKind::Some(_) => {}
        LiteralKind::SomeIn(key, value, domain) => {
            key.iter().for_each(&mut *visit);
            visit(value);
            visit(domain);
        }
        LiteralKind::Every(every) => visit(&every.domain),
    }
    literal.with.iter().for_each(|with| visit(&with.value));
}

/// Every term and literal below a body, closures included, outer before inner.
pub(crate) fn all<'t>(body: &'t [Literal], literals: &mut dyn FnMut(&'t Literal), visit: &mut dyn FnMut(&'t Term)) {
    for literal in body {
        all_in_literal(literal, literals, visit);
    }
}

fn all_in_literal<'t>(literal: &'t Literal, literals: &mut dyn FnMut(&'t Literal), visit: &mut dyn FnMut(&'t Term)) {
    literals(literal);
    terms(literal, &mut |term| all_in_term(term, literals, visit));
    if let LiteralKind::Every(every) = &literal.kind {
        all(&every.body, literals, visit);
    }
}

/// A term, and everything below it.
pub(crate) fn all_in_term<'t>(term: &'t Term, literals: &mut dyn FnMut(&'t Literal), visit: &mut dyn FnMut(&'t Term)) {
    visit(term);
    children(term, &mut |child| match child {
        Child::Term(term) => all_in_term(term, literals, visit),
        Child::Body(body) => all(body, literals, visit),
        Child::Literal(literal) => all_in_literal(literal, literals, visit),
    });
}

/// The terms of a head, its name's first part left out.
pub(crate) fn head_terms(head: &Head) -> impl Iterator<Item = &Term> {
    head.path.iter().skip(1).chain(head.args.iter().flatten()).chain(&head.element).chain(&head.value)
}

/// Every term and literal of a rule.
pub(crate) fn all_in_rule<'t>(rule: &'t Rule, literals: &mut dyn FnMut(&'t Literal), visit: &mut dyn FnMut(&'t Term)) {
    for term in head_terms(&rule.head) {
        all_in_term(term, literals, visit);
    }
    all(&rule.body, literals, visit);
    for Else { value, body, .. } in &rule.otherwise {
        value.iter().for_each(|term| all_in_term(term, literals, visit));
        all(body, literals, visit);
    }
}

/// What a pass that changes the tree does at each level.
pub(crate) trait Change {
    /// A term; calls [`change_term`] to go on below.
    fn term(&mut self, term: &mut Term);
    /// A body; calls [`change_body`] to go on below.
    fn body(&mut self, body: &mut Body) {
        change_body(self, body);
    }
    /// A closure: head terms and body share a scope.
    fn closure(&mut self, heads: &mut [&mut Term], body: &mut Body) {
        self.body(body);
        for head in heads {
            self.term(head);
        }
    }
    /// A part of a template.
    fn part(&mut self, literal: &mut Literal) {
        change_literal(self, literal);
    }
    /// `every`: its body has a scope of its own.
    fn every(&mut self, every: &mut crate::ast::Every) {
        self.term(&mut every.domain);
        self.body(&mut every.body);
    }
}

/// Applies a change to the parts of a term.
pub(crate) fn change_term<C: Change + ?Sized>(change: &mut C, term: &mut Term) {
    match &mut term.kind {
        TermKind::Null | TermKind::Bool(_) | TermKind::Number(_) | TermKind::Str(_) | TermKind::Var(_) => {}
        TermKind::Template(parts) => {
            for part in parts {
                if let Part::Expr(literal) = part {
                    change.part(literal);
                }
            }
        }
        TermKind::Ref(head, rest) | TermKind::Call(head, rest) => {
            change.term(head);
            rest.iter_mut().for_each(|it| change.term(it));
        }
        TermKind::Infix(_, pair) => {
            change.term(&mut pair.0);
            change.term(&mut pair.1);
        }
        TermKind::Member(key, pair) => {
            key.iter_mut().for_each(|it| change.term(it));
            change.term(&mut pair.0);
            change.term(&mut pair.1);
        }
        TermKind::Array(items) | TermKind::Set(items) => items.iter_mut().for_each(|it| change.term(it)),
        TermKind::Object(members) => {
            for (key, value) in members {
                change.term(key);
                change.term(value);
            }
        }
        TermKind::ArrayOf(head, body) | TermKind::SetOf(head, body) => change.closure(&mut [head.as_mut()], body),
        TermKind::ObjectOf(head, body) => {
            let (key, value) = head.as_mut();
            change.closure(&mut [key, value], body);
        }
    }
}

/// Applies a change to the parts of a literal.
pub(crate) fn change_literal<C: Change + ?Sized>(change: &mut C, literal: &mut Literal) {
    match &mut literal.kind {
        LiteralKind::Term(term) => change.term(term),
        LiteralKind::Assign(a, b) | LiteralKind::Unify(a, b) => {
            change.term(a);
            change.term(b);
        }
        LiteralKind::Some(_) => {}
        LiteralKind::SomeIn(key, value, domain) => {
            key.iter_mut().for_each(|it| change.term(it));
            change.term(value);
            change.term(domain);
        }
        LiteralKind::Every(every) => change.every(every),
    }
    for with in &mut literal.with {
        change.term(&mut with.target);
        change.term(&mut with.value);
    }
}

/// Applies a change to the literals of a body.
pub(crate) fn change_body<C: Change + ?Sized>(change: &mut C, body: &mut Body) {
    for literal in body {
        change_literal(change, literal);
    }
}

/// The path of constant names that a reference to `data` or `input` begins with, its root first.
pub(crate) fn root_path(term: &Term) -> Option<Vec<&str>> {
    let rest: &[Term] = match &term.kind {
        TermKind::Var(_) => &[],
        TermKind::Ref(_, rest) => rest,
        _ => return None,
    };
    let root = match &term.kind {
        TermKind::Var(name) => name.as_ref(),
        TermKind::Ref(head, _) => head.as_var()?,
        _ => return None,
    };
    if !matches!(root, "data" | "input") {
        return None;
    }
    Some(std::iter::once(root).chain(rest.iter().map_while(Term::as_str)).collect())
}

/// The references to `data` and `input` in a rule, the functions it calls among them.
pub(crate) fn references<'t>(rule: &'t Rule, visit: &mut dyn FnMut(&'t Term, Vec<&'t str>)) {
    // The head of a reference is a part of it, not a reading of the whole root.
    let mut heads = std::collections::BTreeSet::new();
    all_in_rule(rule, &mut |_| {}, &mut |term| {
        match &term.kind {
            TermKind::Ref(head, _) => {
                heads.insert(std::ptr::from_ref(head.as_ref()));
            }
            TermKind::Call(callee, _) => {
                if let Some(path) = root_path(callee) {
                    visit(callee, path);
                }
            }
            _ => {}
        }
        if let Some(path) = root_path(term).filter(|_| !heads.contains(&std::ptr::from_ref(term))) {
            visit(term, path);
        }
    });
}
