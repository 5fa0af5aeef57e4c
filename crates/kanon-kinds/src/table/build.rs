//! From table rows to [`Schema`]: what validation, merge, apply, OpenAPI and `explain` read.

use std::sync::Arc;

use kanon_schema::{ListType, MapType, Schema, Type};
use serde_json::Value;

use super::{FieldDef, FieldType, Scalar, Tables, TypeId};

/// A type's schema. Types it refers to are built (and shared) on the way; only opaque types refer to themselves.
pub(super) fn schema(tables: &Tables, id: TypeId) -> Schema {
    let def = tables.get(id);
    let mut schema = Schema {
        name: Some(def.name.clone()),
        kind: Type::Object,
        description: def.text.to_owned(),
        map_type: map_type(def.atomic),
        ..Schema::default()
    };
    if def.opaque {
        schema.preserve_unknown = true;
    } else {
        members(tables, id, &mut schema);
    }
    schema
}

fn members(tables: &Tables, id: TypeId, schema: &mut Schema) {
    for field in &tables.get(id).fields {
        if let (true, FieldType::Message(inner)) = (field.inline, &field.ty) {
            members(tables, *inner, schema);
            continue;
        }
        if field.required {
            schema.required.push(field.name.to_owned());
        }
        schema.properties.insert(field.name.to_owned(), Arc::new(property(tables, field)));
    }
}

fn property(tables: &Tables, field: &FieldDef) -> Schema {
    let mut schema = match &field.ty {
        // Shares the members; the node itself differs by what the field says.
        FieldType::Message(id) => (*tables.schema(*id)).clone(),
        other => value(tables, other),
    };
    if !field.text.is_empty() {
        field.text.clone_into(&mut schema.description);
    }
    schema.default = field.default.clone();
    schema.proto = field.number;
    schema.patch = field.patch.clone();
    if schema.kind == Type::Array {
        schema.list_type = field.list_type.clone();
    } else if let Some(map_type) = field.map_type {
        schema.map_type = map_type;
    }
    add_values(&mut schema, &field.values);
    schema
}

/// Enumerations of a list or map restrict its elements.
fn add_values(schema: &mut Schema, values: &[&str]) {
    if values.is_empty() {
        return;
    }
    let element = if schema.kind == Type::Array { &mut schema.items } else { &mut schema.additional };
    let allowed: Vec<Value> = values.iter().map(|it| Value::from(*it)).collect();
    match element {
        Some(element) => Arc::make_mut(element).rules.one_of_values = allowed,
        None => schema.rules.one_of_values = allowed,
    }
}

fn value(tables: &Tables, ty: &FieldType) -> Schema {
    match ty {
        FieldType::Scalar(scalar) => scalar_schema(*scalar),
        FieldType::Message(id) => (*tables.schema(*id)).clone(),
        FieldType::List(element) => Schema {
            kind: Type::Array,
            items: Some(shared(tables, element)),
            list_type: ListType::Atomic,
            ..Schema::default()
        },
        FieldType::Map(element) => {
            Schema { kind: Type::Object, additional: Some(shared(tables, element)), ..Schema::default() }
        }
    }
}

fn shared(tables: &Tables, ty: &FieldType) -> Arc<Schema> {
    match ty {
        FieldType::Message(id) => tables.schema(*id),
        other => Arc::new(value(tables, other)),
    }
}

fn map_type(atomic: bool) -> MapType {
    if atomic { MapType::Atomic } else { MapType::Granular }
}

/// Scalars that are published as types of their own, with a line of text each.
const NAMED: [(Scalar, &str, &str); 6] = [
    (Scalar::Time, "io.k8s.apimachinery.pkg.apis.meta.v1.Time", "A moment in RFC 3339, to the second."),
    (Scalar::MicroTime, "io.k8s.apimachinery.pkg.apis.meta.v1.MicroTime", "A moment in RFC 3339, to the microsecond."),
    (Scalar::Fields, "io.k8s.apimachinery.pkg.apis.meta.v1.FieldsV1", "A set of fields, as a tree of their names."),
    (Scalar::Quantity, "io.k8s.apimachinery.pkg.api.resource.Quantity", "An amount with a unit, such as 250m or 1Gi."),
    (Scalar::IntOrString, "io.k8s.apimachinery.pkg.util.intstr.IntOrString", "A whole number, a name or a percentage."),
    (Scalar::Any, "io.k8s.apimachinery.pkg.runtime.RawExtension", "An object of any kind."),
];

/// The scalar published under `name`.
pub(super) fn named(name: &str) -> Option<Schema> {
    NAMED.iter().find(|(_, it, _)| *it == name).map(|(scalar, _, _)| scalar_schema(*scalar))
}

fn scalar_schema(scalar: Scalar) -> Schema {
    let mut schema = unnamed(scalar);
    if let Some((_, name, text)) = NAMED.iter().find(|(it, _, _)| *it == scalar) {
        schema.name = Some((*name).to_owned());
        (*text).clone_into(&mut schema.description);
    }
    schema
}

fn unnamed(scalar: Scalar) -> Schema {
    let of = |kind: Type, format: &str| Schema { kind, format: format.to_owned(), ..Schema::default() };
    match scalar {
        Scalar::String => of(Type::String, ""),
        Scalar::Bool => of(Type::Boolean, ""),
        Scalar::Int32 => of(Type::Integer, "int32"),
        Scalar::Int64 => of(Type::Integer, "int64"),
        Scalar::Double => of(Type::Number, "double"),
        Scalar::Bytes => of(Type::String, "byte"),
        Scalar::Time | Scalar::MicroTime => of(Type::String, "date-time"),
        Scalar::IntOrString => of(Type::IntOrString, "int-or-string"),
        Scalar::Quantity => quantity(),
        Scalar::Any | Scalar::Fields => Schema { preserve_unknown: true, ..of(Type::Object, "") },
        Scalar::Json | Scalar::SchemaOrBool | Scalar::SchemaOrArray | Scalar::SchemaOrStrings => {
            Schema { preserve_unknown: true, ..Schema::default() }
        }
    }
}

/// Quantities are written as text or as a number.
fn quantity() -> Schema {
    let mut schema = Schema { format: "quantity".to_owned(), preserve_unknown: true, ..Schema::default() };
    schema.rules.any_of =
        vec![Schema { kind: Type::String, ..Schema::default() }, Schema { kind: Type::Number, ..Schema::default() }];
    schema
}
