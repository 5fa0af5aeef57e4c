//! Lookups through the whole decision: spellings, the request's own object, confinement, errors, and what makes the audit ask again.
#![allow(clippy::unwrap_used, reason = "a test that panics has failed")]

mod common;

use std::{collections::VecDeque, sync::Arc};

use common::{creation, language, now, rules};
use kanon_core::{Change, Figures, GroupVersionKind, Input, Keep, Kind, Object, Operation, Outcome, Review, Verdict};
use kanon_plane::{NoLookups, ObjectStore, Payload, Plane, Scan, Settings as PlaneSettings, View};
use kanon_rules::{Mode, Responses, RulesFamily, RulesView, Settings, api};
use serde_json::{Value, json};

const KINDS: [(&str, &str, &str, &str); 6] = [
    ("", "v1", "Pod", "pods"),
    ("", "v1", "Secret", "secrets"),
    ("apps", "v1", "Deployment", "deployments"),
    ("networking.k8s.io", "v1", "NetworkPolicy", "networkpolicies"),
    ("policy", "v1", "PodDisruptionBudget", "poddisruptionbudgets"),
    ("", "v1", "Namespace", "namespaces"),
];

fn kind(name: &str) -> GroupVersionKind {
    let (group, version, kind, _) = KINDS.iter().find(|it| it.2 == name).unwrap();
    GroupVersionKind::new(group, version, kind)
}

fn object(kind: &str, namespace: &str, name: &str, more: &Value) -> Object {
    let mut whole = json!({"kind": kind, "metadata": {"name": name, "resourceVersion": "7"}});
    if !namespace.is_empty() {
        whole["metadata"]["namespace"] = json!(namespace);
    }
    for (key, value) in more.as_object().unwrap() {
        match key.as_str() {
            "labels" | "ownerReferences" => whole["metadata"][key] = value.clone(),
            _ => whole[key] = value.clone(),
        }
    }
    Object::from_value(&whole)
}

/// Two namespaces with a few objects.
fn store() -> ObjectStore {
    let mut store = ObjectStore::default();
    for (name, namespace, of, more) in [
        ("shop", "", "Namespace", json!({"labels": {"tier": "gold"}})),
        (
            "web-1",
            "shop",
            "Pod",
            json!({"labels": {"app": "web"}, "ownerReferences":
            [{"apiVersion": "apps/v1", "kind": "Deployment", "name": "web", "controller": true}]}),
        ),
        ("db-1", "shop", "Pod", json!({"labels": {"app": "db"}})),
        ("till-1", "bank", "Pod", json!({"labels": {"app": "web"}})),
        ("web", "shop", "Deployment", json!({"spec": {"replicas": 3}})),
        ("web", "shop", "PodDisruptionBudget", json!({"spec": {"selector": {"matchLabels": {"app": "web"}}}})),
        ("deny", "shop", "NetworkPolicy", json!({"spec": {"podSelector": {}}})),
        ("key", "shop", "Secret", json!({})),
    ] {
        store.apply(&kind(of), Change::Applied, &object(of, namespace, name, &more));
    }
    for (group, version, name, _) in KINDS {
        store.synced(&GroupVersionKind::new(group, version, name), &Keep::All);
    }
    store
}

fn incoming(operation: Operation) -> Review {
    let pod = object("Pod", "shop", "p", &json!({"labels": {"app": "web"}})).to_value();
    let mut review = creation(&pod);
    review.operation = operation;
    if operation == Operation::Delete {
        review.old_object = review.object.take();
    }
    review
}

fn asked(expression: &str, home: Option<&str>, review: &Review, store: &ObjectStore) -> Vec<Verdict> {
    RulesView::new(rules(expression, home)).review(review, store, now(0)).verdicts
}

/// `true`, `false`, or what went wrong.
fn check(expression: &str, home: Option<&str>, want: &str) {
    let verdicts = asked(expression, home, &incoming(Operation::Create), &store());
    let said = match verdicts.first() {
        None => "false".to_owned(),
        Some(it) if it.outcome == Outcome::Deny => "true".to_owned(),
        Some(it) => it.message.clone(),
    };
    assert_eq!(said, want, "{expression}");
}

#[test]
fn resources_are_found_in_all_spellings() {
    for expression in [
        "cluster.deployments.byName('shop', 'web').spec.replicas == 3",
        "cluster.deployments.v1.apps.byName('shop', 'web') != nil",
        "cluster['deployments.v1.apps'].exists('shop', 'web')",
        "consistentCluster.deployments.exists('shop', 'web') && cluster.consistent.pods.exists('shop', 'web-1')",
        "cluster.networkpolicies.v1.networking.k8s.io.count('shop') == 1",
        "cluster['networkpolicies.v1.networking.k8s.io'].count('', {}) == 1 && cluster.networkpolicys.count() == 1",
        "cluster['pods.v1.'].list('bank', {}) | all(.metadata.name == 'till-1')",
        "cluster.pods.byName('shop', 'none') == nil && !cluster.pods.exists('bank', 'web-1')",
        "len(cluster.pods.list('', {app: 'web'})) == 3 && len(cluster.pods.list('shop', 'app in (web, db)')) == 3",
        "len(cluster.pods.list('shop', {matchExpressions: [{key: 'app', operator: 'NotIn', values: ['web']}]})) == 1",
        "map(cluster.pods.list('', nil), .metadata.name) == ['p', 'till-1', 'db-1', 'web-1']",
        "cluster.poddisruptionbudgets.selecting(object)[0].metadata.name == 'web'",
        "cluster.namespaces.byName('', 'shop').metadata.labels.tier == 'gold'",
        "cluster.namespaceOf(object).metadata.name == 'shop'",
        "cluster.deployments.count() == 1 && cluster.owner(cluster.pods.byName('shop', 'web-1')).metadata.name == 'web'",
        "cluster.owner(object) == nil",
        "let c = cluster.pods; c.count('bank') == 1",
    ] {
        check(expression, None, "true");
    }
}

#[test]
fn what_cannot_be_asked_is_an_error_and_never_widens() {
    let failed = |it: &str| format!("could not be evaluated: {it}");
    check("cluster.widgets.list('', {}) == []", None, &failed("cannot fetch list from <nil>"));
    check("cluster.pods.list('', {app: 1}) == []", None, &failed("the value of label `app` in a selector is no text"));
    check(
        "cluster.pods.byName('web-1') == nil",
        None,
        &failed("`pods.byName` and `exists` take a namespace and a name"),
    );
    let view = RulesView::new(rules("cluster.pods.count() > 0", None));
    let verdicts = view.review(&incoming(Operation::Create), &NoLookups, now(0)).verdicts;
    assert_eq!(verdicts[0].message, failed("`pods` cannot be looked up: not all of them are known"));
}

#[test]
fn the_requests_object_stands_in_for_the_stored_one() {
    let store = store();
    let denied = |operation, expression: &str, change: fn(&mut Review)| {
        let mut review = incoming(operation);
        change(&mut review);
        asked(expression, None, &review, &store).iter().any(|it| it.outcome == Outcome::Deny)
    };
    let (create, update, delete) = (Operation::Create, Operation::Update, Operation::Delete);
    assert!(denied(create, "cluster.pods.byName('shop', 'p').metadata.labels.app == 'web'", |_| {}));
    assert!(denied(create, "cluster.pods.list('shop', {app: 'web'})[0].metadata.name == 'p'", |_| {}));
    assert!(!denied(create, "cluster.pods.exists('bank', 'p')", |_| {}));
    // A pod without the label takes the place of the one that has it.
    let relabel = |it: &mut Review| {
        it.name = "web-1".into();
        it.object = Some(object("Pod", "shop", "web-1", &json!({"labels": {"app": "none"}})));
    };
    assert!(denied(update, "cluster.pods.list('shop', {app: 'web'}) == []", relabel));
    let delete_web = |it: &mut Review| {
        it.name = "web-1".into();
        it.old_object = Some(object("Pod", "shop", "web-1", &json!({})));
    };
    let gone =
        "request.operation == 'DELETE' && !cluster.pods.exists('shop', 'web-1') && cluster.pods.count('shop') == 1";
    assert!(denied(delete, gone, delete_web));
}

#[test]
fn a_namespaces_own_rule_sees_its_namespace_and_no_secrets() {
    for expression in [
        "cluster.pods.byName('bank', 'till-1') == nil && cluster.pods.exists('bank', 'web-1')",
        "cluster.pods.list('', {}) | all(.metadata.namespace == 'shop')",
        "len(cluster.pods.list('bank', {app: 'web'})) == 2",
        "cluster.secrets.list('shop', {}) == nil && cluster.secrets.byName('shop', 'key') == nil",
        "cluster.namespaces.byName('', 'shop') == nil && cluster.namespaceOf(object) == nil",
        "$env['cluster'].pods.byName('bank', 'till-1') == nil",
    ] {
        check(expression, Some("shop"), "true");
    }
    check("cluster.secrets.exists('shop', 'key')", None, "true");
}

#[test]
fn evidence_names_what_was_read_and_what_was_missed() {
    let expression = "cluster.pods.byName('shop', 'none') == nil && len(cluster.pods.list('bank', {})) == 1 && \
                      cluster.poddisruptionbudgets.list('bank', {}) == []";
    let verdict = asked(expression, None, &incoming(Operation::Create), &store()).remove(0);
    let reads: Vec<_> =
        verdict.evidence.reads.iter().map(|it| format!("{} {}", it.object, it.resource_version)).collect();
    assert_eq!(reads, ["Namespace shop 7", "Pod shop/none ", "Pod bank/till-1 7", "PodDisruptionBudget bank/ "]);
    // What other objects hold stays out of the record.
    let expression = "cluster.deployments.byName('shop', 'web').metadata.name == 'web'";
    let verdict = asked(expression, None, &incoming(Operation::Create), &store()).remove(0);
    assert!(verdict.evidence.values.iter().all(|it| it.value.is_boolean()), "{:?}", verdict.evidence.values);
}

/// A plane that audits Deployments with one rule.
struct World {
    plane: Plane,
    figures: Arc<Figures>,
    secs: u64,
    told: Vec<String>,
    evaluated: usize,
}

fn of(name: &str) -> Kind {
    let (group, version, kind, plural) = KINDS.iter().find(|it| it.2 == name).unwrap();
    Kind::namespaced(group, version, kind, plural)
}

impl World {
    fn new(expression: &str) -> World {
        let figures = Arc::<Figures>::default();
        let settings = Settings { loops: vec![Mode::Admission, Mode::Audit], ..Settings::default() };
        let responses = Responses { figures: Arc::clone(&figures), leads: true, ..Responses::default() };
        let family = RulesFamily::new(language(), settings).with_responses(responses);
        let plane = Plane::new(vec![Box::new(family)], PlaneSettings::default());
        let mut world = World { plane, figures, secs: 0, told: Vec::new(), evaluated: 0 };
        let rule = json!({"metadata": {"name": "r", "uid": "u", "generation": 1}, "spec": {"name": "r", "enabled": true,
            "mode": ["audit"], "rule": expression, "match": {"gvk": [{"group": "apps", "version": "v1", "kind": "Deployment"}]}}});
        let kind = Arc::new(api::cluster_rule());
        world.input(Input::Object { kind, change: Change::Applied, object: Object::from_value(&rule) });
        world
    }

    fn input(&mut self, input: Input) {
        let mut scans = VecDeque::new();
        self.step(&input, &mut scans);
        while let Some(scan) = scans.pop_front() {
            self.evaluated += scan.work().objects(self.plane.objects()).len();
            let result = scan.run(self.plane.objects(), now(self.secs));
            self.step(&result, &mut scans);
        }
    }

    fn step(&mut self, input: &Input, scans: &mut VecDeque<Scan>) {
        let step = self.plane.handle(input, now(self.secs));
        for payload in step.records {
            if let Payload::Decision(it) = payload {
                self.told.push(format!("{} {}", it.subject.name, it.reason));
            }
        }
        scans.extend(step.scans);
    }

    fn change(&mut self, kind: &str, change: Change, name: &str, more: &Value) {
        let object = object(kind, "shop", name, more);
        self.input(Input::Object { kind: Arc::new(of(kind)), change, object });
    }

    fn synced(&mut self, kind: &str) {
        self.input(Input::Synced { kind: Arc::new(of(kind)), keep: Keep::All });
    }

    fn news(&mut self) -> Vec<String> {
        std::mem::take(&mut self.told)
    }
}

#[test]
fn a_missing_object_is_waited_for() {
    let mut world = World::new("!cluster.poddisruptionbudgets.exists(metadata.namespace, metadata.name)");
    let wanted: Vec<_> = world.plane.facts().kinds.iter().map(|it| it.plural.clone()).collect();
    assert_eq!(wanted, ["namespaces", "deployments", "poddisruptionbudgets"]);
    world.change("Deployment", Change::Applied, "web", &json!({}));
    world.change("Deployment", Change::Applied, "db", &json!({}));
    world.synced("Deployment");
    // Not before all budgets are known: the one that is missing may be on its way.
    assert_eq!(world.news(), Vec::<String>::new());
    world.synced("PodDisruptionBudget");
    assert_eq!(world.news(), ["db RuleViolated", "web RuleViolated"]);
    world.evaluated = 0;
    world.change("PodDisruptionBudget", Change::Applied, "web", &json!({}));
    assert_eq!((world.news(), world.evaluated), (vec!["web FindingFixed".to_owned()], 1));
    world.change("PodDisruptionBudget", Change::Applied, "else", &json!({}));
    world.change("PodDisruptionBudget", Change::Deleted, "web", &json!({}));
    assert_eq!((world.news(), world.evaluated), (vec!["web RuleViolated".to_owned()], 2));
}

#[test]
fn a_list_is_asked_again_for_labels_that_came_and_went() {
    let mut world = World::new("len(cluster.pods.list(metadata.namespace, {app: metadata.name})) == 0");
    world.synced("Pod");
    world.change("Deployment", Change::Applied, "web", &json!({}));
    world.synced("Deployment");
    assert_eq!(world.news(), ["web RuleViolated"]);
    world.change("Pod", Change::Applied, "p", &json!({"labels": {"app": "db"}}));
    assert_eq!(world.news(), Vec::<String>::new());
    world.change("Pod", Change::Applied, "p", &json!({"labels": {"app": "web"}}));
    assert_eq!(world.news(), ["web FindingFixed"]);
    world.change("Pod", Change::Applied, "p", &json!({"labels": {"app": "db"}}));
    assert_eq!(world.news(), ["web RuleViolated"]);
}

#[test]
fn a_change_during_the_scan_is_not_missed() {
    let mut world = World::new("!cluster.poddisruptionbudgets.exists(metadata.namespace, metadata.name)");
    world.synced("PodDisruptionBudget");
    world.change("Deployment", Change::Applied, "web", &json!({}));
    let mut scans = VecDeque::new();
    world.step(&Input::Synced { kind: Arc::new(of("Deployment")), keep: Keep::All }, &mut scans);
    let result = scans.pop_front().unwrap().run(world.plane.objects(), now(0));
    // The budget comes after the scan looked for it, and before anybody knows that it did.
    world.change("PodDisruptionBudget", Change::Applied, "web", &json!({}));
    assert_eq!(world.news(), Vec::<String>::new());
    world.input(result);
    assert_eq!(world.news(), ["web RuleViolated", "web FindingFixed"]);
}

#[test]
fn rules_that_chase_each_other_are_slowed_down() {
    let mut world = World::new("cluster.pods.count(metadata.namespace) % 2 == 1");
    world.synced("Pod");
    world.change("Deployment", Change::Applied, "web", &json!({}));
    world.synced("Deployment");
    world.evaluated = 0;
    for number in 0..9 {
        world.secs = 1;
        world.change("Pod", Change::Applied, &format!("p{number}"), &json!({}));
    }
    let suppressed = || {
        let all = world.figures.read();
        all.into_iter().find(|it| it.0.name == "portal_lookup_cycle_suppressed_total").map(|it| it.1)
    };
    assert_eq!(world.evaluated, 3);
    assert_eq!(suppressed().unwrap().into_values().collect::<Vec<_>>(), [1]);
    assert_eq!(world.plane.next_deadline(), Some(now(11).mono));
    world.news();
    world.secs = 11;
    world.input(Input::Tick);
    // Nine pods: what the last evaluation saw is what counts.
    assert_eq!(world.evaluated, 4);
    world.change("Deployment", Change::Applied, "web", &json!({"spec": {}}));
    assert_eq!(world.news(), Vec::<String>::new());
}
