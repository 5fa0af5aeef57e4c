//! Clusters as they are found: namespaces of teams that take care and of teams that do not, with workloads, the objects that controllers
//! make of them, services, budgets and network policies. One seed, one cluster; about as many objects of each kind, as large and
//! as often at fault, as inventories of running clusters show. `kanon-bench cluster COUNT SEED` prints one.

mod pods;

use fastrand::Rng;
use kanon_core::Object;
use serde_json::{Value, json};

/// So many objects, each after those that it belongs to. The same for the same seed.
pub(crate) fn generate(count: usize, seed: u64) -> Vec<Value> {
    let mut it = Generator { rng: Rng::with_seed(seed), objects: Vec::with_capacity(count), count };
    for number in 0.. {
        if it.is_full() {
            break;
        }
        it.namespace(number);
    }
    it.objects
}

/// The same as objects.
pub(crate) fn objects(count: usize, seed: u64) -> Vec<Object> {
    generate(count, seed).iter().map(Object::from_value).collect()
}

/// Prints a cluster as one List.
pub(crate) fn print(count: usize, seed: u64) -> anyhow::Result<()> {
    let list = json!({"apiVersion": "v1", "kind": "List", "items": generate(count, seed)});
    serde_json::to_writer(std::io::stdout().lock(), &list)?;
    Ok(())
}

/// How much a team cares: what part of what it does is at fault.
#[derive(Clone, Copy)]
struct Team {
    /// In percent.
    faults: u8,
}

struct Generator {
    rng: Rng,
    objects: Vec<Value>,
    count: usize,
}

/// An application of a team.
struct App {
    namespace: String,
    name: String,
    labels: Value,
    team: Team,
}

impl Generator {
    fn is_full(&self) -> bool {
        self.objects.len() >= self.count
    }

    fn add(&mut self, mut object: Value) -> String {
        let uid = format!(
            "{:08x}-{:04x}-4{:03x}-8{:03x}-{:012x}",
            self.rng.u32(..),
            self.rng.u16(..),
            self.rng.u16(..0x1000),
            self.rng.u16(..0x1000),
            self.rng.u64(..1 << 48)
        );
        object["metadata"]["uid"] = json!(uid);
        object["metadata"]["resourceVersion"] = json!((self.objects.len() + 1000).to_string());
        let (day, hour, minute) = (self.rng.u8(1..29), self.rng.u8(..24), self.rng.u8(..60));
        object["metadata"]["creationTimestamp"] =
            json!(format!("2026-0{}-{day:02}T{hour:02}:{minute:02}:00Z", self.rng.u8(1..9)));
        if !self.is_full() {
            self.objects.push(object);
        }
        uid
    }

    fn chance(&mut self, percent: u8) -> bool {
        self.rng.u8(..100) < percent
    }

    fn suffix(&mut self, len: usize) -> String {
        const LETTERS: &[u8] = b"bcdfghjklmnpqrstvwxz2456789";
        (0..len).map(|_| char::from(LETTERS[self.rng.usize(..LETTERS.len())])).collect()
    }

    fn namespace(&mut self, number: usize) {
        const PARTS: [&str; 8] = ["shop", "billing", "search", "media", "iam", "data", "edge", "ops"];
        const STAGES: [&str; 4] = ["prod", "staging", "dev", "ci"];
        let stage = STAGES[self.rng.usize(..STAGES.len())];
        let name = format!("{}-{stage}-{number}", PARTS[number % PARTS.len()]);
        let team = Team { faults: if stage == "prod" { self.rng.u8(0..8) } else { self.rng.u8(0..40) } };
        self.add(json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name,
            "labels": {"kubernetes.io/metadata.name": name, "stage": stage, "team": PARTS[number % PARTS.len()]}},
            "spec": {"finalizers": ["kubernetes"]}, "status": {"phase": "Active"}}));
        self.add(
            json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "default", "namespace": name}}),
        );
        if !self.chance(team.faults) {
            self.add(json!({"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy",
                "metadata": {"name": "default-deny", "namespace": name},
                "spec": {"podSelector": {}, "policyTypes": ["Ingress"]}}));
        }
        for _ in 0..self.rng.usize(3..12) {
            self.app(&name, team);
        }
    }

    fn app(&mut self, namespace: &str, team: Team) {
        const NAMES: [&str; 10] =
            ["web", "api", "worker", "cache", "queue", "auth", "gateway", "indexer", "mailer", "reports"];
        let name = format!("{}-{}", NAMES[self.rng.usize(..NAMES.len())], self.suffix(3));
        let labels = if self.chance(team.faults) {
            json!({"app": name})
        } else {
            json!({"app": name, "app.kubernetes.io/name": name, "app.kubernetes.io/managed-by": "Helm", "team": namespace})
        };
        let app = App { namespace: namespace.to_owned(), name, labels, team };
        for n in 0..self.rng.usize(1..4) {
            let text: String =
                (0..self.rng.usize(3..20)).map(|line| format!("key-{line}={}\n", self.suffix(12))).collect();
            self.add(json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": app.metadata(&format!("config-{n}")),
                "data": {"app.properties": text}}));
        }
        match self.rng.u8(..100) {
            0..70 => self.deployment(&app),
            70..85 => self.owner_of_pods(&app, "StatefulSet"),
            85..90 => self.owner_of_pods(&app, "DaemonSet"),
            _ => self.cron_job(&app),
        }
    }

    fn deployment(&mut self, app: &App) {
        let replicas = self.rng.u32(1..7);
        let spec = self.pod_spec(app.team);
        let template = json!({"metadata": {"labels": app.labels}, "spec": spec});
        let selector = json!({"matchLabels": {"app": app.name}});
        let owner = self.add(json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": app.metadata(""),
            "spec": {"replicas": replicas, "selector": selector, "template": template,
                "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": "25%", "maxUnavailable": "25%"}}},
            "status": {"replicas": replicas, "readyReplicas": replicas, "observedGeneration": 3}}));
        let hash = self.suffix(10);
        let mut metadata = app.owned(&hash, "Deployment", &app.name, &owner);
        metadata["labels"]["pod-template-hash"] = json!(hash);
        let set = format!("{}-{hash}", app.name);
        let owner = self.add(json!({"apiVersion": "apps/v1", "kind": "ReplicaSet", "metadata": metadata,
            "spec": {"replicas": replicas, "selector": selector, "template": template}, "status": {"replicas": replicas}}));
        for _ in 0..replicas {
            let name = format!("{hash}-{}", self.suffix(5));
            let mut metadata = app.owned(&name, "ReplicaSet", &set, &owner);
            metadata["labels"]["pod-template-hash"] = json!(hash);
            self.pod(metadata, &spec);
        }
        self.around(app);
    }

    fn owner_of_pods(&mut self, app: &App, kind: &str) {
        let replicas = self.rng.u32(1..6);
        let spec = self.pod_spec(app.team);
        let template = json!({"metadata": {"labels": app.labels}, "spec": spec});
        let mut body = json!({"selector": {"matchLabels": {"app": app.name}}, "template": template});
        if kind == "StatefulSet" {
            body["replicas"] = json!(replicas);
            body["serviceName"] = json!(app.name);
        }
        let metadata = app.metadata("");
        let owner = self.add(json!({"apiVersion": "apps/v1", "kind": kind, "metadata": metadata, "spec": body}));
        for number in 0..replicas {
            let metadata = app.owned(&number.to_string(), kind, &app.name, &owner);
            self.pod(metadata, &spec);
        }
        self.around(app);
    }

    fn cron_job(&mut self, app: &App) {
        let mut spec = self.pod_spec(app.team);
        spec["restartPolicy"] = json!("OnFailure");
        let template = json!({"metadata": {"labels": app.labels}, "spec": spec});
        let owner = self.add(json!({"apiVersion": "batch/v1", "kind": "CronJob", "metadata": app.metadata(""),
            "spec": {"schedule": "17 3 * * *", "jobTemplate": {"spec": {"template": template}}}}));
        let run = self.suffix(8);
        let metadata = app.owned(&run, "CronJob", &app.name, &owner);
        let job = format!("{}-{run}", app.name);
        let owner = self.add(json!({"apiVersion": "batch/v1", "kind": "Job", "metadata": metadata,
            "spec": {"template": template, "backoffLimit": 6}, "status": {"succeeded": 1}}));
        let metadata = app.owned(&format!("{run}-{}", self.suffix(5)), "Job", &job, &owner);
        self.pod(metadata, &spec);
    }

    /// What stands around a workload.
    fn around(&mut self, app: &App) {
        let selector = json!({"app": app.name});
        if self.chance(80) {
            let kind = if self.chance(3) { "LoadBalancer" } else { "ClusterIP" };
            self.add(json!({"apiVersion": "v1", "kind": "Service", "metadata": app.metadata(""),
                "spec": {"type": kind, "selector": selector,
                    "ports": [{"name": "http", "port": 80, "targetPort": "http", "protocol": "TCP"}]}}));
        }
        if !self.chance(app.team.faults.saturating_mul(2)) {
            self.add(json!({"apiVersion": "policy/v1", "kind": "PodDisruptionBudget", "metadata": app.metadata(""),
                "spec": {"maxUnavailable": 1, "selector": {"matchLabels": selector}}}));
        }
        if self.chance(50) {
            self.add(
                json!({"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy", "metadata": app.metadata("allow"),
                "spec": {"podSelector": {"matchLabels": selector}, "policyTypes": ["Ingress"],
                    "ingress": [{"from": [{"namespaceSelector": {"matchLabels": {"stage": "prod"}}}],
                        "ports": [{"port": "http", "protocol": "TCP"}]}]}}),
            );
        }
        if self.chance(15) {
            let host = format!("{}.example.com", app.name);
            self.add(json!({"apiVersion": "networking.k8s.io/v1", "kind": "Ingress", "metadata": app.metadata(""),
                "spec": {"ingressClassName": "nginx", "rules": [{"host": host, "http": {"paths": [{"path": "/",
                    "pathType": "Prefix", "backend": {"service": {"name": app.name, "port": {"name": "http"}}}}]}}]}}));
        }
    }

    fn pod(&mut self, metadata: Value, spec: &Value) {
        let pod = pods::pod(&mut self.rng, metadata, spec);
        self.add(pod);
    }

    fn pod_spec(&mut self, team: Team) -> Value {
        pods::spec(&mut self.rng, team)
    }
}

impl App {
    fn metadata(&self, suffix: &str) -> Value {
        let name = if suffix.is_empty() { self.name.clone() } else { format!("{}-{suffix}", self.name) };
        json!({"name": name, "namespace": self.namespace, "labels": self.labels})
    }

    fn owned(&self, suffix: &str, kind: &str, owner: &str, uid: &str) -> Value {
        let version = if matches!(kind, "CronJob" | "Job") { "batch/v1" } else { "apps/v1" };
        let mut metadata = self.metadata(suffix);
        metadata["ownerReferences"] =
            json!([{"apiVersion": version, "kind": kind, "name": owner, "uid": uid, "controller": true}]);
        metadata
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[test]
    fn one_seed_is_one_cluster() {
        let text = |seed| serde_json::to_string(&generate(500, seed)).expect("objects are JSON");
        assert_eq!(text(7), text(7));
        assert_ne!(text(7), text(8));
    }

    #[test]
    fn a_cluster_is_mostly_pods_and_has_something_of_everything() {
        let mut kinds = BTreeMap::<String, usize>::new();
        let mut names = std::collections::BTreeSet::new();
        for object in generate(10_000, 1) {
            let text = |path: &str| object.pointer(path).and_then(Value::as_str).unwrap_or_default().to_owned();
            assert!(names.insert((text("/kind"), text("/metadata/namespace"), text("/metadata/name"))), "{object}");
            *kinds.entry(text("/kind")).or_default() += 1;
        }
        assert_eq!(kinds.values().sum::<usize>(), 10_000);
        assert!(kinds["Pod"] > 2_500, "{kinds:?}");
        let all = [
            "ConfigMap",
            "CronJob",
            "DaemonSet",
            "Deployment",
            "Ingress",
            "Job",
            "Namespace",
            "NetworkPolicy",
            "Pod",
            "PodDisruptionBudget",
            "ReplicaSet",
            "Service",
            "ServiceAccount",
            "StatefulSet",
        ];
        assert_eq!(kinds.keys().map(String::as_str).collect::<Vec<_>>(), all);
    }
}
