//! Calls in the one form that all later passes know: `plus(a, b)` is `a + b`, `count(x, n)` is `n = count(x)`, and a
//! template is a call on its parts, each a set of the values it has.

use kanon_lang::Span;

use crate::{
    ast::{Body, Infix, Literal, LiteralKind, Module, Part, Rule, Term, TermKind},
    builtins,
    check::Index,
    lex::RESERVED,
    walk::{Change, change_body, change_literal, change_term},
};

pub(super) fn module(module: &mut Module, index: &Index) {
    let mut pass = Desugar { index };
    for rule in &mut module.rules {
        let head = &mut rule.head;
        let terms = head.path.iter_mut().skip(1).chain(head.args.iter_mut().flatten());
        terms.chain(&mut head.element).chain(&mut head.value).for_each(|term| pass.term(term));
        pass.body(&mut rule.body);
        for otherwise in &mut rule.otherwise {
            otherwise.value.iter_mut().for_each(|term| pass.term(term));
            pass.body(&mut otherwise.body);
        }
        parameters(rule);
    }
}

/// A parameter that is computed is compared with the argument in every body.
fn parameters(rule: &mut Rule) {
    for (at, arg) in rule.head.args.iter_mut().flatten().enumerate() {
        if !matches!(arg.kind, TermKind::Call(..) | TermKind::Infix(..)) {
            continue;
        }
        let span = arg.span;
        let name = Term::var(&format!("{RESERVED}parameter_{at}"), span);
        let value = std::mem::replace(arg, name.clone());
        let literal = Literal::new(LiteralKind::Unify(name, value), span);
        rule.body.push(literal.clone());
        rule.otherwise.iter_mut().for_each(|it| it.body.push(literal.clone()));
    }
}

pub(super) fn query(body: &mut Body, index: &Index) {
    Desugar { index }.body(body);
}

struct Desugar<'i> {
    index: &'i Index,
}

impl Change for Desugar<'_> {
    fn term(&mut self, term: &mut Term) {
        change_term(self, term);
        let span = term.span;
        match &mut term.kind {
            TermKind::Call(callee, args) => {
                let name = callee.path().map(|path| path.join("."));
                let Some(name) = name else { return };
                if name == "re_match" {
                    // The name before `regex.match` came.
                    let operand = Term::new(TermKind::Str("match".into()), callee.span);
                    callee.kind = TermKind::Ref(Box::new(Term::var("regex", callee.span)), vec![operand]);
                } else if let Some(kind) = operator(&name, args) {
                    *term = Term::new(kind, span);
                }
            }
            TermKind::Template(parts) => *term = template(std::mem::take(parts), span),
            _ => {}
        }
    }

    fn body(&mut self, body: &mut Body) {
        for literal in body.iter_mut() {
            self.output(literal);
        }
        change_body(self, body);
    }

    fn part(&mut self, literal: &mut Literal) {
        self.output(literal);
        change_literal(self, literal);
    }
}

impl Desugar<'_> {
    /// A last argument that takes the result. Under `not` the call stays as it is: its result is not computed before the
    /// negation. `walk` gives many results, which the interpreter knows in this form only.
    fn output(&self, literal: &mut Literal) {
        if literal.negated {
            return;
        }
        let LiteralKind::Term(term) = &mut literal.kind else { return };
        let TermKind::Call(callee, args) = &mut term.kind else { return };
        let Some(path) = callee.path() else { return };
        let arity = match path.as_slice() {
            ["data", rest @ ..] => self.index.arity(rest),
            path => builtins::find(&path.join(".")).map(|it| usize::from(it.0)),
        };
        let name = path.join(".");
        if matches!(name.as_str(), "eq" | "assign") && args.len() == 2 {
            if let (Some(right), Some(left)) = (args.pop(), args.pop()) {
                literal.kind =
                    if name == "eq" { LiteralKind::Unify(left, right) } else { LiteralKind::Assign(left, right) };
            }
            return;
        }
        if name != "walk"
            && arity.is_some_and(|arity| args.len() == arity + 1)
            && let Some(output) = args.pop()
        {
            let call = Term::new(TermKind::Call(callee.clone(), std::mem::take(args)), term.span);
            literal.kind = LiteralKind::Unify(call, output);
        }
    }
}

/// The operator that a function stands for.
fn operator(name: &str, args: &mut Vec<Term>) -> Option<TermKind> {
    let infix = match (name, args.len()) {
        ("plus", 2) => Infix::Plus,
        ("minus" | "set_diff", 2) => Infix::Minus,
        ("mul", 2) => Infix::Times,
        ("div", 2) => Infix::Divide,
        ("rem", 2) => Infix::Remainder,
        ("and", 2) => Infix::And,
        ("or", 2) => Infix::Or,
        ("equal" | "eq", 2) => Infix::Equal,
        ("neq", 2) => Infix::NotEqual,
        ("lt", 2) => Infix::Less,
        ("lte", 2) => Infix::LessEqual,
        ("gt", 2) => Infix::Greater,
        ("gte", 2) => Infix::GreaterEqual,
        ("internal.member_2" | "internal.member_3", 2 | 3) => {
            let (domain, value) = (args.pop()?, args.pop()?);
            return Some(TermKind::Member(args.pop().map(Box::new), Box::new((value, domain))));
        }
        _ => return None,
    };
    let (right, left) = (args.pop()?, args.pop()?);
    Some(TermKind::Infix(infix, Box::new((left, right))))
}

/// `kanon__.template_string(["text", {v | v := expression}])`: a set without a value is shown as undefined.
fn template(parts: Vec<Part>, span: Span) -> Term {
    let part = |part: Part| match part {
        Part::Text(text) => Term::new(TermKind::Str(text), span),
        Part::Expr(literal) => {
            let place = literal.span;
            let LiteralKind::Term(value) = literal.kind else { return Term::new(TermKind::Null, place) };
            let name = Term::var(&format!("{RESERVED}part"), place);
            let assign = Literal {
                kind: LiteralKind::Assign(name.clone(), value),
                negated: false,
                with: literal.with,
                span: place,
            };
            Term::new(TermKind::SetOf(Box::new(name), vec![assign]), place)
        }
    };
    let parts = Term::new(TermKind::Array(parts.into_iter().map(part).collect()), span);
    let path = Term::new(TermKind::Str("template_string".into()), span);
    let callee = Term::new(TermKind::Ref(Box::new(Term::var(RESERVED, span)), vec![path]), span);
    Term::new(TermKind::Call(Box::new(callee), vec![parts]), span)
}
