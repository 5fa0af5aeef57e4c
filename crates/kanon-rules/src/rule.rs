//! A checked rule: what everything behind `validate` works with. No raw text, no optional meaning.

use std::{fmt, str::FromStr, sync::Arc, time::Duration};

use kanon_core::{GroupVersionKind, Operation, Rate};
use kanon_events::{Class, Event};
use kanon_lang::Program;
use kanon_plane::Prepared;
use serde::Serialize;
use serde_json::{Map, Value};

use crate::{
    lookups::{Referenced, resources::Resources},
    message::Message,
    narrow::Narrow,
    reads::ObjectReads,
    validate::Cases,
};

macro_rules! words {
    ($(#[$doc:meta])* $name:ident { $($(#[$variant_doc:meta])* $variant:ident = $word:literal,)* }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
        #[serde(rename_all = "lowercase")]
        pub enum $name { $($(#[$variant_doc])* $variant,)* }

        impl $name {
            /// Every word a user may write.
            pub const WORDS: &[&str] = &[$($word),*];

            /// The word as users write it.
            pub fn as_str(self) -> &'static str {
                match self { $($name::$variant => $word,)* }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
                out.write_str(self.as_str())
            }
        }

        impl FromStr for $name {
            type Err = UnknownWord;

            fn from_str(text: &str) -> Result<$name, UnknownWord> {
                match text {
                    $($word => Ok($name::$variant),)*
                    _ => Err(UnknownWord { text: text.to_owned(), allowed: $name::WORDS }),
                }
            }
        }
    };
}

/// A word that is not one of those allowed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not one of {}", .allowed.join(", "))]
pub struct UnknownWord {
    text: String,
    allowed: &'static [&'static str],
}

words! {
    /// A loop that evaluates rules (seed, "Top-level fields").
    Mode {
        /// Requests to the API server, before they are stored.
        Admission = "admission",
        /// Stored objects.
        Audit = "audit",
        /// The network model.
        Network = "network",
        /// Events of running workloads.
        Runtime = "runtime",
    }
}

words! {
    /// How bad a violation is.
    Severity {
        /// Worth knowing.
        Info = "info",
        /// Low.
        Low = "low",
        /// Medium.
        Medium = "medium",
        /// High.
        High = "high",
        /// Critical.
        Critical = "critical",
    }
}

words! {
    /// What admission does about a violation; a rule without it only reports (spec/rules 1.2).
    Enforcement {
        /// Refuse the request.
        Deny = "deny",
        /// Allow it with a warning.
        Warn = "warn",
        /// Allow it and record the violation.
        DryRun = "dryrun",
    }
}

words! {
    /// What a failed evaluation means (spec/rules 2.10).
    OnError {
        /// Nothing: the rule fails open, and the failure is counted.
        Skip = "skip",
        /// A warning in admission.
        Warn = "warn",
        /// A denial in admission.
        Deny = "deny",
    }
}

words! {
    /// What becomes of an update of an object that violated the rule before (spec/rules 4.7).
    Preexisting {
        /// What becomes of any other.
        Enforce = "enforce",
        /// A denial is a warning.
        Tolerate = "tolerate",
    }
}

words! {
    /// Whose exceptions from a rule of the cluster count.
    ExceptionScope {
        /// Those of the cluster.
        Cluster = "cluster",
        /// Those of a namespace, too, for its objects.
        Namespaced = "namespaced",
    }
}

/// Which objects a rule is about.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Matcher {
    /// Kinds, compared exactly. In a snapshot those that entries with `*` mean are among them.
    pub kinds: Vec<GroupVersionKind>,
    /// Entries with `*` in place of group, version or kind: discovery says which kinds they mean.
    pub patterns: Vec<GroupVersionKind>,
    /// Namespaces it is limited to; none means all.
    pub include: Vec<String>,
    /// Namespaces taken out; wins over `include` (seed, "match").
    pub exclude: Vec<String>,
    /// What else must fit.
    pub(crate) narrow: Narrow,
}

impl Matcher {
    /// Whether objects of a namespace may match; cluster-scoped objects have the empty namespace.
    pub fn admits(&self, namespace: &str) -> bool {
        let named = |list: &[String]| list.iter().any(|it| it == namespace);
        (self.include.is_empty() || named(&self.include)) && !named(&self.exclude)
    }
}

/// Which events of running workloads a rule is about (spec/rules 7.3).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Events {
    /// Events of these classes; none means all on the rule's kinds.
    pub classes: Vec<Class>,
    /// Requests that came to nothing, too.
    pub include_denied: bool,
}

impl Events {
    /// Whether the rule is asked about an event.
    pub fn admits(&self, event: &Event) -> bool {
        let is_named = self.classes.is_empty() || event.classes.iter().any(|it| self.classes.contains(it));
        is_named && (self.include_denied || !event.is_refused)
    }

    /// Whether events of a class may concern the rule.
    pub fn names(&self, class: Class) -> bool {
        self.classes.is_empty() || self.classes.contains(&class)
    }
}

/// A response action with its effective parameters (spec/rules 1.4), as written.
#[derive(Clone, Debug, PartialEq)]
pub struct ActionSpec {
    /// The action's type, such as `alertmanager`.
    pub action: String,
    /// Loops whose violations run it; empty means all.
    pub on: Vec<Mode>,
    /// Executions per time, if limited by the user.
    pub rate: Option<Rate>,
    /// Inline keys overlaid by the keys of `params`.
    pub params: Map<String, Value>,
}

/// A response action and what this process makes of it.
#[derive(Clone)]
pub struct Response {
    /// As written.
    pub spec: ActionSpec,
    /// What it does.
    pub work: Work,
}

/// What a response action does here.
#[derive(Clone)]
pub enum Work {
    /// It runs.
    Run {
        /// The action's own word.
        id: &'static str,
        /// The default window of its type (spec/rules 8.4).
        window: Duration,
        /// Whether brake and budget hold it.
        destructive: bool,
        /// With its parameters.
        prepared: Prepared,
    },
    /// Nobody here knows the type.
    Unknown,
    /// Its parameters make no sense, or what it needs is not configured.
    Unusable,
}

/// A checked rule. INVARIANT: an enabled rule has a program and no problem.
#[derive(Clone)]
pub struct Rule {
    /// The logical name (`spec.name`): what labels, messages and reports show.
    pub name: String,
    /// The namespace that a PortalRule is confined to; `None` for cluster-wide rules.
    pub home: Option<String>,
    /// Whether it is evaluated at all.
    pub enabled: bool,
    /// How bad a violation is, if stated.
    pub severity: Option<Severity>,
    /// Loops that evaluate it, in the order written.
    pub modes: Vec<Mode>,
    /// What admission does; `None` reports only.
    pub enforcement: Option<Enforcement>,
    /// Which objects it is about.
    pub matcher: Matcher,
    /// Which events it is about, in mode `runtime`.
    pub events: Events,
    /// The expression's text.
    pub expression: String,
    /// The compiled expression; `None` only for a parked rule that does not compile.
    pub program: Option<Arc<dyn Program>>,
    /// What is wrong with a parked rule.
    pub problem: Option<String>,
    /// What a failed evaluation means.
    pub on_error: OnError,
    /// What becomes of an update of an object that violated it before.
    pub preexisting: Preexisting,
    /// Whose exceptions count.
    pub exceptions: ExceptionScope,
    /// How long an object must be clean before its finding ends.
    pub resolve_after: Duration,
    /// The text of a finding.
    pub message: Message,
    /// Response actions in order, the `alert` shorthand first.
    pub actions: Vec<ActionSpec>,
    /// What this process makes of each of them; none where rules are only looked at.
    pub responses: Vec<Response>,
    /// Cases that the command line runs.
    pub tests: Cases,
    /// What a careful author should know of what it says, though it works.
    pub(crate) warnings: Vec<String>,
    /// Whether it reads what only the object says, not the event that refers to it.
    pub reads_object: bool,
    /// Whether it reads `container`, and so runs once a container.
    pub per_container: bool,
    /// Whether it reads `request.operation`, and so wants to see deletions.
    pub reads_operation: bool,
    /// Whether it reads the clock: its verdict may change by itself.
    pub reads_clock: bool,
    /// Whether it reads `network`: its verdict may change with pods and policies.
    pub reads_network: bool,
    /// Resources that it looks things up of, as it names them.
    pub(crate) referenced: Referenced,
    /// What it reads of stored objects.
    pub(crate) reads: ObjectReads,
}

impl Rule {
    /// The rule as it is where these kinds are served: with those that its entries with `*` mean, and without those that nothing is known
    /// of.
    pub(crate) fn of_served(self: Arc<Rule>, resources: &Resources) -> Arc<Rule> {
        if self.matcher.patterns.is_empty() && self.matcher.kinds.iter().all(|it| resources.may_be_about(it)) {
            return self;
        }
        let mut rule = Rule::clone(&self);
        rule.matcher.kinds.retain(|it| resources.may_be_about(it));
        for kind in resources.meant(&rule.matcher.patterns, rule.home.is_some()) {
            if !rule.matcher.kinds.contains(&kind) && resources.may_be_about(&kind) {
                rule.matcher.kinds.push(kind);
            }
        }
        Arc::new(rule)
    }

    /// What a careful author should know, though the rule works: of what it says, and of its cases.
    pub fn remarks(&self) -> impl Iterator<Item = &String> {
        self.warnings.iter().chain(self.tests.warnings())
    }

    /// The rule with other cases, where it had others.
    pub(crate) fn with_cases(&self, tests: Cases) -> Option<Rule> {
        (self.tests != tests).then(|| Rule { tests, ..self.clone() })
    }

    /// Whether it reads other objects than the one it is about.
    pub(crate) fn looks_up(&self) -> bool {
        self.referenced.computed || !self.referenced.list.is_empty()
    }

    /// Whether it reads anything besides the object and the request: it is asked alone then, so that it is known what it read.
    pub(crate) fn looks_around(&self) -> bool {
        self.looks_up() || self.reads_network
    }

    /// Whether it is asked by itself, and not together with others.
    pub(crate) fn is_alone(&self) -> bool {
        self.looks_around() || self.matcher.narrow.is_by_object()
    }

    /// The operations that it wants to see in admission (spec/rules 4.7).
    pub(crate) fn operations(&self) -> Vec<Operation> {
        let listed = &self.matcher.narrow.operations;
        let all = [Operation::Create, Operation::Update, Operation::Delete, Operation::Connect];
        let is_wanted = |it: &Operation| match it {
            _ if !listed.is_empty() => listed.contains(it),
            Operation::Create | Operation::Update => true,
            Operation::Delete => self.reads_operation,
            Operation::Connect => false,
        };
        all.into_iter().filter(is_wanted).collect()
    }

    /// Whether objects of a kind in a namespace may concern it; cluster-scoped ones have the empty namespace.
    pub(crate) fn is_about(&self, kind: &GroupVersionKind, namespace: &str) -> bool {
        let at_home = self.home.as_ref().is_none_or(|home| home == namespace);
        at_home && self.matcher.kinds.contains(kind) && self.matcher.admits(namespace)
    }
}

impl fmt::Debug for Rule {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Rule { name, home, enabled, modes, expression, .. } = self;
        write!(out, "Rule({name:?}, home {home:?}, enabled {enabled}, {modes:?}, {expression:?})")
    }
}
