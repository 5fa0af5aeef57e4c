//! Rules that contradict each other or depend on themselves, and imports.

use std::collections::{BTreeMap, BTreeSet};

use kanon_lang::{Diagnostic, RuleKind};

use super::{Index, is_enough, kind_of, mistake, path_of};
use crate::{
    ast::{Module, TermKind, Text, body_depth},
    walk,
};

/// Rules that read each other, one after the other: the interpreter recurses at each, and so do values made on the way, so
/// the sum of their depths and lengths is bounded.
const MAX_CHAIN: usize = 1_500;

/// A rule that is being looked at: its path, the rules it reads that are still to come, and the longest chain below it.
type Visit<'g> = (&'g Vec<Text>, Vec<&'g Vec<Text>>, usize);

pub(super) fn imports(module: &Module, out: &mut Vec<Diagnostic>) {
    let mut seen: BTreeMap<&str, String> = BTreeMap::new();
    for import in &module.imports {
        let Some(name) = import.name() else { continue };
        if let Some(earlier) = seen.insert(name, import.path.join(".")) {
            out.push(mistake(format!("import of `{name}` hides the import of `{earlier}` before"), import.span));
        }
        if name == "data" || (name == "input" && import.path.len() > 1) {
            out.push(mistake(format!("an import cannot be named `{name}`"), import.span));
        }
    }
}

pub(super) fn conflicts(module: &Module, index: &Index, out: &mut Vec<Diagnostic>) {
    let mut defaults: BTreeSet<Vec<Text>> = BTreeSet::new();
    let mut kinds: BTreeMap<Vec<Text>, (RuleKind, usize)> = BTreeMap::new();
    for rule in &module.rules {
        if is_enough(out) {
            return;
        }
        let path = path_of(module, rule);
        let name = path.iter().skip(module.package.len()).map(AsRef::as_ref).collect::<Vec<_>>().join(".");
        let (kind, arity) = (kind_of(rule), rule.head.args.as_ref().map_or(0, Vec::len));
        let Some(entry) = index.rules.get(&path) else { continue };
        if rule.is_default {
            if entry.defined && matches!(entry.kind, RuleKind::Set | RuleKind::Object) {
                let message = format!("rule `{name}` has a default and makes a set or object: one of the two");
                out.push(mistake(message, rule.head.span));
            } else if !defaults.insert(path.clone())
                || entry.defaults > 1 && module_defaults(module, &path) < entry.defaults
            {
                out.push(mistake(format!("rule `{name}` has more than one default"), rule.head.span));
            }
            if entry.kind == RuleKind::Function && entry.arity != arity {
                out.push(mistake(
                    format!("the default of `{name}` takes {arity} arguments, not {}", entry.arity),
                    rule.head.span,
                ));
            }
            continue;
        }
        let first = *kinds.entry(path.clone()).or_insert((kind, arity));
        let first = if first == (kind, arity) { (entry.kind, entry.arity) } else { first };
        match (first.0, kind) {
            (RuleKind::Function, RuleKind::Function) if first.1 != arity => {
                out.push(mistake(
                    format!("`{name}` takes {} arguments elsewhere, {arity} here", first.1),
                    rule.head.span,
                ));
            }
            (a, b) if a == b => {}
            // `p.q := 1` and `p[x] := 2` make one object together.
            (RuleKind::Complete | RuleKind::Object, RuleKind::Object) if path.len() > module.package.len() + 1 => {}
            (a, b) => {
                let message = format!("rule `{name}` makes {} here and {} elsewhere", noun(b), noun(a));
                out.push(mistake(message, rule.head.span));
            }
        }
        if matches!(kind, RuleKind::Complete | RuleKind::Function) {
            let below = index.rules.range(path.clone()..).map(|it| it.0).take_while(|it| it.starts_with(&path));
            let below = below.take(2).find(|it| it.len() > path.len());
            if let Some(below) = below {
                let message =
                    format!("rule `{name}` conflicts with rule `{}`, which is inside its value", below.join("."));
                out.push(mistake(message, rule.head.span));
            }
        }
    }
}

fn module_defaults(module: &Module, path: &[Text]) -> usize {
    module.rules.iter().filter(|rule| rule.is_default && path_of(module, rule) == path).count()
}

fn noun(kind: RuleKind) -> &'static str {
    match kind {
        RuleKind::Complete => "one value",
        RuleKind::Set => "a set",
        RuleKind::Object => "an object",
        RuleKind::Function => "a function",
    }
}

pub(super) fn recursion(module: &Module, index: &Index, out: &mut Vec<Diagnostic>) {
    // The graph of the module's rules; what other modules hold is found when they are checked.
    let mut graph: BTreeMap<Vec<Text>, (BTreeSet<Vec<Text>>, usize)> = BTreeMap::new();
    let mut places = BTreeMap::new();
    for rule in &module.rules {
        let path = path_of(module, rule);
        places.entry(path.clone()).or_insert(rule.head.span);
        let mut depth = usize::from(body_depth(&rule.body));
        depth = walk::head_terms(&rule.head).map(|it| usize::from(it.depth)).fold(depth, usize::max);
        let node = graph.entry(path).or_default();
        // A body may also wrap a value once in each of its expressions.
        node.1 = node.1.max(depth + rule.body.len() + 1);
        walk::references(rule, &mut |term, mut path| {
            // A constant that is no text names no rule, but it does end what is read.
            if let TermKind::Ref(_, rest) = &term.kind {
                let next = rest.get(path.len() - 1);
                if next.is_some_and(|it| matches!(it.kind, TermKind::Number(_) | TermKind::Bool(_) | TermKind::Null)) {
                    path.push("\0");
                }
            }
            if let ["data", prefix @ ..] = path.as_slice() {
                node.0.extend(index.reached(prefix));
            }
        });
    }
    let mut done: BTreeMap<Vec<Text>, usize> = BTreeMap::new();
    let mut reported = BTreeSet::new();
    for start in graph.keys() {
        // Depth first with a stack of its own: chains of rules may be long.
        let mut stack: Vec<Visit<'_>> = Vec::new();
        let mut open: BTreeSet<&Vec<Text>> = BTreeSet::new();
        if !done.contains_key(start) {
            stack.push((start, next(&graph, start), 0));
            open.insert(start);
        }
        while let Some((node, rest, deepest)) = stack.last_mut() {
            let node = *node;
            let Some(target) = rest.pop() else {
                let total = *deepest + graph.get(node).map_or(0, |it| it.1);
                if total > MAX_CHAIN && reported.insert(start) {
                    let place = places.get(start).copied().unwrap_or_default();
                    out.push(mistake("rules depend on each other in a chain that is too long", place));
                }
                done.insert(node.clone(), total.min(MAX_CHAIN + 1));
                open.remove(node);
                stack.pop();
                if let Some((_, _, deepest)) = stack.last_mut() {
                    *deepest = (*deepest).max(total);
                }
                continue;
            };
            if let Some(depth) = done.get(target) {
                *deepest = (*deepest).max(*depth);
            } else if open.contains(target) {
                if reported.insert(target) {
                    let cycle: Vec<String> = stack
                        .iter()
                        .skip_while(|it| it.0 != target)
                        .map(|it| it.0)
                        .chain([target])
                        .map(|path| {
                            path.iter().skip(module.package.len()).map(AsRef::as_ref).collect::<Vec<_>>().join(".")
                        })
                        .collect();
                    let name = cycle.last().cloned().unwrap_or_default();
                    let place = places.get(target).copied().unwrap_or_default();
                    out.push(mistake(format!("rule `{name}` is recursive: {}", cycle.join(" -> ")), place));
                }
            } else if graph.contains_key(target) {
                stack.push((target, next(&graph, target), 0));
                open.insert(target);
            }
        }
    }
}

fn next<'g>(graph: &'g BTreeMap<Vec<Text>, (BTreeSet<Vec<Text>>, usize)>, node: &Vec<Text>) -> Vec<&'g Vec<Text>> {
    graph.get(node).map(|it| it.0.iter().collect()).unwrap_or_default()
}
