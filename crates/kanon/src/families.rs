//! The policy families of this binary: one line each.

use std::{num::NonZeroU64, sync::Arc, time::Duration};

use kanon_core::{GroupVersionKind, Rate};
use kanon_lang::{LanguageId, Languages, Limits};
use kanon_plane::Family;
use kanon_rules::{AlertScope, EnforcementSwitch, Mode, NetworkSettings, PodShapes, Responses, Timing, VetSettings};
use kanon_runtime::Clock;

/// What families are told about this process.
#[derive(Clone)]
pub(crate) struct Settings {
    /// Whether this process has the rules and no other family.
    pub(crate) only_rules: bool,
    /// The namespace Kanon runs in; empty when it runs in none.
    pub(crate) namespace: String,
    /// The only namespaces that it looks after; where there are none, all are.
    pub(crate) namespaces: Vec<String>,
    /// What becomes of denials.
    pub(crate) enforcement: EnforcementSwitch,
    /// The share of requests beyond which a rule that denies them warns.
    pub(crate) breaker: Option<u8>,
    /// Whether requests are refused that rules cannot be asked about.
    pub(crate) fail_closed: bool,
    /// How rules are looked at when they are stored.
    pub(crate) vet: VetSettings,
    /// Which kinds make pods, besides Kubernetes' own.
    pub(crate) shapes: PodShapes,
    /// How rules are audited.
    pub(crate) audit: Audit,
    /// After one question in how many rules are timed; never where there is nothing.
    pub(crate) time_rules: Option<NonZeroU64>,
    /// How network policies are checked; not at all where there is nothing.
    pub(crate) network: Option<NetworkSettings>,
    /// Whether rules are asked about events of running workloads.
    pub(crate) runtime: bool,
    /// What can be done about violations.
    pub(crate) responses: Responses,
    /// What measures how long evaluations take; nothing where nobody waits for them.
    pub(crate) clock: Option<Clock>,
}

/// Those of a process that only looks at policies: every action is known, none runs.
impl Default for Settings {
    fn default() -> Settings {
        let responses = Responses { alerts: Some(AlertScope::Rules), ..Responses::default() };
        let enforcement = EnforcementSwitch::On;
        let (audit, network, runtime) = (Audit::default(), None, false);
        Settings {
            only_rules: false,
            namespace: String::new(),
            namespaces: Vec::new(),
            enforcement,
            breaker: None,
            fail_closed: false,
            vet: VetSettings::default(),
            shapes: PodShapes::default(),
            audit,
            time_rules: None,
            network,
            runtime,
            responses,
            clock: None,
        }
    }
}

/// How rules are audited.
#[derive(Clone, Debug)]
pub(crate) struct Audit {
    /// Whether stored objects are looked at at all.
    pub(crate) runs: bool,
    /// Whether evaluations count: not where a command only has a look.
    pub(crate) counts: bool,
    /// Kinds that are watched whatever the rules read.
    pub(crate) watched: Vec<GroupVersionKind>,
    /// Whether everything is kept of watched objects, and not what is read alone.
    pub(crate) whole: bool,
    /// How often verdicts that may change by themselves are asked for again.
    pub(crate) resync: Duration,
    /// How many objects are looked at when the audit begins.
    pub(crate) sweep: Option<Rate>,
}

impl Default for Audit {
    fn default() -> Audit {
        let (watched, resync) = (Vec::new(), kanon_rules::RESYNC);
        Audit { runs: false, counts: true, watched, whole: false, resync, sweep: None }
    }
}

/// All families, in the order in which they decide.
pub(crate) fn all(languages: &Languages, settings: &Settings) -> Vec<Box<dyn Family>> {
    let Settings { only_rules, namespace, enforcement, breaker, shapes, audit, network, runtime, .. } = settings;
    let Settings { namespaces, fail_closed, vet, time_rules, responses, clock, .. } = settings;
    let others = [(audit.runs, Mode::Audit), (*runtime, Mode::Runtime)].into_iter();
    let loops = std::iter::once(Mode::Admission).chain(others.filter(|it| it.0).map(|it| it.1)).collect();
    let rules = kanon_rules::Settings {
        // Whoever runs in the namespace that he looks after has no other.
        excluded_namespaces: [namespace]
            .into_iter()
            .filter(|it| !it.is_empty() && !namespaces.contains(it))
            .cloned()
            .collect(),
        namespaces: namespaces.clone(),
        loops,
        shapes: shapes.clone(),
        watched: audit.watched.clone(),
        whole_objects: audit.whole,
        resync: audit.resync,
        sweep: audit.sweep,
        counts: audit.counts,
        enforcement: *enforcement,
        breaker: *breaker,
        fail_closed: *fail_closed,
        vet: *vet,
        awaits_exceptions: true,
        timing: time_rules.map(|it| Arc::new(Timing::one_in(it))),
        limits: clock.map_or_else(Limits::default, |it| kanon_rules::timed_limits(Arc::new(it))),
    };
    let rules = kanon_rules::RulesFamily::new(languages[&LanguageId::EXPR].clone(), rules)
        .with_actions(kanon_actions::all())
        .with_responses(Responses { namespaces: namespaces.clone(), ..responses.clone() });
    let rules = match network {
        Some(settings) => rules.with_network(settings),
        None => rules,
    };
    if *only_rules {
        return vec![Box::new(rules)];
    }
    vec![
        Box::new(rules),
        Box::new(kanon_integrity::IntegrityFamily::default()),
        Box::new(kanon_signals::SignalsFamily::new(
            languages[&LanguageId::REGO].clone(),
            kanon_signals::Settings::of(namespace).within(namespaces),
        )),
        Box::new(kanon_promotion::PromotionFamily::new(
            languages[&LanguageId::CEL].clone(),
            kanon_promotion::Settings::default(),
        )),
    ]
}
