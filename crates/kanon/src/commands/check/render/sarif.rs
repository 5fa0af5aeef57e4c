//! SARIF 2.1.0: one run, a reporting descriptor for each rule that found something, a result for each finding.

use std::collections::BTreeMap;

use kanon_core::{Digest, Outcome};
use kanon_rules::Severity;
use serde_json::{Value, json};

use super::{Finding, Report};

const SCHEMA: &str = "https://json.schemastore.org/sarif-2.1.0.json";

pub(super) fn document(report: &Report) -> Value {
    let mut rules: BTreeMap<&str, Option<Severity>> = BTreeMap::new();
    for it in &report.findings {
        rules.entry(&it.policy).or_insert(it.severity);
    }
    let index = |policy: &str| rules.keys().position(|it| *it == policy);
    let results: Vec<_> = report.findings.iter().map(|it| result(it, index(&it.policy))).collect();
    let descriptors: Vec<_> = rules.iter().map(|(name, severity)| descriptor(name, *severity)).collect();
    let driver = json!({"name": "kanon", "semanticVersion": env!("CARGO_PKG_VERSION"), "rules": descriptors});
    json!({"$schema": SCHEMA, "version": "2.1.0", "runs": [{
        "tool": {"driver": driver}, "columnKind": "unicodeCodePoints", "results": results,
    }]})
}

fn descriptor(name: &str, severity: Option<Severity>) -> Value {
    let mut descriptor = json!({"id": name, "shortDescription": {"text": format!("rule {name}")}});
    if let Some(severity) = severity {
        // Code hosts sort by this number, in the scale of CVSS.
        let score = match severity {
            Severity::Critical => "9.5",
            Severity::High => "8.0",
            Severity::Medium => "5.5",
            Severity::Low => "3.0",
            Severity::Info => "0.0",
        };
        descriptor["properties"] = json!({"severity": severity, "security-severity": score, "tags": ["security"]});
    }
    descriptor
}

fn result(finding: &Finding, rule: Option<usize>) -> Value {
    // The same finding after lines moved: its rule, its object, its part.
    let identity = [&finding.policy, &finding.subject, &finding.part].map(|it| it.as_bytes());
    let uri = if finding.file == "-" { "stdin" } else { finding.file.strip_prefix("./").unwrap_or(&finding.file) };
    let mut place = json!({"artifactLocation": {"uri": uri.replace(' ', "%20")}});
    if let Some(it) = finding.position {
        place["region"] = json!({"startLine": it.line, "startColumn": it.column});
    }
    let name = if finding.field.is_empty() {
        finding.subject.clone()
    } else {
        format!("{} {}", finding.subject, finding.field)
    };
    let mut result = json!({
        "ruleId": finding.policy,
        "ruleIndex": rule,
        "level": level(finding),
        "message": {"text": format!("{}: {}", finding.subject, finding.message)},
        "locations": [{"physicalLocation": place, "logicalLocations": [{"fullyQualifiedName": name}]}],
        "partialFingerprints": {"kanonFinding/v1": Digest::of(&[identity[0], b"\0", identity[1], b"\0", identity[2]]).short()},
    });
    if let Some(exception) = &finding.exception {
        let justification = exception.to_string();
        result["suppressions"] = json!([{"kind": "external", "status": "accepted", "justification": justification}]);
    }
    result
}

fn level(finding: &Finding) -> &'static str {
    match (finding.outcome, finding.fails, finding.severity) {
        (Outcome::Deny, _, _) | (_, true, Some(Severity::Critical | Severity::High)) => "error",
        (Outcome::Warn | Outcome::Error, _, _) | (_, true, Some(Severity::Medium) | None) => "warning",
        (Outcome::Allow | Outcome::Skip | Outcome::DryRun, _, _) => "note",
    }
}
