//! What a selector makes of a stored event (spec/kubernetes-api.md 4.4): an object that starts to match is ADDED, one that
//! stops matching is DELETED with its old state at the event's version.

use kanon_core::Object;
use kanon_store::{Draft, Event, EventKind};

use super::{FieldSelector, LabelSelector};
use crate::resource::Resource;

/// Both selectors of a list or watch.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Selection {
    /// `labelSelector`.
    pub labels: LabelSelector,
    /// `fieldSelector`.
    pub fields: FieldSelector,
}

/// What a watcher sees of an event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Seen {
    /// Nothing.
    Nothing,
    /// The event as it is: its own frame serves.
    AsStored,
    /// An event of this kind with this object.
    Changed(EventKind, Object),
}

impl Selection {
    /// Whether everything is selected.
    pub fn is_empty(&self) -> bool {
        self.labels.is_empty() && self.fields.is_empty()
    }

    /// Whether an object (in its stored form) is selected.
    pub fn matches(&self, resource: &Resource, object: &Object) -> bool {
        self.labels.matches(object) && self.fields.matches(resource, object)
    }

    /// What a watcher with this selection sees of an event.
    pub fn see(&self, resource: &Resource, event: &Event) -> Seen {
        if self.is_empty() {
            return Seen::AsStored;
        }
        let before = event.previous.as_ref().filter(|it| self.matches(resource, &it.object));
        let after = event.kind != EventKind::Deleted && self.matches(resource, &event.entry.object);
        match (before, after, event.kind) {
            (None, false, _) => Seen::Nothing,
            (None, true, EventKind::Added) | (Some(_), true, EventKind::Modified) => Seen::AsStored,
            (None, true, _) => Seen::Changed(EventKind::Added, event.entry.object.clone()),
            (Some(_), true, _) => Seen::Changed(EventKind::Modified, event.entry.object.clone()),
            (Some(_), false, EventKind::Deleted) => Seen::AsStored,
            (Some(before), false, _) => {
                // A stored object is always a draft; if it were not, its old version is better than no event.
                let gone =
                    Draft::of(&before.object).map_or_else(|_| before.object.clone(), |it| it.with(event.revision));
                Seen::Changed(EventKind::Deleted, gone)
            }
        }
    }
}
