//! Users' rules of mode `network`: what they read, when they are asked, what opens and what ends. The plane is the real one; scans
//! run where a worker thread would, at a time that the test chooses.
#![allow(clippy::unwrap_used, reason = "a test that panics has failed")]

mod common;

use std::{collections::VecDeque, sync::Arc, time::Duration};

use common::language;
use kanon_core::{Change, Figures, Input, Keep, Kind, Mono, Now, Object, ReadEvidence, Shards};
use kanon_network::Kinds;
use kanon_plane::{Payload, Plane, Scan, Settings as PlaneSettings};
use kanon_rules::{Mode, NetworkSettings, Responses, RulesFamily, Settings, api};
use serde_json::{Value, json};

fn deployments() -> Kind {
    Kind::namespaced("apps", "v1", "Deployment", "deployments")
}

/// A plane with the rules alone, and a worker that runs when it is told to.
struct World {
    plane: Plane,
    millis: u64,
    figures: Arc<Figures>,
    scans: VecDeque<Scan>,
    /// Decisions of users' rules, as `rule object outcome reason`.
    told: Vec<String>,
    /// What the last of them rests on.
    reads: Vec<ReadEvidence>,
    values: Vec<(String, Value)>,
    statuses: std::collections::BTreeMap<String, Value>,
}

impl World {
    fn new(loops: &[Mode]) -> World {
        let figures = Arc::<Figures>::default();
        let settings = Settings { loops: loops.to_vec(), ..Settings::default() };
        let responses = Responses { figures: Arc::clone(&figures), leads: true, ..Responses::default() };
        let family = RulesFamily::new(language(), settings).with_responses(responses);
        let mut checks = NetworkSettings::default();
        checks.options.on.clear();
        let family = if loops.contains(&Mode::Network) { family.with_network(&checks) } else { family };
        let settings = PlaneSettings { leader: true, ..PlaneSettings::default() };
        World {
            plane: Plane::new(vec![Box::new(family)], settings),
            millis: 0,
            figures,
            scans: VecDeque::new(),
            told: Vec::new(),
            reads: Vec::new(),
            values: Vec::new(),
            statuses: Default::default(),
        }
    }

    /// One whose kinds have all arrived, empty.
    fn ready() -> World {
        let mut world = World::new(&[Mode::Admission, Mode::Network]);
        for kind in Kinds::all().into_iter().chain([deployments()]) {
            world.input(&Input::Synced { kind: Arc::new(kind), keep: Keep::All });
        }
        for name in ["shop", "bank"] {
            world.apply(
                &json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "resourceVersion": "1"}}),
            );
        }
        world
    }

    fn now(&self) -> Now {
        let start: jiff::Timestamp = "2026-11-21T09:00:00Z".parse().unwrap();
        let since = Duration::from_millis(self.millis);
        Now::new(start + since, Mono(since))
    }

    fn input(&mut self, input: &Input) {
        let step = self.plane.handle(input, self.now());
        for payload in step.records {
            if let Payload::Decision(it) = payload {
                let (rule, subject) = (&it.policy.name, &it.subject.name);
                self.told.push(format!("{rule} {subject} {} {}", it.outcome.as_str(), it.reason));
                self.reads = it.evidence.reads.clone();
                self.values = it.evidence.values.iter().map(|it| (it.text.clone(), it.value.clone())).collect();
                assert_eq!(it.occasion, "network");
            }
        }
        for effect in step.effects {
            if let kanon_core::Action::Status { status, .. } = effect.action {
                self.statuses.insert(effect.subject.name, status);
            }
        }
        self.scans.extend(step.scans);
    }

    fn change(&mut self, change: Change, object: &Value) {
        let kind = match object["kind"].as_str().unwrap() {
            "PortalClusterRule" => api::cluster_rule(),
            "PortalRule" => api::portal_rule(),
            "Deployment" => deployments(),
            name => Kinds::all().into_iter().find(|it| it.gvk.kind == name).unwrap(),
        };
        self.input(&Input::Object { kind: Arc::new(kind), change, object: Object::from_value(object) });
    }

    fn apply(&mut self, object: &Value) {
        self.change(Change::Applied, object);
    }

    /// What was recorded since the last call, once it has been quiet for a while and all work is done.
    fn news(&mut self) -> Vec<String> {
        for _ in 0..3 {
            self.millis += 300;
            self.input(&Input::Tick);
            while let Some(scan) = self.scans.pop_front() {
                let result = scan.run(self.plane.objects(), self.now());
                self.input(&result);
            }
        }
        let mut told = std::mem::take(&mut self.told);
        told.sort();
        told
    }

    fn figure(&self, name: &str) -> Vec<(Vec<String>, i64)> {
        let all = self.figures.read();
        let found = all.into_iter().find(|it| it.0.name == name);
        found.into_iter().flat_map(|it| it.1).filter(|it| it.1 != 0).collect()
    }
}

fn pod(namespace: &str, name: &str, app: &str) -> Value {
    json!({"apiVersion": "v1", "kind": "Pod",
        "metadata": {"name": name, "namespace": namespace, "uid": name, "resourceVersion": "5", "labels": {"app": app}},
        "spec": {"containers": [{"name": "c", "ports": [{"name": "sql", "containerPort": 5432}]}]}})
}

fn policy(namespace: &str, name: &str, spec: &Value) -> Value {
    json!({"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy",
        "metadata": {"name": name, "namespace": namespace, "uid": name, "resourceVersion": "9"}, "spec": spec})
}

fn deny() -> Value {
    json!({"podSelector": {}, "policyTypes": ["Ingress"]})
}

fn rule(name: &str, kind: (&str, &str), expression: &str) -> Value {
    json!({"apiVersion": "portal.io/v1alpha1", "kind": "PortalClusterRule",
        "metadata": {"name": name, "uid": format!("uid-{name}"), "generation": 1},
        "spec": {"name": name, "enabled": true, "severity": "high", "mode": ["network"], "rule": expression,
            "match": {"gvk": [{"group": kind.0, "version": "v1", "kind": kind.1}]}}})
}

const POD: (&str, &str) = ("", "Pod");

#[test]
fn a_policy_that_comes_ends_what_its_absence_opened() {
    let mut world = World::ready();
    world.apply(&pod("shop", "web", "web"));
    world.apply(&rule("open", POD, "!network.pod.ingressIsolated"));
    assert_eq!(world.news(), ["open web dryrun RuleViolated"]);
    assert_eq!(world.figure("portal_np_findings"), [(vec!["open".to_owned()], 1)]);
    let open = ["open", "high", "shop"].map(str::to_owned).to_vec();
    assert_eq!(world.figure("portal_open_findings"), [(open, 1)]);
    assert_eq!(world.figure("portal_audit_violations"), []);
    assert_eq!(world.statuses["open"]["activeOn"], json!(["network"]));
    // A policy elsewhere is nobody's affair here.
    world.apply(&policy("bank", "deny", &deny()));
    assert_eq!(world.news(), Vec::<String>::new());
    world.apply(&policy("shop", "deny", &deny()));
    assert_eq!(world.news(), ["open web allow FindingFixed"]);
    assert_eq!(world.figure("portal_open_findings"), []);
    world.change(Change::Deleted, &policy("shop", "deny", &deny()));
    assert_eq!(world.news(), ["open web dryrun RuleViolated"]);
    world.change(Change::Deleted, &pod("shop", "web", "web"));
    assert_eq!(world.news(), ["open web allow ObjectDeleted"]);
}

#[test]
fn what_is_applied_together_is_judged_together() {
    let mut world = World::ready();
    world.apply(&rule("open", POD, "!network.pod.ingressIsolated"));
    assert_eq!(world.news(), Vec::<String>::new());
    world.apply(&pod("shop", "web", "web"));
    world.millis += 100;
    world.input(&Input::Tick);
    assert!(world.scans.is_empty(), "it settles first");
    world.apply(&policy("shop", "deny", &deny()));
    assert_eq!(world.news(), Vec::<String>::new());
}

#[test]
fn nothing_is_asked_before_all_of_the_network_is_known() {
    let mut world = World::new(&[Mode::Admission, Mode::Network]);
    world.input(&Input::Synced { kind: Arc::new(Kinds::namespace()), keep: Keep::All });
    world.input(&Input::Synced { kind: Arc::new(Kinds::pod()), keep: Keep::All });
    world.apply(&json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "shop"}}));
    world.apply(&pod("shop", "web", "web"));
    world.apply(&rule("open", POD, "!network.pod.ingressIsolated"));
    assert_eq!(world.news(), Vec::<String>::new());
    let synced = |world: &World| {
        let conditions = world.statuses["open"]["conditions"].as_array().unwrap().clone();
        let found = conditions.into_iter().find(|it| it["type"] == "LookupsSynced").unwrap();
        found["reason"].as_str().unwrap().to_owned()
    };
    assert_eq!(synced(&world), "Waiting");
    world.input(&Input::Synced { kind: Arc::new(Kinds::policy()), keep: Keep::All });
    assert_eq!(world.news(), ["open web dryrun RuleViolated"]);
    assert_eq!(synced(&world), "Synced");
}

#[test]
fn without_the_loop_the_rule_says_so() {
    let mut world = World::new(&[Mode::Admission, Mode::Audit]);
    world.apply(&rule("open", POD, "!network.pod.ingressIsolated"));
    assert_eq!(world.statuses["open"]["activeOn"], json!([]));
    assert_eq!(world.statuses["open"]["conditions"][0]["reason"], "LayerNotRunning");
}

#[test]
fn reachability_is_asked_again_when_the_other_end_changes() {
    let mut world = World::ready();
    world.apply(&pod("shop", "web", "web"));
    world.apply(&pod("bank", "till", "till"));
    world.apply(&rule("till", POD, "metadata.name == 'web' && network.canReach(object, 'bank/till', 'sql', 'TCP')"));
    assert_eq!(world.news(), ["till web dryrun RuleViolated"]);
    let names: Vec<_> = world.reads.iter().map(|it| format!("{}@{}", it.object, it.resource_version)).collect();
    assert_eq!(names, ["Pod shop/web@5", "Pod bank/till@5"]);
    world.apply(&policy("bank", "deny", &deny()));
    assert_eq!(world.news(), ["till web allow FindingFixed"]);
    let from_shop =
        json!({"podSelector": {}, "ingress": [{"from": [{"namespaceSelector": {"matchLabels": {"team": "shop"}}}]}]});
    world.apply(&policy("bank", "shop", &from_shop));
    assert_eq!(world.news(), Vec::<String>::new());
    world.apply(
        &json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "shop", "labels": {"team": "shop"}}}),
    );
    assert_eq!(world.news(), ["till web dryrun RuleViolated"]);
    let names: Vec<_> = world.reads.iter().map(|it| it.object.to_string()).collect();
    assert_eq!(names, ["Pod shop/web", "Pod bank/till", "NetworkPolicy bank/deny", "NetworkPolicy bank/shop"]);
    world.change(Change::Deleted, &pod("bank", "till", "till"));
    assert_eq!(world.news(), ["till web allow FindingFixed"]);
}

/// What a rule of a kind says of an object of it in a small shop: `true`, `false` or why it says nothing.
fn check(kind: (&str, &str), expression: &str, want: &str) {
    let mut world = World::ready();
    world.apply(&pod("shop", "web", "web"));
    world.apply(&pod("shop", "db", "db"));
    let to_db = json!({"podSelector": {"matchLabels": {"app": "db"}}, "policyTypes": ["Ingress", "Egress"],
        "ingress": [{"from": [{"podSelector": {"matchLabels": {"app": "web"}}}], "ports": [{"port": 5432}]}],
        "egress": [{"to": [{"ipBlock": {"cidr": "0.0.0.0/0"}}]}]});
    world.apply(&policy("shop", "db", &to_db));
    world
        .apply(&json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "db", "namespace": "shop"},
        "spec": {"template": {"metadata": {"labels": {"app": "db"}}, "spec": {"containers": [{"name": "c"}]}}}}));
    let mut whole = rule("r", kind, expression);
    whole["spec"]["match"]["namespaces"] = json!({"exclude": ["bank"]});
    world.apply(&whole);
    let name = if kind == POD { "db" } else { "" };
    let told = world.news();
    let about = |it: &&String| name.is_empty() || it.starts_with(&format!("r {name} "));
    let outcome = told.iter().find(about).map_or("false", |it| if it.contains(" error ") { "error" } else { "true" });
    let error = world.statuses["r"]["lastEvalError"]["message"].as_str().unwrap_or_default().to_owned();
    let said = if outcome == "error" { &error } else { outcome };
    assert_eq!(said, want, "{expression} {told:?} {:?}", world.statuses["r"]["parseError"]);
}

#[test]
fn facts_of_the_namespace_the_pod_and_the_policy() {
    let policy = ("networking.k8s.io", "NetworkPolicy");
    let namespace = ("", "Namespace");
    let deployment = ("apps", "Deployment");
    for (kind, expression) in [
        (
            namespace,
            "network.namespace.name == 'shop' && network.namespace.podCount == 2 && network.namespace.policyCount == 1",
        ),
        (
            namespace,
            "network.namespace.unprotectedPods == ['web'] && network.namespace.labels['kubernetes.io/metadata.name'] == 'shop'",
        ),
        (
            namespace,
            "!network.namespace.defaultDenyIngress && !network.namespace.defaultDenyEgress && network.namespace.name == 'shop'",
        ),
        (POD, "network.pod.policies == ['db'] && network.pod.ingressIsolated && network.pod.egressIsolated"),
        (
            POD,
            "!network.pod.ingressOpenToAll && network.pod.egressOpenToAll && network.pod.exposedPorts == ['5432/TCP']",
        ),
        (POD, "network.namespace.podCount == 2 && network.policy == nil && network.nothing == nil"),
        (deployment, "network.pod.policies == ['db'] && network.pod.exposedPorts == []"),
        (policy, "network.policy.selects == 'app=db' && network.policy.types == ['Ingress', 'Egress']"),
        (policy, "network.policy.ingress[0].ports == ['5432/TCP'] && !network.policy.ingress[0].openToAll"),
        (
            policy,
            "network.policy.egress | any(.openToAll) && network.policy.selectedPods == ['db'] && network.pod == nil",
        ),
    ] {
        check(kind, expression, "true");
    }
}

#[test]
fn ends_are_pods_workloads_names_and_addresses() {
    for (kind, expression, want) in [
        (POD, "network.canReach('web', object, 5432)", "true"),
        (POD, "network.canReach('shop/web', 'shop/db', 'sql', 'tcp')", "true"),
        (POD, "network.canReach('web', object, 80, 'TCP')", "false"),
        (POD, "network.canReach('web', object, 5432, 'UDP')", "false"),
        (POD, "network.canReach(object, '203.0.113.7', 443)", "true"),
        (POD, "network.canReach('203.0.113.7', object, 5432)", "false"),
        (POD, "network.canReach('none', object, 5432) || network.canReach(object, 'moon/db', 1)", "false"),
        (POD, "network.canReach(cluster.pods.byName('shop', 'web'), object, 'sql')", "true"),
        (POD, "network.canReach(cluster.pods.byName('shop', 'none'), object, 'sql')", "false"),
        (POD, "network.canReach('web', object, 'http')", "false"),
        (("apps", "Deployment"), "network.canReach('web', object, 5432)", "true"),
        (POD, "network.canReach(object, 'web', 5432)", "true"),
        (POD, "network.canReach('web', object)", "`network.canReach` takes who, whom, a port and a protocol"),
        (POD, "network.canReach('web', object, 0)", "`network.canReach`: ports begin at 1"),
        (POD, "network.canReach('web', object, 1, 'ICMP')", "`network.canReach`: `ICMP` is not one of TCP, UDP, SCTP"),
        (POD, "network.canReach('/', object, 1)", "`network.canReach`: `/` is no pod: write `namespace/name`"),
        (
            POD,
            "network.canReach(1, object, 1)",
            "`network.canReach`: an end is a pod, a workload, `namespace/name` or an address",
        ),
        (
            ("networking.k8s.io", "NetworkPolicy"),
            "network.canReach(object, 'web', 1)",
            "`network.canReach`: NetworkPolicy `db` has no pods",
        ),
        (
            POD,
            "network.canReach(object, '203.0.113.7', 'http')",
            "`network.canReach`: port `http`: 203.0.113.7 is no pod, whose ports have names: give a number",
        ),
    ] {
        check(kind, expression, want);
    }
}

#[test]
fn evidence_names_what_of_the_network_was_read() {
    let mut world = World::ready();
    world.apply(&pod("shop", "db", "db"));
    world.apply(&policy("shop", "db", &json!({"podSelector": {"matchLabels": {"app": "db"}}})));
    world.apply(&rule("r", POD, "network.pod.policies == ['db'] && network.namespace.policyCount == 1"));
    assert_eq!(world.news(), ["r db dryrun RuleViolated"]);
    let names: Vec<_> = world.reads.iter().map(|it| format!("{}@{}", it.object, it.resource_version)).collect();
    assert_eq!(names, ["NetworkPolicy shop/db@9", "Namespace shop@1"]);
    assert!(world.values.contains(&("network.pod.policies".to_owned(), json!(["db"]))), "{:?}", world.values);
}

#[test]
fn a_namespaces_own_rule_sees_nothing_of_others() {
    let own = |expression: &str| {
        let mut rule = rule("r", POD, expression);
        rule["kind"] = json!("PortalRule");
        rule["metadata"]["namespace"] = json!("shop");
        rule
    };
    for (expression, found) in [
        ("network.namespace.podCount == 1", true),
        ("network.canReach(object, 'bank/till', 1)", false),
        ("network.canReach('bank/till', object, 1)", false),
        ("network.canReach(object, '203.0.113.7', 1)", true),
    ] {
        let mut world = World::ready();
        world.apply(&pod("shop", "web", "web"));
        world.apply(&pod("bank", "till", "till"));
        world.apply(&own(expression));
        let want = if found { vec!["r web dryrun RuleViolated"] } else { vec![] };
        assert_eq!(world.news(), want, "{expression}");
    }
}

#[test]
fn whoever_loses_the_lead_forgets_and_whoever_wins_it_looks_at_everything() {
    let mut world = World::ready();
    world.apply(&pod("shop", "web", "web"));
    world.apply(&rule("open", POD, "!network.pod.ingressIsolated"));
    assert_eq!(world.news(), ["open web dryrun RuleViolated"]);
    world.input(&Input::Leadership(Shards::lead(false)));
    assert_eq!(world.news(), Vec::<String>::new());
    assert_eq!(world.figure("portal_open_findings"), []);
    world.apply(&policy("shop", "deny", &deny()));
    assert_eq!(world.news(), Vec::<String>::new());
    world.input(&Input::Leadership(Shards::lead(true)));
    assert_eq!(world.news(), Vec::<String>::new());
    world.change(Change::Deleted, &policy("shop", "deny", &deny()));
    assert_eq!(world.news(), ["open web dryrun RuleViolated"]);
}

#[test]
fn a_rule_that_goes_takes_its_findings_with_it() {
    let mut world = World::ready();
    world.apply(&pod("shop", "web", "web"));
    let open = rule("open", POD, "!network.pod.ingressIsolated");
    world.apply(&open);
    assert_eq!(world.news(), ["open web dryrun RuleViolated"]);
    world.change(Change::Deleted, &open);
    assert_eq!(world.news(), ["open web allow RuleWithdrawn"]);
}

#[test]
fn a_rule_of_both_loops_is_two_findings() {
    let mut whole = rule("both", POD, "network == nil || !network.pod.ingressIsolated");
    whole["spec"]["mode"] = json!(["audit", "network"]);
    let mut world = World::ready();
    world.apply(&whole);
    assert_eq!(world.statuses["both"]["activeOn"], json!(["network"]), "audit does not run here");
    world.apply(&pod("shop", "web", "web"));
    assert_eq!(world.news(), ["both web dryrun RuleViolated"]);
}
