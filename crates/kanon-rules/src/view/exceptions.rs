//! What lists and `explain` show of exceptions, and of rules that have some.

use kanon_core::Verdict;
use kanon_plane::{Explanation, PolicyKey, PolicySummary, Section, Target};
use serde_json::{Value, json};

use super::RulesView;
use crate::{
    api::{CLUSTER_EXCEPTION, EXCEPTION},
    audit::lock,
    exceptions::{Exception, Listed},
    index::{Entry, FOLDER, describe},
};

/// Words for exceptions, as users write them, besides their kinds and plurals.
pub(super) const WORDS: [&str; 8] = [
    "exception",
    "exceptions",
    "crex",
    "rex",
    "clusterruleexception",
    "clusterruleexceptions",
    "ruleexception",
    "ruleexceptions",
];

/// An exception as lists show it.
pub(super) fn summary(it: &Listed) -> PolicySummary {
    PolicySummary {
        kind: it.policy.kind.clone(),
        namespace: it.policy.namespace.clone(),
        name: it.policy.name.clone(),
        active: it.in_force().is_some(),
        problem: it.problem.clone().unwrap_or_default(),
    }
}

fn is_meant(it: &Listed, target: &Target) -> bool {
    let here = target.namespace.is_empty() || it.policy.namespace == target.namespace;
    let named = it.policy.name == target.name;
    match target.kind.to_ascii_lowercase().as_str() {
        "exception" | "exceptions" => named && (here || it.policy.namespace.is_empty()),
        "crex" | "clusterruleexception" | "clusterruleexceptions" => it.key.origin == CLUSTER_EXCEPTION && named,
        "rex" | "ruleexception" | "ruleexceptions" => it.key.origin == EXCEPTION && named && here,
        FOLDER => it.key.origin == FOLDER && (named || it.key.name == target.name),
        _ => false,
    }
}

impl RulesView {
    /// Explains the exceptions that are meant, if there are any.
    pub(super) fn explain_exceptions(&self, target: &Target) -> Option<Explanation> {
        let found: Vec<_> = self.rules.exceptions().iter().filter(|it| is_meant(it, target)).collect();
        let first = found.first()?;
        let also = match found.len() {
            1 => String::new(),
            count => format!(" ({count} exceptions have this name)"),
        };
        let covered: Vec<_> = found.iter().map(|it| self.covered(|_, verdict| is_by(it, verdict))).collect();
        let sections = found.iter().zip(&covered).flat_map(|(it, covered)| {
            let title = format!("covered now: {}", covered.len());
            let rows = covered.iter().map(|it| [vec![it.policy.name.clone()], of_subject(it)].concat()).collect();
            let columns = ["RULE", "KIND", "NAMESPACE", "NAME", "CONTAINER"].map(str::to_owned).to_vec();
            [self.section_of(it), Section { title, columns, rows }]
        });
        let data = found.iter().zip(&covered).map(|(it, covered)| {
            let mut data = data(it);
            data["warnings"] = json!(it.remarks(self.rules.entries()));
            data["covered"] = covered.iter().map(violation).collect();
            data
        });
        Some(Explanation {
            headline: format!("{}{also}", headline(first)),
            sections: sections.collect(),
            data: json!({"exceptions": data.collect::<Vec<_>>()}),
        })
    }

    /// The exceptions from a rule, and what of it they cover now.
    pub(super) fn exceptions_from(&self, entry: &Entry) -> Vec<Section> {
        let listed = self.concerning(entry);
        if listed.is_empty() {
            return Vec::new();
        }
        let row = |(_, exception): &(&Listed, &Exception)| {
            let evidence = &exception.evidence;
            let ends = evidence.expires.map_or("-".to_owned(), |it| it.to_string());
            vec![evidence.name(), evidence.owner.clone(), ends, evidence.reason.clone()]
        };
        let rows: Vec<_> = listed.iter().map(row).collect();
        let columns = ["EXCEPTION", "OWNER", "ENDS", "REASON"].map(str::to_owned).to_vec();
        let mut sections = vec![Section { title: format!("exceptions: {}", rows.len()), columns, rows }];
        let covered = self.covered(|key, _| *key == entry.key);
        if !covered.is_empty() {
            let name = |it: &Verdict| it.evidence.exception.as_ref().map(|it| it.name()).unwrap_or_default();
            let rows: Vec<_> = covered.iter().map(|it| [of_subject(it), vec![name(it)]].concat()).collect();
            let columns = ["KIND", "NAMESPACE", "NAME", "CONTAINER", "EXCEPTION"].map(str::to_owned).to_vec();
            sections.push(Section { title: format!("skipped: {}", rows.len()), columns, rows });
        }
        sections
    }

    /// The same for machines.
    pub(super) fn exceptions_data(&self, entry: &Entry) -> (Value, Value) {
        let exceptions = self.concerning(entry).iter().map(|it| data(it.0)).collect();
        (exceptions, self.covered(|key, _| *key == entry.key).iter().map(violation).collect())
    }

    fn concerning(&self, entry: &Entry) -> Vec<(&Listed, &Exception)> {
        let Some(rule) = entry.rule.as_deref() else { return Vec::new() };
        let in_force = self.rules.exceptions().iter().filter_map(|it| Some((it, &**it.in_force()?)));
        in_force.filter(|it| it.1.concerns(rule)).collect()
    }

    /// Violations of stored objects that exceptions cover.
    fn covered(&self, is_meant: impl Fn(&PolicyKey, &Verdict) -> bool) -> Vec<Verdict> {
        let mut covered = Vec::new();
        for findings in &self.findings {
            let findings = lock(findings);
            covered.extend(findings.excepted().filter(|it| is_meant(it.0, it.1)).map(|it| it.1.clone()));
        }
        covered
    }

    fn section_of(&self, it: &Listed) -> Section {
        let mut rows = vec![
            ("state", it.state().to_owned()),
            ("source", describe(&it.key)),
            ("revision", it.policy.revision.clone()),
        ];
        if let Some(exception) = &it.exception {
            let names: Vec<_> = exception.rules.iter().map(|it| it.text.as_str()).collect();
            rows.push(("rules", names.join(", ")));
            rows.extend(exception.words());
            rows.push(("reason", exception.evidence.reason.clone()));
            rows.push(("owner", exception.evidence.owner.clone()));
            rows.push(("ends", exception.expires().map_or("never".to_owned(), |it| it.to_string())));
        }
        rows.push(("problem", it.problem.clone().unwrap_or_default()));
        rows.extend(it.remarks(self.rules.entries()).into_iter().map(|it| ("warning", it)));
        let rows = rows.into_iter().filter(|it| !it.1.is_empty());
        let rows = rows.map(|(head, text)| vec![head.to_owned(), text]).collect();
        Section { title: it.policy.name.clone(), columns: Vec::new(), rows }
    }
}

fn is_by(it: &Listed, verdict: &Verdict) -> bool {
    let policy = verdict.evidence.exception.as_ref().map(|it| &it.policy);
    policy.is_some_and(|by| {
        (&by.kind, &by.namespace, &by.name) == (&it.policy.kind, &it.policy.namespace, &it.policy.name)
    })
}

fn of_subject(it: &Verdict) -> Vec<String> {
    let subject = &it.subject;
    vec![subject.gvk.kind.clone(), subject.namespace.clone(), subject.name.clone(), it.evidence.part.clone()]
}

fn headline(it: &Listed) -> String {
    let name = &it.policy.name;
    match (&it.exception, it.is_over) {
        (None, _) => format!("exception `{name}` is not in force: it has mistakes"),
        (Some(exception), true) => {
            let at = exception.expires().map(|it| it.to_string()).unwrap_or_default();
            format!("exception `{name}` covers nothing any more: it ended at {at}")
        }
        (Some(exception), false) => match exception.expires() {
            Some(at) => format!("exception `{name}` is in force until {at}"),
            None => format!("exception `{name}` is in force, and has no end"),
        },
    }
}

fn data(it: &Listed) -> Value {
    let exception = it.exception.as_ref();
    json!({
        "policy": it.policy,
        "source": describe(&it.key),
        "state": it.state(),
        "active": it.in_force().is_some(),
        "problem": it.problem,
        "rules": exception.map(|it| it.rules.iter().map(|it| it.text.as_str()).collect::<Vec<_>>()),
        "reason": exception.map(|it| it.evidence.reason.as_str()),
        "owner": exception.map(|it| it.evidence.owner.as_str()),
        "expires": exception.and_then(|it| it.expires()),
    })
}

fn violation(it: &Verdict) -> Value {
    json!({"rule": it.policy.name, "subject": it.subject, "mode": it.occasion, "container": it.evidence.part,
        "message": it.message, "exception": it.evidence.exception})
}
