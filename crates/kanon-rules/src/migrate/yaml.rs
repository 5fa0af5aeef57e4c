//! Rules as YAML: members in the order in which people write them, so that the same rule is always the same text.

use serde::{Serialize, Serializer, ser::SerializeMap};
use serde_json::Value;

/// Members in their order; others follow by name.
const ORDER: [&str; 25] = [
    "apiVersion",
    "group",
    "version",
    "kind",
    "metadata",
    "spec",
    "name",
    "namespace",
    "enabled",
    "severity",
    "mode",
    "enforcementAction",
    "match",
    "gvk",
    "namespaces",
    "include",
    "exclude",
    "rule",
    "message",
    "alert",
    "actions",
    "type",
    "on",
    "rateLimit",
    "params",
];

/// The documents as one stream.
///
/// # Errors
/// A document that does not come back as it was: one sentence.
pub(super) fn write(documents: &[Value]) -> Result<String, String> {
    let mut text = String::new();
    for document in documents {
        // Expressions are easier to read, and to search for, on one line.
        let options = serde_saphyr::ser_options! { folded_wrap_chars: usize::MAX };
        let one = serde_saphyr::to_string_with_options(&Ordered(document), options);
        let one = one.map_err(|it| format!("cannot be written as YAML: {it}"))?;
        if !text.is_empty() {
            text.push_str("---\n");
        }
        text.push_str(&one);
        if !one.ends_with('\n') {
            text.push('\n');
        }
    }
    match serde_saphyr::from_multiple::<Value>(&text) {
        Ok(read) if read == documents => Ok(text),
        _ => Err("cannot be written as YAML: it would be read as something else".to_owned()),
    }
}

struct Ordered<'v>(&'v Value);

impl Serialize for Ordered<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            Value::Object(members) => {
                let mut sorted: Vec<_> = members.iter().collect();
                let rank = |key: &str| ORDER.iter().position(|it| *it == key).unwrap_or(ORDER.len());
                sorted.sort_by_key(|(key, _)| (rank(key), *key));
                let mut map = serializer.serialize_map(Some(sorted.len()))?;
                for (key, value) in sorted {
                    map.serialize_entry(key, &Ordered(value))?;
                }
                map.end()
            }
            Value::Array(items) => serializer.collect_seq(items.iter().map(Ordered)),
            scalar => scalar.serialize(serializer),
        }
    }
}
