//! The built-in checks (spec/rules 6.3, 6.6): from a namespace of the model to findings. Pure: the same namespace gives the same
//! findings in the same order. Nothing here knows what was found before (`findings`).

mod further;
mod original;

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    str::FromStr,
};

use kanon_core::{GroupVersionKind, ObjectRef};
use serde::Serialize;

use crate::{model::Namespace, policy::Policy};

/// How bad a finding is; the words of rules.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Worth knowing.
    Info,
    /// Low.
    Low,
    /// Medium.
    Medium,
    /// High.
    High,
    /// Critical.
    Critical,
}

impl Severity {
    /// The word as users write it.
    pub fn as_str(self) -> &'static str {
        match self {
            Severity::Info => "info",
            Severity::Low => "low",
            Severity::Medium => "medium",
            Severity::High => "high",
            Severity::Critical => "critical",
        }
    }
}

impl fmt::Display for Severity {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.as_str())
    }
}

/// A built-in check.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Check {
    /// A namespace with pods has no default-deny policy for ingress.
    DefaultDenyMissing,
    /// An egress rule opens a large part of the internet.
    BroadCidr,
    /// A policy selects no pod.
    UnreachableSelector,
    /// A policy selects every pod, has no rule, and leaves its types to be implied.
    PolicyWithoutTargets,
    /// A namespace with pods has no default-deny policy for egress.
    DefaultDenyEgressMissing,
    /// A namespace has policies, and pods that none of them isolates.
    PodUncovered,
    /// An ingress rule admits everybody.
    IngressFromAnywhere,
    /// An egress rule names no destination and is about more than DNS.
    EgressToAnywhere,
    /// An ingress rule names a port that no selected pod announces.
    UnknownPort,
    /// Another policy admits all that this one admits.
    RedundantPolicy,
}

/// A word that is no check.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no network check: they are {known}", known = Check::ALL.map(Check::id).join(", "))]
pub struct UnknownCheck(pub String);

impl Check {
    /// Every check, those of the original first.
    pub const ALL: [Check; 10] = [
        Check::DefaultDenyMissing,
        Check::BroadCidr,
        Check::UnreachableSelector,
        Check::PolicyWithoutTargets,
        Check::DefaultDenyEgressMissing,
        Check::PodUncovered,
        Check::IngressFromAnywhere,
        Check::EgressToAnywhere,
        Check::UnknownPort,
        Check::RedundantPolicy,
    ];

    /// Those that run unless told otherwise: the original's.
    pub const DEFAULT: [Check; 4] =
        [Check::DefaultDenyMissing, Check::BroadCidr, Check::UnreachableSelector, Check::PolicyWithoutTargets];

    /// Its rule id.
    pub fn id(self) -> &'static str {
        match self {
            Check::DefaultDenyMissing => "np.default-deny-missing",
            Check::BroadCidr => "np.broad-cidr",
            Check::UnreachableSelector => "np.unreachable-selector",
            Check::PolicyWithoutTargets => "np.policy-without-targets",
            Check::DefaultDenyEgressMissing => "np.default-deny-egress-missing",
            Check::PodUncovered => "np.pod-uncovered",
            Check::IngressFromAnywhere => "np.ingress-from-anywhere",
            Check::EgressToAnywhere => "np.egress-to-anywhere",
            Check::UnknownPort => "np.unknown-port",
            Check::RedundantPolicy => "np.redundant-policy",
        }
    }

    /// What it looks for: one sentence.
    pub fn summary(self) -> &'static str {
        match self {
            Check::DefaultDenyMissing => "a namespace with pods has no default-deny policy for ingress",
            Check::BroadCidr => "an egress rule opens a large part of the internet",
            Check::UnreachableSelector => "a policy selects no pod of its namespace",
            Check::PolicyWithoutTargets => {
                "a policy selects every pod, has no rule, and does not state its policyTypes"
            }
            Check::DefaultDenyEgressMissing => "a namespace with pods has no default-deny policy for egress",
            Check::PodUncovered => "a namespace has policies, and pods that none of them isolates for ingress",
            Check::IngressFromAnywhere => "an ingress rule admits everybody",
            Check::EgressToAnywhere => "an egress rule names no destination and is about more than DNS",
            Check::UnknownPort => "an ingress rule names a port that no selected pod announces",
            Check::RedundantPolicy => "another policy admits all that this one admits",
        }
    }

    /// Whether its findings are about a namespace as a whole; else they are about a policy.
    pub fn is_about_namespace(self) -> bool {
        matches!(self, Check::DefaultDenyMissing | Check::DefaultDenyEgressMissing | Check::PodUncovered)
    }

    /// How bad its findings are, unless re-graded.
    pub fn severity(self) -> Severity {
        match self {
            Check::BroadCidr => Severity::High,
            Check::DefaultDenyMissing | Check::PodUncovered | Check::IngressFromAnywhere | Check::EgressToAnywhere => {
                Severity::Medium
            }
            Check::UnreachableSelector
            | Check::PolicyWithoutTargets
            | Check::DefaultDenyEgressMissing
            | Check::UnknownPort => Severity::Low,
            Check::RedundantPolicy => Severity::Info,
        }
    }
}

impl fmt::Display for Check {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.id())
    }
}

/// By its id.
impl FromStr for Check {
    type Err = UnknownCheck;

    fn from_str(text: &str) -> Result<Check, UnknownCheck> {
        Check::ALL.into_iter().find(|it| it.id() == text).ok_or_else(|| UnknownCheck(text.to_owned()))
    }
}

/// Which finding: the same as long as what it is about is the same.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct FindingKey {
    /// The check.
    pub check: Check,
    /// The namespace.
    pub namespace: String,
    /// The policy; `None` where the namespace is meant.
    pub policy: Option<String>,
    /// Which rule of it, and which of the rule's peers or ports.
    pub place: Option<(usize, Option<usize>)>,
}

/// The event id of spec/rules 6.3: `np.broad-cidr:shop/out:0:1`.
impl fmt::Display for FindingKey {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}:{}", self.check, self.namespace)?;
        if let Some(policy) = &self.policy {
            write!(out, "/{policy}")?;
        }
        if let Some((rule, part)) = self.place {
            write!(out, ":{rule}")?;
            if let Some(part) = part {
                write!(out, ":{part}")?;
            }
        }
        Ok(())
    }
}

/// Something that a check found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// Which one it is.
    pub key: FindingKey,
    /// How bad it is.
    pub severity: Severity,
    /// The object it is about.
    pub subject: ObjectRef,
    /// A sentence for people.
    pub message: String,
}

/// What is checked, and how grave it is (spec/rules 6.5).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    /// The checks that run.
    pub on: BTreeSet<Check>,
    /// Severities other than the checks' own.
    pub severities: BTreeMap<Check, Severity>,
    /// Namespaces that are passed over.
    pub excluded: BTreeSet<String>,
}

/// The original's four checks; not the namespaces of the system (spec/rules 4.5).
impl Default for Options {
    fn default() -> Options {
        let excluded = ["kube-system", "kube-public", "kube-node-lease"].map(str::to_owned).into();
        Options { on: Check::DEFAULT.into(), severities: BTreeMap::new(), excluded }
    }
}

/// What the checks find in a namespace, in order of keys.
pub fn check(namespace: &Namespace, options: &Options) -> Vec<Finding> {
    if options.excluded.contains(&namespace.name) {
        return Vec::new();
    }
    let mut found = Found { namespace, options, list: Vec::new() };
    original::check(&mut found);
    further::check(&mut found);
    found.list.sort_by(|a, b| a.key.cmp(&b.key));
    found.list
}

/// Collects findings of one namespace.
struct Found<'n> {
    namespace: &'n Namespace,
    options: &'n Options,
    list: Vec<Finding>,
}

impl Found<'_> {
    fn wants(&self, check: Check) -> bool {
        self.options.on.contains(&check)
    }

    fn add(&mut self, key: FindingKey, subject: ObjectRef, message: String) {
        if self.wants(key.check) {
            let severity = self.options.severities.get(&key.check).copied().unwrap_or(key.check.severity());
            self.list.push(Finding { key, severity, subject, message });
        }
    }

    /// About the namespace itself. Its own name stands as its namespace, so that it lands in that namespace's report.
    fn on_namespace(&mut self, check: Check, message: String) {
        let name = self.namespace.name.clone();
        let gvk = GroupVersionKind::new("", "v1", "Namespace");
        let subject = ObjectRef { gvk, namespace: name.clone(), name: name.clone(), uid: String::new() };
        self.add(FindingKey { check, namespace: name, policy: None, place: None }, subject, message);
    }

    fn on_policy(&mut self, check: Check, policy: &Policy, place: Option<(usize, Option<usize>)>, message: String) {
        let namespace = self.namespace.name.clone();
        let gvk = GroupVersionKind::new("networking.k8s.io", "v1", "NetworkPolicy");
        let name = policy.name.clone();
        let subject = ObjectRef { gvk, namespace: namespace.clone(), name: name.clone(), uid: policy.uid.clone() };
        self.add(FindingKey { check, namespace, policy: Some(name), place }, subject, message);
    }
}

/// `1 pod`, `3 pods`
fn count(number: usize, noun: &str) -> String {
    let plural = match noun.strip_suffix('y') {
        Some(stem) => format!("{stem}ies"),
        None => format!("{noun}s"),
    };
    if number == 1 { format!("1 {noun}") } else { format!("{number} {plural}") }
}
