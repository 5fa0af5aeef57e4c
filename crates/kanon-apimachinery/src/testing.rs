//! What tests of several modules share.

use std::sync::Arc;

use serde_json::{Value, json};

use crate::{crd, resource::Resource};

/// A definition: namespaced `gates.policy.example.io` with status and a default.
pub(crate) fn gates_crd() -> Value {
    json!({
        "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
        "metadata": {"name": "gates.policy.example.io"},
        "spec": {"group": "policy.example.io", "scope": "Namespaced",
            "names": {"plural": "gates", "singular": "gate", "kind": "Gate", "listKind": "GateList", "shortNames": ["gt"]},
            "versions": [{"name": "v1", "served": true, "storage": true, "subresources": {"status": {}},
                "schema": {"openAPIV3Schema": {"type": "object", "properties": {
                    "spec": {"type": "object", "properties": {"expr": {"type": "string", "minLength": 1}, "weight": {"type": "integer", "default": 5}}},
                    "status": {"type": "object", "x-kubernetes-preserve-unknown-fields": true}}}}}]}
    })
}

/// The definition once it is served.
pub(crate) fn established() -> Value {
    let mut crd = gates_crd();
    crd["status"] = crd::establish(&crd, &crd::TakenNames::default(), "2026-01-01T00:00:00Z").expect("names are free");
    crd
}

/// Its resource.
pub(crate) fn gates() -> Arc<Resource> {
    crd::resources(&established()).remove(0)
}
