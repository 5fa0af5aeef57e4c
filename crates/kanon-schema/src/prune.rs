//! Unknown fields: dropped and reported, as decoding a custom resource does (spec/kubernetes-api.md 4.8).

use serde_json::Value;

use crate::{meta::object_meta, schema::Schema};

/// Where an object carries apiVersion, kind and metadata of its own.
const TYPE_META: [&str; 2] = ["apiVersion", "kind"];

/// Drops what `schema` does not know from a whole object, whose apiVersion, kind and metadata are always known (metadata
/// is pruned by [`object_meta`]). Gives the paths of what was dropped (`spec.b`, `spec.list[0].c`), in document order:
/// what follows `unknown field`.
pub fn prune(schema: &Schema, object: &mut Value) -> Vec<String> {
    let mut pruner = Pruner::default();
    pruner.node(Some(schema), object, true, false);
    pruner.unknown
}

/// The same for a value that is not a whole object.
pub fn prune_value(schema: &Schema, value: &mut Value) -> Vec<String> {
    let mut pruner = Pruner::default();
    pruner.node(Some(schema), value, schema.embedded_resource, false);
    pruner.unknown
}

#[derive(Default)]
struct Pruner {
    /// Text of the place we are at; grows and shrinks with the walk.
    path: String,
    unknown: Vec<String>,
}

/// One step down.
enum Step<'k> {
    Member(&'k str),
    Element(usize),
}

impl Pruner {
    /// `keep`: undeclared members stay, as below `x-kubernetes-preserve-unknown-fields`.
    fn node(&mut self, schema: Option<&Schema>, value: &mut Value, resource: bool, keep: bool) {
        let keep = keep || schema.is_some_and(|it| it.preserve_unknown);
        match value {
            Value::Object(members) => members.retain(|key, value| self.member(schema, key, value, resource, keep)),
            Value::Array(items) => {
                let inner = schema.and_then(|it| it.items.as_deref());
                if keep && inner.is_none() {
                    return;
                }
                let resource = inner.is_some_and(|it| it.embedded_resource);
                for (index, item) in items.iter_mut().enumerate() {
                    self.step(Step::Element(index), |it| it.node(inner, item, resource, keep));
                }
            }
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
        }
    }

    /// Whether a member stays.
    fn member(&mut self, schema: Option<&Schema>, key: &str, value: &mut Value, resource: bool, keep: bool) -> bool {
        if resource && TYPE_META.contains(&key) {
            return true;
        }
        if resource && key == "metadata" {
            self.step(Step::Member(key), |it| it.node(Some(object_meta()), value, false, false));
            return true;
        }
        let inner = schema.and_then(|it| it.properties.get(key).or(it.additional.as_ref()));
        match inner {
            Some(inner) => {
                self.step(Step::Member(key), |it| it.node(Some(inner), value, inner.embedded_resource, false));
            }
            None if keep => {}
            None => {
                self.step(Step::Member(key), |it| it.unknown.push(it.path.clone()));
                return false;
            }
        }
        true
    }

    fn step(&mut self, step: Step<'_>, walk: impl FnOnce(&mut Pruner)) {
        let len = self.path.len();
        match step {
            Step::Member(key) => {
                if len > 0 {
                    self.path.push('.');
                }
                self.path.push_str(key);
            }
            Step::Element(index) => self.path.push_str(&format!("[{index}]")),
        }
        walk(self);
        self.path.truncate(len);
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::test_support::schema;

    #[test]
    fn unknown_fields_are_dropped_and_named() {
        let schema = schema(&json!({"type": "object", "properties": {
            "spec": {"type": "object", "properties": {
                "a": {"type": "string"},
                "list": {"type": "array", "items": {"type": "object", "properties": {"x": {"type": "string"}}}},
                "map": {"type": "object", "additionalProperties": {"type": "object", "properties": {"y": {"type": "string"}}}},
                "free": {"type": "object", "x-kubernetes-preserve-unknown-fields": true,
                    "properties": {"strict": {"type": "object"}}},
                "inner": {"type": "object", "x-kubernetes-embedded-resource": true, "x-kubernetes-preserve-unknown-fields": true},
            }}
        }}));
        let mut object = json!({
            "apiVersion": "a/v1", "kind": "K", "metadata": {"name": "n", "nope": 1, "labels": {"l": "v"}},
            "other": 1,
            "spec": {"a": "", "b": 1, "list": [{"x": "", "z": 1}], "map": {"k": {"y": "", "z": 1}},
                "free": {"any": {"thing": 1}, "strict": {"gone": 1}},
                "inner": {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p", "bad": 1}, "spec": {"s": 1}}}
        });
        let mut unknown = prune(&schema, &mut object);
        unknown.sort();
        assert_eq!(
            unknown,
            [
                "metadata.nope",
                "other",
                "spec.b",
                "spec.free.strict.gone",
                "spec.inner.metadata.bad",
                "spec.list[0].z",
                "spec.map.k.z"
            ]
        );
        assert_eq!(
            object,
            json!({
                "apiVersion": "a/v1", "kind": "K", "metadata": {"name": "n", "labels": {"l": "v"}},
                "spec": {"a": "", "list": [{"x": ""}], "map": {"k": {"y": ""}},
                    "free": {"any": {"thing": 1}, "strict": {}},
                    "inner": {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p"}, "spec": {"s": 1}}}
            })
        );
        assert_eq!(prune(&schema, &mut object), Vec::<String>::new());
    }
}
