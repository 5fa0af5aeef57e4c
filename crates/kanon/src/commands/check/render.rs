//! What `kanon check` found, for people, scripts, code hosts and CI systems.

mod junit;
mod markdown;
mod sarif;

use clap::ValueEnum;
use kanon_core::{ExceptionEvidence, Outcome};
use kanon_rules::Severity;
use serde_json::json;

use super::positions::Position;
use crate::{
    exit::Failure,
    output::{Format, print, print_data, table},
};

/// `-o` of `kanon check`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum ReportFormat {
    /// For people; may change.
    #[default]
    Table,
    /// For machines; stable.
    Json,
    /// The same as YAML.
    Yaml,
    /// SARIF 2.1.0, for code scanning.
    Sarif,
    /// JUnit XML, for CI systems.
    Junit,
    /// For comments and job summaries.
    Markdown,
}

/// What a rule said about a manifest.
pub(super) struct Finding {
    /// File and document: `pods.yaml#2`.
    pub(super) manifest: String,
    pub(super) file: String,
    pub(super) position: Option<Position>,
    /// The field's path; empty for the object as a whole.
    pub(super) field: String,
    pub(super) subject: String,
    pub(super) policy: String,
    pub(super) severity: Option<Severity>,
    pub(super) outcome: Outcome,
    /// The outcome's word: in audit a violation is one.
    pub(super) word: &'static str,
    /// Whether the command fails because of it.
    pub(super) fails: bool,
    pub(super) message: String,
    /// The exception because of which it is skipped.
    pub(super) exception: Option<ExceptionEvidence>,
    pub(super) part: String,
}

impl Finding {
    /// What the rule says, and the exception that covers it.
    fn text(&self) -> String {
        match &self.exception {
            Some(exception) => format!("{} ({exception})", self.message),
            None => self.message.clone(),
        }
    }

    /// `pods.yaml:4:7`
    fn place(&self) -> String {
        match self.position {
            Some(Position { line, column }) => format!("{}:{line}:{column}", self.file),
            None => self.file.clone(),
        }
    }
}

/// A manifest that was checked.
pub(super) struct Checked {
    pub(super) file: String,
    pub(super) subject: String,
}

/// Everything that one run has to say.
pub(super) struct Report {
    pub(super) mode: &'static str,
    pub(super) checked: Vec<Checked>,
    pub(super) findings: Vec<Finding>,
}

impl Report {
    pub(super) fn failing(&self) -> usize {
        self.findings.iter().filter(|it| it.fails).count()
    }

    /// `3 manifests checked, 2 findings, 1 denied`
    fn summary(&self) -> String {
        let word = if self.mode == "admission" { "denied" } else { "violations" };
        let skipped = self.skipped();
        let (checked, findings) = (self.checked.len(), self.findings.len() - skipped);
        let besides = if skipped == 0 { String::new() } else { format!(", {skipped} skipped") };
        format!("{checked} manifests checked, {findings} findings, {} {word}{besides}", self.failing())
    }

    /// How many violations exceptions cover.
    fn skipped(&self) -> usize {
        self.findings.iter().filter(|it| it.exception.is_some()).count()
    }

    /// Prints it.
    pub(super) fn print(&self, format: ReportFormat) -> Result<(), Failure> {
        match format {
            ReportFormat::Table => {
                let row = |it: &Finding| {
                    let outcome = it.word.to_owned();
                    vec![it.place(), it.subject.clone(), it.policy.clone(), outcome, it.part.clone(), it.text()]
                };
                let rows: Vec<_> = self.findings.iter().map(row).collect();
                if !rows.is_empty() {
                    print(&table(&["PLACE", "SUBJECT", "POLICY", "OUTCOME", "PART", "MESSAGE"], &rows))?;
                }
                print(&format!("{}\n", self.summary()))
            }
            ReportFormat::Json => print_data(Format::Json, &self.data()),
            ReportFormat::Yaml => print_data(Format::Yaml, &self.data()),
            ReportFormat::Sarif => print_data(Format::Json, &sarif::document(self)),
            ReportFormat::Junit => print(&junit::document(self)?),
            ReportFormat::Markdown => print(&markdown::document(self)),
        }
    }

    fn data(&self) -> serde_json::Value {
        let finding = |it: &Finding| {
            let mut finding = json!({"manifest": it.manifest, "file": it.file, "line": it.position.map(|it| it.line),
                "column": it.position.map(|it| it.column), "field": it.field, "subject": it.subject, "policy": it.policy,
                "severity": it.severity, "part": it.part, "outcome": it.word, "message": it.message});
            if let Some(exception) = &it.exception {
                finding["exception"] = json!(exception);
            }
            finding
        };
        let findings: Vec<_> = self.findings.iter().map(finding).collect();
        let failing = if self.mode == "admission" { "denied" } else { "violations" };
        json!({"mode": self.mode, "checked": self.checked.len(), failing: self.failing(), "skipped": self.skipped(),
            "findings": findings})
    }
}
