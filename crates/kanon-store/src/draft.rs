//! An object's text before its write: complete but for the resourceVersion, which only the writer knows.

use std::fmt;

use bytes::Bytes;
use kanon_core::{MAX_DEPTH, Object};
use serde_json::{Map, Value};

use crate::{
    Revision,
    event::{EventKind, frame},
};

const METADATA: &str = "metadata";
const RESOURCE_VERSION: &str = "resourceVersion";

/// The longest text; an `Object` takes less than 2 GiB, and the revision (up to 20 digits) is still to come.
const LEN_MAX: usize = (1 << 31) - 64;

/// Compact JSON with an empty string for `metadata.resourceVersion`. Made by the requests, in parallel, so that the one
/// writer only copies bytes. Prints without its text, which may be a Secret's.
#[derive(Clone, PartialEq, Eq)]
pub struct Draft {
    /// INVARIANT: compact JSON of an object, within `MAX_DEPTH` and `LEN_MAX`.
    text: Bytes,
    /// Offset between the quotes of the empty resourceVersion.
    hole: usize,
}

impl fmt::Debug for Draft {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "draft of {} bytes", self.text.len())
    }
}

/// Why a value cannot be stored.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DraftError {
    /// A list, a string, …
    #[error("`{place}` is not an object")]
    NotAnObject {
        /// `.` or `metadata`.
        place: &'static str,
    },
    /// JSON patches can nest deeper than any door accepts.
    #[error("the object nests deeper than {MAX_DEPTH} levels")]
    TooDeep,
    /// The text would not fit an `Object`.
    #[error("the object's text takes {len} bytes, more than {LEN_MAX}")]
    TooLong {
        /// Bytes of compact JSON.
        len: usize,
    },
}

impl Draft {
    /// The text of `value`. Whatever `metadata.resourceVersion` it has is replaced; missing or null metadata is made.
    ///
    /// # Errors
    /// A value that is not an object, metadata that is not one, nesting beyond what an [`Object`] holds.
    pub fn new(value: &Value) -> Result<Draft, DraftError> {
        let members = value.as_object().ok_or(DraftError::NotAnObject { place: "." })?;
        if !is_within(value, MAX_DEPTH) {
            return Err(DraftError::TooDeep);
        }
        let none = Map::new();
        let metadata = match members.get(METADATA) {
            None | Some(Value::Null) => &none,
            Some(metadata) => metadata.as_object().ok_or(DraftError::NotAnObject { place: METADATA })?,
        };
        let mut out = Text { text: Vec::with_capacity(1024), hole: 0 };
        out.open();
        for (name, member) in members {
            out.name(name);
            if name == METADATA { out.metadata(metadata) } else { out.value(member) }
        }
        if !members.contains_key(METADATA) {
            out.name(METADATA);
            out.metadata(metadata);
        }
        out.text.push(b'}');
        Draft::checked(out.text, out.hole)
    }

    /// The text of an object as it is, but for its resourceVersion: for deletions of an unchanged object, without a tree.
    ///
    /// # Errors
    /// As of [`Draft::new`].
    pub fn of(object: &Object) -> Result<Draft, DraftError> {
        let version = object.at(&[METADATA, RESOURCE_VERSION]).filter(|node| node.as_plain_str().is_some());
        let Some(version) = version.map(|node| node.raw()) else { return Draft::new(&object.to_value()) };
        // `raw` borrows from the text: the distance of the two pointers is its offset. One more for the quote.
        let hole = version.as_ptr() as usize - object.text().as_ptr() as usize + 1;
        let after = hole + version.len() - 2;
        let text = [&object.text()[..hole], &object.text()[after..]].concat();
        Draft::checked(text, hole)
    }

    fn checked(text: Vec<u8>, hole: usize) -> Result<Draft, DraftError> {
        if text.len() > LEN_MAX {
            return Err(DraftError::TooLong { len: text.len() });
        }
        Ok(Draft { text: text.into(), hole })
    }

    /// The object at `revision`.
    pub fn with(&self, revision: Revision) -> Object {
        self.framed(EventKind::Added, revision).1
    }

    /// The watch line at `revision`, and the object inside it: one allocation of text for both.
    pub(crate) fn framed(&self, kind: EventKind, revision: Revision) -> (Bytes, Object) {
        let digits = revision.to_string();
        let (before, after) = self.text.split_at(self.hole);
        let (line, object) = frame(kind, [before, digits.as_bytes(), after]);
        // INVARIANT: `text` is what serde_json wrote, or came from an object; depth and length were checked.
        let object = Object::parse(object).expect("a draft's text is valid JSON within the bounds of an object");
        (line, object)
    }
}

/// Whether `value` nests at most `levels` lists and objects. Stops there, so that no depth exhausts the stack.
fn is_within(value: &Value, levels: usize) -> bool {
    match value {
        Value::Array(elements) => levels > 0 && elements.iter().all(|it| is_within(it, levels - 1)),
        Value::Object(members) => levels > 0 && members.values().all(|it| is_within(it, levels - 1)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => true,
    }
}

/// JSON text under construction.
struct Text {
    text: Vec<u8>,
    hole: usize,
}

impl Text {
    fn open(&mut self) {
        self.text.push(b'{');
    }

    fn name(&mut self, name: &str) {
        if self.text.last() != Some(&b'{') {
            self.text.push(b',');
        }
        serde_json::to_writer(&mut self.text, name).expect("a string always writes to memory");
        self.text.push(b':');
    }

    fn value(&mut self, value: &Value) {
        serde_json::to_writer(&mut self.text, value).expect("a tree with text keys always writes to memory");
    }

    fn metadata(&mut self, members: &Map<String, Value>) {
        self.open();
        let mut open = true;
        for (name, member) in members.iter().filter(|(name, _)| *name != RESOURCE_VERSION) {
            // Where a sorted map has it, so that the stored text is sorted too.
            if open && name.as_str() > RESOURCE_VERSION {
                self.leave_hole();
                open = false;
            }
            self.name(name);
            self.value(member);
        }
        if open {
            self.leave_hole();
        }
        self.text.push(b'}');
    }

    fn leave_hole(&mut self) {
        self.name(RESOURCE_VERSION);
        self.hole = self.text.len() + 1;
        self.text.extend_from_slice(br#""""#);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn check(value: &Value, want: Result<&str, DraftError>) {
        let got = Draft::new(value).map(|draft| draft.with(Revision(17)));
        assert_eq!(
            got.as_ref().map(|object| std::str::from_utf8(object.text()).expect("UTF-8")),
            want.as_ref().copied()
        );
    }

    fn nested(levels: usize) -> Value {
        (0..levels).fold(json!("end"), |inner, _| json!({ "a": inner }))
    }

    #[test]
    fn the_revision_fills_the_hole() {
        check(&json!({}), Ok(r#"{"metadata":{"resourceVersion":"17"}}"#));
        check(&json!({"a":1,"metadata":null}), Ok(r#"{"a":1,"metadata":{"resourceVersion":"17"}}"#));
        check(
            &json!({"kind":"Pod","metadata":{"name":"a","resourceVersion":"3","uid":"u"},"spec":{"resourceVersion":"x"}}),
            Ok(
                r#"{"kind":"Pod","metadata":{"name":"a","resourceVersion":"17","uid":"u"},"spec":{"resourceVersion":"x"}}"#,
            ),
        );
    }

    #[test]
    fn what_no_object_can_hold_is_refused() {
        check(&json!([]), Err(DraftError::NotAnObject { place: "." }));
        check(&json!({"metadata":"x"}), Err(DraftError::NotAnObject { place: "metadata" }));
        assert!(Draft::new(&nested(MAX_DEPTH)).is_ok_and(|draft| !draft.with(Revision(1)).root().is_null()));
        assert_eq!(Draft::new(&nested(MAX_DEPTH + 1)), Err(DraftError::TooDeep));
    }

    #[test]
    fn a_draft_of_an_object_is_the_draft_of_its_tree() {
        for value in [
            json!({"metadata":{"name":"a","resourceVersion":"3","uid":"u"}}),
            json!({"a":{}}),
            json!({"metadata":{"resourceVersion":3}}),
        ] {
            assert_eq!(Draft::of(&Object::from_value(&value)), Draft::new(&value), "{value}");
        }
        assert_eq!(Draft::of(&Object::null()), Err(DraftError::NotAnObject { place: "." }));
    }

    fn any_value() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<f64>().prop_map(Value::from),
            ".*".prop_map(Value::from)
        ];
        let name = prop_oneof!["metadata", "resourceVersion", "\\PC{0,4}"];
        leaf.prop_recursive(4, 32, 4, move |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                prop::collection::btree_map(name.clone(), inner, 0..5)
                    .prop_map(|it| Value::Object(it.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn only_the_resource_version_changes(mut value in any_value(), revision: u64) {
            let Ok(draft) = Draft::new(&value) else { return Ok(()) };
            let object = draft.with(Revision(revision));
            if value["metadata"].is_null() { value["metadata"] = json!({}); }
            value["metadata"]["resourceVersion"] = json!(revision.to_string());
            prop_assert_eq!(object.to_value(), value);
        }
    }
}
