//! What keeps a policy from growing without bound between two looks of the interpreter at its timer: functions whose result
//! may be twice their argument, or that write out a value whose parts are shared, get arguments that were measured before
//! (`kanon__.bounded`); so do products. The layout of `sprintf` may not ask for widths without end (`kanon__.layout`). `print` says nothing here, so it is not called.

use crate::{
    ast::{Infix, Literal, Module, Term, TermKind},
    lex::RESERVED,
    walk::{Change, change_term},
};

const GROWING: [&str; 12] = [
    "array.concat",
    "concat",
    "json.marshal",
    "json.marshal_with_options",
    "kanon__.template_string",
    "object.union",
    "object.union_n",
    "replace",
    "sprintf",
    "strings.replace_n",
    "walk",
    "yaml.marshal",
];

/// The function that measures; it gives its argument back.
pub(crate) const BOUNDED: [&str; 2] = [RESERVED, "bounded"];

/// The function that measures a layout and its widths.
pub(crate) const LAYOUT: [&str; 2] = [RESERVED, "layout"];

pub(super) fn module(module: &mut Module) {
    for rule in &mut module.rules {
        let head = &mut rule.head;
        let terms = head.path.iter_mut().skip(1).chain(&mut head.element).chain(&mut head.value);
        terms.for_each(|term| Guard.term(term));
        Guard.body(&mut rule.body);
        for otherwise in &mut rule.otherwise {
            otherwise.value.iter_mut().for_each(|term| Guard.term(term));
            Guard.body(&mut otherwise.body);
        }
    }
}

pub(super) fn query(body: &mut Vec<Literal>) {
    Guard.body(body);
}

struct Guard;

impl Change for Guard {
    fn term(&mut self, term: &mut Term) {
        change_term(self, term);
        match &mut term.kind {
            TermKind::Call(callee, args) => {
                let Some(name) = callee.path().map(|path| path.join(".")) else { return };
                if name == "print" {
                    term.kind = TermKind::Bool(true);
                } else if GROWING.contains(&name.as_str()) {
                    // The second argument of `walk` takes its results.
                    let measured = if name == "walk" { 1 } else { args.len() };
                    args.iter_mut().take(measured).for_each(measure);
                    if let ("sprintf", Some(layout)) = (name.as_str(), args.first_mut()) {
                        wrap(layout, LAYOUT);
                    }
                }
            }
            TermKind::Infix(Infix::Times, pair) if !is_literal(&pair.0) && !is_literal(&pair.1) => {
                measure(&mut pair.0);
                measure(&mut pair.1);
            }
            _ => {}
        }
    }
}

fn is_literal(term: &Term) -> bool {
    matches!(term.kind, TermKind::Null | TermKind::Bool(_) | TermKind::Number(_) | TermKind::Str(_))
}

fn measure(term: &mut Term) {
    if !is_literal(term) {
        wrap(term, BOUNDED);
    }
}

/// `function(term)`
fn wrap(term: &mut Term, [root, name]: [&str; 2]) {
    let span = term.span;
    let callee = TermKind::Ref(Box::new(Term::var(root, span)), vec![Term::new(TermKind::Str(name.into()), span)]);
    let inner = std::mem::replace(term, Term::new(TermKind::Null, span));
    *term = Term::new(TermKind::Call(Box::new(Term::new(callee, span)), vec![inner]), span);
}
