//! What is allowed and yet deserves a word: the reasons of the `Warnings` condition (spec/runtime-integrity 1.9).

use crate::{
    api::{Mode, ResponseAction},
    resolve::{Effective, Source, Sourced},
    secret::Endpoint,
};

/// Length of a PagerDuty routing key, in characters (1.2).
const ROUTING_KEY_LEN: usize = 32;

/// Why there is a warning. A closed list: the words appear in `.status`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Reason {
    /// The chain was written in another order than it runs.
    ActionsReordered,
    /// An explicit empty chain: evidence only.
    EmptyActions,
    /// The incremental threshold is the larger one.
    IncrementalAboveCumulative,
    /// A threshold of zero trips on any drift at all.
    ThresholdZero,
    /// The chain ends pods that were never cut off.
    TerminateWithoutIsolate,
    /// A routing key that is not 32 characters long.
    RoutingKeyLength,
    /// Alerts would travel unencrypted.
    PlainHttpIntegration,
    /// A credential stands in the policy's text.
    SecretInline,
    /// An exclusion that cannot match anything was left out.
    ExclusionIgnored,
    /// Mode `alert`, and nowhere to send alerts.
    AlertModeWithoutIntegration,
    /// An environment variable has a value that cannot be used (2.1: warn once, use the default).
    EnvironmentIgnored,
}

impl Reason {
    /// The word in `.status` and in `explain -o json`.
    pub fn as_str(self) -> &'static str {
        match self {
            Reason::ActionsReordered => "ActionsReordered",
            Reason::EmptyActions => "EmptyActions",
            Reason::IncrementalAboveCumulative => "IncrementalAboveCumulative",
            Reason::ThresholdZero => "ThresholdZero",
            Reason::TerminateWithoutIsolate => "TerminateWithoutIsolate",
            Reason::RoutingKeyLength => "RoutingKeyLength",
            Reason::PlainHttpIntegration => "PlainHttpIntegration",
            Reason::SecretInline => "SecretInline",
            Reason::ExclusionIgnored => "ExclusionIgnored",
            Reason::AlertModeWithoutIntegration => "AlertModeWithoutIntegration",
            Reason::EnvironmentIgnored => "EnvironmentIgnored",
        }
    }
}

/// One warning.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Warning {
    /// Why.
    pub reason: Reason,
    /// A sentence for people, without credentials.
    pub message: String,
}

impl Warning {
    /// A warning.
    pub fn new(reason: Reason, message: impl Into<String>) -> Warning {
        Warning { reason, message: message.into() }
    }
}

/// The warnings that rest on the values in force, whichever layer they come from.
pub(crate) fn judge(effective: &Effective, warnings: &mut Vec<Warning>) {
    let mut warn = |reason, message: &str| warnings.push(Warning::new(reason, message));
    if let Some(chain) = &effective.chain.value {
        if chain.is_reordered() {
            warn(Reason::ActionsReordered, "actions run in the order alert, isolate, terminate");
        }
        if chain.actions().is_empty() {
            warn(Reason::EmptyActions, "the chain is empty: detections leave evidence and nothing else");
        }
        if chain.contains(ResponseAction::Terminate) && !chain.contains(ResponseAction::Isolate) {
            warn(Reason::TerminateWithoutIsolate, "pods are terminated without being isolated first");
        }
    }
    let (incremental, cumulative) = (effective.incremental.value, effective.cumulative.value);
    if incremental > cumulative {
        let message = format!("the incremental threshold {incremental} is above the cumulative one, {cumulative}");
        warn(Reason::IncrementalAboveCumulative, &message);
    }
    if incremental == 0.0 || cumulative == 0.0 {
        warn(Reason::ThresholdZero, "a threshold of 0 trips on any drift at all");
    }
    judge_integrations(effective, &mut warn);
}

fn judge_integrations(effective: &Effective, warn: &mut impl FnMut(Reason, &str)) {
    if let Some(Endpoint::Inline(key)) = &effective.pagerduty.value {
        let length = key.expose().chars().count();
        if length != ROUTING_KEY_LEN {
            let message = format!("a PagerDuty routing key has {ROUTING_KEY_LEN} characters, this one {length}");
            warn(Reason::RoutingKeyLength, &message);
        }
    }
    if let Some(Endpoint::Inline(url)) = &effective.slack.value
        && url.expose().starts_with("http://")
    {
        warn(Reason::PlainHttpIntegration, "the Slack URL is not encrypted: alerts travel in the clear");
    }
    for integration in [&effective.slack, &effective.pagerduty] {
        if let (Some(Endpoint::Inline(_)), Source::Crd) = (&integration.value, integration.source) {
            let message = format!("`{}` holds a credential; write `secret:<name>/<key>`", integration.origin);
            warn(Reason::SecretInline, &message);
        }
    }
    let is_on = |it: &Sourced<Option<Endpoint>>| it.value.as_ref().is_some_and(Endpoint::is_on);
    if effective.mode.value == Mode::Alert && !is_on(&effective.slack) && !is_on(&effective.pagerduty) {
        warn(Reason::AlertModeWithoutIntegration, "mode `alert` has nowhere to send alerts: detections are logged");
    }
}
