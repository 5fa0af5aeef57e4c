//! The documents that policies are measured on: the very bytes for which the figures of the Go engines were taken, so that
//! ratios mean something. Their lengths are checked at the start; a change here needs new figures of the others.

mod pod;

use kanon_core::Object;
use kanon_lang::{Environment, Value};

pub(crate) use pod::pod;

/// Which document a rule reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Document {
    /// A pod as the one variable `object`.
    Pod,
    /// The same pod with the first two of its three containers.
    Pair,
    /// What a promotion gate sees.
    Gate,
    /// What an admission rule sees: the pod, parts of it by short names, the request.
    Admission,
}

impl Document {
    /// The variables of the document's environment.
    pub(crate) fn names(self) -> &'static [&'static str] {
        match self {
            Document::Pod | Document::Pair => &["object"],
            Document::Gate => &["schedule", "bundle", "environment", "metrics", "upstream", "previousBundle"],
            Document::Admission => &["object", "metadata", "container", "spec", "securityContext", "request"],
        }
    }

    /// Its environment, all variables dynamic.
    pub(crate) fn environment(self) -> Environment {
        Environment::new(self.names().iter().copied())
    }
}

/// All documents of the bench.
pub(crate) struct Inputs {
    /// The pod.
    pub(crate) pod: Object,
    /// The pod with two containers.
    pub(crate) pair: Object,
    /// The gate's context, an object with a member a variable.
    pub(crate) gate: Object,
    /// The admission rule's environment, likewise.
    pub(crate) admission: Object,
    /// What a signal policy is asked about.
    pub(crate) signal: Object,
    /// What an approval policy is asked about.
    pub(crate) approval: Object,
}

impl Inputs {
    /// Makes them and checks their lengths.
    pub(crate) fn make() -> anyhow::Result<Inputs> {
        let inputs = Inputs {
            pod: compact(&pod())?,
            pair: pair()?,
            gate: compact(GATE)?,
            admission: compact(&admission(&pod())?)?,
            signal: compact(SIGNAL)?,
            approval: compact(APPROVAL)?,
        };
        let all = [
            ("pod", &inputs.pod, 8852),
            ("gate", &inputs.gate, 959),
            ("admission", &inputs.admission, 17_690),
            // 885 and 769 in the tables: those were counted with a blank after every comma and colon.
            ("signal", &inputs.signal, 826),
            ("approval", &inputs.approval, 715),
        ];
        for (name, document, bytes) in all {
            let found = document.text().len();
            anyhow::ensure!(found == bytes, "the {name} document has {found} bytes, not {bytes}");
        }
        Ok(inputs)
    }

    /// The document as JSON.
    pub(crate) fn object(&self, document: Document) -> &Object {
        match document {
            Document::Pod => &self.pod,
            Document::Pair => &self.pair,
            Document::Gate => &self.gate,
            Document::Admission => &self.admission,
        }
    }

    /// The values of the document's variables.
    pub(crate) fn values(&self, document: Document) -> Vec<Value<'_>> {
        let root = self.object(document).root();
        if matches!(document, Document::Pod | Document::Pair) {
            return vec![Value::Node(root)];
        }
        // Every variable of the two is an object.
        document.names().iter().map(|name| root.get(name).map_or(Value::Null, Value::Node)).collect()
    }
}

fn pair() -> anyhow::Result<Object> {
    let mut pod = compact(&pod())?.to_value();
    let containers =
        pod["spec"]["containers"].as_array_mut().ok_or_else(|| anyhow::anyhow!("the pod has no containers"))?;
    containers.truncate(2);
    Ok(Object::from_value(&pod).compact())
}

fn compact(text: &str) -> anyhow::Result<Object> {
    Ok(Object::parse(text.to_owned())?.compact())
}

/// The pod, its metadata, its first container with what is derived of the image, its specification, and a request.
fn admission(pod: &str) -> anyhow::Result<String> {
    let pod = compact(pod)?;
    let part = |path: &[&str]| pod.at(path).ok_or_else(|| anyhow::anyhow!("the pod has no `{}`", path.join(".")));
    let container = part(&["spec", "containers"])?.elements().next();
    let container = container.ok_or_else(|| anyhow::anyhow!("the pod has no container"))?;
    let parts = r#""image": {"registry": "ghcr.io", "name": "acme/orders-api", "tag": "2.14.3", "sha256": ""}"#;
    let container = container.raw().replacen(r#""image":"ghcr.io/acme/orders-api:2.14.3""#, parts, 1);
    let (metadata, spec) = (part(&["metadata"])?.raw(), part(&["spec"])?.raw());
    let security = part(&["spec", "securityContext"])?.raw();
    let pod = pod.root().raw();
    Ok(format!(
        r#"{{"object": {pod}, "metadata": {metadata}, "container": {container}, "spec": {spec},
            "securityContext": {security},
            "request": {{"operation": "CREATE", "dryRun": false,
                "userInfo": {{"username": "system:serviceaccount:ci:deployer", "uid": "42",
                    "groups": ["system:serviceaccounts", "system:authenticated"], "extra": {{}}}}}}}}"#
    ))
}

const GATE: &str = r#"{
    "schedule": {"isWeekend": false, "hour": 14, "dayOfWeek": "Wednesday", "minute": 12, "month": 10,
        "time": "2026-10-14T14:12:00Z"},
    "bundle": {"name": "orders-7f3a", "type": "image", "version": "2.14.3", "upstreamSoakMinutes": 95,
        "labels": {"hotfix": "false", "team": "payments"},
        "provenance": {"author": "alice", "commitSHA": "3f1d2c9a8e55aa10",
            "ciRunURL": "https://ci.example.com/runs/88123", "buildTimestamp": "2026-10-14T12:00:00Z"},
        "images": [{"repository": "ghcr.io/acme/orders-api", "tag": "2.14.3",
            "digest": "sha256:9f86d081884c7d659a2feaa0c55ad015"}],
        "pr": {"staging": {"isApproved": true, "approvalCount": 2, "url": "https://git.example.com/pr/12"}}},
    "environment": {"name": "prod", "approval": "pr-review", "namespace": "payments-prod"},
    "metrics": {"error-rate": {"value": 0.002, "result": "Pass"}, "latency": {"value": 181.5, "result": "Pass"}},
    "upstream": {"uat": {"soakMinutes": 95, "recentSuccessCount": 4, "recentFailureCount": 0,
        "lastPromotedAt": "2026-10-14T10:02:00Z"}},
    "previousBundle": {"version": "2.14.2"}
}"#;

const SIGNAL: &str = r#"{
    "namespace": {"name": "payments-prod",
        "labels": {"kubernaut.ai/environment": "production", "tier": "critical",
            "kubernaut.ai/label-team": "payments", "kubernaut.ai/label-tier": "gold",
            "kubernetes.io/metadata.name": "payments-prod", "pod-security.kubernetes.io/enforce": "restricted"},
        "annotations": {"owner": "payments@example.com"}},
    "signal": {"severity": "CRITICAL", "type": "alert", "source": "prometheus",
        "labels": {"alertname": "KubePodCrashLooping", "namespace": "payments-prod",
            "pod": "orders-api-6d9c8f7b5d-x7k2p", "container": "api", "severity": "CRITICAL",
            "prometheus": "monitoring/k8s"}},
    "workload": {"kind": "Deployment", "name": "orders-api",
        "labels": {"app": "orders-api", "team": "payments", "app.kubernetes.io/managed-by": "Helm"},
        "annotations": {"deployment.kubernetes.io/revision": "14"}},
    "cluster": {"labels": {"region": "eu-west-1", "provider": "aws"}}
}"#;

const APPROVAL: &str = r#"{
    "environment": "production", "confidence": 0.91, "severity": "critical", "business_priority": "P0",
    "signal_type": "KubePodCrashLooping",
    "target_resource": {"kind": "Pod", "name": "orders-api-6d9c8f7b5d-x7k2p", "namespace": "payments-prod"},
    "remediation_target": {"kind": "StatefulSet", "name": "orders-db", "namespace": "payments-prod"},
    "detected_labels": {"git_ops_managed": true, "git_ops_tool": "argocd", "pdb_protected": true,
        "hpa_enabled": false, "stateful": true, "helm_managed": true, "network_isolated": false,
        "service_mesh": "istio"},
    "custom_labels": {"team": ["payments"], "tier": ["gold"]},
    "failed_detections": ["hpa_enabled"], "warnings": ["low memory headroom"],
    "business_classification": {"business_unit": "payments", "sla_requirement": "gold"}
}"#;
