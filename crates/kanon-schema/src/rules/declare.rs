//! What a schema tells CEL of the values under it: their types, how large they may be, and how small they are at least. The last
//! bounds how often they can fit a request.

use std::{collections::BTreeMap, sync::Arc};

use kanon_lang::{Bound, Inner, ObjectType, Type as LangType};

use super::fields::escape;
use crate::schema::{Schema, Type};

/// The largest request.
const REQUEST_BYTES: u64 = 3 * 1024 * 1024;

/// The longest text in a request: without its quotes.
const TEXT_BYTES: u64 = REQUEST_BYTES - 2;

/// What is known of the values at a place.
pub(super) struct Declared {
    pub(super) of: LangType,
    pub(super) bound: Bound,
    /// Bytes of JSON at least.
    min_bytes: u64,
}

impl Declared {
    fn new(of: LangType, most: u64, min_bytes: u64) -> Declared {
        Declared { of, bound: Bound { most, inner: Inner::Nothing }, min_bytes }
    }

    /// How often such a value can be in a request, with a comma between two.
    pub(super) fn cardinality(&self) -> u64 {
        REQUEST_BYTES / (self.min_bytes + 1)
    }
}

/// `None` for values that CEL does not see: those that the schema says nothing about. `resource`: the place is an object of its
/// own, whose kind and name can always be read.
pub(super) fn declare(schema: &Schema, resource: bool) -> Option<Declared> {
    let rules = &schema.rules;
    Some(match schema.kind {
        Type::IntOrString => Declared::new(LangType::Dyn, rules.max_length.map_or(TEXT_BYTES, characters), 1),
        Type::Boolean => Declared::new(LangType::Bool, 0, 4),
        Type::Integer => Declared::new(LangType::Int, 0, 1),
        Type::Number => Declared::new(LangType::Double, 0, 1),
        Type::String => text(schema),
        Type::Array => {
            let items = schema.items.as_ref()?;
            let inner = declare(items, items.embedded_resource)?;
            let most = rules.max_items.unwrap_or(TEXT_BYTES / (inner.min_bytes + 1));
            let bound = Bound { most, inner: Inner::Elements(Arc::new(inner.bound)) };
            Declared { of: LangType::list(inner.of), bound, min_bytes: 2 }
        }
        Type::Object => match &schema.additional {
            Some(values) => {
                let inner = declare(values, values.embedded_resource)?;
                // A member takes two quotes, a colon, a comma and a key besides its value.
                let most = rules.max_properties.unwrap_or(TEXT_BYTES / (inner.min_bytes + 6));
                let bound = Bound { most, inner: Inner::Values(Arc::new(inner.bound)) };
                Declared { of: LangType::map(LangType::String, inner.of), bound, min_bytes: 2 }
            }
            None => object(schema, resource),
        },
        Type::Any => return None,
    })
}

/// Bytes of so many characters at most.
fn characters(most: u64) -> u64 {
    most.saturating_mul(4)
}

fn text(schema: &Schema) -> Declared {
    let max_length = schema.rules.max_length;
    match schema.format.as_str() {
        "byte" => Declared::new(LangType::Bytes, max_length.unwrap_or(TEXT_BYTES), 2),
        "duration" => Declared::new(LangType::Duration, 32, 3),
        "date" => Declared::new(LangType::Timestamp, 12, 12),
        "date-time" => Declared::new(LangType::Timestamp, 32, 21),
        _ => {
            let longest = schema.rules.one_of_values.iter().filter_map(|it| it.as_str()).map(str::len).max();
            let most = match (max_length, longest) {
                (Some(most), _) => characters(most),
                (None, Some(longest)) => longest as u64,
                (None, None) => TEXT_BYTES,
            };
            Declared::new(LangType::String, most, 2)
        }
    }
}

fn object(schema: &Schema, resource: bool) -> Declared {
    let mut types = BTreeMap::new();
    let mut bounds = BTreeMap::new();
    let mut min_bytes = 2;
    let mut field = |name: String, declared: Declared| {
        types.insert(name.clone(), declared.of);
        bounds.insert(name, declared.bound);
    };
    for (name, property) in &schema.properties {
        let Some(declared) = declare(property, property.embedded_resource) else { continue };
        // What has a default need not be in a request.
        if schema.required.contains(name) && property.default.is_none() {
            min_bytes += name.len() as u64 + declared.min_bytes + 4;
        }
        if let Some(name) = escape(name) {
            field(name, declared);
        }
    }
    if resource {
        let string = || Declared::new(LangType::String, TEXT_BYTES, 2);
        field("apiVersion".to_owned(), string());
        field("kind".to_owned(), string());
        let names = ["name", "generateName"];
        let inner = names.map(|it| (it.to_owned(), string().bound)).into();
        let fields = names.map(|it| (it.to_owned(), LangType::String)).into();
        let of = LangType::Object(Arc::new(ObjectType { name: "object".to_owned(), fields }));
        field(
            "metadata".to_owned(),
            Declared { of, bound: Bound { most: 0, inner: Inner::Fields(inner) }, min_bytes: 2 },
        );
    }
    let of = LangType::Object(Arc::new(ObjectType { name: "object".to_owned(), fields: types }));
    Declared { of, bound: Bound { most: 0, inner: Inner::Fields(bounds) }, min_bytes }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::test_support::schema;

    /// The size of a list of such values at most, and how often such a value fits a request.
    fn check(json: &Value, list: u64, cardinality: u64) {
        let items = json!({"type": "array", "items": json});
        assert_eq!(declare(&schema(&items), false).unwrap().bound.most, list, "{json}");
        assert_eq!(declare(&schema(json), false).unwrap().cardinality(), cardinality, "{json}");
    }

    #[test]
    fn as_many_values_as_fit_a_request_are_expected() {
        check(&json!({"type": "number"}), 1572863, 1572864);
        check(&json!({"type": "boolean"}), 629145, 629145);
        check(&json!({"type": "string"}), 1048575, 1048576);
        check(&json!({"type": "string", "format": "date"}), 241978, 241979);
        check(&json!({"type": "string", "format": "date-time"}), 142987, 142987);
        check(&json!({"type": "string", "format": "duration"}), 786431, 786432);
        check(&json!({"x-kubernetes-int-or-string": true}), 1572863, 1572864);
        check(&json!({"type": "array", "items": {"type": "number"}}), 1048575, 1048576);
        let object = json!({"type": "object", "required": ["required"], "properties": {
            "required": {"type": "string"}, "defaulted": {"type": "string", "default": "x"}}});
        check(&object, 185042, 185042);
    }

    #[test]
    fn limits_of_the_schema_come_first() {
        let most = |json: Value| declare(&schema(&json), false).unwrap().bound.most;
        assert_eq!(most(json!({"type": "string"})), 3145726);
        assert_eq!(most(json!({"type": "string", "maxLength": 10})), 40);
        assert_eq!(most(json!({"type": "string", "enum": ["a", "LongValue"]})), 9);
        assert_eq!(most(json!({"type": "string", "format": "byte", "maxLength": 10})), 10);
        assert_eq!(most(json!({"type": "array", "maxItems": 5, "items": {"type": "string"}})), 5);
        assert_eq!(most(json!({"type": "object", "maxProperties": 6, "additionalProperties": {"type": "string"}})), 6);
        assert_eq!(most(json!({"type": "object", "additionalProperties": {"type": "number"}})), 449389);
    }

    #[test]
    fn fields_are_named_as_cel_writes_them() {
        let json = json!({"type": "object", "properties": {"a-b": {"type": "string"}, "in": {"type": "integer"},
            "free": {"x-kubernetes-preserve-unknown-fields": true}, "a b": {"type": "string"}}});
        let LangType::Object(object) = declare(&schema(&json), true).unwrap().of else { panic!("not an object") };
        let names: Vec<&String> = object.fields.keys().collect();
        assert_eq!(names, ["__in__", "a__dash__b", "apiVersion", "kind", "metadata"]);
    }
}
