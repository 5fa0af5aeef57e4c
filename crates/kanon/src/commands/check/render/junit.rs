//! JUnit XML: a suite for each file, a case for each object in it.

use std::collections::BTreeMap;

use quick_junit::{NonSuccessKind, Report as Xml, TestCase, TestCaseStatus, TestSuite};

use super::{Checked, Finding, Report};
use crate::exit::Failure;

pub(super) fn document(report: &Report) -> Result<String, Failure> {
    let mut found: BTreeMap<(&str, &str), Vec<&Finding>> = BTreeMap::new();
    for it in &report.findings {
        found.entry((it.file.as_str(), it.subject.as_str())).or_default().push(it);
    }
    let mut xml = Xml::new("kanon check");
    let mut rest = report.checked.as_slice();
    while let [first, ..] = rest {
        let len = rest.iter().take_while(|it| it.file == first.file).count();
        let (own, after) = rest.split_at(len);
        rest = after;
        let mut suite = TestSuite::new(first.file.as_str());
        suite.add_test_cases(
            own.iter().map(|it| case(report.mode, it, found.get(&(it.file.as_str(), it.subject.as_str())))),
        );
        xml.add_test_suite(suite);
    }
    xml.to_string().map_err(|error| Failure::new(format!("the report is no XML: {error}")))
}

fn case(mode: &str, checked: &Checked, findings: Option<&Vec<&Finding>>) -> TestCase {
    let line = |it: &Finding| format!("{}: {} {}: {}", it.place(), it.word, it.policy, it.text());
    let (failing, told): (Vec<_>, Vec<_>) = findings.into_iter().flatten().copied().partition(|it: &&Finding| it.fails);
    let skipped = told.iter().find(|it| it.exception.is_some());
    let status = match (failing.as_slice(), skipped) {
        ([], None) => TestCaseStatus::success(),
        ([], Some(first)) => {
            let mut status = TestCaseStatus::skipped();
            status.set_message(format!("{}: {}", first.policy, first.text()));
            status
        }
        ([first, ..], _) => {
            let mut status = TestCaseStatus::non_success(NonSuccessKind::Failure);
            status.set_message(format!("{}: {}", first.policy, first.message));
            status.set_type(first.word);
            status.set_description(failing.iter().map(|it| line(it)).collect::<Vec<_>>().join("\n"));
            status
        }
    };
    let mut case = TestCase::new(checked.subject.as_str(), status);
    case.set_classname(mode);
    if !told.is_empty() {
        case.set_system_out(told.iter().map(|it| line(it)).collect::<Vec<_>>().join("\n"));
    }
    case
}
