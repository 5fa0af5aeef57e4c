//! Whatever rules ask, and whatever objects look like: of the parts that rules read they say what they say of whole objects, to the
//! last value of the evidence.

use std::sync::Arc;

use kanon_core::{GroupVersionKind, Keep, Mono, Now, Object, PolicyFile, Verdict};
use proptest::prelude::*;
use serde_json::{Map, Value, json};

use super::ObjectReads;
use crate::{
    Mode, Rules, Settings,
    audit::sight::{Sight, facts},
    facts::pod::{self, PodShapes},
};

/// Kinds with a pod's spec at each of its places, and one without.
const KINDS: [(&str, &str); 4] =
    [("v1", "Pod"), ("apps/v1", "Deployment"), ("batch/v1", "CronJob"), ("v1", "ConfigMap")];

#[test]
fn a_rule_reads_what_its_paths_lead_to() {
    let kind = |text: &str| match text {
        "CronJob" => GroupVersionKind::new("batch", "v1", "CronJob"),
        other => GroupVersionKind::new("", "v1", other),
    };
    let shapes = PodShapes::new([(kind("Tool"), ["spec", "pod"].map(str::to_owned).to_vec())]);
    let check = |paths: &[&str], of: &str, want: &[&str]| {
        let paths: Vec<Vec<String>> = paths.iter().map(|it| it.split('.').map(str::to_owned).collect()).collect();
        let keep = ObjectReads::of(paths.iter(), false, false).keep(&kind(of), &shapes);
        let want: Vec<Vec<&str>> = want.iter().map(|it| it.split('.').filter(|it| !it.is_empty()).collect()).collect();
        assert_eq!(keep, Keep::paths(want.iter().map(Vec::as_slice)), "{paths:?} of {of}");
    };
    check(&["object.kind", "object.metadata.labels", "metadata", "cluster.pods", "request.operation"], "Pod", &[]);
    check(&["object.spec.hostPID", "object.status"], "Pod", &["spec.hostPID", "status"]);
    check(&["object"], "Pod", &[""]);
    check(&["something"], "Pod", &[""]);
    check(&["container.image.tag"], "Pod", &["spec.containers", "spec.initContainers", "spec.ephemeralContainers"]);
    check(&["container.image.tag", "spec.hostPID", "securityContext.runAsUser"], "ConfigMap", &[]);
    check(&["spec.hostPID"], "Tool", &["spec.pod.hostPID"]);
    let template = "spec.jobTemplate.spec.template.spec";
    let want = [format!("{template}.hostPID"), format!("{template}.securityContext")];
    check(&["spec.hostPID", "securityContext.runAsUser"], "CronJob", &want.each_ref().map(String::as_str));
    let of_containers = ObjectReads::of([].iter(), true, false).keep(&kind("Pod"), &shapes);
    assert!(of_containers.covers(&Keep::paths([&["spec", "initContainers"][..]])));
    let network = ObjectReads::of([].iter(), false, true);
    assert!(network.keep(&kind("Pod"), &shapes).covers(&Keep::paths([&["status", "podIP"][..]])));
    assert_eq!(network.keep(&kind("ConfigMap"), &shapes), Keep::default());
}

/// A value to stand anywhere; most are of no type that is expected there.
fn value() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        (0..3_i32).prop_map(Value::from),
        prop::sample::select(vec!["a", "docker.io/a:1", "Always", "RuntimeDefault"]).prop_map(Value::from),
        Just(json!({})),
        Just(json!([])),
        Just(json!(["a", "ALL"])),
        Just(json!({"type": "RuntimeDefault", "a": 1, "name": "c", "add": ["ALL"], "drop": []})),
        Just(json!([{"name": "c", "image": "a:1"}, {"a": {"a": 2}}])),
    ]
}

/// Some of these members, with any values.
fn some(names: Vec<&'static str>) -> impl Strategy<Value = Value> {
    prop::collection::vec((prop::sample::select(names), value()), 0..8)
        .prop_map(|it| it.into_iter().map(|(name, value)| (name.to_owned(), value)).collect::<Map<_, _>>().into())
}

fn container() -> impl Strategy<Value = Value> {
    let security = some([pod::CONTAINER_SECURITY, &["seccompProfile", "a"]].concat());
    (some([pod::CONTAINER, &["resources", "a"]].concat()), security, any::<bool>()).prop_map(
        |(mut it, security, has)| {
            if has {
                it["securityContext"] = security;
            }
            it
        },
    )
}

fn pod_spec() -> impl Strategy<Value = Value> {
    let containers = || prop::collection::vec(container(), 0..3);
    let names = [pod::SPEC, &["containers", "initContainers", "securityContext", "a", "b"]].concat();
    let security = some([pod::POD_SECURITY, &["seccompProfile", "a"]].concat());
    (some(names), containers(), containers(), containers(), security, 0..16_u8).prop_map(
        |(mut spec, main, init, ephemeral, security, has)| {
            let lists = [("containers", json!(main)), ("initContainers", json!(init))];
            let more = [("ephemeralContainers", json!(ephemeral)), ("securityContext", security)];
            for (at, (name, value)) in lists.into_iter().chain(more).enumerate() {
                if has & (1 << at) != 0 {
                    spec[name] = value;
                }
            }
            spec
        },
    )
}

fn object() -> impl Strategy<Value = Object> {
    let kind = prop::sample::select(KINDS.to_vec());
    let metadata = some(vec!["name", "namespace", "labels", "annotations", "a"]);
    let rest = some(vec!["spec", "status", "data", "a", "b"]);
    (kind, metadata, rest, prop::option::of(pod_spec())).prop_map(|((version, kind), metadata, mut object, spec)| {
        object["apiVersion"] = json!(version);
        object["kind"] = json!(kind);
        object["metadata"] = metadata;
        if let Some(spec) = spec {
            object["spec"] = match kind {
                "Deployment" => json!({"replicas": 1, "template": {"metadata": {"labels": {"a": "a"}}, "spec": spec}}),
                "CronJob" => json!({"a": 1, "jobTemplate": {"spec": {"a": 1, "template": {"spec": spec}}}}),
                _ => spec,
            };
        }
        Object::from_value(&object)
    })
}

/// A path that a rule may read: sugar, its members and what they have, the raw object, things that are computed.
fn path() -> impl Strategy<Value = String> {
    let member = |of: &'static str, names: &'static [&'static str]| {
        prop::sample::select(names).prop_map(move |it| format!("{of}.{it}"))
    };
    let raw = prop::collection::vec(
        prop::sample::select(vec!["spec", "status", "data", "a", "b", "template", "metadata"]),
        0..4,
    )
    .prop_flat_map(|names| {
        let marks = prop::collection::vec(prop::sample::select(vec![".", "?."]), names.len());
        marks.prop_map(move |marks| {
            marks.iter().zip(&names).fold("object".to_owned(), |path, (mark, name)| format!("{path}{mark}{name}"))
        })
    });
    prop_oneof![
        member("container", pod::CONTAINER),
        member("container.securityContext", pod::CONTAINER_SECURITY),
        member("spec", pod::SPEC),
        member("securityContext", pod::POD_SECURITY),
        member("metadata", pod::METADATA),
        raw.clone(),
        raw,
        prop::sample::select(vec![
            "container",
            "spec",
            "securityContext",
            "metadata",
            "container.image.tag",
            "object['spec']",
            "object.spec['a']",
            "get(object, 'status')",
            "$env['object'].status",
            "keys(object)",
            "len(object)",
            "object.spec.containers[0].image",
            "filter(object.spec.containers, .image != nil)",
            "map(object?.spec?.containers ?? [], #.name)",
            "toJSON(object.spec)",
            "'status' in object",
            "cluster.pods",
            "network",
            "request?.operation",
            "object.spec?.a?.b",
        ])
        .prop_map(str::to_owned),
    ]
}

fn expression() -> impl Strategy<Value = String> {
    let test = (
        path(),
        prop::sample::select(vec![
            "# == nil",
            "# != nil",
            "# == true",
            "not (# == 'a')",
            "# in ['a', 'b']",
            "'a' in (# ?? [])",
            "len(#) > 1",
            "(# ?? 'a') startsWith 'a'",
            "any(# ?? [], # == 'a')",
            "let x = #; x == nil || x == 'a'",
            "string(#) contains 'a'",
        ]),
    )
        .prop_map(|(path, test)| match test.strip_prefix("any(# ?? [], ") {
            Some(rest) => format!("any({path} ?? [], {rest}"),
            None => format!("({})", test.replace('#', &path)),
        });
    prop::collection::vec((test, prop::sample::select(vec!["&&", "||"])), 1..4).prop_map(|parts| {
        let mut parts = parts.into_iter();
        let (first, _) = parts.next().unwrap_or_default();
        parts.fold(first, |whole, (test, operator)| format!("{whole} {operator} {test}"))
    })
}

/// Rules about all kinds, of which each says what it says with the values it rests on.
fn rules(of: &[(String, String, bool)]) -> Arc<Rules> {
    let gvk: Vec<Value> = KINDS
        .iter()
        .map(|(version, kind)| GroupVersionKind::from_api_version(version, kind))
        .map(|it| json!({"group": it.group, "version": it.version, "kind": it.kind}))
        .collect();
    let rule = |(at, (rule, message, narrow)): (usize, &(String, String, bool))| {
        let types: &[&str] = if *narrow { &["init"] } else { &[] };
        json!({"name": format!("rule-{at}"), "enabled": true, "mode": ["audit"], "onError": "deny", "rule": rule,
            "message": format!("{{{{ {message} }}}}"), "containerTypes": types, "match": {"gvk": gvk}})
    };
    let all: Value = of.iter().enumerate().map(rule).collect();
    let file = PolicyFile { path: "a.yaml".into(), text: all.to_string().into() };
    let settings = Settings { loops: vec![Mode::Audit], ..Settings::default() };
    Rules::from_documents(&[file], Arc::new(kanon_expr::Expr::default()), settings, Default::default()).0
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn of_what_is_kept_rules_say_what_they_say_of_everything(
        of in prop::collection::vec((expression(), path(), prop::bool::weighted(0.1)), 1..4),
        objects in prop::collection::vec(object(), 1..6),
    ) {
        let rules = rules(&of);
        let (facts, now) = (facts(&rules, &Sight::default()), Now::new(Default::default(), Mono::default()));
        for object in &objects {
            let kind = GroupVersionKind::from_api_version(object.str_at(&["apiVersion"]), object.str_at(&["kind"]));
            let ask = |object: &Object| -> Vec<Verdict> { rules.review_object(object, &[Mode::Audit], now) };
            let kept = object.keep(facts.keep(&kind));
            prop_assert_eq!(ask(&kept), ask(object), "{:?} of {:?}", kept, object);
        }
    }
}
