//! One step of a field's path, as managed fields write it.

use std::fmt;

use serde_json::{Map, Value};

/// A step from an object or list to what is in it. Keys and values are canonical JSON text, so that equal ones are equal.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Element {
    /// A member by name: `f:name`, printed `.name`.
    Field(String),
    /// An element of a map list by its keys: `k:{"name":"x"}`, printed `[name="x"]`.
    Key(String),
    /// An element of a set: `v:"x"`, printed `[="x"]`.
    Value(String),
    /// An element by position: `i:0`, printed `[0]`.
    Index(u64),
}

impl Element {
    /// The element with these keys.
    pub(super) fn key(keys: Map<String, Value>) -> Element {
        Element::Key(canonical(&Value::Object(keys)))
    }

    /// The element that is this value.
    pub(super) fn value(value: &Value) -> Element {
        Element::Value(canonical(value))
    }

    /// Reads the form that managed fields use; `None` for what is not one.
    pub(super) fn parse(text: &str) -> Option<Element> {
        let (kind, rest) = text.split_once(':')?;
        match kind {
            "f" => Some(Element::Field(rest.to_owned())),
            "k" => serde_json::from_str(rest).ok().filter(Value::is_object).map(|it| Element::Key(canonical(&it))),
            "v" => serde_json::from_str(rest).ok().map(|it| Element::value(&it)),
            "i" => rest.parse().ok().map(Element::Index),
            _ => None,
        }
    }

    /// The form that managed fields use.
    pub(super) fn encode(&self) -> String {
        match self {
            Element::Field(name) => ["f:", name].concat(),
            Element::Key(json) => ["k:", json].concat(),
            Element::Value(json) => ["v:", json].concat(),
            Element::Index(index) => format!("i:{index}"),
        }
    }
}

impl fmt::Display for Element {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Element::Field(name) => write!(out, ".{name}"),
            Element::Value(json) => write!(out, "[={json}]"),
            Element::Index(index) => write!(out, "[{index}]"),
            Element::Key(json) => {
                // Made by `canonical`: an object with sorted keys.
                let keys: Map<String, Value> = serde_json::from_str(json).unwrap_or_default();
                let mut keys: Vec<String> = keys.iter().map(|(key, value)| format!("{key}={value}")).collect();
                keys.sort();
                write!(out, "[{}]", keys.join(","))
            }
        }
    }
}

/// Compact JSON with sorted keys, whatever order the map type keeps.
fn canonical(value: &Value) -> String {
    match value {
        Value::Object(members) => {
            let mut members: Vec<(&String, &Value)> = members.iter().collect();
            members.sort_by_key(|(key, _)| *key);
            let members: Vec<String> = members
                .into_iter()
                .map(|(key, value)| format!("{}:{}", Value::String(key.clone()), canonical(value)))
                .collect();
            format!("{{{}}}", members.join(","))
        }
        Value::Array(items) => format!("[{}]", items.iter().map(canonical).collect::<Vec<_>>().join(",")),
        Value::Number(number) => match number.as_f64().filter(|it| number.is_f64() && it.fract() == 0.0) {
            // `1.0` names the same element as `1`.
            Some(whole) if whole.abs() < 9e15 => (whole as i64).to_string(),
            Some(_) | None => number.to_string(),
        },
        Value::Null | Value::Bool(_) | Value::String(_) => value.to_string(),
    }
}
