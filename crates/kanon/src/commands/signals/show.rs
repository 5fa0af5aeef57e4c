//! What the commands print: values by rule name for machines, a few lines for people.

use std::{io::Write, path::PathBuf};

use kanon_core::Digest;
use kanon_signals::{
    Approval, Checked, Classification, LabelsSource, RuleFailure, SignalMode, SignalsView, State, Surface,
};
use serde_json::{Value, json};

use crate::{
    exit::Failure,
    output::{Format, print, print_data, table},
};

/// A classification; the mode where the signal has a name.
pub(super) fn classification(
    it: &Classification,
    mode: Option<&SignalMode>,
    view: &SignalsView,
    output: Format,
) -> Result<(), Failure> {
    if output != Format::Table {
        let mut data = it.to_json();
        if let Some(mode) = mode {
            data["signal_mode"] = mode.to_json();
        }
        return print_data(output, &data);
    }
    let mut rows = vec![
        row("environment", it.environment.as_ref().map(|it| (it.environment.clone(), it.source.clone()))),
        row("severity", it.severity.as_ref().map(|it| (it.clone(), String::new()))),
        row("priority", it.priority.as_ref().map(|it| (it.priority.clone(), it.policy_name.clone()))),
    ];
    let labels: Vec<_> = it.labels.values.iter().map(|(key, values)| format!("{key}={}", values.join(","))).collect();
    let why = match (&it.labels.failure, it.labels.source) {
        (Some(failure), _) => failure.to_string(),
        (None, LabelsSource::Fallback) if !labels.is_empty() => "the namespace's own labels, policy gives none".into(),
        (None, _) => it.labels.dropped.join("; "),
    };
    rows.push(vec!["labels".to_owned(), labels.join(" "), why]);
    if let Some(mode) = mode {
        let foretells = if mode.proactive { format!("foretells {}", mode.name) } else { String::new() };
        rows.push(vec!["mode".to_owned(), mode.as_str().to_owned(), foretells]);
    }
    print(&table(&["RULE", "VALUE", "WHY"], &rows))?;
    print(&format!("\n{}\n", asked(&view.classification, it.policy)))
}

fn row(rule: &str, value: Result<(String, String), &RuleFailure>) -> Vec<String> {
    let (value, why) = value.unwrap_or_else(|failure| ("-".to_owned(), failure.to_string()));
    vec![rule.to_owned(), value, why]
}

/// A decision.
pub(super) fn approval(it: &Approval, view: &SignalsView, output: Format) -> Result<(), Failure> {
    if output != Format::Table {
        return print_data(output, &it.to_json());
    }
    let decision = if it.required { "approval is required" } else { "approval is not required" };
    print(&format!("{decision}: {}\n", it.reason))?;
    if !it.risk_factors.is_empty() {
        let rows: Vec<_> = it.risk_factors.iter().map(|it| vec![it.score.to_string(), it.reason.clone()]).collect();
        print(&format!("\n{}", table(&["SCORE", "RISK FACTOR"], &rows)))?;
    }
    print(&format!("\n{}\n", asked(&view.approval, it.policy)))
}

/// Which policy was asked.
fn asked<Q>(state: &State<Q>, hash: Option<Digest>) -> String {
    match (&state.active, hash) {
        (Some(policy), Some(hash)) => format!("policy: {}, {}", policy.place, hash.short()),
        _ => "policy: none".to_owned(),
    }
}

/// What was found in policies.
pub(super) fn findings(all: &[(PathBuf, Surface, Checked)], output: Format) -> Result<(), Failure> {
    if output != Format::Table {
        let finding = |(path, surface, it): &(PathBuf, Surface, Checked)| -> Value {
            json!({"file": path.display().to_string(), "policy": surface.as_str(), "ok": it.problems.is_empty(),
                "problems": it.problems, "warnings": it.warnings})
        };
        return print_data(output, &all.iter().map(finding).collect());
    }
    for (path, surface, it) in all {
        let verdict = if it.problems.is_empty() { "may come into force" } else { "may not come into force" };
        let mut text = format!("{}: {} policy, {verdict}\n", path.display(), surface.as_str());
        for (kind, list) in [("problem", &it.problems), ("warning", &it.warnings)] {
            for line in list {
                text += &format!("  {kind}: {}\n", line.replace('\n', "\n    "));
            }
        }
        print(&text)?;
    }
    Ok(())
}

/// A word on standard error.
pub(super) fn warn(message: &str) -> Result<(), Failure> {
    Ok(writeln!(anstream::stderr(), "kanon: warning: {message}")?)
}
