//! A JSON schema object while it is checked: what has the wrong JSON type reads as absent.

use serde_json::{Map, Value};

/// The combinators that hold a list of schemas.
pub(super) const JUNCTORS: [&str; 3] = ["allOf", "anyOf", "oneOf"];

/// One schema object.
#[derive(Clone, Copy)]
pub(super) struct JsonNode<'j>(&'j Map<String, Value>);

impl<'j> JsonNode<'j> {
    pub(super) fn new(json: &'j Value) -> Option<JsonNode<'j>> {
        json.as_object().map(JsonNode)
    }

    pub(super) fn get(self, key: &str) -> Option<&'j Value> {
        self.0.get(key).filter(|it| !it.is_null())
    }

    pub(super) fn text(self, key: &str) -> &'j str {
        self.get(key).and_then(Value::as_str).unwrap_or_default()
    }

    pub(super) fn flag(self, key: &str) -> bool {
        self.get(key).and_then(Value::as_bool).unwrap_or_default()
    }

    pub(super) fn list(self, key: &str) -> &'j [Value] {
        self.get(key).and_then(Value::as_array).map_or(&[], Vec::as_slice)
    }

    pub(super) fn texts(self, key: &str) -> Vec<&'j str> {
        self.list(key).iter().filter_map(Value::as_str).collect()
    }

    /// The schema in a member.
    pub(super) fn child(self, key: &str) -> Option<JsonNode<'j>> {
        self.get(key).and_then(JsonNode::new)
    }

    /// The schemas of a list member, with their places.
    pub(super) fn listed(self, key: &str) -> impl Iterator<Item = (usize, JsonNode<'j>)> {
        self.list(key).iter().enumerate().filter_map(|(index, it)| JsonNode::new(it).map(|it| (index, it)))
    }

    /// Members by name.
    pub(super) fn properties(self) -> impl Iterator<Item = (&'j String, JsonNode<'j>)> {
        let members = self.get("properties").and_then(Value::as_object);
        members.into_iter().flatten().filter_map(|(name, it)| JsonNode::new(it).map(|it| (name, it)))
    }

    pub(super) fn property(self, name: &str) -> Option<JsonNode<'j>> {
        self.child("properties").and_then(|it| it.child(name))
    }

    /// The schema object itself.
    pub(super) fn to_value(self) -> Value {
        Value::Object(self.0.clone())
    }
}
