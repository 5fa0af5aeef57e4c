//! A plane with rules and exceptions, whose scans run when a test says so; and what the tests put into it.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::Arc,
};

use kanon_core::{Action, Change, Figures, Input, Keep, Kind, Object, Outcome, Review, Verdict};
use kanon_plane::{Payload, Plane, Scan, Settings as PlaneSettings};
use kanon_rules::{Mode, NetworkSettings, ReportApi, Responses, RulesFamily, Settings, api};
use serde_json::{Value, json};

use crate::common::{self, language, now};

pub(crate) fn pods() -> Kind {
    Kind::namespaced("", "v1", "Pod", "pods")
}

pub(crate) fn namespaces() -> Kind {
    Kind::cluster("", "v1", "Namespace", "namespaces")
}

pub(crate) fn kind_of(object: &Value) -> Kind {
    match object["kind"].as_str().unwrap() {
        "PortalClusterRule" => api::cluster_rule(),
        "PortalRule" => api::portal_rule(),
        "ClusterRuleException" => api::cluster_exception(),
        "RuleException" => api::exception(),
        "Namespace" => namespaces(),
        "PolicyReport" => api::policy_report(),
        name => kanon_network::Kinds::all().into_iter().find(|it| it.gvk.kind == name).unwrap_or_else(pods),
    }
}

/// A pod with containers `web` and `debug`, both privileged.
pub(crate) fn pod(name: &str, labels: Value) -> Value {
    let container =
        |name: &str, image: &str| json!({"name": name, "image": image, "securityContext": {"privileged": true}});
    json!({"apiVersion": "v1", "kind": "Pod",
        "metadata": {"name": name, "namespace": "shop", "uid": format!("uid-{name}"), "labels": labels},
        "spec": {"containers": [container("web", "shop/web:1"), container("debug", "tools/debug:2")]}})
}

pub(crate) fn with(mut object: Value, change: Value) -> Value {
    for (key, value) in change.as_object().unwrap() {
        object["spec"][key] = value.clone();
    }
    object
}

/// A rule about pods of all loops, which denies.
pub(crate) fn rule(expression: &str) -> Value {
    json!({"apiVersion": "portal.io/v1alpha1", "kind": "PortalClusterRule",
        "metadata": {"name": "r", "uid": "uid-r", "generation": 1},
        "spec": {"name": "r", "enabled": true, "severity": "high", "mode": ["admission", "audit"],
            "enforcementAction": "deny", "rule": expression, "match": {"gvk": [{"group": "", "version": "v1", "kind": "Pod"}]}}})
}

pub(crate) const WHOLE: &str = "metadata.name startsWith 'web'";
pub(crate) const BY_CONTAINER: &str = "container.securityContext.privileged == true";

/// An exception from it.
pub(crate) fn exception(spec: Value) -> Value {
    let object = json!({"apiVersion": "portal.io/v1alpha1", "kind": "ClusterRuleException",
        "metadata": {"name": "e", "uid": "uid-e", "generation": 1},
        "spec": {"rules": ["r"], "reason": "moving house", "owner": "team-shop"}});
    with(object, spec)
}

pub(crate) fn edited(mut object: Value, generation: i64) -> Value {
    object["metadata"]["generation"] = json!(generation);
    object
}

/// The same as a namespace's own.
pub(crate) fn of_namespace(mut exception: Value, namespace: &str) -> Value {
    exception["kind"] = json!("RuleException");
    exception["metadata"]["namespace"] = json!(namespace);
    exception
}

/// The creation of a pod.
pub(crate) fn creation(object: &Value) -> Review {
    let name = object["metadata"]["name"].as_str().unwrap().to_owned();
    Review { name, ..common::creation(object) }
}

/// A plane with the rules alone, whose scans run when they are asked for.
pub(crate) struct World {
    pub(crate) plane: Plane,
    pub(crate) secs: u64,
    pub(crate) figures: Arc<Figures>,
    pub(crate) scans: VecDeque<Scan>,
    /// Decisions recorded, as `outcome reason subject/part`.
    pub(crate) told: Vec<String>,
    pub(crate) records: Vec<Verdict>,
    /// Statuses and reports as last written, by kind and name.
    pub(crate) written: BTreeMap<(String, String), Value>,
    pub(crate) events: Vec<String>,
}

impl World {
    pub(crate) fn new() -> World {
        World::with(Settings::default(), Vec::new())
    }

    pub(crate) fn with(settings: Settings, reports: Vec<ReportApi>) -> World {
        let figures = Arc::<Figures>::default();
        let settings = Settings { loops: vec![Mode::Admission, Mode::Audit], ..settings };
        let responses = Responses { figures: Arc::clone(&figures), leads: true, reports, ..Responses::default() };
        let family =
            RulesFamily::new(language(), settings).with_responses(responses).with_network(&NetworkSettings::default());
        let mut world = World {
            plane: Plane::new(vec![Box::new(family)], PlaneSettings { leader: true, ..PlaneSettings::default() }),
            secs: 0,
            figures,
            scans: VecDeque::new(),
            told: Vec::new(),
            records: Vec::new(),
            written: BTreeMap::new(),
            events: Vec::new(),
        };
        for kind in [namespaces(), pods()] {
            world.synced(&kind);
        }
        world
    }

    pub(crate) fn input(&mut self, input: &Input) {
        let step = self.plane.handle(input, now(self.secs));
        for payload in step.records {
            if let Payload::Decision(it) = payload {
                let Verdict { policy, subject, evidence, outcome, reason, .. } = &*it;
                self.told.push(format!(
                    "{}: {} {reason} {}/{}",
                    policy.name,
                    outcome.as_str(),
                    subject.name,
                    evidence.part
                ));
                self.records.push(Verdict::clone(&it));
            }
        }
        for effect in step.effects {
            let subject = effect.subject;
            match effect.action {
                Action::Status { status, .. } => drop(self.written.insert((subject.gvk.kind, subject.name), status)),
                Action::Apply { manifest, .. } => drop(self.written.insert((subject.gvk.kind, subject.name), manifest)),
                Action::Event { reason, .. } => self.events.push(format!("{} {reason}", subject.name)),
                _ => {}
            }
        }
        self.scans.extend(step.scans);
    }

    pub(crate) fn work(&mut self) {
        while let Some(scan) = self.scans.pop_front() {
            let result = scan.run(self.plane.objects(), now(self.secs));
            self.input(&result);
        }
    }

    pub(crate) fn change(&mut self, change: Change, object: &Value) {
        let kind = Arc::new(kind_of(object));
        self.input(&Input::Object { kind, change, object: Object::from_value(object) });
    }

    pub(crate) fn apply(&mut self, object: &Value) {
        self.change(Change::Applied, object);
    }

    pub(crate) fn synced(&mut self, kind: &Kind) {
        self.input(&Input::Synced { kind: Arc::new(kind.clone()), keep: Keep::All });
    }

    pub(crate) fn tick(&mut self, secs: u64) {
        self.secs = secs;
        self.input(&Input::Tick);
    }

    /// What was recorded since the last call, once all work is done.
    pub(crate) fn news(&mut self) -> Vec<String> {
        self.work();
        std::mem::take(&mut self.told)
    }

    /// What admission says of a pod: outcomes in order of containers, and its own answer.
    pub(crate) fn review(&mut self, object: &Value) -> (Vec<Outcome>, bool) {
        let review = Arc::new(creation(object));
        let answer = self.plane.views().review(&review, self.plane.objects(), now(self.secs));
        let said = answer.reviewed.iter().flat_map(|it| &it.1.verdicts).map(|it| it.outcome).collect();
        for (family, reviewed) in answer.reviewed {
            let (verdicts, counts) = (reviewed.verdicts, reviewed.counts);
            self.input(&Input::Reviewed { family, review: Arc::clone(&review), verdicts, counts });
        }
        (said, answer.allowed)
    }

    pub(crate) fn status(&self, path: &str) -> Value {
        let kinds = ["ClusterRuleException", "RuleException"];
        let found = self.written.iter().find(|it| kinds.contains(&it.0.0.as_str()) && it.0.1 == "e").unwrap();
        found.1.pointer(path).cloned().unwrap_or_default()
    }

    pub(crate) fn conditions(&self) -> Vec<String> {
        let text = |it: &Value, key: &str| it[key].as_str().unwrap().to_owned();
        let all = self.status("/conditions");
        all.as_array()
            .unwrap()
            .iter()
            .map(|it| format!("{} {} {}", text(it, "type"), text(it, "status"), text(it, "reason")))
            .collect()
    }

    /// Results of the report of `shop`: result, object, container, exception.
    pub(crate) fn rows(&self) -> Vec<String> {
        let report = &self.written[&("PolicyReport".to_owned(), "portal".to_owned())];
        let text = |it: &Value, path: &str| it.pointer(path).and_then(Value::as_str).unwrap_or_default().to_owned();
        let row = |it: &Value| {
            ["/result", "/resources/0/name", "/properties/container", "/properties/exception"]
                .map(|path| text(it, path))
                .join(" ")
        };
        report["results"].as_array().unwrap().iter().map(row).collect()
    }

    pub(crate) fn figure(&self, name: &str) -> Vec<(String, i64)> {
        let found = self.figures.read().into_iter().find(|it| it.0.name == name);
        found.into_iter().flat_map(|it| it.1).map(|it| (it.0.join(" "), it.1)).collect()
    }
}
