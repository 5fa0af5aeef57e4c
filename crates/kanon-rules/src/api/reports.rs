//! Reports of the policy working group: `wgpolicyk8s.io/v1alpha2`, as far as Kanon writes them (spec/rules 9.2).
//!
//! Other tools ship these definitions too. Where they are installed already, they stay as they are ([`IF_ABSENT`]).

use kanon_core::Kind;
use serde_json::{Value, json};

/// API group of reports.
const GROUP: &str = "wgpolicyk8s.io";
const VERSION: &str = "v1alpha2";

/// An annotation that keeps an installer from touching a definition that is there.
const IF_ABSENT: &str = "kanon.dev/install";

/// The report of a namespace.
pub fn policy_report() -> Kind {
    Kind::namespaced(GROUP, VERSION, "PolicyReport", "policyreports")
}

/// The report of what stands in no namespace.
pub fn cluster_policy_report() -> Kind {
    Kind::cluster(GROUP, VERSION, "ClusterPolicyReport", "clusterpolicyreports")
}

/// Both definitions.
pub(super) fn crds() -> Vec<Value> {
    vec![crd(&policy_report(), "policyreport", "polr"), crd(&cluster_policy_report(), "clusterpolicyreport", "cpolr")]
}

fn crd(kind: &Kind, singular: &str, short: &str) -> Value {
    let name = &kind.gvk.kind;
    let scope = if kind.scope == kanon_core::Scope::Cluster { "Cluster" } else { "Namespaced" };
    json!({
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": format!("{}.{GROUP}", kind.plural), "annotations": {IF_ABSENT: "if-absent"}},
        "spec": {
            "group": GROUP,
            "scope": scope,
            "names": {
                "kind": name, "listKind": format!("{name}List"), "plural": kind.plural, "singular": singular,
                "shortNames": [short],
            },
            "versions": [{
                "name": VERSION, "served": true, "storage": true,
                "additionalPrinterColumns": columns(),
                "schema": {"openAPIV3Schema": {
                    "type": "object",
                    "description": "Results of policies about the objects of a scope.",
                    "properties": {
                        "apiVersion": {"type": "string"},
                        "kind": {"type": "string"},
                        "metadata": {"type": "object"},
                        "scope": object_reference(),
                        "scopeSelector": selector(),
                        "summary": summary(),
                        "results": {"type": "array", "items": result()},
                    },
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

fn result() -> Value {
    json!({
        "type": "object",
        "required": ["policy"],
        "properties": {
            "source": {"type": "string"},
            "policy": {"type": "string"},
            "rule": {"type": "string"},
            "category": {"type": "string"},
            // The empty severity is the reference's.
            "severity": {"type": "string", "enum": ["", "critical", "high", "low", "medium", "info"]},
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
