//! Outcomes of unit tests as JUnit XML, for CI systems.

use std::path::Path;

use kanon_promotion::offline::cases::Outcome;
use quick_junit::{NonSuccessKind, Report, TestCase, TestCaseStatus, TestSuite};

use crate::exit::Failure;

/// Writes one suite for each gate that has tests.
pub(super) fn write<'t>(path: &Path, gates: impl Iterator<Item = (&'t str, &'t [Outcome])>) -> Result<(), Failure> {
    let mut report = Report::new("kanon policy test");
    for (name, outcomes) in gates.filter(|(_, outcomes)| !outcomes.is_empty()) {
        let mut suite = TestSuite::new(name);
        suite.add_test_cases(outcomes.iter().map(|outcome| {
            let status = if outcome.failure.is_empty() {
                TestCaseStatus::success()
            } else {
                let mut status = TestCaseStatus::non_success(NonSuccessKind::Failure);
                status.set_message(outcome.failure.as_str());
                status
            };
            let mut case = TestCase::new(outcome.name.as_str(), status);
            case.set_classname(name);
            case
        }));
        report.add_test_suite(suite);
    }
    let named = |error: &dyn std::fmt::Display| Failure::new(format!("failed to write `{}`: {error}", path.display()));
    let text = report.to_string().map_err(|error| named(&error))?;
    std::fs::write(path, text).map_err(|error| named(&error))
}
