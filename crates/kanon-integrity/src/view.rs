//! What `explain`, `policy list` and the dashboard see: the policies of every namespace, each resolved when it changed.

use std::sync::Arc;

use kanon_core::{FamilyId, Now, Review};
use kanon_plane::{
    AdmissionRule, Explanation, Lookups, PolicyEntry, PolicyKey, PolicyStore, PolicySummary, Reviewed, Section, Target,
    View,
};
use serde_json::{Value, json};

use crate::{
    api,
    env::Env,
    resolve::{Defaults, Effective, Source, resolve},
    status,
    validate::{Policy, Problem},
    warning::Warning,
};

/// The namespace meant when the command line names none.
const DEFAULT_NAMESPACE: &str = "default";
/// Why a policy with another name does not count (seed: "one policy per namespace").
pub(crate) const NAME_MESSAGE: &str = "only the policy named `default` counts in a namespace; this one is ignored";

/// A policy object, validated and resolved.
#[derive(Clone, Debug)]
pub struct Compiled {
    /// What it sets.
    pub policy: Policy,
    /// What it wanted to set and could not.
    pub problems: Vec<Problem>,
    /// What its namespace gets.
    pub effective: Effective,
    /// What deserves a word.
    pub warnings: Vec<Warning>,
}

/// The family's snapshot.
pub struct IntegrityView {
    /// Every policy object, those with other names too.
    pub policies: PolicyStore<Compiled>,
    /// What a namespace without a policy gets.
    pub fallback: Arc<(Effective, Vec<Warning>)>,
}

impl IntegrityView {
    /// A view without policies: environment and built-in values everywhere.
    pub fn new(env: &Env, defaults: &Defaults) -> IntegrityView {
        IntegrityView { policies: PolicyStore::default(), fallback: Arc::new(resolve(None, env, defaults)) }
    }

    /// Settings in force in a namespace.
    pub fn effective(&self, namespace: &str) -> &Effective {
        let entry = self.policies.get(&key(namespace, api::POLICY_NAME));
        entry.and_then(|it| it.good.as_deref()).map_or(&self.fallback.0, |it| &it.effective)
    }

    fn explain_entry(&self, namespace: &str, name: &str, entry: &PolicyEntry<Compiled>) -> Explanation {
        let compiled = entry.good.as_deref();
        let (effective, warnings) = match compiled {
            Some(it) if name == api::POLICY_NAME => (&it.effective, &it.warnings),
            _ => (&self.fallback.0, &self.fallback.1),
        };
        let problem = problem(name, entry);
        let mode = effective.mode.value.as_str();
        let headline = match (name == api::POLICY_NAME, problem.is_empty()) {
            (false, _) => format!("PandoCorePolicy {namespace}/{name} is ignored: {NAME_MESSAGE}"),
            (true, true) => format!("PandoCorePolicy {namespace}/{name} is in force: mode {mode}"),
            (true, false) => format!("PandoCorePolicy {namespace}/{name}: mode {mode}, with problems: {problem}"),
        };
        let mut explanation = explanation(headline, namespace, effective, warnings);
        let problems = compiled.map(|it| it.problems.as_slice()).unwrap_or_default();
        if !problems.is_empty() {
            let rows = problems.iter().map(|it| vec![it.path.clone(), it.message.clone()]).collect();
            explanation.sections.push(section("Ignored fields", &["FIELD", "WHY"], rows));
        }
        let paths = problems.iter().map(|it| json!({"path": it.path, "message": it.message}));
        explanation.data["policy"] = json!({
            "namespace": namespace, "name": name, "revision": entry.revision.short(), "problem": problem,
            "ignoredFields": paths.collect::<Vec<_>>(),
        });
        explanation
    }
}

impl View for IntegrityView {
    fn family(&self) -> FamilyId {
        api::FAMILY
    }

    fn admission_rules(&self) -> Vec<AdmissionRule> {
        Vec::new()
    }

    fn review(&self, _: &Review, _: &dyn Lookups, _: Now) -> Reviewed {
        Reviewed { verdicts: Vec::new(), counts: Arc::new(()) }
    }

    fn policies(&self) -> Vec<PolicySummary> {
        let summary = |(key, entry): (&PolicyKey, &PolicyEntry<Compiled>)| PolicySummary {
            kind: key.origin.clone(),
            namespace: key.namespace.clone(),
            name: key.name.clone(),
            active: key.name == api::POLICY_NAME && entry.good.is_some(),
            problem: problem(&key.name, entry),
        };
        self.policies.iter().map(summary).collect()
    }

    fn explain(&self, target: &Target, _: Now) -> Option<Explanation> {
        let words = [api::SHORT_NAME, api::SINGULAR, api::PLURAL];
        if !words.iter().any(|word| word.eq_ignore_ascii_case(&target.kind)) {
            return None;
        }
        let namespace = if target.namespace.is_empty() { DEFAULT_NAMESPACE } else { &target.namespace };
        if let Some(entry) = self.policies.get(&key(namespace, &target.name)) {
            return Some(self.explain_entry(namespace, &target.name, entry));
        }
        if target.name != api::POLICY_NAME {
            return None;
        }
        let (effective, warnings) = &*self.fallback;
        let mode = effective.mode.value.as_str();
        let headline = format!(
            "namespace {namespace} has no PandoCorePolicy: environment and built-in values are in force, mode {mode}"
        );
        let mut explanation = explanation(headline, namespace, effective, warnings);
        explanation.data["policy"] = Value::Null;
        Some(explanation)
    }
}

/// The key of a policy object in the store.
pub(crate) fn key(namespace: &str, name: &str) -> PolicyKey {
    PolicyKey { origin: api::KIND.to_owned(), namespace: namespace.to_owned(), name: name.to_owned() }
}

/// What is wrong with a policy, in one line; empty when nothing is.
fn problem(name: &str, entry: &PolicyEntry<Compiled>) -> String {
    if name != api::POLICY_NAME {
        return NAME_MESSAGE.to_owned();
    }
    let ignored = || entry.good.as_ref().map(|it| status::sentence(&it.problems)).unwrap_or_default();
    entry.problem.clone().unwrap_or_else(ignored)
}

fn explanation(headline: String, namespace: &str, effective: &Effective, warnings: &[Warning]) -> Explanation {
    let settings = effective.settings();
    let source = |source: Source, origin: &str| match (source, origin) {
        (Source::Default, _) => "built-in".to_owned(),
        (source, origin) => format!("{} {origin}", if source == Source::Env { "environment" } else { "policy" }),
    };
    let rows = settings.iter().map(|it| vec![it.name.to_owned(), it.text.clone(), source(it.source, it.origin)]);
    let mut sections = vec![section("", &["SETTING", "VALUE", "SOURCE"], rows.collect())];
    if !warnings.is_empty() {
        let rows = warnings.iter().map(|it| vec![it.reason.as_str().to_owned(), it.message.clone()]).collect();
        sections.push(section("Warnings", &["REASON", "MESSAGE"], rows));
    }
    let member = |it: &crate::resolve::Setting| {
        (it.name.to_owned(), json!({"value": it.value, "source": it.source.as_str(), "origin": it.origin}))
    };
    let values: serde_json::Map<_, _> = settings.iter().map(member).collect();
    let warning = |it: &Warning| json!({"reason": it.reason.as_str(), "message": it.message});
    let data = json!({
        "namespace": namespace,
        "effective": values,
        "warnings": warnings.iter().map(warning).collect::<Vec<_>>(),
    });
    Explanation { headline, sections, data }
}

fn section(title: &str, columns: &[&str], rows: Vec<Vec<String>>) -> Section {
    Section { title: title.to_owned(), columns: columns.iter().map(|it| (*it).to_owned()).collect(), rows }
}
