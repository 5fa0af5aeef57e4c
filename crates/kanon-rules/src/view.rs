//! What admission, `explain` and the dashboard see of the rules: one immutable snapshot.

mod exceptions;

use std::{
    any::Any,
    sync::{Arc, Mutex, atomic::Ordering::Relaxed},
};

use kanon_core::{FamilyId, Now, Review};
use kanon_events::Event;
use kanon_plane::{
    AdmissionRule, Explanation, FileSummary, Lookups, ObjectStore, PolicySummary, Reviewed, Section, Target, View,
    Which, Work,
};
use serde_json::json;

use crate::{
    FAMILY,
    api::{CLUSTER_RULE, RULE},
    audit::{
        findings::{Finding, Findings},
        lock,
        scan::scan,
    },
    decide::{Decision, Tally, Times, WEBHOOK_GROUP},
    documents::file_of,
    index::{Entry, FOLDER, Rules, describe},
    rule::{ExceptionScope, Mode, Rule},
    status::{mode_words, problem},
    vet::{Vet, is_of_rule},
};

/// The family's view.
pub struct RulesView {
    rules: Arc<Rules>,
    /// Of each loop over stored objects.
    findings: Vec<Arc<Mutex<Findings>>>,
    /// What looks at rules that are stored, where something does.
    vet: Option<Arc<Vet>>,
}

impl RulesView {
    /// A view of a snapshot; also how offline commands ask about a folder.
    pub fn new(rules: Arc<Rules>) -> RulesView {
        RulesView { rules, findings: Vec::new(), vet: None }
    }

    /// A view that shows what the loops over stored objects found.
    pub(crate) fn watching(rules: Arc<Rules>, findings: Vec<Arc<Mutex<Findings>>>, vet: Option<Arc<Vet>>) -> RulesView {
        RulesView { rules, findings, vet }
    }

    /// The snapshot.
    pub fn rules(&self) -> &Arc<Rules> {
        &self.rules
    }
}

impl View for RulesView {
    fn family(&self) -> FamilyId {
        FAMILY
    }

    fn admission_rules(&self) -> Vec<AdmissionRule> {
        let mut rules: Vec<AdmissionRule> = Vec::new();
        for rule in self.rules.active().filter(|it| it.modes.contains(&Mode::Admission)) {
            for kind in rule.matcher.kinds.iter().filter(|it| it.group != WEBHOOK_GROUP) {
                let operations = rule.operations();
                let same = |it: &&mut AdmissionRule| {
                    (&it.group, &it.version, &it.kind) == (&kind.group, &kind.version, &kind.kind)
                };
                match rules.iter_mut().find(same) {
                    Some(known) => {
                        known.operations.extend(operations);
                        known.operations.sort();
                        known.operations.dedup();
                    }
                    None => rules.push(AdmissionRule {
                        group: kind.group.clone(),
                        version: kind.version.clone(),
                        kind: kind.kind.clone(),
                        part: String::new(),
                        advisory: false,
                        operations,
                    }),
                }
            }
        }
        // The webhook's rule about pods covers the containers that are added to them.
        let covers_debug = rules.iter().any(|it| it.group.is_empty() && it.kind == "Pod");
        let of_events = self.rules.event_rules();
        rules.extend(of_events.into_iter().filter(|it| !(covers_debug && it.part == "ephemeralcontainers")));
        rules.extend(self.vet.iter().flat_map(|it| it.admission_rules()));
        rules.sort();
        rules
    }

    fn review(&self, review: &Review, lookups: &dyn Lookups, now: Now) -> Reviewed {
        let decision = self.rules.review(review, lookups, now);
        let counts = Tally { rules: self.rules.clone(), rows: decision.rows, times: Times::new() };
        let mut verdicts = Decision::verdicts(decision.found);
        if let Some(vet) = self.vet.as_ref().filter(|_| is_of_rule(&review.kind)) {
            verdicts.extend(vet.review(&self.rules, review, lookups, now));
        }
        Reviewed { verdicts, counts: Arc::new(counts) }
    }

    fn spares(&self, review: &Review) -> bool {
        // Whoever mends a rule is never in the way of a slow one.
        is_of_rule(&review.kind) || self.rules.spares(review)
    }

    fn observes(&self) -> bool {
        self.rules.observes()
    }

    fn observe(&self, event: &Event, lookups: &dyn Lookups, now: Now) -> Option<Reviewed> {
        self.rules.observe(event, lookups, now)
    }

    fn scan(&self, work: &Work, objects: &ObjectStore, now: Now) -> Arc<dyn Any + Send + Sync> {
        match &work.which {
            Which::Answered(review) => Arc::new(self.rules.times_of_review(review, objects, now)),
            Which::Named(_) | Which::After { .. } => Arc::new(scan(&self.rules, work, objects, now)),
        }
    }

    fn policies(&self) -> Vec<PolicySummary> {
        let exceptions = self.rules.exceptions().iter().map(exceptions::summary);
        self.rules.entries().iter().map(summary).chain(exceptions).collect()
    }

    fn files(&self) -> Vec<FileSummary> {
        let mut files: Vec<FileSummary> = Vec::new();
        let rules = self.rules.entries().iter().map(|it| (&it.key, summary(it)));
        let exceptions = self.rules.exceptions().iter().map(|it| (&it.key, exceptions::summary(it)));
        for (key, summary) in rules.chain(exceptions).filter(|it| it.0.origin == FOLDER) {
            let path = file_of(key);
            match files.iter_mut().rfind(|it| it.path == path) {
                Some(file) => file.policies.push(summary),
                None => files.push(FileSummary { path: path.to_owned(), policies: vec![summary] }),
            }
        }
        files.sort_by(|a, b| a.path.cmp(&b.path));
        files
    }

    fn explain(&self, target: &Target, _: Now) -> Option<Explanation> {
        let found: Vec<_> = self.rules.entries().iter().filter(|it| is_meant(it, target)).collect();
        let loops = &self.rules.settings.loops;
        let Some(first) = found.first() else { return self.explain_exceptions(target) };
        let also = match found.len() {
            1 => String::new(),
            count => format!(" ({count} policies have this name)"),
        };
        Some(Explanation {
            headline: format!("{}{also}", headline(first, loops)),
            sections: found.iter().flat_map(|it| self.sections(it, loops)).collect(),
            data: json!({"rules": found.iter().map(|it| self.data(it, loops)).collect::<Vec<_>>()}),
        })
    }
}

impl RulesView {
    /// The open findings of a rule, by loop and object.
    fn found<T>(&self, entry: &Entry, row: impl Fn(&Finding) -> T) -> Vec<T> {
        let of_loop =
            |findings: &Arc<Mutex<Findings>>| lock(findings).of_rule(&entry.key).map(&row).collect::<Vec<_>>();
        self.findings.iter().flat_map(of_loop).collect()
    }

    fn sections(&self, entry: &Entry, loops: &[Mode]) -> Vec<Section> {
        let mut sections = vec![section(entry, loops)];
        sections.extend(self.open(entry));
        sections.extend(self.exceptions_from(entry));
        sections
    }

    /// The open findings of a rule that is asked about stored objects.
    fn open(&self, entry: &Entry) -> Option<Section> {
        let active = entry.active_on(&self.rules.settings.loops);
        let is_about_stored = active.contains(&Mode::Audit) || active.contains(&Mode::Network);
        let rows = self.found(entry, |it| {
            let subject = &it.verdict.subject;
            let (part, mut message) = (it.verdict.evidence.part.clone(), it.verdict.message.clone());
            if let Some(rest) = &it.rests {
                message = format!("{message} (clean since {}, resolves at {})", rest.since, rest.until());
            }
            vec![subject.gvk.kind.clone(), subject.namespace.clone(), subject.name.clone(), part, message]
        });
        let columns = ["KIND", "NAMESPACE", "NAME", "CONTAINER", "MESSAGE"].map(str::to_owned).to_vec();
        let title = format!("open findings: {}", rows.len());
        is_about_stored.then_some(Section { title, columns, rows })
    }

    fn data(&self, entry: &Entry, loops: &[Mode]) -> serde_json::Value {
        let mut data = data(entry, loops);
        data["findings"] = self
            .found(entry, |it| {
                json!({
                    "subject": it.verdict.subject,
                    "mode": it.verdict.occasion,
                    "container": it.verdict.evidence.part,
                    "message": it.verdict.message,
                    "since": it.since.to_string(),
                    "cleanSince": it.rests.map(|it| it.since.to_string()),
                    "resolvesAt": it.rests.map(|it| it.until().to_string()),
                })
            })
            .into();
        (data["exceptions"], data["skipped"]) = self.exceptions_data(entry);
        data
    }
}

/// A policy as lists show it.
fn summary(entry: &Entry) -> PolicySummary {
    PolicySummary {
        kind: entry.policy.kind.clone(),
        namespace: entry.policy.namespace.clone(),
        name: entry.policy.name.clone(),
        active: entry.state.is_active(),
        problem: shown_problem(entry),
    }
}

/// What is wrong with a policy, for lists: the newest revision's problem, or why it is not in force.
fn shown_problem(entry: &Entry) -> String {
    use crate::index::State;
    match (problem(entry), &entry.state) {
        (Some(problem), _) => problem.to_owned(),
        (None, State::Active | State::Disabled) => String::new(),
        (None, state) => state.sentence(),
    }
}

/// Whether the word for a kind, as users write it, means rules or exceptions from them.
pub fn names_a_rule(kind: &str) -> bool {
    const WORDS: [&str; 9] =
        ["rule", "rules", "pcr", "portalclusterrule", "portalclusterrules", "pr", "portalrule", "portalrules", FOLDER];
    WORDS.iter().chain(&exceptions::WORDS).any(|it| it.eq_ignore_ascii_case(kind))
}

fn is_meant(entry: &Entry, target: &Target) -> bool {
    let kind = target.kind.to_ascii_lowercase();
    let named = entry.key.name == target.name || entry.policy.name == target.name;
    let here = target.namespace.is_empty() || entry.policy.namespace == target.namespace;
    match kind.as_str() {
        "rule" | "rules" => named && (here || entry.policy.namespace.is_empty()),
        "pcr" | "portalclusterrule" | "portalclusterrules" => entry.key.origin == CLUSTER_RULE && named,
        "pr" | "portalrule" | "portalrules" => entry.key.origin == RULE && named && here,
        FOLDER => entry.key.origin == FOLDER && named,
        _ => false,
    }
}

fn headline(entry: &Entry, loops: &[Mode]) -> String {
    let name = &entry.policy.name;
    match (entry.state.is_active(), problem(entry)) {
        (true, None) => format!("rule `{name}` is in force on {}", words(&entry.active_on(loops))),
        (true, Some(_)) => format!("rule `{name}` is in force in its last good revision; the newest one is broken"),
        (false, _) => format!("rule `{name}` is not in force: {}", entry.state.sentence()),
    }
}

fn words(modes: &[Mode]) -> String {
    mode_words(modes).join(", ")
}

fn section(entry: &Entry, loops: &[Mode]) -> Section {
    let mut rows = vec![
        ("state", entry.state.reason().to_owned()),
        ("source", describe(&entry.key)),
        ("revision", entry.policy.revision.clone()),
    ];
    if let Some(rule) = &entry.rule {
        rows.extend(of_rule(rule));
        rows.push(("active on", words(&entry.active_on(loops))));
    }
    if let Some(problem) = problem(entry) {
        rows.push(("problem", problem.to_owned()));
    }
    let warnings = entry.rule.iter().flat_map(|it| it.remarks());
    rows.extend(warnings.map(|it| ("warning", it.clone())));
    let (evaluations, violations) = entry.counts.pair();
    rows.push(("evaluations", evaluations.to_string()));
    rows.push(("violations", violations.to_string()));
    rows.push(("errors", entry.counts.errors.load(Relaxed).to_string()));
    let rows = rows.into_iter().map(|(head, text)| vec![head.to_owned(), text]).collect();
    Section { title: entry.policy.name.clone(), columns: Vec::new(), rows }
}

fn of_rule(rule: &Rule) -> Vec<(&'static str, String)> {
    let kinds = rule.matcher.patterns.iter().chain(&rule.matcher.kinds);
    let kinds: Vec<_> = kinds.map(|it| format!("{} {}", it.api_version(), it.kind)).collect();
    let mut rows = vec![("expression", rule.expression.clone()), ("kinds", kinds.join(", "))];
    if let Some(home) = &rule.home {
        rows.push(("confined to", home.clone()));
    }
    for (head, list) in [("include", &rule.matcher.include), ("exclude", &rule.matcher.exclude)] {
        if !list.is_empty() {
            rows.push((head, list.join(", ")));
        }
    }
    rows.extend(rule.matcher.narrow.words());
    rows.push(("modes", words(&rule.modes)));
    let classes: Vec<_> = rule.events.classes.iter().map(|it| it.as_str()).collect();
    if !classes.is_empty() {
        rows.push(("events", classes.join(", ")));
    }
    if !rule.resolve_after.is_zero() {
        rows.push((
            "resolves after",
            format!("{:#}", jiff::SignedDuration::try_from(rule.resolve_after).unwrap_or_default()),
        ));
    }
    rows.push(("action", rule.enforcement.map_or("report only", |it| it.as_str()).to_owned()));
    if rule.exceptions == ExceptionScope::Namespaced {
        rows.push(("takes exceptions of", "the cluster and namespaces".to_owned()));
    }
    if let Some(severity) = rule.severity {
        rows.push(("severity", severity.as_str().to_owned()));
    }
    let actions: Vec<_> = rule.actions.iter().map(|it| it.action.as_str()).collect();
    if !actions.is_empty() {
        rows.push(("actions", actions.join(", ")));
    }
    rows
}

fn data(entry: &Entry, loops: &[Mode]) -> serde_json::Value {
    let (evaluations, violations) = entry.counts.pair();
    let rule = entry.rule.as_ref().map(|rule| {
        json!({
            "enabled": rule.enabled,
            "expression": rule.expression,
            "kinds": rule.matcher.kinds,
            "include": rule.matcher.include,
            "exclude": rule.matcher.exclude,
            "narrowedBy": rule.matcher.narrow.words().into_iter().collect::<std::collections::BTreeMap<_, _>>(),
            "modes": rule.modes,
            "enforcementAction": rule.enforcement,
            "severity": rule.severity,
            "confinedTo": rule.home,
            "warnings": rule.remarks().collect::<Vec<_>>(),
        })
    });
    json!({
        "policy": entry.policy,
        "source": describe(&entry.key),
        "state": entry.state.reason(),
        "active": entry.state.is_active(),
        "activeOn": mode_words(&entry.active_on(loops)),
        "problem": problem(entry),
        "rule": rule,
        "evaluations": evaluations,
        "violations": violations,
        "errors": entry.counts.errors.load(Relaxed),
    })
}
