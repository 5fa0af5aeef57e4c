//! `kanon lint`: what is wrong with a policy text, and what is likely not meant.

use kanon_lang::{Diagnostic, Environment, LanguageId, Options};
use serde_json::json;

use crate::{
    cli::LintArgs,
    commands::texts::{Context, Text, explain_unknown_variables},
    exit::{Exit, Failure},
    output::{Format, print, print_data},
    report::{self, Severity},
};

/// Lints the text; ends with 3 when something was found.
pub(crate) fn run(args: LintArgs) -> Result<Exit, Failure> {
    let Text { place, source, language } = Text::read(&args.text)?;
    let env = match args.text.context {
        None => variables(language.id(), &args.variables)?,
        Some(_) => Context::read(&*language, args.text.context.as_ref())?.env().clone(),
    };
    let options = Options { boolean: args.boolean, ..Options::default() };
    let mut findings: Vec<(Severity, Diagnostic)> = match language.compile(&source, &env, &options) {
        Err(mut diagnostics) => {
            explain_unknown_variables(&mut diagnostics, &*language, &env, &options);
            diagnostics.list.into_iter().map(|it| (Severity::Error, it)).collect()
        }
        Ok(_) => language.lint(&source, &env, &options).into_iter().map(|it| (Severity::Warning, it)).collect(),
    };
    findings.sort_by_key(|(_, it)| it.span);
    match args.output {
        Format::Table => {
            let marks = findings.iter().map(|(severity, it)| (*severity, it));
            print(&report::render(&place, &source, marks))?;
            let count = |severity| findings.iter().filter(|it| it.0 == severity).count();
            let (errors, warnings) = (count(Severity::Error), count(Severity::Warning));
            let blank = if findings.is_empty() { "" } else { "\n" };
            print(&format!("{blank}{place}: {errors} errors, {warnings} warnings\n"))?;
        }
        Format::Json | Format::Yaml => {
            let finding = |(severity, it): &(Severity, Diagnostic)| {
                let (line, column) = report::position(&source, it.span);
                json!({"severity": severity.as_str(), "message": it.message, "help": it.help, "line": line,
                    "column": column, "span": [it.span.start, it.span.end]})
            };
            let list: Vec<_> = findings.iter().map(finding).collect();
            print_data(args.output, &json!({"text": place, "findings": list}))?;
        }
    }
    Ok(if findings.is_empty() { Exit::Fine } else { Exit::Findings })
}

/// The named variables; a language of modules has its own two.
fn variables(language: LanguageId, names: &[String]) -> Result<Environment, Failure> {
    let names: Vec<&str> = names.iter().map(|it| it.trim()).filter(|it| !it.is_empty()).collect();
    if let Some(name) = names.iter().find(|name| names.iter().filter(|it| it == name).count() > 1) {
        return Err(Failure::usage(format!("--variables names `{name}` twice")));
    }
    match language {
        LanguageId::REGO if names.is_empty() => Ok(Environment::new(["input", "data"])),
        _ => Ok(Environment::new(names)),
    }
}
