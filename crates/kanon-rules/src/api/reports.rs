//! Reports of the policy working group, `wgpolicyk8s.io/v1alpha2`, and of their successor, `openreports.io/v1alpha1`, as far as
//! Kanon writes them (spec/rules 9.2).
//!
//! Other tools ship these definitions too. Where they are installed already, they stay as they are ([`IF_ABSENT`]).

use kanon_core::Kind;
use serde_json::{Value, json};

/// API group of the working group's reports.
pub(crate) const WG_POLICY_GROUP: &str = "wgpolicyk8s.io";
const WG_POLICY: (&str, &str) = (WG_POLICY_GROUP, "v1alpha2");
/// API group of OpenReports.
pub(crate) const OPEN_REPORTS_GROUP: &str = "openreports.io";
const OPEN_REPORTS: (&str, &str) = (OPEN_REPORTS_GROUP, "v1alpha1");

/// An annotation that keeps an installer from touching a definition that is there.
const IF_ABSENT: &str = "kanon.dev/install";

/// The report of a namespace.
pub fn policy_report() -> Kind {
    Kind::namespaced(WG_POLICY.0, WG_POLICY.1, "PolicyReport", "policyreports")
}

/// The report of what stands in no namespace.
pub fn cluster_policy_report() -> Kind {
    Kind::cluster(WG_POLICY.0, WG_POLICY.1, "ClusterPolicyReport", "clusterpolicyreports")
}

/// The same in OpenReports.
pub fn open_report() -> Kind {
    Kind::namespaced(OPEN_REPORTS.0, OPEN_REPORTS.1, "Report", "reports")
}

/// The same in OpenReports.
pub fn cluster_open_report() -> Kind {
    Kind::cluster(OPEN_REPORTS.0, OPEN_REPORTS.1, "ClusterReport", "clusterreports")
}

/// All definitions.
pub(super) fn crds() -> Vec<Value> {
    // The empty severity is the reference's; OpenReports has none.
    let severities = ["", "critical", "high", "low", "medium", "info"];
    let (both, further) = (properties(&severities), properties(&severities[1..]));
    let further = with_source(further);
    vec![
        crd(&policy_report(), "policyreport", "polr", &both),
        crd(&cluster_policy_report(), "clusterpolicyreport", "cpolr", &both),
        crd(&open_report(), "report", "reps", &further),
        crd(&cluster_open_report(), "clusterreport", "creps", &further),
    ]
}

fn properties(severities: &[&str]) -> Value {
    json!({
        "apiVersion": {"type": "string"},
        "kind": {"type": "string"},
        "metadata": {"type": "object"},
        "scope": object_reference(),
        "scopeSelector": selector(),
        "summary": summary(),
        "results": {"type": "array", "items": result(severities)},
    })
}

/// What OpenReports has besides.
fn with_source(mut properties: Value) -> Value {
    properties["source"] = json!({"type": "string"});
    properties["configuration"] = json!({"type": "object", "properties": {"limits": {"type": "object", "properties": {
        "maxResults": {"type": "integer"},
        "statusFilter": {
            "type": "array", "items": {"type": "string", "enum": ["pass", "fail", "warn", "error", "skip"]},
        },
    }}}});
    properties
}

fn crd(kind: &Kind, singular: &str, short: &str, properties: &Value) -> Value {
    let (name, group) = (&kind.gvk.kind, &kind.gvk.group);
    let scope = if kind.scope == kanon_core::Scope::Cluster { "Cluster" } else { "Namespaced" };
    json!({
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": format!("{}.{group}", kind.plural), "annotations": {IF_ABSENT: "if-absent"}},
        "spec": {
            "group": group,
            "scope": scope,
            "names": {
                "kind": name, "listKind": format!("{name}List"), "plural": kind.plural, "singular": singular,
                "shortNames": [short],
            },
            "versions": [{
                "name": kind.gvk.version, "served": true, "storage": true,
                "additionalPrinterColumns": columns(),
                "schema": {"openAPIV3Schema": {
                    "type": "object",
                    "description": "Results of policies about the objects of a scope.",
                    "properties": properties,
                }},
            }],
        },
    })
}

fn columns() -> Value {
    let count = |name: &str| json!({"name": name, "type": "integer", "jsonPath": format!(".summary.{}", name.to_ascii_lowercase())});
    let mut columns: Vec<_> = ["Pass", "Fail", "Warn", "Error", "Skip"].into_iter().map(count).collect();
    columns.push(json!({"name": "Age", "type": "date", "jsonPath": ".metadata.creationTimestamp"}));
    Value::Array(columns)
}

fn summary() -> Value {
    let count = json!({"type": "integer"});
    json!({"type": "object", "properties": {
        "pass": count, "fail": count, "warn": count, "error": count, "skip": count,
    }})
}

fn result(severities: &[&str]) -> Value {
    json!({
        "type": "object",
        "required": ["policy"],
        "properties": {
            "source": {"type": "string"},
            "policy": {"type": "string"},
            "rule": {"type": "string"},
            "category": {"type": "string"},
            "severity": {"type": "string", "enum": severities},
            "timestamp": {
                "type": "object", "required": ["nanos", "seconds"],
                "properties": {
                    "seconds": {"type": "integer", "format": "int64"}, "nanos": {"type": "integer", "format": "int32"},
                },
            },
            "result": {"type": "string", "enum": ["pass", "fail", "warn", "error", "skip"]},
            "scored": {"type": "boolean"},
            "resources": {"type": "array", "items": object_reference()},
            "resourceSelector": selector(),
            "message": {"type": "string"},
            "properties": {"type": "object", "additionalProperties": {"type": "string"}},
        },
    })
}

fn object_reference() -> Value {
    let text = json!({"type": "string"});
    json!({"type": "object", "properties": {
        "apiVersion": text, "kind": text, "namespace": text, "name": text, "uid": text, "resourceVersion": text,
        "fieldPath": text,
    }})
}

fn selector() -> Value {
    let texts = json!({"type": "array", "items": {"type": "string"}});
    json!({"type": "object", "properties": {
        "matchLabels": {"type": "object", "additionalProperties": {"type": "string"}},
        "matchExpressions": {"type": "array", "items": {
            "type": "object", "required": ["key", "operator"],
            "properties": {"key": {"type": "string"}, "operator": {"type": "string"}, "values": texts},
        }},
    }})
}
