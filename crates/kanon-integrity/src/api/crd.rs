//! The CustomResourceDefinition, as spec/runtime-integrity 1.3 composes it. The schema sets no defaults: an object kept in
//! Git must not show drift (1.11).

use serde_json::{Value, json};

use super::{GROUP, KIND, PLURAL, POLICY_NAME, SHORT_NAME, SINGULAR, VERSION};

/// The CustomResourceDefinitions of the family: `pandocorepolicies.pandocore.xyz`.
pub fn crds() -> Vec<Value> {
    vec![policy_crd()]
}

fn policy_crd() -> Value {
    json!({
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": format!("{PLURAL}.{GROUP}")},
        "spec": {
            "group": GROUP,
            "scope": "Namespaced",
            "names": {
                "kind": KIND, "listKind": format!("{KIND}List"), "plural": PLURAL, "singular": SINGULAR,
                "shortNames": [SHORT_NAME], "categories": ["kanon"],
            },
            "versions": [{
                "name": VERSION,
                "served": true,
                "storage": true,
                "subresources": {"status": {}},
                "additionalPrinterColumns": [
                    {"name": "Mode", "type": "string", "jsonPath": ".spec.mode"},
                    {"name": "Sensitivity", "type": "string", "jsonPath": ".spec.sensitivity"},
                    {"name": "Age", "type": "date", "jsonPath": ".metadata.creationTimestamp"},
                ],
                "schema": {"openAPIV3Schema": {
                    "type": "object",
                    "x-kubernetes-validations": [{
                        "rule": format!("self.metadata.name == '{POLICY_NAME}'"),
                        "message": format!("{KIND} must be named \"{POLICY_NAME}\" (one policy per namespace)"),
                    }],
                    "properties": {
                        "spec": {"type": "object", "properties": spec_properties()},
                        "status": {"type": "object", "x-kubernetes-preserve-unknown-fields": true},
                    },
                }},
            }],
        },
    })
}

fn spec_properties() -> Value {
    let boolean = json!({"type": "boolean"});
    let share = json!({"type": "number", "minimum": 0, "maximum": 1});
    json!({
        "mode": {"type": "string", "enum": ["monitor", "alert", "enforce", "debug"]},
        "sensitivity": {"type": "string", "enum": ["low", "medium", "high"]},
        "response": {"type": "object", "properties": {
            "actions": {
                "type": "array",
                "maxItems": 3,
                "x-kubernetes-list-type": "set",
                "items": {"type": "string", "enum": ["alert", "isolate", "terminate"]},
            },
            "escalationDelaySec": {"type": "integer", "format": "int32", "minimum": 0, "maximum": 3600},
        }},
        "thresholds": {"type": "object", "properties": {"incremental": share, "cumulative": share}},
        "features": {"type": "object", "properties": {
            "mlDetection": boolean, "networkAudit": boolean, "attestation": boolean,
        }},
        "integrations": {"type": "object", "properties": {
            "slack": {"type": "string", "maxLength": 2048, "pattern": "^$|^https?://.+|^secret:[a-z0-9.-]+/.+"},
            "pagerduty": {"type": "string", "maxLength": 256},
        }},
        "exclude": {"type": "object", "properties": {
            "namespaces": {
                "type": "array",
                "maxItems": 256,
                "items": {"type": "string", "maxLength": 63, "pattern": "^[a-z0-9]([-a-z0-9]*[a-z0-9])?$"},
            },
            "labels": {
                "type": "object",
                "maxProperties": 64,
                "additionalProperties": {"type": "string", "maxLength": 63},
            },
        }},
    })
}
