//! The same rules over the same cluster, asked in four ways: as `kanon check` does, as admission does, and by the audit, of whole objects and
//! of what is kept of them. One verdict.
//! `KANON_OBJECTS=100000` for the full size.

use std::{collections::BTreeSet, sync::Arc};

use kanon_core::{GroupVersionKind, Now, Object, Operation, PolicyFile, Resource, Review, UserInfo, Verdict};
use kanon_rules::{Mode, Rules, Settings};
use serde_json::{Value, json};

use super::{samples, world::World};
use crate::cluster;

/// Kinds that the rules are about.
const KINDS: [(&str, &str); 5] =
    [("", "Pod"), ("apps", "Deployment"), ("apps", "StatefulSet"), ("batch", "CronJob"), ("", "Service")];

/// What samples of rules about pods leave out: other kinds, other objects, messages, errors.
const MORE: [&str; 6] = [
    "object.kind == 'Service' && object.spec.type == 'LoadBalancer'",
    "object.kind == 'Deployment' && object.spec.replicas < 2",
    "object.kind in ['Deployment', 'StatefulSet'] && cluster.poddisruptionbudgets.selecting(object) == []",
    "object.kind == 'Pod' && !cluster.replicasets.exists(metadata.namespace, object.metadata.ownerReferences[0].name)",
    "object.kind == 'Pod' && cluster.networkpolicies.count(metadata.namespace) == 0",
    "container.image startsWith 'docker.io'",
];

/// Exceptions from them: by names of rules and objects, by containers and by images.
const EXCEPTIONS: [&str; 3] = [
    "{rules: ['rule-*'], match: {names: ['*1*']}, reason: odd}",
    "{rules: ['*'], match: {gvk: [{group: '', version: v1, kind: Pod}]}, containers: [c1], reason: pods}",
    "{rules: ['rule-1?', 'PortalClusterRule/*'], images: ['quay.io/*'], reason: theirs}",
];

/// All rules, or those whose text passes, and the exceptions.
fn rules(is_meant: impl Fn(&str) -> bool) -> PolicyFile {
    let gvk: Vec<_> =
        KINDS.map(|(group, kind)| json!({"group": group, "version": version(group), "kind": kind})).into();
    let rule = |(n, text): (usize, &str)| {
        json!({"name": format!("rule-{n}"), "enabled": true, "severity": "high", "mode": ["admission", "audit"],
            "enforcementAction": "warn", "onError": "deny", "rule": text, "match": {"gvk": gvk},
            "message": "{{ object.kind }} {{ metadata.name }}"})
    };
    let all: Value = samples::RULES.into_iter().chain(MORE).enumerate().filter(|it| is_meant(it.1)).map(rule).collect();
    let mut text = all.to_string();
    for (n, spec) in EXCEPTIONS.iter().enumerate() {
        text += &format!(
            "\n---\napiVersion: portal.io/v1alpha1\nkind: ClusterRuleException\nmetadata: {{name: e{n}}}\nspec: {spec}\n"
        );
    }
    PolicyFile { path: "rules.yaml".into(), text: text.into() }
}

fn version(group: &str) -> &'static str {
    if group.is_empty() || matches!(group, "apps" | "batch") { "v1" } else { "" }
}

/// What a verdict says, whoever was asked.
fn said(verdicts: Vec<Verdict>) -> BTreeSet<String> {
    let row = |it: Verdict| {
        let (subject, part, values) = (it.subject, it.evidence.part, it.evidence.values);
        let exception = it.evidence.exception.map_or(String::new(), |it| it.name());
        format!(
            "{} {} {}/{} {part}: {} {exception} {} {values:?}",
            it.policy.name, subject.gvk, subject.namespace, subject.name, it.reason, it.message
        )
    };
    verdicts.into_iter().map(row).collect()
}

fn review(object: &Object) -> Review {
    let text = |name: &str| object.str_at(&["metadata", name]).to_owned();
    Review {
        uid: "1".into(),
        operation: Operation::Create,
        kind: GroupVersionKind::from_api_version(object.str_at(&["apiVersion"]), object.str_at(&["kind"])),
        resource: Resource::default(),
        sub_resource: String::new(),
        namespace: text("namespace"),
        name: text("name"),
        user: UserInfo::default(),
        object: Some(object.clone()),
        old_object: None,
        options: None,
        dry_run: false,
    }
}

#[test]
fn admission_audit_and_check_say_the_same_of_a_cluster() {
    let count = std::env::var("KANON_OBJECTS").ok().and_then(|it| it.parse().ok()).unwrap_or(1500);
    let objects = cluster::objects(count, 3);
    let now = Now::new(Default::default(), kanon_core::Mono::default());
    let mut world = World::new(objects.clone());
    let folder = |files| kanon_core::Input::Folder { files, unreadable: Vec::new() };
    let audited = said(world.work(folder(vec![rules(|_| true)])));
    // Who hands the whole object on reads the whole of it.
    let (parts, kept) = World::kept(&objects, rules(|it| !it.contains("(object)")));
    let (rest, all) = World::kept(&objects, rules(|it| it.contains("(object)")));
    assert_eq!(rest.memory(), world.memory());
    assert!(parts.memory() < world.memory(), "{:?} of {:?} bytes", parts.memory(), world.memory());
    let kept = said(kept).into_iter().chain(said(all)).collect();

    let view = world.plane.views().iter().next().expect("the family has a view").clone();
    let store = world.plane.objects();
    let admitted = said(objects.iter().flat_map(|it| view.review(&review(it), store, now).verdicts).collect());

    let settings = Settings { loops: vec![Mode::Admission, Mode::Audit], ..Settings::default() };
    let (rules, problems) =
        Rules::from_documents(&[rules(|_| true)], Arc::new(kanon_expr::Expr::default()), settings, Default::default());
    assert!(problems.iter().all(|it| it.warning), "{problems:?}");
    let modes = [Mode::Admission, Mode::Audit];
    let checked = said(objects.iter().flat_map(|it| rules.review_among(it, &modes, store, now)).collect());

    let pairs = objects.len() * rules.len();
    assert!(audited.len() > objects.len() / 4, "{} findings of {pairs} pairs", audited.len());
    for exception in ["e0", "e1", "e2"] {
        let covered = audited.iter().filter(|it| it.contains(&format!(": ViolationExcepted {exception} "))).count();
        assert!(covered > 0 && covered < audited.len(), "{exception} covers {covered} of {}", audited.len());
    }
    let differences =
        |a: &BTreeSet<String>, b: &BTreeSet<String>| a.symmetric_difference(b).take(5).cloned().collect::<Vec<_>>();
    assert_eq!(differences(&audited, &kept), Vec::<String>::new(), "audit of whole objects and of what is kept");
    assert_eq!(differences(&audited, &admitted), Vec::<String>::new(), "audit and admission");
    assert_eq!(differences(&admitted, &checked), Vec::<String>::new(), "admission and check");
}
