//! How a value is made up for apply: which objects and lists merge, by which keys, and what a configuration may not hold.

use serde_json::{Map, Value};

use super::element::Element;
use crate::{
    gotext,
    meta::object_meta,
    schema::{ListType, MapType, Schema, Type},
};

/// A place in an object and what is known of it; without schema, objects merge and lists are replaced.
#[derive(Clone, Copy)]
pub(super) struct Place<'s> {
    schema: Option<&'s Schema>,
    /// Whether apiVersion, kind and metadata are known here.
    resource: bool,
    /// Whether an object without anything has this place too.
    always: bool,
}

/// What a member of an object is.
pub(super) enum Member<'s> {
    /// A field that the schema declares.
    Field(Place<'s>),
    /// An entry of a map, or of an object that keeps unknown fields.
    Entry(Place<'s>),
    /// Nothing the schema knows.
    Unknown,
}

/// How a value merges.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Shape<'s> {
    /// As a whole.
    Leaf,
    /// Member by member.
    Map,
    /// Element by element: scalars when without keys.
    List(&'s [String]),
}

impl<'s> Place<'s> {
    /// A whole object.
    pub(super) fn root(schema: &'s Schema) -> Place<'s> {
        // Types with a published name are built in, where upstream compares structs.
        Place { schema: Some(schema), resource: true, always: schema.name.is_some() }
    }

    fn of(schema: &'s Schema) -> Place<'s> {
        Place { schema: Some(schema), resource: schema.embedded_resource, always: false }
    }

    const UNKNOWN: Place<'static> = Place { schema: None, resource: false, always: false };

    /// Whether an object of a built-in kind has this place even when nothing is set: upstream writes it as an empty struct, or
    /// as null where it is required.
    pub(super) fn is_always_there(self) -> bool {
        self.always
    }

    /// What the member `key` is.
    pub(super) fn member(self, key: &str) -> Member<'s> {
        if self.resource {
            match key {
                "apiVersion" | "kind" => return Member::Field(Place::UNKNOWN),
                "metadata" => return Member::Field(Place { always: self.always, ..Place::of(object_meta()) }),
                _ => {}
            }
        }
        let Some(schema) = self.schema else { return Member::Entry(Place::UNKNOWN) };
        if let Some(inner) = schema.properties.get(key) {
            let is_struct = || inner.default.as_ref().is_some_and(Value::is_object);
            let always = self.always && (is_struct() || schema.required.iter().any(|it| it == key));
            return Member::Field(Place { always, ..Place::of(inner) });
        }
        match &schema.additional {
            Some(inner) => Member::Entry(Place::of(inner)),
            None if schema.preserve_unknown || schema.kind == Type::Any => Member::Entry(Place::UNKNOWN),
            None => Member::Unknown,
        }
    }

    /// The place of a member, whatever it is.
    pub(super) fn child(self, key: &str) -> Place<'s> {
        match self.member(key) {
            Member::Field(place) | Member::Entry(place) => place,
            Member::Unknown => Place::UNKNOWN,
        }
    }

    /// The place of a list's elements.
    pub(super) fn items(self) -> Place<'s> {
        self.schema.and_then(|it| it.items.as_deref()).map_or(Place::UNKNOWN, Place::of)
    }

    /// How `value` merges here.
    pub(super) fn shape(self, value: &Value) -> Shape<'s> {
        let kind = self.schema.map_or(Type::Any, |it| it.kind);
        match (value, kind) {
            (Value::Object(_), Type::Object | Type::Any)
                if self.schema.is_none_or(|it| it.map_type == MapType::Granular) =>
            {
                Shape::Map
            }
            (Value::Array(_), Type::Array) => match self.schema.map(|it| &it.list_type) {
                Some(ListType::Set) => Shape::List(&[]),
                Some(ListType::Map(keys)) if !keys.is_empty() => Shape::List(keys),
                Some(ListType::Map(_) | ListType::Atomic) | None => Shape::Leaf,
            },
            _ => Shape::Leaf,
        }
    }

    /// How two values that may both be absent merge here; null goes along with either.
    pub(super) fn common_shape(self, a: Option<&Value>, b: Option<&Value>) -> Shape<'s> {
        let given = |it: Option<&Value>| it.filter(|it| !it.is_null()).map(|it| self.shape(it));
        match (given(a), given(b)) {
            (Some(a), Some(b)) if a == b => a,
            (Some(shape), None) | (None, Some(shape)) => shape,
            (Some(_), Some(_)) | (None, None) => Shape::Leaf,
        }
    }

    /// What names an element of a list that merges by element.
    ///
    /// # Errors
    /// The element has none of the keys.
    pub(super) fn element(self, keys: &[String], item: &Value) -> Result<Element, String> {
        if keys.is_empty() {
            return Ok(Element::value(item));
        }
        let items = self.items();
        let default = |key: &str| items.schema?.properties.get(key)?.default.as_ref();
        let found: Map<String, Value> = keys
            .iter()
            .filter_map(|key| item.get(key).or_else(|| default(key)).map(|value| (key.clone(), value.clone())))
            .collect();
        if found.is_empty() {
            let names: Vec<String> = keys.iter().map(|it| gotext::quote(it)).collect();
            return Err(format!(
                "associative list with keys has an element that omits all key fields [{}] (and doesn't have default \
                 values for any key fields)",
                names.join(" ")
            ));
        }
        Ok(Element::key(found))
    }

    /// Everything in `value` that the schema does not let a configuration hold, as `.path: what`.
    pub(super) fn check(self, value: &Value) -> Vec<String> {
        let mut errors = Vec::new();
        self.check_at(value, "", &mut errors);
        errors
    }

    fn check_at(self, value: &Value, path: &str, errors: &mut Vec<String>) {
        if let Some(problem) = self.mismatch(value) {
            errors.push(format!("{path}: {problem}"));
            return;
        }
        match value {
            Value::Object(members) => {
                for (key, value) in members {
                    let path = format!("{path}.{key}");
                    match self.member(key) {
                        Member::Field(place) | Member::Entry(place) => place.check_at(value, &path, errors),
                        Member::Unknown => errors.push(format!("{path}: field not declared in schema")),
                    }
                }
            }
            Value::Array(items) => self.check_items(value, items, path, errors),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
        }
    }

    fn check_items(self, list: &Value, items: &[Value], path: &str, errors: &mut Vec<String>) {
        let shape = self.shape(list);
        let mut seen = std::collections::BTreeSet::new();
        for (index, item) in items.iter().enumerate() {
            let name = match shape {
                Shape::List(keys) => match self.element(keys, item) {
                    Ok(element) => {
                        let name = element.to_string();
                        if !seen.insert(element) {
                            errors.push(format!("{path}: duplicate entries for key {name}"));
                        }
                        name
                    }
                    Err(why) => {
                        errors.push(format!("{path}: element {index}: {why}"));
                        continue;
                    }
                },
                Shape::Leaf | Shape::Map => format!("[{index}]"),
            };
            self.items().check_at(item, &format!("{path}{name}"), errors);
        }
    }

    /// What is wrong with the type of a value, shown as upstream shows it: some with a Go struct around it.
    fn mismatch(self, value: &Value) -> Option<String> {
        let schema = self.schema.filter(|_| !value.is_null())?;
        let shown = || format!("&{{{}}}", gotext::plain(value));
        match schema.kind {
            Type::Object if !value.is_object() => Some(format!("expected map, got {}", shown())),
            Type::Array if !value.is_array() => Some(format!("expected list, got {}", shown())),
            Type::String if !value.is_string() => {
                Some(format!("expected string, got &value.valueUnstructured{{Value:{}}}", gotext::syntax(value)))
            }
            Type::Integer | Type::Number if !value.is_number() => {
                Some(format!("expected numeric (int or float), got {}", gotext::type_name(value)))
            }
            Type::Boolean if !value.is_boolean() => Some(format!("expected boolean, got {}", shown())),
            Type::IntOrString if value.is_object() || value.is_array() => {
                Some(format!("expected any scalar, got {}", shown()))
            }
            Type::Any
            | Type::Object
            | Type::Array
            | Type::String
            | Type::Integer
            | Type::Number
            | Type::Boolean
            | Type::IntOrString => None,
        }
    }
}
