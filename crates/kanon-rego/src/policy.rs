//! Modules loaded together, and queries against them: parse, resolve names, check, rewrite, give to the interpreter.

use std::{collections::BTreeSet, time::Duration};

use kanon_lang::{Diagnostic, Diagnostics, EvalError, Outline, OutlineRule, Span, TimeLimit};
use regorus::Value;

use crate::{
    ast::{Body, Literal, LiteralKind, Module, Rule, Term, TermKind, Text},
    check::{self, Index},
    engine::{Engines, Run},
    parse::{parse_module, parse_query},
    print::{self, Printed},
    resolve::{self, Globals},
    rewrite, walk,
};

/// Rules that a policy may have.
const MAX_RULES: usize = 5_000;

const TOO_DEEP: &str = "literals are nested too deeply in each other";

/// What the texts of a policy must be.
#[derive(Clone, Debug, Default)]
pub struct LoadOptions {
    /// The package that every text must declare.
    pub package: Option<String>,
    /// Rules that must exist in the package of the first text.
    pub entrypoints: Vec<String>,
    /// The texts are Rego v0.
    pub legacy: bool,
}

/// Modules that have no mistakes, ready for queries. Shared by all threads.
pub struct Policy {
    engines: Engines,
    index: Index,
    /// The first module's package, and what its names mean.
    package: Vec<Text>,
    globals: Globals,
    outlines: Vec<Outline>,
    /// Constant references to the input, by module.
    inputs: Vec<(usize, Span, Vec<Text>)>,
    /// Which module each text of the interpreter comes from.
    origins: Vec<usize>,
    reads: BTreeSet<Vec<String>>,
    clock: bool,
    plain_not: bool,
    legacy: bool,
    /// Rules read whole packages, for which the interpreter prepares more than for a single rule.
    reads_packages: bool,
}

/// A query that has no mistakes.
pub struct Query {
    text: Printed,
    reads: BTreeSet<Vec<String>>,
    clock: bool,
    /// It names a rule that makes an object: where nothing is found the interpreter says undefined, OPA an empty object.
    makes_object: bool,
    /// The rule that it names, if it is no more than that, as the interpreter knows it.
    rule: Option<String>,
}

/// What an evaluation is given.
#[derive(Clone, Debug, Default)]
pub struct Given {
    /// `input`; none where it is undefined.
    pub input: Option<Value>,
    /// `data` besides the rules: an object.
    pub data: Option<Value>,
    /// What `time.now_ns` reads.
    pub now_ns: Option<i64>,
    /// A built-in that fails is an error.
    pub strict: bool,
    /// How long it may take: the interpreter knows no other bound.
    pub limit: Option<Duration>,
    /// Ends the evaluation, once its time is over, at the next call of a function that the interpreter does not have itself.
    pub time: Option<TimeLimit>,
    /// Note what is evaluated.
    pub coverage: bool,
}

/// One way to satisfy a query.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The value of the last expression.
    pub value: Value,
    /// The values of its variables: an object.
    pub bindings: Value,
}

/// What an evaluation found.
#[derive(Clone, Debug, Default)]
pub struct Answers {
    /// None where the query is undefined.
    pub list: Vec<Answer>,
    /// Places that were evaluated, by module, where that was asked for.
    pub covered: Vec<(usize, Span)>,
}

fn diagnostics(source: &str, mut list: Vec<Diagnostic>) -> Result<(), Diagnostics> {
    list.sort_by_key(|it| it.span);
    list.dedup();
    if list.is_empty() { Ok(()) } else { Err(Diagnostics::new(source, list)) }
}

/// What a module holds.
pub(crate) fn outline(module: &Module) -> Outline {
    let rule = |rule: &Rule| {
        // A variable in a name ends its constant part; the first part is always a name.
        let (first, rest) = (rule.head.path.iter().take(1), rule.head.path.iter().skip(1));
        let parts = first.filter_map(Term::as_var).chain(rest.map_while(Term::as_str));
        OutlineRule {
            name: parts.collect::<Vec<_>>().join("."),
            kind: check::kind_of(rule),
            is_default: rule.is_default,
            span: rule.head.span,
        }
    };
    Outline { package: module.package.join("."), rules: module.rules.iter().map(rule).collect() }
}

impl Policy {
    /// Loads texts that belong together.
    ///
    /// # Errors
    /// Every mistake in the first text that has any.
    pub fn load(sources: &[&str], options: &LoadOptions) -> Result<Policy, Diagnostics> {
        let mut modules = Vec::with_capacity(sources.len());
        for source in sources {
            let module = parse_module(source, options.legacy)?;
            expected(&module, source, options)?;
            modules.push(module);
        }
        let outlines: Vec<Outline> = modules.iter().map(outline).collect();
        if let (Some(first), Some(source)) = (outlines.first(), sources.first()) {
            let missing = options.entrypoints.iter().filter(|name| !first.has(name));
            let span = modules.first().map_or(Span::default(), |it| it.package_span);
            let mistake = |name: &String| Diagnostic {
                message: format!("rule `{name}` is missing"),
                span,
                help: check::closest(name, first.rules.iter().map(|it| it.name.as_str()))
                    .map(|near| format!("is `{near}` misspelt?")),
            };
            diagnostics(source, missing.map(mistake).collect())?;
        }
        let all_globals: Vec<Globals> = modules.iter().map(|module| globals_of(module, &modules)).collect();
        for (module, globals) in modules.iter_mut().zip(&all_globals) {
            resolve::module(module, globals);
        }
        let index = Index::new(&modules);
        let mut inputs = Vec::new();
        let (mut reads, mut clock, mut reads_packages) = (BTreeSet::new(), false, false);
        for (at, (module, source)) in modules.iter_mut().zip(sources).enumerate() {
            let mut mistakes = check::module_calls(module, &index);
            rewrite::desugar(module, &index);
            mistakes.extend(check::module(module, &index));
            mistakes.extend(unprintable(module));
            diagnostics(source, mistakes)?;
            for rule in &module.rules {
                walk::references(rule, &mut |term, path| {
                    note_read(&path, &index, &mut reads);
                    reads_packages |= matches!(path.as_slice(), ["data", rest @ ..] if index.is_above_rules(rest));
                    if path.first() == Some(&"input") {
                        inputs.push((at, term.span, path.iter().map(|it| (*it).into()).collect()));
                    }
                });
                walk::all_in_rule(rule, &mut |_| {}, &mut |term| clock |= reads_clock(term));
            }
        }
        let (mut texts, mut origins) = (Vec::new(), Vec::new());
        for (at, module) in modules.iter_mut().enumerate() {
            rewrite::expand(module);
            for text in print::module(module) {
                texts.push(text);
                origins.push(at);
            }
        }
        let first = modules.first();
        let engines = Engines::new(texts).map_err(|error| {
            let source = sources.first().copied().unwrap_or_default();
            Diagnostics::one(source, error.message, error.span.unwrap_or_default())
        })?;
        Ok(Policy {
            engines,
            index,
            package: first.map(|it| it.package.clone()).unwrap_or_default(),
            globals: all_globals.into_iter().next().unwrap_or_default(),
            plain_not: first.is_some_and(|it| it.plain_not),
            outlines,
            inputs,
            origins,
            reads,
            clock,
            legacy: options.legacy,
            reads_packages,
        })
    }

    /// What the modules hold, in their order.
    pub fn outlines(&self) -> &[Outline] {
        &self.outlines
    }

    /// The path of the first module's package: `data.a.b`.
    pub fn package_path(&self) -> String {
        let path: Vec<Text> = std::iter::once("data".into()).chain(self.package.iter().cloned()).collect();
        print::path(&path)
    }

    /// Prepares a query. With `inside`, names of rules of the first module's package and its imports may be used in it.
    ///
    /// # Errors
    /// Every mistake found, in the text of the query.
    pub fn query(&self, source: &str, inside: bool) -> Result<Query, Diagnostics> {
        let mut body: Body = parse_query(source, self.legacy)?;
        let empty = Globals::new();
        resolve::query(&mut body, if inside { &self.globals } else { &empty });
        let mut mistakes = check::query_calls(&body, &self.index);
        rewrite::desugar_query(&mut body, &self.index);
        mistakes.extend(check::query(&body));
        walk::all(&body, &mut |_| {}, &mut |term| {
            if mistakes.is_empty() && print::too_deep(term) {
                mistakes.push(Diagnostic { message: TOO_DEEP.to_owned(), span: term.span, help: None });
            }
        });
        diagnostics(source, mistakes)?;
        let (mut reads, mut clock) = (BTreeSet::new(), false);
        walk::all(&body, &mut |_| {}, &mut |term| {
            if let (Some(path), TermKind::Ref(..) | TermKind::Var(_)) = (walk::root_path(term), &term.kind) {
                note_read(&path, &self.index, &mut reads);
            }
            clock |= reads_clock(term);
        });
        // The head of each reference was seen as well; only longer paths say something then.
        let longer: Vec<Vec<String>> = reads.iter().filter(|it| it.len() > 1).cloned().collect();
        reads.retain(|path| path.len() > 1 || !longer.iter().any(|it| it.first() == path.first()));
        let path = match body.as_slice() {
            [Literal { kind: LiteralKind::Term(term), negated: false, with, .. }] if with.is_empty() => term.path(),
            _ => None,
        };
        let makes_object = matches!(path.as_deref(), Some(["data", path @ ..]) if self.index.makes_object(path));
        let is_rule = |path: &[&str]| matches!(path, ["data", rest @ ..] if self.index.is_single(rest));
        let plain = path.filter(|path| !self.reads_packages && is_rule(path));
        let rule = plain.filter(|path| path.iter().all(|it| print::is_name(it))).map(|path| path.join("."));
        rewrite::expand_query(&mut body, self.plain_not);
        Ok(Query { text: print::query(&body), reads, clock, makes_object, rule })
    }

    /// Evaluates a query.
    ///
    /// # Errors
    /// Contradicting rules, built-ins that fail under `strict`, and the limit.
    pub fn evaluate(&self, query: &Query, given: Given) -> Result<Answers, EvalError> {
        let Given { input, data, now_ns, strict, limit, time, coverage } = given;
        let run = Run { input, data, now: now_ns, strict, limit, time, coverage };
        let found = self.engines.run(&query.text, query.rule.as_deref(), run)?;
        let mut list = found.answers;
        if list.is_empty() && query.makes_object {
            list.push(Answer { value: Value::new_object(), bindings: Value::new_object() });
        }
        let origin = |(text, span): (usize, Span)| self.origins.get(text).map(|at| (*at, span));
        Ok(Answers { list, covered: found.covered.into_iter().filter_map(origin).collect() })
    }

    /// Constant references to the input in a module: their place and path.
    pub(crate) fn inputs(&self, module: usize) -> impl Iterator<Item = (Span, &[Text])> {
        self.inputs.iter().filter(move |it| it.0 == module).map(|it| (it.1, it.2.as_slice()))
    }

    /// Paths from `input` and from `data` (rules left out) that the modules or the query read, and whether they read the
    /// clock.
    pub(crate) fn reads(&self, query: &Query) -> (BTreeSet<Vec<String>>, bool) {
        let all = self.reads.union(&query.reads).cloned().collect();
        (all, self.clock || query.clock)
    }
}

/// The package is the expected one, and there are not too many rules.
fn expected(module: &Module, source: &str, options: &LoadOptions) -> Result<(), Diagnostics> {
    let package = module.package.join(".");
    if let Some(wanted) = options.package.as_deref().filter(|wanted| *wanted != package) {
        let message = format!("package is `{package}`, not `{wanted}`");
        return Err(Diagnostics::one(source, message, module.package_span));
    }
    if module.rules.len() > MAX_RULES {
        let message = format!("policy has more than {MAX_RULES} rules");
        return Err(Diagnostics::one(source, message, module.package_span));
    }
    Ok(())
}

fn globals_of(module: &Module, modules: &[Module]) -> Globals {
    let siblings = modules.iter().filter(|it| it.package == module.package);
    let rules = siblings.flat_map(|it| &it.rules);
    resolve::globals(module, rules.filter_map(|rule| rule.head.path.first()?.as_var()))
}

fn note_read(path: &[&str], index: &Index, reads: &mut BTreeSet<Vec<String>>) {
    // A reference to a rule is not a reading of data.
    if let ["data", rest @ ..] = path
        && index.has(rest)
    {
        return;
    }
    reads.insert(path.iter().map(|it| (*it).to_owned()).collect());
}

fn reads_clock(term: &Term) -> bool {
    let TermKind::Call(callee, _) = &term.kind else { return false };
    matches!(callee.path().as_deref(), Some(["time", "now_ns"] | ["io", "jwt", "decode_verify"]))
}

/// The first term that the interpreter's parser cannot read in bounded time.
fn unprintable(module: &Module) -> Vec<Diagnostic> {
    let mut out = Vec::new();
    for rule in &module.rules {
        walk::all_in_rule(rule, &mut |_| {}, &mut |term| {
            if out.is_empty() && print::too_deep(term) {
                out.push(Diagnostic { message: TOO_DEEP.to_owned(), span: term.span, help: None });
            }
        });
    }
    out
}
