//! The meaning of `not` (spec/languages §5). OPA evaluates the arguments of a negated expression before the negation:
//! `not startswith(input.x, "a")` is `tmp := input.x; not startswith(tmp, "a")`, so that without `input.x` the whole body
//! is undefined. With `import future.keywords.not` it means what it says, and nothing is moved.
//!
//! What is moved, as OPA's compiler does it: every call inside the expression; references and comprehensions that are
//! arguments of a call, or stand inside a literal or as an operand of a reference; what `with` puts in the input's place. Both sides of an equality, and a
//! reference that is the expression itself, stay.

use crate::{
    ast::{Body, Infix, Literal, LiteralKind, Module, Term, TermKind, With},
    lex::RESERVED,
    walk::{Change, change_literal, change_term},
};

pub(super) fn module(module: &mut Module) {
    if module.plain_not {
        return;
    }
    let mut pass = Negation { made: 0 };
    for rule in &mut module.rules {
        let head = &mut rule.head;
        let terms = head.path.iter_mut().skip(1).chain(&mut head.element).chain(&mut head.value);
        terms.for_each(|term| pass.term(term));
        pass.body(&mut rule.body);
        for otherwise in &mut rule.otherwise {
            otherwise.value.iter_mut().for_each(|term| pass.term(term));
            pass.body(&mut otherwise.body);
        }
    }
}

pub(super) fn query(body: &mut Body, plain_not: bool) {
    if !plain_not {
        Negation { made: 0 }.body(body);
    }
}

struct Negation {
    /// Variables made so far: their names are distinct in the module.
    made: usize,
}

impl Change for Negation {
    fn term(&mut self, term: &mut Term) {
        change_term(self, term);
    }

    fn body(&mut self, body: &mut Body) {
        let mut out = Vec::with_capacity(body.len());
        for mut literal in std::mem::take(body) {
            change_literal(self, &mut literal);
            if literal.negated {
                // What `with` puts in the place of the input is computed before, too; functions stay where they are.
                let mut early = Before { negation: self, with: &[], literals: Vec::new() };
                for with in &mut literal.with {
                    if with.target.path().is_some_and(|path| path.first() == Some(&"input")) {
                        early.argument(&mut with.value);
                    }
                }
                out.append(&mut early.literals);
                let mut before = Before { negation: self, with: &literal.with, literals: Vec::new() };
                match &mut literal.kind {
                    LiteralKind::Term(term) => before.expression(term),
                    LiteralKind::Unify(a, b) | LiteralKind::Assign(a, b) => {
                        before.side(a);
                        before.side(b);
                    }
                    LiteralKind::Some(_) | LiteralKind::SomeIn(..) | LiteralKind::Every(_) => {}
                }
                out.append(&mut before.literals);
            }
            out.push(literal);
        }
        *body = out;
    }
}

/// What goes before one negated expression.
struct Before<'b> {
    negation: &'b mut Negation,
    with: &'b [With],
    literals: Vec<Literal>,
}

impl Before<'_> {
    fn expression(&mut self, term: &mut Term) {
        match &mut term.kind {
            TermKind::Infix(Infix::Equal, pair) => {
                self.side(&mut pair.0);
                self.side(&mut pair.1);
            }
            TermKind::Infix(_, pair) => {
                self.argument(&mut pair.0);
                self.argument(&mut pair.1);
            }
            TermKind::Member(key, pair) => {
                key.iter_mut().for_each(|key| self.argument(key));
                self.argument(&mut pair.0);
                self.argument(&mut pair.1);
            }
            TermKind::Call(_, args) => args.iter_mut().for_each(|arg| self.argument(arg)),
            _ => self.side(term),
        }
    }

    /// A side of an equality, or the whole expression.
    fn side(&mut self, term: &mut Term) {
        match &mut term.kind {
            TermKind::Ref(head, operands) => {
                // A call in front of a reference is a call inside.
                if matches!(head.kind, TermKind::Call(..)) {
                    self.argument(head);
                }
                operands.iter_mut().for_each(|operand| self.argument(operand));
            }
            TermKind::ArrayOf(..) | TermKind::SetOf(..) | TermKind::ObjectOf(..) => {}
            _ => self.argument(term),
        }
    }

    fn argument(&mut self, term: &mut Term) {
        match &mut term.kind {
            TermKind::Null | TermKind::Bool(_) | TermKind::Number(_) | TermKind::Str(_) => {}
            TermKind::Var(name) => {
                // The roots are references.
                if matches!(name.as_ref(), "input" | "data") {
                    self.bring_forward(term);
                }
            }
            TermKind::Array(items) | TermKind::Set(items) => items.iter_mut().for_each(|it| self.argument(it)),
            TermKind::Object(members) => {
                for (key, value) in members {
                    self.argument(key);
                    self.argument(value);
                }
            }
            TermKind::Template(_)
            | TermKind::Ref(..)
            | TermKind::Call(..)
            | TermKind::Infix(..)
            | TermKind::Member(..)
            | TermKind::ArrayOf(..)
            | TermKind::SetOf(..)
            | TermKind::ObjectOf(..) => self.bring_forward(term),
        }
    }

    fn bring_forward(&mut self, term: &mut Term) {
        self.negation.made += 1;
        let name = Term::var(&format!("{RESERVED}before_{}", self.negation.made), term.span);
        let span = term.span;
        let value = std::mem::replace(term, name.clone());
        let kind = LiteralKind::Assign(name, value);
        self.literals.push(Literal { kind, negated: false, with: self.with.to_vec(), span });
    }
}
