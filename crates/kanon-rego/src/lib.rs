//! Rego, with OPA's meaning, on the `regorus` interpreter (never its VM, which is silently wrong: spec/languages §5).
//!
//! A text is either a whole module (it begins with `package`), whose package or one query of it is the program's value; or a
//! query of its own. The variables `input` and `data` of the environment are Rego's, and `$now` is what `time.now_ns` reads;
//! others cannot be seen.
//!
//! The way of a text: `lex` and `parse` to a tree with spans (v1, and v0 behind a switch) → `resolve` names to paths → `check`
//! (functions, safety, recursion, contradictions) → `rewrite` (operators, results, templates, the meaning of `not`) → `print`
//! → `engine`, where interpreters made from that text wait for evaluations. `library` holds the functions that the interpreter
//! lacks. `format` lays a text out for people, from the tree as it was parsed.
//!
//! What bounds a policy: length, nesting and chains of rules at load; time at evaluation, a step of the budget being a
//! microsecond, since the interpreter counts nothing else. A clock, where there is one, is looked at before and after, and by our functions.

mod ast;
mod builtins;
mod check;
mod convert;
mod engine;
mod format;
mod lex;
mod library;
mod lint;
mod parse;
mod policy;
mod print;
mod program;
mod resolve;
mod rewrite;
mod walk;

use std::sync::Arc;

use kanon_lang::{Diagnostic, Diagnostics, Environment, Language, LanguageId, Options, Outline, Program, Span};

pub use crate::policy::{Answer, Answers, Given, LoadOptions, Policy, Query};
use crate::program::Compiled;

/// The values of the interpreter, which [`Given`] and [`Answer`] hold.
pub use regorus::Value;

/// The language Rego, version 1; version 0 with `Options::module.legacy`.
#[derive(Clone, Copy, Debug, Default)]
pub struct Rego;

impl Language for Rego {
    fn id(&self) -> LanguageId {
        LanguageId::REGO
    }

    fn compile(&self, source: &str, env: &Environment, options: &Options) -> Result<Arc<dyn Program>, Diagnostics> {
        let module = &options.module;
        let load = LoadOptions {
            package: module.package.clone(),
            entrypoints: module.entrypoints.clone(),
            legacy: module.legacy,
        };
        if first_line(source).is_empty() {
            return Err(Diagnostics::one(source, "the query is empty", Span::default()));
        }
        let is_module = is_module(source) || module.package.is_some();
        let (policy, query) = if is_module {
            let policy = Policy::load(&[source], &load)?;
            let query = match &module.query {
                Some(text) => policy.query(text, true)?,
                None => policy.query(&policy.package_path(), false)?,
            };
            (policy, query)
        } else {
            let policy = Policy::load(&[], &load)?;
            let query = policy.query(source, false)?;
            (policy, query)
        };
        Ok(Arc::new(Compiled::new(source, policy, query, is_module, env, options)))
    }

    /// As `opa fmt` lays text out; text of v0 is refused.
    fn format(&self, source: &str) -> Result<String, Diagnostics> {
        if is_module(source) { format::module(source) } else { format::query(source) }
    }

    fn lint(&self, source: &str, env: &Environment, options: &Options) -> Vec<Diagnostic> {
        if self.compile(source, env, options).is_err() {
            return Vec::new();
        }
        let legacy = options.module.legacy;
        if is_module(source) {
            parse::parse_module(source, legacy).map(|it| lint::module(&it)).unwrap_or_default()
        } else {
            parse::parse_query(source, legacy).map(|it| lint::query(&it)).unwrap_or_default()
        }
    }

    fn outline(&self, source: &str, options: &Options) -> Result<Outline, Diagnostics> {
        parse::parse_module(source, options.module.legacy).map(|module| policy::outline(&module))
    }
}

/// Whether the first word, comments aside, is `package`.
fn is_module(source: &str) -> bool {
    first_line(source)
        .strip_prefix("package")
        .is_some_and(|rest| rest.is_empty() || rest.starts_with(|it: char| it.is_whitespace() || it == '#'))
}

/// The first line that is more than a comment; empty where there is none.
fn first_line(source: &str) -> &str {
    let mut lines = source.lines().map(|line| line.trim_start_matches('\u{feff}').trim());
    lines.find(|line| !line.is_empty() && !line.starts_with('#')).unwrap_or_default()
}
