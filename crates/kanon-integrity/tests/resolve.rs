//! Cases of `tests/cases/resolve.txt` (spec/runtime-integrity 1.2, 1.4, 1.5) and the properties that 1.5 asks for.

#![allow(clippy::unwrap_used, reason = "in a test it says where the expectation broke")]

use std::collections::BTreeMap;

use kanon_integrity::{
    Defaults, Effective, Env, Source,
    api::{Mode, ResponseAction, Sensitivity},
    resolve,
    secret::{Endpoint, Secret},
    validate::{Chain, Policy, validate},
};
use proptest::{option, prelude::*};

#[derive(Default)]
struct Case<'t> {
    name: &'t str,
    spec: &'t str,
    env: Env,
    want: Vec<&'t str>,
    warn: Vec<&'t str>,
    ignored: &'t str,
}

fn parse(text: &str) -> Vec<Case<'_>> {
    let mut cases: Vec<Case<'_>> = Vec::new();
    for line in text.lines().filter(|it| !it.is_empty() && !it.starts_with('#')) {
        let (head, rest) = line.split_once(": ").unwrap();
        if head == "case" {
            cases.push(Case { name: rest, ..Case::default() });
            continue;
        }
        let case = cases.last_mut().unwrap();
        match head {
            "spec" => case.spec = rest,
            "env" => case.env = pairs(rest),
            "want" => case.want.push(rest),
            "warn" => case.warn = rest.split(' ').collect(),
            "ignored" => case.ignored = rest,
            other => panic!("unknown line `{other}`"),
        }
    }
    cases
}

fn pairs(text: &str) -> Env {
    text.split(' ').map(|it| it.split_once('=').unwrap()).map(|(a, b)| (a.to_owned(), b.to_owned())).collect()
}

fn check(case: &Case<'_>) {
    let read = (case.spec != "-").then(|| validate(&serde_json::from_str(case.spec).unwrap()));
    let (effective, warnings) = resolve(read.as_ref().map(|it| &it.0), &case.env, &Defaults::default());
    let settings = effective.settings();
    for want in &case.want {
        let (name, rest) = want.split_once(' ').unwrap();
        let (value, source) = rest.rsplit_once(' ').unwrap();
        let value = serde_json::from_str(value).unwrap_or_else(|_| serde_json::Value::from(value));
        let setting = settings.iter().find(|it| it.name == name).unwrap();
        assert_eq!((&setting.value, setting.source.as_str()), (&value, source), "{}: {want}", case.name);
        assert_eq!(setting.origin.is_empty(), setting.source == Source::Default, "{}: {want}", case.name);
    }
    let reasons: Vec<_> = warnings.iter().map(|it| it.reason.as_str()).collect();
    assert_eq!(reasons, case.warn, "{}", case.name);
    let paths = read.map(|it| it.1.into_iter().map(|it| it.path).collect::<Vec<_>>()).unwrap_or_default();
    assert_eq!(paths.join(" "), case.ignored, "{}", case.name);
}

#[test]
fn cases_resolve_as_written() {
    let cases = parse(include_str!("cases/resolve.txt"));
    assert!(cases.len() > 25, "the file has {} cases", cases.len());
    cases.iter().for_each(check);
}

fn endpoint() -> impl Strategy<Value = Endpoint> {
    prop_oneof![
        Just(Endpoint::Off),
        Just(Endpoint::Reference { name: "pager".into(), key: "key".into() }),
        Just(Endpoint::Inline(Secret::new("https://hooks.example/token"))),
    ]
}

fn chain() -> impl Strategy<Value = Chain> {
    let all = ResponseAction::ALL.to_vec();
    (Just(all).prop_shuffle(), 0..=3_usize).prop_map(|(all, len)| Chain::new(&all[..len]).unwrap())
}

fn policy() -> impl Strategy<Value = Policy> {
    let levels = (
        option::of(prop::sample::select(Mode::ALL.to_vec())),
        option::of(prop::sample::select(Sensitivity::ALL.to_vec())),
        option::of(chain()),
        option::of(0..=3600_u32),
        option::of(0.0..=1.0),
        option::of(0.0..=1.0),
    );
    let switches = (option::of(any::<bool>()), option::of(any::<bool>()), option::of(any::<bool>()));
    (levels, switches, option::of(endpoint()), option::of(endpoint())).prop_map(
        |(levels, switches, slack, pagerduty)| {
            let (mode, sensitivity, chain, escalation_delay_sec, incremental, cumulative) = levels;
            let (ml_detection, network_audit, attestation) = switches;
            Policy {
                mode,
                sensitivity,
                chain,
                escalation_delay_sec,
                incremental,
                cumulative,
                ml_detection,
                network_audit,
                attestation,
                slack,
                pagerduty,
                ..Policy::default()
            }
        },
    )
}

const VARIABLES: [&str; 13] = [
    "PANDO_MODE",
    "PANDO_THRESHOLD_INCREMENTAL",
    "PANDO_THRESHOLD_CUMULATIVE",
    "PANDO_RESPONSE_ACTIONS",
    "PANDO_ESCALATION_TIMEOUT_SECS",
    "PANDO_RECOVERY_TIMEOUT_SECS",
    "PANDO_ML_ENABLED",
    "PANDO_NETWORK_AUDIT_ENABLED",
    "PANDO_ATTESTATION_ENABLED",
    "PANDO_SLACK_WEBHOOK_URL",
    "PANDO_PAGERDUTY_ROUTING_KEY",
    "PANDO_SENSITIVITY",
    "PANDO_RUNTIME_PROFILE",
];
const VALUES: [&str; 12] =
    ["", "enforce", "isolate", "0.3", "2", "-1", "alert,isolate", "yes", "false", "https://a.example/x", "jit", "~"];

fn env() -> impl Strategy<Value = Env> {
    let pair = (prop::sample::select(VARIABLES.to_vec()), prop::sample::select(VALUES.to_vec()));
    prop::collection::vec(pair, 0..14)
        .prop_map(|it| it.into_iter().map(|(a, b)| (a.to_owned(), b.to_owned())).collect::<BTreeMap<_, _>>())
}

/// A policy that says explicitly what is in force.
fn explicit(effective: &Effective) -> Policy {
    Policy {
        mode: Some(effective.mode.value),
        chain: effective.chain.value.clone(),
        escalation_delay_sec: Some(effective.escalation_delay_sec.value),
        incremental: Some(effective.incremental.value),
        cumulative: Some(effective.cumulative.value),
        ml_detection: Some(effective.ml_detection.value),
        network_audit: Some(effective.network_audit.value),
        attestation: Some(effective.attestation.value),
        slack: effective.slack.value.clone(),
        pagerduty: effective.pagerduty.value.clone(),
        ..Policy::default()
    }
}

fn values(effective: &Effective) -> Vec<(&'static str, serde_json::Value)> {
    effective.settings().into_iter().map(|it| (it.name, it.value)).collect()
}

proptest! {
    #[test]
    fn fields_of_the_policy_do_not_depend_on_the_environment(policy in policy(), one in env(), other in env()) {
        let defaults = Defaults::default();
        let (one, other) = (resolve(Some(&policy), &one, &defaults).0, resolve(Some(&policy), &other, &defaults).0);
        let from_crd = |it: Source| matches!(it, Source::Crd | Source::CrdThresholds | Source::CrdSensitivity);
        for (one, other) in one.settings().into_iter().zip(other.settings()) {
            prop_assert_eq!(from_crd(one.source), from_crd(other.source));
            if from_crd(one.source) {
                prop_assert_eq!(one, other);
            }
        }
    }

    #[test]
    fn an_empty_policy_is_no_policy(env in env()) {
        let defaults = Defaults::default();
        let without = resolve(None, &env, &defaults);
        prop_assert!(without.0.settings().iter().all(|it| matches!(it.source, Source::Env | Source::Default)));
        prop_assert_eq!(resolve(Some(&Policy::default()), &env, &defaults), without);
    }

    #[test]
    fn what_is_in_force_resolves_to_itself(policy in policy(), env in env()) {
        let defaults = Defaults::default();
        let once = resolve(Some(&policy), &env, &defaults).0;
        let twice = resolve(Some(&explicit(&once)), &env, &defaults).0;
        prop_assert_eq!(values(&once), values(&twice));
    }

    #[test]
    fn every_broken_variable_gives_exactly_one_warning(policy in policy(), env in env()) {
        let warnings = resolve(Some(&policy), &env, &Defaults::default()).1;
        let ignored: Vec<_> = warnings.iter().filter(|it| it.reason.as_str() == "EnvironmentIgnored").collect();
        let without = resolve(None, &env, &Defaults::default()).1;
        let expected: Vec<_> = without.iter().filter(|it| it.reason.as_str() == "EnvironmentIgnored").collect();
        prop_assert_eq!(&ignored, &expected);
        for (name, value) in &env {
            let count = ignored.iter().filter(|it| it.message.contains(name.as_str())).count();
            prop_assert!(count <= 1);
            prop_assert!(value != "~" || count == 1 || name == "PANDO_PAGERDUTY_ROUTING_KEY");
        }
    }

    #[test]
    fn no_credential_is_ever_shown(policy in policy(), env in env()) {
        let (effective, warnings) = resolve(Some(&policy), &env, &Defaults::default());
        let shown = format!("{effective:?} {:?} {warnings:?} {policy:?}", effective.settings());
        prop_assert!(!shown.contains("example"), "{}", shown);
    }

    #[test]
    fn validation_takes_any_json(text in "\\PC{0,40}", path in 0..6_usize) {
        let value = serde_json::Value::from(text);
        let name = ["mode", "response", "thresholds", "features", "integrations", "exclude"][path];
        let (policy, problems) = validate(&serde_json::from_value(serde_json::json!({name: value})).unwrap());
        prop_assert_eq!(problems.len(), usize::from(policy == Policy::default()));
    }
}

#[test]
fn no_policy_and_no_environment_give_the_built_in_values() {
    let (effective, warnings) = resolve(None, &Env::new(), &Defaults::default());
    assert!(effective.settings().iter().all(|it| it.source == Source::Default));
    assert_eq!(warnings, []);
}
