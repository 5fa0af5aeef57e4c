//! Values as rules see them, where that is not what their JSON is: whole numbers that are doubles, texts that are times or
//! bytes, fields whose names CEL spells otherwise. Places without any of these are read from the object as they are.

use std::collections::BTreeMap;

use base64::{Engine, engine::general_purpose::STANDARD};
use jiff::{SignedDuration, Timestamp, civil::Date, tz::TimeZone};
use kanon_core::Node;
use kanon_lang::{Arena, Value};

use super::fields::escape;
use crate::{
    schema::{Schema, Type},
    validate::format::duration,
};

/// What becomes of the values at a place.
pub(super) enum Conversion {
    Double,
    Bytes,
    DateTime,
    Date,
    Duration,
    /// Elements of lists, and values of maps.
    Inner(Box<Conversion>),
    /// Fields by name: their spelling in CEL, and what becomes of them.
    Fields(BTreeMap<String, (String, Option<Conversion>)>),
}

impl Conversion {
    /// `None` where values are what their JSON is.
    pub(super) fn of(schema: &Schema) -> Option<Conversion> {
        let inner = |schema: &Schema| Conversion::of(schema).map(|it| Conversion::Inner(Box::new(it)));
        match (schema.kind, schema.format.as_str()) {
            (Type::Number, _) => Some(Conversion::Double),
            (Type::String, "byte") => Some(Conversion::Bytes),
            (Type::String, "date-time") => Some(Conversion::DateTime),
            (Type::String, "date") => Some(Conversion::Date),
            (Type::String, "duration") => Some(Conversion::Duration),
            (Type::Array, _) => inner(schema.items.as_ref()?),
            (Type::Object, _) => match &schema.additional {
                Some(values) => inner(values),
                None => fields(schema),
            },
            (Type::Any | Type::IntOrString | Type::String | Type::Integer | Type::Boolean, _) => None,
        }
    }
}

fn fields(schema: &Schema) -> Option<Conversion> {
    let mut out = BTreeMap::new();
    for (name, property) in &schema.properties {
        let Some(spelled) = escape(name) else { continue };
        out.insert(name.clone(), (spelled, Conversion::of(property)));
    }
    let changes = out.iter().any(|(name, (spelled, conversion))| name != spelled || conversion.is_some());
    changes.then_some(Conversion::Fields(out))
}

/// The value at a place. What does not have the form its schema asks for stays as it is: it was found wrong before.
pub(super) fn value<'a>(conversion: Option<&Conversion>, node: Node<'a>, arena: &'a Arena) -> Value<'a> {
    let plain = Value::from_node(node, arena);
    let Some(conversion) = conversion else { return plain };
    match (conversion, plain) {
        (Conversion::Double, Value::Int(int)) => Value::Float(int as f64),
        (Conversion::Double, Value::UInt(uint)) => Value::Float(uint as f64),
        (Conversion::Bytes, Value::Str(text)) => {
            STANDARD.decode(text).map_or(plain, |it| Value::Bytes(arena.alloc_slice_copy(&it)))
        }
        (Conversion::DateTime, Value::Str(text)) => text.parse::<Timestamp>().map_or(plain, Value::Time),
        (Conversion::Date, Value::Str(text)) => {
            let midnight = text.parse::<Date>().ok().and_then(|it| it.to_zoned(TimeZone::UTC).ok());
            midnight.map_or(plain, |it| Value::Time(it.timestamp()))
        }
        (Conversion::Duration, Value::Str(text)) => {
            let nanos = duration(text).and_then(|it| i64::try_from(it).ok());
            nanos.map_or(plain, |it| Value::Duration(SignedDuration::from_nanos(it)))
        }
        (Conversion::Inner(inner), Value::Node(node)) => {
            let items: Vec<Value<'a>> = node.elements().map(|it| value(Some(inner), it, arena)).collect();
            let members: Vec<(Value<'a>, Value<'a>)> = node
                .members()
                .map(|(name, it)| (Value::Str(arena.alloc_str(&name)), value(Some(inner), it, arena)))
                .collect();
            match node.kind() {
                kanon_core::NodeKind::List => Value::List(arena.alloc_slice_copy(&items)),
                _ => Value::Map(arena.alloc_slice_copy(&members)),
            }
        }
        (Conversion::Fields(fields), Value::Node(node)) => {
            let member = |(name, it): (std::borrow::Cow<'a, str>, Node<'a>)| match fields.get(&*name) {
                Some((spelled, inner)) => (Value::Str(arena.alloc_str(spelled)), value(inner.as_ref(), it, arena)),
                None => (Value::Str(arena.alloc_str(&name)), Value::from_node(it, arena)),
            };
            let members: Vec<(Value<'a>, Value<'a>)> = node.members().map(member).collect();
            Value::Map(arena.alloc_slice_copy(&members))
        }
        _ => plain,
    }
}

#[cfg(test)]
mod tests {
    use kanon_core::Object;
    use serde_json::{Value as Json, json};

    use super::*;
    use crate::test_support::schema;

    fn check(schema_json: &Json, from: Json, want: Json) {
        let conversion = Conversion::of(&schema(schema_json));
        let object = Object::from_value(&from);
        let arena = Arena::new();
        assert_eq!(value(conversion.as_ref(), object.root(), &arena).to_json(&arena), want, "{from}");
    }

    #[test]
    fn values_have_the_types_of_their_schema() {
        let text = |format: &str| json!({"type": "string", "format": format});
        check(&json!({"type": "number"}), json!(2), json!(2.0));
        check(&text("byte"), json!("YQ=="), json!("YQ=="));
        check(&text("date-time"), json!("2024-01-02T03:04:05+01:00"), json!("2024-01-02T02:04:05Z"));
        check(&text("date"), json!("2024-01-02"), json!("2024-01-02T00:00:00Z"));
        check(&text("duration"), json!("2 days"), json!("48h0m0s"));
        check(&text("duration"), json!("not one"), json!("not one"));
        check(&json!({"type": "array", "items": {"type": "number"}}), json!([1, 2.5]), json!([1.0, 2.5]));
        check(
            &json!({"type": "object", "additionalProperties": {"type": "number"}}),
            json!({"a-b": 1}),
            json!({"a-b": 1.0}),
        );
        check(
            &json!({"type": "object", "properties": {"a-b": {"type": "integer"}, "n": {"type": "number", "nullable": true}}}),
            json!({"a-b": 1, "n": null, "x": "y"}),
            json!({"a__dash__b": 1, "n": null, "x": "y"}),
        );
    }

    #[test]
    fn plain_schemas_need_no_conversion() {
        let plain = json!({"type": "object", "properties": {"a": {"type": "integer"}, "l": {"type": "array",
            "items": {"type": "string"}}, "free": {"type": "object", "x-kubernetes-preserve-unknown-fields": true}}});
        assert!(Conversion::of(&schema(&plain)).is_none());
    }
}
