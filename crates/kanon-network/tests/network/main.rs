//! The network model from outside: tables of what Kubernetes documents, and random clusters beside a plain reference.

mod checks;
mod findings;
mod hostile;
mod model;
mod reach;
mod reference;

use kanon_core::{Change, GroupVersionKind, Object};
use kanon_network::Model;
use serde_json::Value;

/// The objects of a YAML stream.
pub(crate) fn objects(yaml: &str) -> Vec<Object> {
    let documents: Vec<Value> = serde_saphyr::from_multiple(yaml).expect("YAML");
    documents.iter().filter(|it| !it.is_null()).map(Object::from_value).collect()
}

/// The model of a YAML stream.
pub(crate) fn model(yaml: &str) -> Model {
    Model::of_objects(&objects(yaml), "default")
}

pub(crate) fn kind_of(object: &Object) -> GroupVersionKind {
    GroupVersionKind::from_api_version(object.str_at(&["apiVersion"]), object.str_at(&["kind"]))
}

pub(crate) fn apply(model: &mut Model, object: &Object) -> Option<String> {
    model.apply(&kind_of(object), Change::Applied, object)
}
