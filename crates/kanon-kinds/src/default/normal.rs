//! How a server writes an object of a type: the table's defaults in, empty optional members out, quantities canonical.

use serde_json::{Map, Value};

use crate::{
    quantity,
    table::{FieldDef, FieldType, Scalar, Tables, TypeId},
};

/// Brings an object of type `id` into the server's form. Members that the table does not know are left alone.
pub(super) fn normalize(tables: &Tables, id: TypeId, value: &mut Value) {
    if let (Value::Object(members), false) = (value, tables.get(id).opaque) {
        object(tables, id, members);
    }
}

fn object(tables: &Tables, id: TypeId, members: &mut Map<String, Value>) {
    for field in &tables.get(id).fields {
        if let (true, FieldType::Message(inner)) = (field.inline, &field.ty) {
            object(tables, *inner, members);
        } else {
            member(tables, field, members);
        }
    }
}

fn member(tables: &Tables, field: &FieldDef, members: &mut Map<String, Value>) {
    if let Some(found) = members.get_mut(field.name) {
        walk(tables, &field.ty, found);
        // A number that may also be text is a struct in Go, which is written even when it is zero.
        let written = field.pointer || field.required || (found.is_number() && is_int_or_string(&field.ty));
        if found.is_null() || (is_empty(found) && !written) {
            // `{}` says something where it is a struct of its own (an `emptyDir`), nothing where it is a map.
            if !(found.is_object() && matches!(field.ty, FieldType::Message(_) | FieldType::Scalar(_))) {
                members.remove(field.name);
            }
        }
    }
    // An optional member whose default is empty is not written either.
    let default = field.default.as_ref().filter(|it| field.required || it.is_object() || !is_empty(it));
    if let Some(value) = default.filter(|_| !members.contains_key(field.name)) {
        let mut value = value.clone();
        walk(tables, &field.ty, &mut value);
        members.insert(field.name.to_owned(), value);
    }
}

fn walk(tables: &Tables, ty: &FieldType, value: &mut Value) {
    match (ty, value) {
        (FieldType::Message(id), value) => normalize(tables, *id, value),
        (FieldType::List(element), Value::Array(list)) => list.iter_mut().for_each(|it| walk(tables, element, it)),
        (FieldType::Map(element), Value::Object(map)) => map.values_mut().for_each(|it| walk(tables, element, it)),
        (FieldType::Scalar(Scalar::Quantity), value) => {
            if let Some(canonical) = quantity::canonical(value) {
                *value = canonical.into();
            }
        }
        _ => {}
    }
}

fn is_int_or_string(ty: &FieldType) -> bool {
    matches!(ty, FieldType::Scalar(Scalar::IntOrString))
}

/// Go's empty values, which `omitempty` leaves out.
fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Bool(it) => !it,
        Value::Number(it) => it.as_f64() == Some(0.0),
        Value::String(it) => it.is_empty(),
        Value::Array(it) => it.is_empty(),
        Value::Object(it) => it.is_empty(),
    }
}
