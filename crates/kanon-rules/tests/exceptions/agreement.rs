//! Random rules, exceptions and objects: whoever is asked, there is one verdict.

use std::collections::{BTreeMap, BTreeSet};

use kanon_core::{Object, Outcome, PolicyFile, Verdict};
use kanon_rules::{Mode, Rules, Settings};
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::{
    common::{language, now},
    world::{BY_CONTAINER, WHOLE, World, creation, exception, of_namespace, pod, rule, with},
};

fn texts<'t>(texts: &'t [&'t str]) -> impl Strategy<Value = Vec<String>> + 't {
    prop::collection::vec(prop::sample::select(texts.iter().map(|it| (*it).to_owned()).collect::<Vec<_>>()), 0..3)
}

fn any_exception() -> impl Strategy<Value = Value> {
    let match_ = (
        texts(&["web", "w*", "db", "?b"]),
        texts(&["shop", "lab"]),
        prop::option::of(prop::sample::select(vec!["gold", "tin"])),
        prop::option::of(prop::sample::select(vec!["a", "b"])),
        prop::sample::select(vec!["Pod", "Service", "*"]),
    );
    let match_ = match_.prop_map(|(names, include, tier, team, kind)| {
        let mut it = json!({"names": names, "namespaces": {"include": include}, "gvk": [{"group": "", "version": "v1", "kind": kind}]});
        tier.into_iter().for_each(|tier| it["labelSelector"] = json!({"matchLabels": {"tier": tier}}));
        team.into_iter().for_each(|team| it["namespaceSelector"] = json!({"matchLabels": {"team": team}}));
        it
    });
    let rules = texts(&["whole", "by-*", "by-container", "failing", "PortalRule/*", "*", "looking"])
        .prop_filter("one at least", |it| !it.is_empty());
    let rest = (texts(&["web", "de*"]), texts(&["tools/*", "shop/*"]), prop::option::of(0_i64..20));
    (rules, prop::option::of(match_), rest, any::<bool>()).prop_map(
        |(rules, match_, (containers, images, ends), own)| {
            let mut it = exception(json!({"rules": rules, "containers": containers, "images": images}));
            match_.into_iter().for_each(|match_| it["spec"]["match"] = match_);
            ends.into_iter().for_each(|at| it["spec"]["expires"] = json!(now(at as u64).wall.to_string()));
            if own { of_namespace(it, "shop") } else { it }
        },
    )
}

proptest! {
    /// The same rules, exceptions and objects, asked as admission does, as the audit does and as `kanon check` does: one verdict.
    #[test]
    fn one_verdict_at_the_door_in_the_store_and_on_the_desk(
        exceptions in prop::collection::vec(any_exception(), 0..4),
        names in prop::collection::vec((prop::sample::select(vec!["web", "db", "job"]), prop::sample::select(vec!["gold", "tin"])), 1..3),
        open in any::<bool>(),
        at in 0_u64..20,
    ) {
        let rules = [
            ("whole", WHOLE, "PortalClusterRule"),
            ("by-container", BY_CONTAINER, "PortalClusterRule"),
            ("failing", "metadata.labels.tier.x.y == 1", "PortalClusterRule"),
            ("looking", "cluster.pods.count(metadata.namespace) >= 1", "PortalClusterRule"),
            ("own", "metadata.labels.tier == 'tin'", "PortalRule"),
        ];
        let scope = if open { "namespaced" } else { "cluster" };
        let mut manifests: Vec<Value> = rules.iter().map(|(name, text, kind)| {
            let mut rule = with(rule(text), json!({"name": name, "exceptions": scope, "onError": "deny", "enforcementAction": "dryrun"}));
            rule["metadata"] = json!({"name": name, "uid": name, "generation": 1});
            rule["kind"] = json!(kind);
            if *kind == "PortalRule" { rule["metadata"]["namespace"] = json!("shop"); }
            rule
        }).collect();
        manifests.extend(exceptions.into_iter().enumerate().map(|(number, mut it)| {
            it["metadata"]["name"] = json!(format!("e{number}"));
            it
        }));
        let mut world = World::new();
        world.secs = at;
        world.apply(&json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "shop", "labels": {"team": "a"}}}));
        manifests.iter().for_each(|it| world.apply(it));
        world.work();
        let pods: BTreeMap<_, _> = names.into_iter().map(|(name, tier)| (name, pod(name, json!({"tier": tier})))).collect();
        pods.values().for_each(|it| world.apply(it));
        world.work();
        let text = |it: Verdict| {
            let exception = it.evidence.exception.map(|it| it.to_string());
            // Admission refuses where the audit finds.
            let outcome = if it.outcome == Outcome::Skip { "skip" } else { "stands" };
            format!("{} {}/{} {outcome} {exception:?}", it.policy.name, it.subject.name, it.evidence.part)
        };
        let audit: BTreeSet<_> = std::mem::take(&mut world.records).into_iter().map(text).collect();
        let files: Vec<_> = manifests.iter().enumerate().map(|(number, it)| PolicyFile {
            path: format!("{number}.yaml"), text: it.to_string().into() }).collect();
        let (desk, _) = Rules::from_documents(&files, language(), Settings::default(), Default::default());
        let (mut admission, mut check) = (BTreeSet::new(), BTreeSet::new());
        for object in pods.values() {
            let answer = world.plane.views().review(&creation(object), world.plane.objects(), now(at));
            admission.extend(answer.reviewed.into_iter().flat_map(|it| it.1.verdicts).map(text));
            check.extend(desk.review_among(&Object::from_value(object), &[Mode::Audit], world.plane.objects(), now(at)).into_iter().map(text));
        }
        prop_assert_eq!(&audit, &check);
        prop_assert_eq!(&admission, &check);
    }
}
