//! Functions that exist, with as many arguments as they take.

use kanon_lang::{Diagnostic, RuleKind};

use super::{Index, closest, is_enough, mistake};
use crate::{
    ast::{Literal, LiteralKind, Rule, Term, TermKind, Text},
    builtins::{self, ANY, Kind},
    walk,
};

pub(super) fn rule(rule: &Rule, index: &Index, out: &mut Vec<Diagnostic>) {
    let mut calls = Calls { index, out };
    for term in walk::head_terms(&rule.head) {
        calls.term(term);
    }
    calls.body(&rule.body);
    for otherwise in &rule.otherwise {
        otherwise.value.iter().for_each(|term| calls.term(term));
        calls.body(&otherwise.body);
    }
}

pub(super) fn body(body: &[Literal], index: &Index, out: &mut Vec<Diagnostic>) {
    Calls { index, out }.body(body);
}

struct Calls<'c> {
    index: &'c Index,
    out: &'c mut Vec<Diagnostic>,
}

impl Calls<'_> {
    fn body(&mut self, body: &[Literal]) {
        body.iter().for_each(|literal| self.literal(literal));
    }

    fn literal(&mut self, literal: &Literal) {
        match &literal.kind {
            // A call that stands alone may have one argument more, which takes its result.
            LiteralKind::Term(term) if matches!(term.kind, TermKind::Call(..)) => {
                self.call(term, true);
                walk::children(term, &mut |child| self.child(child));
            }
            LiteralKind::Assign(..) if literal.negated => {
                self.out.push(mistake("variables cannot be assigned inside a negated expression", literal.span));
            }
            _ => {}
        }
        walk::terms(literal, &mut |term| match &literal.kind {
            LiteralKind::Term(whole) if std::ptr::eq(whole, term) && matches!(term.kind, TermKind::Call(..)) => {}
            _ => self.term(term),
        });
        if let LiteralKind::Every(every) = &literal.kind {
            self.body(&every.body);
        }
    }

    fn child(&mut self, child: walk::Child<'_>) {
        match child {
            walk::Child::Term(term) => self.term(term),
            walk::Child::Body(body) => self.body(body),
            walk::Child::Literal(literal) => self.literal(literal),
        }
    }

    fn term(&mut self, term: &Term) {
        self.call(term, false);
        walk::children(term, &mut |child| self.child(child));
    }

    fn call(&mut self, term: &Term, alone: bool) {
        let TermKind::Call(callee, args) = &term.kind else { return };
        if is_enough(self.out) {
            return;
        }
        let Some(path) = callee.path() else {
            self.out.push(mistake("the name of a function is constant", callee.span));
            return;
        };
        let name = path.join(".");
        let arity = if let ["data", rest @ ..] = path.as_slice() {
            let key: Vec<Text> = rest.iter().map(|it| (*it).into()).collect();
            match self.index.rules.get(&key) {
                Some(entry) if entry.kind == RuleKind::Function => entry.arity,
                Some(_) => {
                    self.out.push(mistake(format!("`{name}` is not a function"), callee.span));
                    return;
                }
                None => {
                    self.unknown(&name, callee);
                    return;
                }
            }
        } else {
            match builtins::find(&name) {
                Some((_, Kind::Refused(reason))) => {
                    self.out.push(mistake(format!("`{name}` cannot be called: {reason}"), callee.span));
                    return;
                }
                Some((ANY, _)) => return,
                Some((arity, _)) => usize::from(arity),
                None => {
                    self.unknown(&name, callee);
                    return;
                }
            }
        };
        if args.len() != arity && !(alone && args.len() == arity + 1) {
            let plural = if arity == 1 { "argument" } else { "arguments" };
            let message = format!("`{name}` takes {arity} {plural}, not {}", args.len());
            self.out.push(mistake(message, term.span));
        }
    }

    fn unknown(&mut self, name: &str, callee: &Term) {
        let ours: Vec<String> = self
            .index
            .rules
            .iter()
            .filter(|(_, entry)| entry.kind == RuleKind::Function)
            .map(|(path, _)| format!("data.{}", path.join(".")))
            .collect();
        let last = |name: &str| name.rsplit('.').next().unwrap_or_default().to_owned();
        // A function of the module is written without its package.
        let own = closest(&last(name), ours.iter().filter_map(|it| it.rsplit('.').next())).map(str::to_owned);
        let near = closest(name, builtins::names()).map(str::to_owned).or(own);
        let mut problem = mistake(format!("unknown function `{name}`"), callee.span);
        problem.help = near.map(|near| format!("did you mean `{near}`?"));
        self.out.push(problem);
    }
}
