//! The environment layer: `PANDO_*` variables, given as a map (spec/runtime-integrity 2.1). A value that cannot be used is
//! ignored with one warning; an empty one is the same as none. No message quotes a value, which may be a credential.

use std::collections::BTreeMap;

use crate::{
    api::{Mode, ResponseAction},
    secret::{Endpoint, Integration},
    validate::{Chain, ESCALATION_DELAY_SEC_MAX},
    warning::{Reason, Warning},
};

/// Variables by name. Names that mean nothing here are passed over.
pub type Env = BTreeMap<String, String>;

/// Names of the variables, as the documentation spells them.
pub(crate) mod names {
    pub(crate) const MODE: &str = "PANDO_MODE";
    pub(crate) const INCREMENTAL: &str = "PANDO_THRESHOLD_INCREMENTAL";
    pub(crate) const CUMULATIVE: &str = "PANDO_THRESHOLD_CUMULATIVE";
    pub(crate) const ACTIONS: &str = "PANDO_RESPONSE_ACTIONS";
    pub(crate) const ESCALATION: &str = "PANDO_ESCALATION_TIMEOUT_SECS";
    pub(crate) const RECOVERY: &str = "PANDO_RECOVERY_TIMEOUT_SECS";
    pub(crate) const ML: &str = "PANDO_ML_ENABLED";
    pub(crate) const NETWORK_AUDIT: &str = "PANDO_NETWORK_AUDIT_ENABLED";
    pub(crate) const ATTESTATION: &str = "PANDO_ATTESTATION_ENABLED";
    pub(crate) const SLACK: &str = "PANDO_SLACK_WEBHOOK_URL";
    pub(crate) const PAGERDUTY: &str = "PANDO_PAGERDUTY_ROUTING_KEY";
    pub(crate) const MULTIPLIER: &str = "PANDO_SENSITIVITY";
    pub(crate) const PROFILE: &str = "PANDO_RUNTIME_PROFILE";
}

/// What the environment sets.
#[derive(Default)]
pub(crate) struct Layer {
    pub(crate) mode: Option<Mode>,
    pub(crate) chain: Option<Chain>,
    /// Which variable gave the chain.
    pub(crate) chain_origin: &'static str,
    pub(crate) escalation_delay_sec: Option<u32>,
    pub(crate) recovery_timeout_sec: Option<u32>,
    pub(crate) incremental: Option<f64>,
    pub(crate) cumulative: Option<f64>,
    pub(crate) ml_detection: Option<bool>,
    pub(crate) network_audit: Option<bool>,
    pub(crate) attestation: Option<bool>,
    pub(crate) slack: Option<Endpoint>,
    pub(crate) pagerduty: Option<Endpoint>,
    pub(crate) numeric_multiplier: Option<f64>,
    pub(crate) profile: Option<Profile>,
}

/// What kind of program the pod runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Profile {
    Default,
    Jit,
    Database,
}

/// `PANDO_MODE`; `isolate` is a mode of the later dialect (1.10): `enforce` with a chain that ends before termination.
#[derive(Clone, Copy)]
enum ModeWord {
    Plain(Mode),
    Isolate,
}

/// Reads every variable once, so that a broken one is warned about whether or not a policy overrules it.
pub(crate) fn read(env: &Env, warnings: &mut Vec<Warning>) -> Layer {
    let mut it = Reader { env, warnings };
    let mode = it.get(names::MODE, "`monitor`, `alert`, `enforce`, `debug` or `isolate`", mode_word);
    let written = it.get(names::ACTIONS, "a comma list of `alert`, `isolate`, `terminate`", chain);
    let (mode, implied) = match mode {
        Some(ModeWord::Isolate) => (Some(Mode::Enforce), Chain::new(&[ResponseAction::Alert, ResponseAction::Isolate])),
        Some(ModeWord::Plain(mode)) => (Some(mode), None),
        None => (None, None),
    };
    let chain_origin = if implied.is_some() { names::MODE } else { names::ACTIONS };
    let share = "a number from 0.0 to 1.0";
    let switch = "`true` or `false`";
    Layer {
        mode,
        chain: implied.or(written),
        chain_origin,
        escalation_delay_sec: it.get(names::ESCALATION, "a whole number from 0 to 3600", |text| {
            text.parse().ok().filter(|it| *it <= ESCALATION_DELAY_SEC_MAX)
        }),
        recovery_timeout_sec: it.get(names::RECOVERY, "a whole number of seconds", |text| text.parse().ok()),
        incremental: it.get(names::INCREMENTAL, share, |text| number(text, 0.0, 1.0)),
        cumulative: it.get(names::CUMULATIVE, share, |text| number(text, 0.0, 1.0)),
        ml_detection: it.get(names::ML, switch, boolean),
        network_audit: it.get(names::NETWORK_AUDIT, switch, boolean),
        attestation: it.get(names::ATTESTATION, switch, boolean),
        slack: it.get(names::SLACK, "a Slack webhook URL", |text| Integration::Slack.parse(text)),
        pagerduty: it.get(names::PAGERDUTY, "a routing key", |text| Integration::PagerDuty.parse(text)),
        numeric_multiplier: it.get(names::MULTIPLIER, "a number from 0.5 to 10.0", |text| number(text, 0.5, 10.0)),
        profile: it.get(names::PROFILE, "`default`, `jit` or `database`", profile),
    }
}

struct Reader<'a> {
    env: &'a Env,
    warnings: &'a mut Vec<Warning>,
}

impl Reader<'_> {
    fn get<T>(&mut self, name: &str, expected: &str, parse: impl Fn(&str) -> Option<T>) -> Option<T> {
        let text = self.env.get(name).map(|it| it.trim()).filter(|it| !it.is_empty())?;
        let value = parse(text);
        if value.is_none() {
            let message = format!("`{name}` is ignored: it is not {expected}");
            self.warnings.push(Warning::new(Reason::EnvironmentIgnored, message));
        }
        value
    }
}

fn mode_word(text: &str) -> Option<ModeWord> {
    let plain = Mode::ALL.into_iter().find(|it| it.as_str() == text).map(ModeWord::Plain);
    plain.or_else(|| (text == "isolate").then_some(ModeWord::Isolate))
}

fn chain(text: &str) -> Option<Chain> {
    let action = |word: &str| ResponseAction::ALL.into_iter().find(|it| it.as_str() == word.trim());
    Chain::new(&text.split(',').map(action).collect::<Option<Vec<_>>>()?)
}

/// NaN lies in no range.
fn number(text: &str, min: f64, max: f64) -> Option<f64> {
    text.parse().ok().filter(|it| (min..=max).contains(it))
}

fn boolean(text: &str) -> Option<bool> {
    match text.to_ascii_lowercase().as_str() {
        "true" | "1" | "yes" => Some(true),
        "false" | "0" | "no" => Some(false),
        _ => None,
    }
}

fn profile(text: &str) -> Option<Profile> {
    match text {
        "default" => Some(Profile::Default),
        "jit" => Some(Profile::Jit),
        "database" => Some(Profile::Database),
        _ => None,
    }
}
