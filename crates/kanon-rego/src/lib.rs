//! Rego on the `regorus` interpreter (never its VM, which is silently wrong: spec/languages §5), for `kanon eval`.
//!
//! A text is either a whole module (it begins with `package`), and gives the value of its package; or a query, and gives
//! the value of its last expression, a list of values where it has several answers, and null where it has none. The
//! variables `input` and `data` of the environment are Rego's `input` and `data`; others cannot be seen.
//!
//! What this is not yet:
//! - `not` means what regorus takes it to mean. OPA expands the arguments of a negated expression outside the negation
//!   (spec/languages §5): `not startswith(input.x, "a")` without `input.x` is undefined there and true here. The rewriting
//!   that removes the difference is not part of this crate yet, so nothing here may decide about security.
//! - There is no clock (`time.*`), no network and no `uuid.*`. The interpreter's standard-library feature brings
//!   `rand.intn`; texts that name `rand` are refused, since the same input must give the same answer.
//! - The interpreter has no step limit, only one by the clock, which pure code does not have: steps are **not** bounded.
//!   Length and nesting of the text and the size of the result are.
//! - Errors at run time have their place in their text only.

mod convert;
mod program;
mod scan;

use std::sync::Arc;

use kanon_lang::{Diagnostics, Environment, Language, LanguageId, Options, Program, Span};

use crate::program::{Compiled, Form, guarded};

/// What stands before a query to make a module of it, to find its mistakes without running it.
const QUERY_HEAD: &str = "package query\n\nanswer if {\n";

/// The lines of [`QUERY_HEAD`].
const QUERY_LINES: usize = 3;

/// The language Rego, version 1.
#[derive(Clone, Copy, Debug, Default)]
pub struct Rego;

impl Language for Rego {
    fn id(&self) -> LanguageId {
        LanguageId::REGO
    }

    fn compile(&self, source: &str, env: &Environment, options: &Options) -> Result<Arc<dyn Program>, Diagnostics> {
        scan::bounded(source)?;
        let mut engine = regorus::Engine::new();
        // What `print` says belongs to nobody here; by default it goes to the process's standard error.
        engine.set_gather_prints(true);
        let form = if first_line(source).is_empty() {
            return Err(Diagnostics::one(source, "the query is empty", Span::default()));
        } else if is_module(source) {
            let package = parse(&mut engine, source, source, 0)?;
            Form::Module { package }
        } else {
            let wrapped = format!("{QUERY_HEAD}{source}\n}}\n");
            parse(&mut engine.clone(), source, &wrapped, QUERY_LINES)?;
            Form::Query
        };
        Ok(Arc::new(Compiled::new(source, engine, form, env, options)))
    }
}

/// Whether the first word, comments aside, is `package`.
fn is_module(source: &str) -> bool {
    first_line(source)
        .strip_prefix("package")
        .is_some_and(|rest| rest.is_empty() || rest.starts_with(char::is_whitespace))
}

/// The first line that is more than a comment; empty where there is none.
fn first_line(source: &str) -> &str {
    let mut lines = source.lines().map(str::trim);
    lines.find(|line| !line.is_empty() && !line.starts_with('#')).unwrap_or_default()
}

/// Adds `text` to the engine; mistakes are shown in `source`, which begins `head` lines later.
fn parse(engine: &mut regorus::Engine, source: &str, text: &str, head: usize) -> Result<String, Diagnostics> {
    match guarded(|| engine.add_policy("policy".to_owned(), text.to_owned())) {
        Ok(Ok(package)) => Ok(package),
        Ok(Err(error)) => {
            let (message, span) = placed(source, &error.to_string(), head);
            Err(Diagnostics::one(source, message, span))
        }
        Err(()) => Err(Diagnostics::one(source, "the policy cannot be parsed", Span::default())),
    }
}

/// Message and place out of the interpreter's rendered text: `… --> policy:3:9 … error: what is wrong`.
fn placed(source: &str, rendered: &str, head: usize) -> (String, Span) {
    let message = rendered.split("error: ").nth(1).unwrap_or(rendered);
    let message = message.lines().next().unwrap_or_default().trim().to_owned();
    let place = rendered.split("--> policy:").nth(1).unwrap_or_default();
    let mut numbers = place.split(|c: char| !c.is_ascii_digit()).map_while(|it| it.parse::<usize>().ok());
    let (line, column) = (numbers.next().unwrap_or(1), numbers.next().unwrap_or(1));
    let start: usize = source.split_inclusive('\n').take(line.saturating_sub(head + 1)).map(str::len).sum();
    let text = source.get(start..).unwrap_or_default();
    let at = start + text.char_indices().nth(column.saturating_sub(1)).map_or(text.len(), |it| it.0);
    let message = if message.is_empty() { "the policy cannot be parsed".to_owned() } else { message };
    (message, Span::new(at, (at + 1).min(source.len())))
}
