//! The reference model: every write there ever was, in a list. Everything else is folded from it.

use std::collections::BTreeMap;

use kanon_store::{Event, EventKind};
use serde_json::{Value, json};

/// A write that happened.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Past {
    pub(crate) revision: u64,
    pub(crate) kind: EventKind,
    pub(crate) key: String,
    pub(crate) body: u32,
}

impl Past {
    /// The object as it must be stored.
    pub(crate) fn object(&self) -> Value {
        object(&self.key, self.body, self.revision)
    }

    /// Whether an event of the store is this write.
    pub(crate) fn is(&self, event: &Event) -> bool {
        let line = json!({ "type": self.kind.as_str(), "object": self.object() });
        (event.revision.0, event.kind, event.entry.key.as_str()) == (self.revision, self.kind, self.key.as_str())
            && event.entry.revision == event.revision
            && event.entry.object.to_value() == self.object()
            && event.frame.ends_with(b"}\n")
            && serde_json::from_slice::<Value>(&event.frame).is_ok_and(|it| it == line)
    }
}

/// The object of a key and a body at a revision.
pub(crate) fn object(key: &str, body: u32, revision: u64) -> Value {
    json!({ "kind": "Thing", "metadata": { "name": key, "resourceVersion": revision.to_string() }, "spec": { "body": body } })
}

/// One object's state.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct State {
    pub(crate) created: u64,
    pub(crate) revision: u64,
    pub(crate) body: u32,
}

/// All writes, in order.
#[derive(Clone, Debug, Default)]
pub(crate) struct Reference {
    pub(crate) events: Vec<Past>,
}

impl Reference {
    /// Everything under a prefix, as it was at a revision.
    pub(crate) fn state(&self, prefix: &str, at: u64) -> BTreeMap<String, State> {
        let mut state = BTreeMap::new();
        for event in self.events.iter().filter(|event| event.revision <= at && event.key.starts_with(prefix)) {
            if event.kind == EventKind::Deleted {
                state.remove(&event.key);
                continue;
            }
            let created = state.get(&event.key).map_or(event.revision, |state: &State| state.created);
            state.insert(event.key.clone(), State { created, revision: event.revision, body: event.body });
        }
        state
    }

    /// The writes under a prefix after a revision.
    pub(crate) fn since(&self, prefix: &str, revision: u64) -> Vec<&Past> {
        self.events.iter().filter(|event| event.revision > revision && event.key.starts_with(prefix)).collect()
    }

    /// The last revision written.
    pub(crate) fn revision(&self) -> u64 {
        self.events.last().map_or(1, |event| event.revision)
    }
}
