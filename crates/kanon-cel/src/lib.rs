//! CEL on the `cel` crate: for `x-kubernetes-validations` and `kanon eval`, until an engine of our own stands.
//!
//! What the crate lacks is bounded here, as far as that can be done from outside (spec/languages §7):
//! - its parser and its evaluator recurse with the text, so length and number of operators are limited before parsing;
//! - it has no cost limit, so the number of turns that nested macros may take, computed from the longest list in the
//!   variables, must lie within [`Limits::steps`](kanon_lang::Limits), and what variables and result hold within
//!   [`Limits::memory`](kanon_lang::Limits); a single function call is not bounded;
//! - it has no checker: names that the environment does not declare are found here, types are not checked, and an unknown
//!   function is a run-time error;
//! - its run-time errors have no place.
//!
//! Beyond the standard library there are optionals and the extension libraries `strings` and `math`. `lists` is left out:
//! `lists.range` makes lists of any length.

mod convert;
pub mod library;
mod program;
mod scan;
pub mod values;
mod walk;

use std::{fmt::Write as _, sync::Arc};

use kanon_lang::{Diagnostic, Diagnostics, Environment, Language, LanguageId, Options, Program, Span};

use crate::program::Compiled;

/// The language CEL.
pub struct Cel {
    env: Arc<cel::Env>,
}

impl Default for Cel {
    fn default() -> Cel {
        let mut env = cel::Env::stdlib();
        for extension in [cel::extensions::strings, cel::extensions::math] {
            // They declare names that the standard library does not have.
            env.add_extension(extension).expect("the libraries of one crate fit together");
        }
        Cel { env: Arc::new(env) }
    }
}

impl Language for Cel {
    fn id(&self) -> LanguageId {
        LanguageId::CEL
    }

    fn compile(&self, source: &str, env: &Environment, options: &Options) -> Result<Arc<dyn Program>, Diagnostics> {
        scan::bounded(source)?;
        // The crate's parser is not ours to trust with every text; what it panics on is a mistake in that text.
        let parsed = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| self.env.compile(source)));
        let program = match parsed {
            Ok(Ok(program)) => program,
            Ok(Err(errors)) => return Err(diagnostics(source, &errors)),
            Err(_) => return Err(Diagnostics::one(source, "the expression cannot be parsed", Span::default())),
        };
        let facts = walk::facts(&program, source, env);
        if !options.unchecked && !facts.undeclared.is_empty() {
            return Err(Diagnostics { source: source.to_owned(), list: facts.undeclared });
        }
        Ok(Arc::new(Compiled::new(source, self.env.clone(), program, facts, env, options)))
    }
}

/// The mistakes as Kubernetes shows them: `ERROR: <input>:1:5: …`, the line, and a caret under the place.
pub fn kubernetes_text(mistakes: &Diagnostics) -> String {
    let mut out = String::new();
    for (at, mistake) in mistakes.list.iter().enumerate() {
        let (line, column) = mistakes.position(mistake.span);
        let text = mistakes.source.lines().nth(line - 1).unwrap_or_default();
        let separator = if at == 0 { "" } else { "\n" };
        let dots = ".".repeat(column - 1);
        // Writing to a string does not fail.
        let _ = write!(out, "{separator}ERROR: <input>:{line}:{column}: {}\n | {text}\n | {dots}^", mistake.message);
    }
    out
}

fn diagnostics(source: &str, errors: &cel::ParseErrors) -> Diagnostics {
    let mistake = |error: &cel::ParseError| {
        let start = offset(source, error.pos);
        Diagnostic { message: error.msg.clone(), span: Span::new(start, (start + 1).min(source.len())), help: None }
    };
    let mut list: Vec<Diagnostic> = errors.errors.iter().map(mistake).collect();
    list.sort_by_key(|it| it.span);
    if list.is_empty() {
        return Diagnostics::one(source, "the expression cannot be parsed", Span::default());
    }
    Diagnostics { source: source.to_owned(), list }
}

/// The byte offset of a line (from 1) and column (from 1, in characters).
fn offset(source: &str, (line, column): (isize, isize)) -> usize {
    let line = usize::try_from(line - 1).unwrap_or(0);
    let column = usize::try_from(column - 1).unwrap_or(0);
    let start: usize = source.split_inclusive('\n').take(line).map(str::len).sum();
    let text = source.get(start..).unwrap_or_default();
    start + text.char_indices().nth(column).map_or(text.len(), |it| it.0)
}
