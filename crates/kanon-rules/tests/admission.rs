//! What admission says besides violations: of requests without an object, and of rules that are being stored; and what it waits for.
#![allow(clippy::unwrap_used, reason = "a test that panics has failed")]

mod common;

use std::sync::Arc;

use common::{Cluster, creation, language, now};
use kanon_core::{Change, FamilyId, GroupVersionKind, Input, Keep, Kind, Object, Operation, Review, UserInfo};
use kanon_plane::{
    Access, Family, LiveAnswer, LiveAnswers, LiveLookups, LiveRead, Lookups, NoLookups, ObjectStore, Outbox, View,
};
use kanon_rules::{EnforcementSwitch, RulesFamily, Settings, VetSettings, Vetting, api};
use serde_json::{Value, json};

fn family(settings: Settings, specs: &[Value]) -> RulesFamily {
    let mut family =
        RulesFamily::new(language(), settings).with_actions(kanon_actions::all()).with_responses(Default::default());
    for spec in specs {
        let object =
            Object::from_value(&json!({"metadata": {"name": spec["name"], "uid": "u", "generation": 1}, "spec": spec}));
        input(&mut family, &Input::Object { kind: Arc::new(api::cluster_rule()), change: Change::Applied, object });
    }
    family
}

fn input(family: &mut RulesFamily, input: &Input) {
    family.handle(input, now(0), &mut Outbox::new(FamilyId("rules")));
}

/// A rule of mode `admission` about pods.
fn rule(name: &str, action: &str, expression: &str) -> Value {
    json!({"name": name, "enabled": true, "mode": ["admission"], "enforcementAction": action, "rule": expression,
        "match": {"gvk": [{"group": "", "version": "v1", "kind": "Pod"}]}})
}

fn said(view: &dyn View, review: &Review, lookups: &dyn Lookups) -> Vec<String> {
    let verdicts = view.review(review, lookups, now(0)).verdicts;
    verdicts
        .iter()
        .map(|it| format!("{} {} {}: {}", it.reason, it.outcome.as_str(), it.policy.name, it.message))
        .collect()
}

#[test]
fn what_has_no_object_is_refused_by_rules_that_deny_where_admission_fails_closed() {
    let rules = [rule("denies", "deny", "false"), rule("warns", "warn", "true")];
    let of = |object: Option<&str>, operation: Operation, namespace: &str| Review {
        object: object.map(|it| Object::parse(it.to_owned()).unwrap()),
        operation,
        namespace: namespace.to_owned(),
        ..creation(&json!({}))
    };
    let asked = |fail_closed, enforcement, review: &Review| {
        let family = family(Settings { fail_closed, enforcement, ..Settings::default() }, &rules);
        let bypass = json!({"metadata": {"name": "free", "annotations": {"portal.io/bypass": "true"}}});
        said(&*family.view(), review, &Cluster::of_namespaces(&[bypass]))
    };
    let text = |outcome| vec![format!("NoObject {outcome} denies: the request has no object to be looked at")];
    for object in [None, Some("null"), Some("\"text\""), Some("[1]")] {
        let review = of(object, Operation::Create, "shop");
        assert_eq!(asked(true, EnforcementSwitch::On, &review), text("deny"), "{object:?}");
        assert_eq!(asked(false, EnforcementSwitch::On, &review), text("allow"), "{object:?}");
        assert_eq!(
            asked(true, EnforcementSwitch::Warn, &review),
            ["EnforcementSwitched warn denies: the request has no object to be looked at"]
        );
    }
    let nothing = Vec::<String>::new();
    for namespace in ["kube-system", "free"] {
        assert_eq!(asked(true, EnforcementSwitch::On, &of(None, Operation::Create, namespace)), nothing);
    }
    // A deletion is no business of theirs; nor is another kind.
    assert_eq!(asked(true, EnforcementSwitch::On, &of(None, Operation::Delete, "shop")), nothing);
    let service = Review { kind: GroupVersionKind::new("", "v1", "Service"), ..of(None, Operation::Create, "shop") };
    assert_eq!(asked(true, EnforcementSwitch::On, &service), nothing);
}

#[test]
fn enforcing_rules_wait_for_what_they_look_up_unless_it_cannot_be_had() {
    let looks =
        |name: &str, action: &str, resource: &str| rule(name, action, &format!("cluster.{resource}.count('') > 9"));
    let audited = json!({"name": "a", "enabled": true, "mode": ["audit"], "enforcementAction": "deny",
        "rule": "cluster.nodes.count('') > 9", "match": {"gvk": [{"group": "", "version": "v1", "kind": "Pod"}]}});
    let on_error = {
        let mut rule = looks("e", "dryrun", "services");
        rule["onError"] = json!("deny");
        rule
    };
    let rules = [
        looks("d", "deny", "deployments"),
        looks("w", "warn", "jobs"),
        looks("u", "deny", "widgets"),
        audited,
        on_error,
    ];
    let mut family = family(Settings::default(), &rules);
    let required = |family: &RulesFamily| family.facts().required.iter().map(|it| it.kind.clone()).collect::<Vec<_>>();
    assert_eq!(required(&family), ["Service", "Deployment"]);
    let kind = Arc::new(Kind::namespaced("apps", "v1", "Deployment", "deployments"));
    input(&mut family, &Input::WatchFailed { kind: kind.clone(), problem: "forbidden".into() });
    assert_eq!(required(&family), ["Service"]);
    // It came after all.
    input(&mut family, &Input::Synced { kind, keep: Keep::All });
    assert_eq!(required(&family), ["Service", "Deployment"]);
}

/// The request to store a rule; `old` is the spec that it had.
fn storing(kind: &str, namespace: &str, spec: &Value, old: Option<&Value>) -> Review {
    let object = |spec: &Value| {
        Object::from_value(&json!({"apiVersion": "portal.io/v1alpha1", "kind": kind,
            "metadata": {"name": "r", "namespace": namespace}, "spec": spec}))
    };
    Review {
        kind: GroupVersionKind::new("portal.io", "v1alpha1", kind),
        namespace: namespace.to_owned(),
        name: "r".to_owned(),
        operation: if old.is_some() { Operation::Update } else { Operation::Create },
        object: Some(object(spec)),
        old_object: old.map(object),
        user: UserInfo { username: "jane".into(), ..UserInfo::default() },
        ..creation(&json!({}))
    }
}

fn vetted(vetting: Vetting, enforcement: EnforcementSwitch, review: &Review) -> Vec<String> {
    let vet = VetSettings { vetting, authors: false };
    let family = family(Settings { vet, enforcement, ..Settings::default() }, &[]);
    let bypass = json!({"metadata": {"name": "free", "annotations": {"portal.io/bypass": "True"}}});
    said(&*family.view(), review, &Cluster::of_namespaces(&[bypass]))
}

#[test]
fn a_broken_rule_is_told_to_its_author_when_it_is_stored() {
    let on = EnforcementSwitch::On;
    let broken = rule("r", "deny", "metadata.name = 'a'");
    let of_cluster = |spec: &Value| storing("PortalClusterRule", "", spec, None);
    let told = vetted(Vetting::Deny, on, &of_cluster(&broken));
    assert_eq!(told.len(), 1, "{told:?}");
    assert!(told[0].starts_with("RuleInvalid deny r: compile: "), "{told:?}");
    assert!(told[0].contains("\n | metadata.name = 'a'\n | ..............^"), "{told:?}");
    let starts = |told: &[String], text: &str| assert!(told[0].starts_with(text), "{told:?}");
    starts(&vetted(Vetting::Warn, on, &of_cluster(&broken)), "RuleInvalid warn r: compile: ");
    starts(&vetted(Vetting::Deny, EnforcementSwitch::Warn, &of_cluster(&broken)), "RuleInvalid warn r");
    starts(&vetted(Vetting::Deny, EnforcementSwitch::Off, &of_cluster(&broken)), "RuleInvalid dryrun r");
    starts(&vetted(Vetting::Deny, on, &storing("PortalRule", "shop", &broken, None)), "RuleInvalid deny r");
    let nothing = Vec::<String>::new();
    assert_eq!(vetted(Vetting::Off, on, &of_cluster(&broken)), nothing);
    assert_eq!(vetted(Vetting::Deny, on, &of_cluster(&rule("r", "deny", "metadata.name == 'a'"))), nothing);
    // Mended or not, a change of something else is nobody's business here; a rule that is switched off harms nobody.
    assert_eq!(vetted(Vetting::Deny, on, &storing("PortalClusterRule", "", &broken, Some(&broken))), nothing);
    let mut parked = broken.clone();
    parked["enabled"] = json!(false);
    starts(&vetted(Vetting::Deny, on, &of_cluster(&parked)), "RuleInvalid warn r");
    // Whoever wants to be rid of a rule gets rid of it; exempt namespaces are exempt.
    let gone = Review { operation: Operation::Delete, ..of_cluster(&broken) };
    assert_eq!(vetted(Vetting::Deny, on, &gone), nothing);
    assert_eq!(vetted(Vetting::Deny, on, &storing("PortalRule", "kube-system", &broken, None)), nothing);
    starts(&vetted(Vetting::Deny, on, &storing("PortalRule", "free", &broken, None)), "NamespaceBypassed allow r");
    // What is hardly meant.
    let mut odd = rule("r", "deny", "true == true");
    odd["match"]["namespaces"] = json!({"include": ["a"], "exclude": ["a"]});
    let told = vetted(Vetting::Deny, on, &of_cluster(&odd));
    assert!(told.iter().all(|it| it.starts_with("RuleAdvice warn r: ")), "{told:?}");
    assert!(told.iter().any(|it| it.contains("`a` is included and excluded")), "{told:?}");
}

#[test]
fn the_webhook_is_asked_about_rules_only_where_somebody_looks_at_them() {
    let asked = |vet| {
        let view = family(Settings { vet, ..Settings::default() }, &[]).view();
        view.admission_rules().into_iter().map(|it| (it.kind, it.advisory, it.operations)).collect::<Vec<_>>()
    };
    assert_eq!(asked(VetSettings::default()), []);
    let operations = || vec![Operation::Create, Operation::Update];
    for vet in
        [VetSettings { vetting: Vetting::Warn, authors: false }, VetSettings { vetting: Vetting::Off, authors: true }]
    {
        let both = ["PortalClusterRule", "PortalRule"].map(|it| (it.to_owned(), true, operations()));
        assert_eq!(asked(vet), both);
    }
}

/// What is asked of the API server about the author of a rule, and what is said.
fn authored(review: &Review, allowed: impl Fn(&str) -> Result<bool, &'static str>) -> (Vec<String>, Vec<String>) {
    let vet = VetSettings { vetting: Vetting::Off, authors: true };
    let view = family(Settings { vet, ..Settings::default() }, &[]).view();
    let (store, mut answers, mut asked) = (ObjectStore::default(), LiveAnswers::default(), Vec::new());
    loop {
        let lookups = LiveLookups::new(&store, &answers, now(0).mono);
        let told = said(&*view, review, &lookups);
        let wanted = lookups.wanted();
        if wanted.is_empty() {
            return (asked, told);
        }
        for read in wanted {
            let LiveRead::Access(Access { user, right, namespace }) = &read else { panic!("{read:?}") };
            let text = format!(
                "{} {} {}.{}/{} {namespace}",
                user.username, right.verb, right.resource, right.group, right.part
            );
            let answer: LiveAnswer = match allowed(&text) {
                Ok(it) => Ok(vec![Object::from_value(&json!({"status": {"allowed": it}}))]),
                Err(error) => Err(error.to_owned()),
            };
            asked.push(text);
            answers.put(read, answer);
        }
    }
}

#[test]
fn an_author_needs_the_rights_that_the_rules_actions_need() {
    let mut spec = rule("r", "deny", "true");
    let all = json!([
        {"type": "alertmanager"}, {"type": "label", "key": "a", "value": "b"}, {"type": "evict"},
        {"type": "revoke-sa-token"}, {"type": "revoke-sa-token", "params": {"strategy": "evict-pod"}},
        {"type": "patch-networkpolicy", "patch": {}}, {"type": "no-such"},
    ]);
    spec["actions"] = all;
    let of_namespace = storing("PortalRule", "shop", &spec, None);
    let (asked, told) = authored(&of_namespace, |_| Ok(true));
    let rights = [
        "jane create pods./eviction shop",
        "jane delete secrets./ shop",
        "jane patch networkpolicies.networking.k8s.io/ shop",
        "jane patch pods./ shop",
    ];
    let sorted = |mut list: Vec<String>| {
        list.sort();
        list
    };
    assert_eq!((sorted(asked), told), (rights.map(str::to_owned).to_vec(), Vec::new()));
    let (_, told) = authored(&of_namespace, |it| Ok(!it.contains("secrets")));
    let lacks = "AuthorLacksRights deny r: action `revoke-sa-token` needs the right to delete `secrets` in namespace `shop`, which `jane` \
        does not have";
    assert_eq!(told, [lacks]);
    let (_, told) = authored(&of_namespace, |it| if it.contains("eviction") { Err("forbidden") } else { Ok(true) });
    assert!(told[0].ends_with("`jane` has it cannot be found out: forbidden"), "{told:?}");
    // A rule of the cluster reaches everywhere.
    spec["actions"] = json!([{"type": "annotate", "key": "a", "value": "b"}]);
    spec["match"]["gvk"] = json!([{"group": "apps", "version": "v1", "kind": "Deployment"}, {"group": "x.y", "version": "v1", "kind": "Z"}]);
    let (asked, _) = authored(&storing("PortalClusterRule", "", &spec, None), |_| Ok(true));
    assert_eq!(sorted(asked), ["jane patch *.x.y/ ", "jane patch deployments.apps/ "]);
    // Without an API server to ask nobody is held up.
    let vet = VetSettings { vetting: Vetting::Off, authors: true };
    assert_eq!(
        said(&*family(Settings { vet, ..Settings::default() }, &[]).view(), &of_namespace, &NoLookups),
        Vec::<String>::new()
    );
}
