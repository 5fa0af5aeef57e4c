//! `label` and `annotate`: one entry of the violating object's metadata (spec/rules 8.4).
//!
//! Parameters: `key`; `value`, default `"true"`, also when empty; `remove: true` takes the entry away instead;
//! `removeOnResolve: true` takes it away again when the violation has ended. A merge patch of one entry leaves all others alone,
//! so that two such actions on one object do not undo each other.

use std::time::Duration;

use kanon_core::{Action as Deed, Guard, Verdict};
use kanon_plane::{Action, ParamError, Params, Prepared, Reach, Right, bool_param, text_param};
use serde_json::{Value, json};

/// Longest value of a label.
const LABEL_LEN_MAX: usize = 63;
/// Longest name of a key, and longest prefix before its slash.
const KEY_NAME_LEN_MAX: usize = 63;
const KEY_PREFIX_LEN_MAX: usize = 253;

/// One of the two maps of an object's metadata.
pub(crate) struct Metadata {
    id: &'static str,
    field: &'static str,
}

pub(crate) const LABEL: Metadata = Metadata { id: "label", field: "labels" };
pub(crate) const ANNOTATE: Metadata = Metadata { id: "annotate", field: "annotations" };

impl Action for Metadata {
    fn id(&self) -> &'static str {
        self.id
    }

    fn window(&self) -> Duration {
        Duration::from_secs(5)
    }

    fn rights(&self, _: &Params, objects: &[Right]) -> Vec<Right> {
        objects.iter().map(|it| it.to("patch")).collect()
    }

    fn prepare(&self, params: &Params) -> Result<Prepared, ParamError> {
        let wrong = |name: &str, problem| ParamError { name: name.to_owned(), problem };
        let key = text_param(params, "key", "")?;
        if key.is_empty() {
            return Err(wrong("key", "is required"));
        }
        if !is_key(&key) {
            return Err(wrong("key", "is no key of labels and annotations: write `name` or `prefix.example/name`"));
        }
        let value = match params.get("value") {
            None | Some(Value::Null) => "true".to_owned(),
            Some(Value::String(text)) if text.is_empty() => "true".to_owned(),
            Some(Value::String(text)) => text.clone(),
            // YAML reads an unquoted `true` or `1` as these; what was meant is plain.
            Some(scalar @ (Value::Bool(_) | Value::Number(_))) => scalar.to_string(),
            Some(Value::Array(_) | Value::Object(_)) => return Err(wrong("value", "is not a text")),
        };
        if self.field == LABEL.field && !is_label(&value) {
            return Err(wrong(
                "value",
                "is no label: at most 63 letters, digits, `-`, `_` and `.`, no others at its ends",
            ));
        }
        let (removes, undone) = (bool_param(params, "remove")?, bool_param(params, "removeOnResolve")?);
        if removes && undone {
            return Err(wrong("removeOnResolve", "makes no sense beside `remove`"));
        }
        let field = self.field;
        let set = move |value: Value| {
            let patch = json!({"metadata": {field: {key.as_str(): value}}});
            move |verdict: &Verdict, reach: &Reach| {
                let deed = Deed::Patch { patch: patch.clone(), guard: Guard::Free, create: None };
                reach.want(verdict.subject.clone(), deed)
            }
        };
        let prepared = Prepared::object(set(if removes { Value::Null } else { Value::from(value) }));
        Ok(if undone { prepared.undone_by(set(Value::Null)) } else { prepared })
    }
}

/// Kubernetes' rule for keys: an optional DNS prefix, a slash, a name.
fn is_key(key: &str) -> bool {
    let (prefix, name) = key.split_once('/').map_or((None, key), |(prefix, name)| (Some(prefix), name));
    let is_dns = |it: &str| {
        it.len() <= KEY_PREFIX_LEN_MAX
            && it.split('.').all(|part| {
                !part.is_empty()
                    && !part.starts_with('-')
                    && !part.ends_with('-')
                    && part.bytes().all(|it| it.is_ascii_lowercase() || it.is_ascii_digit() || it == b'-')
            })
    };
    prefix.is_none_or(is_dns) && !name.is_empty() && name.len() <= KEY_NAME_LEN_MAX && is_word(name)
}

fn is_label(value: &str) -> bool {
    value.len() <= LABEL_LEN_MAX && is_word(value)
}

/// Letters, digits and `-_.`, the last three not at the ends; the empty text too.
fn is_word(text: &str) -> bool {
    let is_inner = |it: u8| it.is_ascii_alphanumeric() || b"-_.".contains(&it);
    let is_end = |it: Option<&u8>| it.is_none_or(u8::is_ascii_alphanumeric);
    let bytes = text.as_bytes();
    bytes.iter().all(|it| is_inner(*it)) && is_end(bytes.first()) && is_end(bytes.last())
}
