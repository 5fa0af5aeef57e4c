//! What is stored and what watchers get: an object's state, its change, and the change's ready-made watch line.

use std::{fmt, sync::Arc};

use bytes::Bytes;
use kanon_core::Object;

use crate::{Key, Revision};

/// One state of one object. `object` is a slice of its event's frame wherever the event is still in the history.
/// Prints without the object, which may be a Secret.
#[derive(Clone, PartialEq, Eq)]
pub struct Entry {
    /// Where it lives.
    pub key: Key,
    /// The write that created the object.
    pub created: Revision,
    /// The write that led to this state; also in the object as `metadata.resourceVersion`.
    pub revision: Revision,
    /// The state.
    pub object: Object,
}

impl fmt::Debug for Entry {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Entry { key, created, revision, object: _ } = self;
        write!(out, "{key} at {revision}, created at {created}")
    }
}

/// What happened to an object, without regard to selectors.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum EventKind {
    /// The object came to be.
    Added,
    /// The object changed.
    Modified,
    /// The object is gone.
    Deleted,
}

impl EventKind {
    /// The `type` of a watch line.
    pub fn as_str(self) -> &'static str {
        match self {
            EventKind::Added => "ADDED",
            EventKind::Modified => "MODIFIED",
            EventKind::Deleted => "DELETED",
        }
    }

    /// A watch line for any object: for the first lines of a watch, and where a selector makes one kind of event
    /// another. Events carry their own.
    pub fn frame(self, object: &Object) -> Bytes {
        frame(self, [object.text(), b"", b""]).0
    }

    fn opening(self) -> &'static [u8] {
        match self {
            EventKind::Added => br#"{"type":"ADDED","object":"#,
            EventKind::Modified => br#"{"type":"MODIFIED","object":"#,
            EventKind::Deleted => br#"{"type":"DELETED","object":"#,
        }
    }
}

/// Ends a watch line.
const CLOSING: &[u8] = b"}\n";

/// The watch line around an object given in three parts, and the slice of it that is the object.
pub(crate) fn frame(kind: EventKind, parts: [&[u8]; 3]) -> (Bytes, Bytes) {
    let opening = kind.opening();
    let object_len: usize = parts.iter().map(|part| part.len()).sum();
    let mut line = Vec::with_capacity(opening.len() + object_len + CLOSING.len());
    line.extend_from_slice(opening);
    for part in parts {
        line.extend_from_slice(part);
    }
    line.extend_from_slice(CLOSING);
    let line = Bytes::from(line);
    let object = line.slice(opening.len()..opening.len() + object_len);
    (line, object)
}

/// One write, as watchers see it. Prints without the object.
#[derive(Clone)]
pub struct Event {
    /// The write.
    pub revision: Revision,
    /// What it did.
    pub kind: EventKind,
    /// The state after it; of a deletion the last state, with the deletion's revision.
    pub entry: Arc<Entry>,
    /// The state before it.
    pub previous: Option<Arc<Entry>>,
    /// `{"type":"ADDED","object":…}` and a line feed, made once and shared by all watchers.
    pub frame: Bytes,
}

impl fmt::Debug for Event {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{} {:?}", self.kind.as_str(), self.entry)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_is_one_line_of_json() {
        let object = Object::parse(r#"{"kind":"Pod"}"#).expect("JSON");
        for kind in [EventKind::Added, EventKind::Modified, EventKind::Deleted] {
            let line = kind.frame(&object);
            let want = format!("{{\"type\":\"{}\",\"object\":{{\"kind\":\"Pod\"}}}}\n", kind.as_str());
            assert_eq!(line, want.as_bytes());
        }
    }
}
