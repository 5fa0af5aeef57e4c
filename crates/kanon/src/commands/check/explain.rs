//! What rules say about manifests, with the value of every sub-expression: why something is found, and why it is not.

use kanon_rules::{Picture, Trace};
use kanon_runtime::Clock;
use serde_json::{Value, json};

use super::{Asked, render::ReportFormat};
use crate::{
    cli::check::{CheckArgs, CheckMode},
    exit::{Exit, Failure},
    output::{Format, print, print_data, table},
};

/// Explains every evaluation.
pub(crate) fn run(args: CheckArgs) -> Result<Exit, Failure> {
    let now = Clock::start().now();
    let mode = args.options.mode;
    let asked = Asked::read(&args, now)?;
    asked.policies.warn_unless_asked(mode);
    let network = Picture::of_manifests(&asked.others);
    let network = (mode == CheckMode::Network).then_some(&network);
    let mut found = Vec::new();
    for (_, review) in &asked.reviews {
        let Some(object) = review.subject_object() else { continue };
        let request = (mode == CheckMode::Admission).then_some(review);
        let traces = asked.policies.rules.trace(object, request, network, &[mode.of_rules()], &asked.others, now);
        found.extend(traces.into_iter().map(|it| (review.subject().to_string(), it)));
    }
    match args.options.output {
        ReportFormat::Table => print(&text(&found))?,
        ReportFormat::Json => print_data(Format::Json, &data(&found))?,
        ReportFormat::Yaml => print_data(Format::Yaml, &data(&found))?,
        ReportFormat::Sarif | ReportFormat::Junit | ReportFormat::Markdown => {
            return Err(Failure::usage("-o: explanations are printed as table, json or yaml"));
        }
    }
    Ok(Exit::Fine)
}

fn text(found: &[(String, Trace)]) -> String {
    if found.is_empty() {
        return "no rule is about the object\n".to_owned();
    }
    let mut text = String::new();
    for (at, (subject, trace)) in found.iter().enumerate() {
        let part = if trace.part.is_empty() { String::new() } else { format!(", container {}", trace.part) };
        let blank = if at == 0 { "" } else { "\n" };
        text += &format!("{blank}{} on {subject}{part}: {}\n\n", trace.policy.name, word(trace));
        let rows: Vec<_> = trace.values.iter().map(|it| vec![it.text.clone(), it.value.to_string()]).collect();
        text += &table(&["EXPRESSION", "VALUE"], &rows);
    }
    text
}

fn word(trace: &Trace) -> String {
    match &trace.result {
        Ok(true) => match &trace.exception {
            Some(exception) => format!("violated, and skipped ({exception})"),
            None => "violated".to_owned(),
        },
        Ok(false) => "not violated".to_owned(),
        Err(problem) => format!("cannot be evaluated: {problem}"),
    }
}

fn data(found: &[(String, Trace)]) -> Value {
    let row = |(subject, it): &(String, Trace)| {
        let values: Vec<_> = it.values.iter().map(|it| json!({"text": it.text, "value": it.value})).collect();
        json!({"rule": it.policy.name, "subject": subject, "container": it.part, "violated": it.result.as_ref().ok(),
            "error": it.result.as_ref().err(), "exception": it.exception, "values": values})
    };
    json!({"evaluations": found.iter().map(row).collect::<Vec<_>>()})
}
