//! What is wrong with modules before they run: names, calls, safety of variables, recursion, rules that contradict each other.
//! Works on resolved modules (`crate::resolve`); every mistake is collected, with its place and, where possible, a remedy.

mod calls;
mod rules;
mod safety;

use std::collections::BTreeMap;

use kanon_lang::{Diagnostic, RuleKind, Span};

use crate::ast::{Body, Module, Rule, TermKind, Text};

/// How many mistakes of a kind are told at most: a text of nothing else costs no more than its first part.
const MAX_MISTAKES: usize = 20;

/// Whether there are enough mistakes to stop looking.
fn is_enough(mistakes: &[Diagnostic]) -> bool {
    mistakes.len() >= MAX_MISTAKES
}

/// What the loader knows about all modules together.
pub(crate) struct Index {
    /// Rules by path from `data`, without `data`: constant parts of their name.
    rules: BTreeMap<Vec<Text>, Entry>,
}

/// The definitions of one path.
struct Entry {
    kind: RuleKind,
    /// Parameters, for functions.
    arity: usize,
    defaults: usize,
    /// The first definition that is not a default.
    defined: bool,
}

/// What a rule makes.
pub(crate) fn kind_of(rule: &Rule) -> RuleKind {
    let constant = rule.head.path.iter().skip(1).all(|it| it.as_str().is_some());
    match (&rule.head.args, &rule.head.element) {
        (Some(_), _) => RuleKind::Function,
        (None, Some(_)) if constant => RuleKind::Set,
        (None, None) if constant => RuleKind::Complete,
        (None, _) => RuleKind::Object,
    }
}

/// The constant parts of a rule's path, the package's included.
pub(crate) fn path_of(module: &Module, rule: &Rule) -> Vec<Text> {
    let mut path = module.package.clone();
    for (at, part) in rule.head.path.iter().enumerate() {
        match &part.kind {
            TermKind::Var(name) if at == 0 => path.push(name.clone()),
            TermKind::Str(name) => path.push(name.clone()),
            _ => break,
        }
    }
    path
}

impl Index {
    /// The number of parameters of the function at a path; `None` where there is none.
    pub(crate) fn arity(&self, path: &[&str]) -> Option<usize> {
        let key: Vec<Text> = path.iter().map(|it| (*it).into()).collect();
        self.rules.get(&key).filter(|entry| entry.kind == RuleKind::Function).map(|entry| entry.arity)
    }

    /// Whether the rule at a path makes an object of what it finds: without anything, the object is empty.
    pub(crate) fn makes_object(&self, path: &[&str]) -> bool {
        let key: Vec<Text> = path.iter().map(|it| (*it).into()).collect();
        self.rules.get(&key).is_some_and(|entry| entry.kind == RuleKind::Object)
    }

    /// Whether a path is that of a rule of one value or a set, with no rules inside of it.
    pub(crate) fn is_single(&self, path: &[&str]) -> bool {
        let key: Vec<Text> = path.iter().map(|it| (*it).into()).collect();
        let kind = self.rules.get(&key).map(|entry| entry.kind);
        matches!(kind, Some(RuleKind::Complete | RuleKind::Set)) && !self.is_above_rules(path)
    }

    /// Whether rules stand below a path.
    pub(crate) fn is_above_rules(&self, path: &[&str]) -> bool {
        let key: Vec<Text> = path.iter().map(|it| (*it).into()).collect();
        let mut below = self.rules.range(key.clone()..).take_while(|it| it.0.starts_with(&key));
        below.any(|it| it.0.len() > key.len())
    }

    /// Whether there is a rule at a path or below it.
    pub(crate) fn has(&self, path: &[&str]) -> bool {
        !self.reached(path).is_empty()
    }

    /// The index of these modules.
    pub(crate) fn new(modules: &[Module]) -> Index {
        let mut rules: BTreeMap<Vec<Text>, Entry> = BTreeMap::new();
        for module in modules {
            for rule in &module.rules {
                let arity = rule.head.args.as_ref().map_or(0, Vec::len);
                let entry = rules.entry(path_of(module, rule)).or_insert_with(|| Entry {
                    kind: kind_of(rule),
                    arity,
                    defaults: 0,
                    defined: false,
                });
                if rule.is_default {
                    entry.defaults += 1;
                } else if !entry.defined {
                    // What a default looks like says less than what it is a default for.
                    (entry.kind, entry.arity, entry.defined) = (kind_of(rule), arity, true);
                }
            }
        }
        Index { rules }
    }

    /// The paths of rules that a reference with this constant beginning may read: those below it, and those it goes into.
    fn reached(&self, prefix: &[&str]) -> Vec<Vec<Text>> {
        let key: Vec<Text> = prefix.iter().map(|it| (*it).into()).collect();
        let above = (0..key.len()).filter_map(|len| self.rules.get_key_value(&key[..len]));
        let below = self.rules.range(key.clone()..).take_while(|it| it.0.starts_with(&key));
        above.chain(below).map(|it| it.0.clone()).collect()
    }
}

/// Calls that cannot be made; then `crate::rewrite::desugar` may rely on them.
pub(crate) fn module_calls(module: &Module, index: &Index) -> Vec<Diagnostic> {
    let mut mistakes = Vec::new();
    for rule in &module.rules {
        calls::rule(rule, index, &mut mistakes);
        if is_enough(&mistakes) {
            break;
        }
    }
    mistakes
}

/// The other mistakes of a module.
pub(crate) fn module(module: &Module, index: &Index) -> Vec<Diagnostic> {
    let mut mistakes = Vec::new();
    rules::imports(module, &mut mistakes);
    rules::conflicts(module, index, &mut mistakes);
    for rule in &module.rules {
        if is_enough(&mistakes) {
            return mistakes;
        }
        safety::rule(rule, &mut mistakes);
    }
    rules::recursion(module, index, &mut mistakes);
    mistakes
}

/// Calls of a query that cannot be made.
pub(crate) fn query_calls(body: &Body, index: &Index) -> Vec<Diagnostic> {
    let mut mistakes = Vec::new();
    calls::body(body, index, &mut mistakes);
    mistakes
}

/// The other mistakes of a query.
pub(crate) fn query(body: &Body) -> Vec<Diagnostic> {
    let mut mistakes = Vec::new();
    safety::query(body, &mut mistakes);
    mistakes
}

fn mistake(message: impl Into<String>, span: Span) -> Diagnostic {
    Diagnostic { message: message.into(), span, help: None }
}

/// The name closest to a misspelt one, if any is close.
pub(crate) fn closest<'n>(name: &str, names: impl Iterator<Item = &'n str>) -> Option<&'n str> {
    let allowed = (name.chars().count() / 3).clamp(1, 3);
    names.map(|it| (distance(name, it), it)).filter(|it| it.0 <= allowed).min().map(|it| it.1)
}

/// Levenshtein's distance.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().take(64).collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, from) in a.chars().take(64).enumerate() {
        let mut corner = row[0];
        row[0] = i + 1;
        for (j, to) in b.iter().enumerate() {
            let cost = (corner + usize::from(from != *to)).min(row[j] + 1).min(row[j + 1] + 1);
            corner = row[j + 1];
            row[j + 1] = cost;
        }
    }
    row[b.len()]
}
