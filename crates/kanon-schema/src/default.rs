//! Structural defaulting: what a CRD's `default`s fill in, on write and on read (spec/kubernetes-api.md 4.8).

use serde_json::Value;

use crate::schema::Schema;

/// Drops nulls that the schema does not allow, then fills in the defaults. A null with a default becomes the default.
/// The second time it changes nothing.
pub fn default(schema: &Schema, value: &mut Value) {
    drop_nulls(Some(schema), value);
    fill(schema, value);
}

/// What a member's value must look like, if anything is said.
fn member<'s>(schema: &'s Schema, key: &str) -> Option<&'s Schema> {
    schema.properties.get(key).or(schema.additional.as_ref()).map(|it| &**it)
}

/// Removes nulls that are neither allowed nor defaulted. What has no schema is kept as it is.
fn drop_nulls(schema: Option<&Schema>, value: &mut Value) {
    let Some(schema) = schema else { return };
    match value {
        Value::Object(members) => members.retain(|key, value| {
            let inner = member(schema, key);
            let drop = value.is_null() && inner.is_some_and(|it| !it.nullable && it.default.is_none());
            drop_nulls(inner, value);
            !drop
        }),
        Value::Array(items) => items.iter_mut().for_each(|it| drop_nulls(schema.items.as_deref(), it)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

fn fill(schema: &Schema, value: &mut Value) {
    match value {
        Value::Object(members) => {
            for (key, inner) in &schema.properties {
                let Some(default) = &inner.default else { continue };
                if members.get(key).is_none_or(|it| it.is_null() && !inner.nullable) {
                    members.insert(key.clone(), default.clone());
                }
            }
            for (key, value) in members.iter_mut() {
                let Some(inner) = member(schema, key) else { continue };
                fill_null(inner, value);
                fill(inner, value);
            }
        }
        Value::Array(items) => {
            let Some(inner) = schema.items.as_deref() else { return };
            for item in items {
                fill_null(inner, item);
                fill(inner, item);
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

fn fill_null(schema: &Schema, value: &mut Value) {
    if let (Value::Null, false, Some(default)) = (&*value, schema.nullable, &schema.default) {
        *value = default.clone();
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::test_support::schema;

    #[test]
    fn defaults_fill_what_is_absent_or_wrongly_null() {
        let schema = schema(
            &json!({"type": "object", "properties": {"spec": {"type": "object", "default": {}, "properties": {
                "weight": {"type": "integer", "default": 5},
                "kept": {"type": "string", "nullable": true, "default": "d"},
                "gone": {"type": "string"},
                "list": {"type": "array", "items": {"type": "object", "properties": {"w": {"type": "integer", "default": 1}}}},
                "map": {"type": "object", "additionalProperties": {"type": "object", "properties": {"w": {"type": "integer", "default": 2}}}},
            }}}}),
        );
        let check = |before: Value, after: Value| {
            let mut value = before;
            default(&schema, &mut value);
            assert_eq!(value, after);
            default(&schema, &mut value);
            assert_eq!(value, after, "the second time changes nothing");
        };
        check(json!({}), json!({"spec": {"weight": 5, "kept": "d"}}));
        check(
            json!({"spec": {"weight": null, "kept": null, "gone": null, "other": null}}),
            json!({"spec": {"weight": 5, "kept": null, "other": null}}),
        );
        check(
            json!({"spec": {"weight": 1, "list": [{}, {"w": 3}, null], "map": {"a": {}, "b": null}}}),
            json!({"spec": {"weight": 1, "kept": "d", "list": [{"w": 1}, {"w": 3}, null], "map": {"a": {"w": 2}}}}),
        );
    }
}
