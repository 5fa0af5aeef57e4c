//! Response actions: effective parameters, rates, the `alert` shorthand (spec/rules 1.4, 1.6, 8.3).

use kanon_core::Rate;
use kanon_lang::did_you_mean;
use kanon_plane::Prepared;
use serde_json::{Map, Value};

use super::{Compiler, Mistakes};
use crate::{
    api::{self, crds::ACTIONS_MAX},
    rule::{ActionSpec, Response, Work},
};

/// The action that `alert` stands for.
const ALERTMANAGER: &str = "alertmanager";
/// What a namespace's own rules may do (spec/rules 1.10): the engine is stronger than a namespace's owner.
const ALLOWED_IN_NAMESPACE: &[&str] = &[ALERTMANAGER, "label", "annotate"];

/// Checks the actions; `confined` says that the rule is a PortalRule.
pub(super) fn check(
    wire: &api::RuleSpec,
    confined: bool,
    mistakes: &mut Mistakes,
    warnings: &mut Vec<String>,
) -> Vec<ActionSpec> {
    if wire.actions.len() > ACTIONS_MAX {
        mistakes.add("actions", format!("has {} entries, at most {ACTIONS_MAX} are allowed", wire.actions.len()));
    }
    let mut actions = Vec::new();
    if !wire.alert.is_empty() {
        let params = Map::from_iter([("template".to_owned(), Value::from(wire.alert.as_str()))]);
        actions.push(ActionSpec { action: ALERTMANAGER.to_owned(), on: Vec::new(), rate: None, params });
    }
    for (at, action) in wire.actions.iter().enumerate() {
        let path = format!("actions[{at}]");
        if action.action.is_empty() {
            mistakes.add(format!("{path}.type"), "is required");
        }
        if confined && !ALLOWED_IN_NAMESPACE.contains(&action.action.as_str()) {
            let allowed = ALLOWED_IN_NAMESPACE.join(", ");
            warnings.push(format!("`{path}`: `{}` never runs for a PortalRule, only {allowed} do", action.action));
            continue;
        }
        let mut params = action.inline.clone();
        params.extend(action.params.clone());
        let checked = ActionSpec {
            action: action.action.clone(),
            on: mistakes.modes(&format!("{path}.on"), &action.on),
            rate: rate(&format!("{path}.rateLimit"), &action.rate_limit, warnings),
            params,
        };
        // Spelled out and as shorthand is the same thing once.
        let same = |it: &ActionSpec| it.action == checked.action && it.on == checked.on && it.params == checked.params;
        if checked.action != ALERTMANAGER || !actions.iter().any(same) {
            actions.push(checked);
        }
    }
    actions
}

/// What this process will do of it. What it cannot do is a warning: the author should not wait for it.
pub(super) fn prepare(specs: &[ActionSpec], compiler: &Compiler, warnings: &mut Vec<String>) -> Vec<Response> {
    if compiler.actions.is_empty() {
        return Vec::new();
    }
    let mut response = |spec: &ActionSpec| {
        let action = spec.action.as_str();
        let work = match compiler.actions.get(action) {
            None => {
                let meant = did_you_mean(action, compiler.actions.keys().copied());
                let meant = meant.map_or(String::new(), |it| format!(": {it}"));
                warnings.push(format!("action `{action}` is not run by this version{meant}"));
                Work::Unknown
            }
            Some(known) if let Some(word) = compiler.lacks_leave(&**known, &spec.params) => {
                warnings.push(format!("action `{action}` never runs: it needs `--allow-action {word}`"));
                Work::Unusable
            }
            Some(known) => match known.prepare(&spec.params) {
                Err(error) => {
                    warnings.push(format!("action `{action}` never runs: {error}"));
                    Work::Unusable
                }
                Ok(Prepared::Alert(_)) if !compiler.alerts => {
                    warnings.push(format!("action `{action}` never runs: no Alertmanager is configured"));
                    Work::Unusable
                }
                Ok(Prepared::Hook(to)) if compiler.hooks.as_ref().is_some_and(|it| !it.contains(&to)) => {
                    let problem = format!("there is no receiver `{to}`: `--action-webhook {to}=URL` names one");
                    warnings.push(format!("action `{action}` never runs: {problem}"));
                    Work::Unusable
                }
                Ok(prepared) => {
                    Work::Run { id: known.id(), window: known.window(), destructive: known.is_destructive(), prepared }
                }
            },
        };
        Response { spec: spec.clone(), work }
    };
    specs.iter().map(&mut response).collect()
}

/// `<N>/<unit>` in any case, short or long units; anything else is no explicit limit, with a warning (spec/rules 8.3).
fn rate(path: &str, text: &str, warnings: &mut Vec<String>) -> Option<Rate> {
    if text.is_empty() {
        return None;
    }
    let lower = text.to_ascii_lowercase();
    let short = match lower.split_once('/') {
        Some((count, unit)) => {
            let unit = match unit.trim() {
                "second" | "seconds" => "s",
                "minute" | "minutes" => "min",
                "hour" | "hours" => "hr",
                unit => unit,
            };
            format!("{count}/{unit}")
        }
        None => lower,
    };
    let rate = short.parse();
    rate.map_err(|_| {
        warnings.push(format!(
            "`{path}`: `{text}` is not a rate, the action's default applies: write a number, a slash and `s`, `min` or `hr`"
        ));
    })
    .ok()
}
