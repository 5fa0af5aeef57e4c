//! The CustomResourceDefinitions, as spec/promotion-gates 1 composes them. The schemas set only the defaults that its tables
//! name; everything added to the source's fields is optional, so that manifests written for it stay valid.

mod gate;
mod pipeline;
mod schema;
mod small;

use serde_json::{Value, json};

use super::{BUNDLE, CLOCK, GATE, GROUP, METRIC, Names, PIPELINE, VERSION, WINDOW};
use schema::column;

/// The CustomResourceDefinitions of the family, in the order of [`super::kinds`].
pub fn crds() -> Vec<Value> {
    let age = || column("Age", "date", ".metadata.creationTimestamp");
    let string = |name, path| column(name, "string", path);
    vec![
        crd(
            GATE,
            "Namespaced",
            vec![
                column("Ready", "boolean", ".status.ready"),
                wide(string("Reason", ".status.reason")),
                wide(column("Last-Evaluated", "date", ".status.lastEvaluatedAt")),
                age(),
            ],
            gate::schema(),
        ),
        crd(
            PIPELINE,
            "Namespaced",
            vec![string("Phase", ".status.phase"), column("Paused", "boolean", ".spec.paused"), age()],
            pipeline::schema(),
        ),
        crd(
            BUNDLE,
            "Namespaced",
            vec![
                string("Type", ".spec.type"),
                string("Pipeline", ".spec.pipeline"),
                string("Phase", ".status.phase"),
                age(),
            ],
            small::bundle(),
        ),
        crd(
            WINDOW,
            "Cluster",
            vec![
                string("Type", ".spec.type"),
                column("Active", "boolean", ".status.active"),
                wide(string("Reason", ".status.reason")),
                age(),
            ],
            small::window(),
        ),
        crd(
            CLOCK,
            "Namespaced",
            vec![string("Interval", ".spec.interval"), string("Last-Tick", ".status.tick"), age()],
            small::clock(),
        ),
        crd(
            METRIC,
            "Namespaced",
            vec![
                string("Provider", ".spec.provider"),
                string("Result", ".status.result"),
                string("LastValue", ".status.lastValue"),
                age(),
            ],
            small::metric(),
        ),
    ]
}

/// A column of `kubectl get -o wide` only.
fn wide(mut column: Value) -> Value {
    column["priority"] = json!(1);
    column
}

fn crd(names: Names, scope: &str, columns: Vec<Value>, schema: Value) -> Value {
    let Names { kind, plural, singular, short } = names;
    let mut names = json!({
        "kind": kind, "listKind": format!("{kind}List"), "plural": plural, "singular": singular,
        "categories": ["kanon"],
    });
    if !short.is_empty() {
        names["shortNames"] = json!([short]);
    }
    json!({
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": format!("{plural}.{GROUP}")},
        "spec": {
            "group": GROUP,
            "scope": scope,
            "names": names,
            "versions": [{
                "name": VERSION,
                "served": true,
                "storage": true,
                "subresources": {"status": {}},
                "additionalPrinterColumns": columns,
                "schema": {"openAPIV3Schema": schema},
            }],
        },
    })
}
