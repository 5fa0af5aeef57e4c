//! What the tables alone say: required members, enumerations. Status is left out: controllers write it.

use std::collections::BTreeSet;

use kanon_schema::FieldError;
use serde_json::Value;

use super::field::{Errors, Field};
use crate::{
    BuiltinKind,
    table::{self, FieldDef, FieldType, Scalar, Tables, TypeId},
};

/// Required in the type, but an empty text is fine.
const MAY_BE_EMPTY: [(&str, &str); 3] =
    [("HTTPHeader", "value"), ("Sysctl", "value"), ("StatefulSetSpec", "serviceName")];

/// Enumerations that the kind's own rules judge in other words.
const JUDGED: [(&str, &str); 3] = [
    ("ResourceQuotaSpec", "scopes"),
    ("ScopedResourceSelectorRequirement", "scopeName"),
    ("ScopedResourceSelectorRequirement", "operator"),
];

/// Adds what nobody has said yet: one error a place is enough.
pub(super) fn validate(kind: &BuiltinKind, object: &Value, errors: &mut Errors) {
    let mut walk = Walk { tables: table::tables(), found: Vec::new() };
    let root = Field::root(object);
    for field in &walk.tables.get(kind.id).fields {
        if !matches!(field.name, "status" | "metadata" | "apiVersion" | "kind") {
            walk.member("", field, &root);
        }
    }
    let known: BTreeSet<String> = errors.iter().map(|it| it.field.clone()).collect();
    errors.extend(walk.found.into_iter().filter(|it| !known.contains(&it.field)));
}

struct Walk {
    tables: &'static Tables,
    found: Vec<FieldError>,
}

impl Walk {
    fn message(&mut self, id: TypeId, at: &Field<'_>) {
        let def = self.tables.get(id);
        if def.opaque || !at.value().is_object() {
            return;
        }
        let local = def.name.rsplit('.').next().unwrap_or_default();
        for field in &def.fields {
            match &field.ty {
                FieldType::Message(inner) if field.inline => self.message(*inner, at),
                _ => self.member(local, field, at),
            }
        }
    }

    fn member(&mut self, owner: &str, field: &FieldDef, parent: &Field<'_>) {
        let at = parent.get(field.name);
        if field.required && (at.is_absent() || at.value() == "") && must_say(owner, field) {
            at.required(&mut self.found, "");
        }
        if !at.is_absent() && !JUDGED.contains(&(owner, field.name)) {
            self.value(field, &field.ty, &at);
        }
    }

    fn value(&mut self, field: &FieldDef, ty: &FieldType, at: &Field<'_>) {
        match ty {
            FieldType::Message(id) => self.message(*id, at),
            FieldType::List(element) => at.each(|it| self.value(field, element, it)),
            FieldType::Map(element) => at.entries().for_each(|(key, _)| self.value(field, element, &at.key(key))),
            FieldType::Scalar(Scalar::String) if !field.values.is_empty() && !at.is_empty() => {
                at.one_of(&mut self.found, &field.values);
            }
            FieldType::Scalar(_) => {}
        }
    }
}

/// Lists may be empty unless a rule says otherwise; numbers and booleans always have a value.
fn must_say(owner: &str, field: &FieldDef) -> bool {
    match field.ty {
        FieldType::Scalar(Scalar::String) => !MAY_BE_EMPTY.contains(&(owner, field.name)),
        FieldType::Message(_) => field.default.is_none(),
        FieldType::Scalar(_) | FieldType::List(_) | FieldType::Map(_) => false,
    }
}
