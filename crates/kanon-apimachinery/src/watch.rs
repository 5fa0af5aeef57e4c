//! A watch as a pure cursor (spec/kubernetes-api.md 4.4). The shell waits for the store to move and writes frames; in
//! between it calls [`Watcher::fetch`] under the memory's lock and [`Watcher::frames`] outside of it.

mod frame;

use std::sync::Arc;

use bytes::Bytes;
use jiff::Timestamp;
use kanon_store::{Compacted, Entry, Event, EventKind, ListOptions as Range, Memory, Revision};

use crate::{
    negotiate::Form,
    request::{IncludeObject, ListOptions},
    resource::Resource,
    selector::{Seen, Selection},
    status::{ApiError, Result},
};

/// One watch.
#[derive(Clone, Debug)]
pub struct Watcher {
    resource: Arc<Resource>,
    prefix: String,
    selection: Selection,
    form: Form,
    include: IncludeObject,
    bookmarks: bool,
    start: Start,
    /// Everything up to here was sent.
    position: Revision,
    /// Whether a Table event carried the columns already.
    columns_sent: bool,
}

/// What the first fetch gives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Start {
    /// Current objects first; then a bookmark with the annotation, if so wished.
    Objects { annotated: bool },
    /// Only what comes from now on.
    Now,
    /// Events after `position`.
    Running,
}

/// What [`Watcher::fetch`] took from memory: pointers only.
#[derive(Clone, Debug)]
pub struct Fetched(Content);

#[derive(Clone, Debug)]
enum Content {
    Objects { entries: Vec<Arc<Entry>>, revision: Revision, annotated: bool },
    Events { events: Vec<Arc<Event>>, position: Revision },
    Gone(Compacted),
}

impl Fetched {
    /// The states in it, for a shell that converts them; [`Fetched::replace`] takes them back in the same order.
    pub fn states(&self) -> Vec<Arc<Entry>> {
        match &self.0 {
            Content::Objects { entries, .. } => entries.clone(),
            Content::Events { events, .. } => {
                events.iter().flat_map(|it| [Some(&it.entry), it.previous.as_ref()]).flatten().cloned().collect()
            }
            Content::Gone(_) => Vec::new(),
        }
    }

    /// The same with other states.
    #[must_use]
    pub fn replace(self, states: Vec<Arc<Entry>>) -> Fetched {
        let mut states = states.into_iter();
        Fetched(match self.0 {
            Content::Objects { revision, annotated, .. } => {
                Content::Objects { entries: states.collect(), revision, annotated }
            }
            Content::Events { events, position } => {
                let mut replaced = Vec::with_capacity(events.len());
                for event in events {
                    let entry = states.next().unwrap_or_else(|| Arc::clone(&event.entry));
                    let previous = event.previous.as_ref().and_then(|_| states.next());
                    let frame = event.kind.frame(&entry.object);
                    let (revision, kind) = (event.revision, event.kind);
                    replaced.push(Arc::new(Event { revision, kind, entry, previous, frame }));
                }
                Content::Events { events: replaced, position }
            }
            Content::Gone(gone) => Content::Gone(gone),
        })
    }
}

/// How a watch goes on after its frames were written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// Fetch again at once: there is more.
    More,
    /// Wait until the collection changes.
    Wait,
    /// The last frame was an error: end the stream.
    End,
}

impl Watcher {
    /// A watch of a collection, or of one namespace of it. `options` come from [`crate::request::RequestInfo::list_options`].
    ///
    /// # Errors
    /// 504 when `sendInitialEvents` asks for a state that lies ahead.
    pub fn new(
        resource: Arc<Resource>,
        namespace: &str,
        options: &ListOptions,
        form: Form,
        current: Revision,
    ) -> Result<Watcher> {
        let asked = options.version.filter(|it| it.0 > 0);
        let start = match (options.send_initial_events, asked) {
            (Some(true), _) => Start::Objects { annotated: true },
            (Some(false), None) => Start::Now,
            (_, Some(_)) => Start::Running,
            // As upstream: bookmark watches from the beginning get the annotated bookmark too.
            (None, None) => Start::Objects { annotated: options.bookmarks },
        };
        if let (Start::Objects { .. }, Some(asked)) = (start, asked)
            && asked > current
        {
            return Err(ApiError::future_revision(asked.0, current.0));
        }
        Ok(Watcher {
            prefix: resource.list_prefix(namespace),
            resource,
            selection: options.selection.clone(),
            form,
            include: options.include_object,
            bookmarks: options.bookmarks,
            start,
            position: asked.unwrap_or_default(),
            columns_sent: false,
        })
    }

    /// What it shows.
    pub fn resource(&self) -> &Resource {
        &self.resource
    }

    /// The keys it looks at begin with this: which collection's changes wake it.
    pub fn prefix(&self) -> &str {
        &self.prefix
    }

    /// Takes the next part from memory, at most `max` events.
    pub fn fetch(&self, memory: &Memory, max: usize) -> Fetched {
        let content = match self.start {
            Start::Objects { annotated } => match memory.list(&self.prefix, Range::default()) {
                Ok(page) => Content::Objects { entries: page.entries, revision: page.revision, annotated },
                Err(gone) => Content::Gone(gone),
            },
            Start::Now => Content::Events { events: Vec::new(), position: memory.revision() },
            Start::Running => match memory.events_since(&self.prefix, self.position, max) {
                Ok(events) => {
                    let cut = events.len() >= max;
                    let last = events.last().filter(|_| cut).map(|it| it.revision);
                    let position = last.unwrap_or_else(|| memory.revision()).max(self.position);
                    Content::Events { events, position }
                }
                Err(gone) => Content::Gone(gone),
            },
        };
        Fetched(content)
    }

    /// Appends the frames of what was fetched, one line of JSON each. `max` as given to [`Watcher::fetch`].
    pub fn frames(&mut self, fetched: Fetched, max: usize, now: Timestamp, out: &mut Vec<Bytes>) -> Next {
        match fetched.0 {
            Content::Objects { entries, revision, annotated } => {
                for entry in &entries {
                    if self.selection.matches(&self.resource, &entry.object) {
                        out.push(self.frame(EventKind::Added, &entry.object, now));
                    }
                }
                (self.position, self.start) = (revision, Start::Running);
                if annotated && self.bookmarks {
                    out.push(self.bookmark_frame(true));
                }
                Next::More
            }
            Content::Events { events, position } => {
                let cut = events.len() >= max;
                for event in &events {
                    out.extend(self.event_frame(event, now));
                }
                (self.position, self.start) = (position, Start::Running);
                if cut { Next::More } else { Next::Wait }
            }
            Content::Gone(gone) => {
                out.push(frame::error(&ApiError::too_old(self.position.0, gone.oldest.0)));
                Next::End
            }
        }
    }

    /// The last line of a watch that cannot go on.
    pub fn error_frame(error: &ApiError) -> Bytes {
        frame::error(error)
    }

    /// A bookmark at the present position, if the client wants bookmarks: about once a minute, and before the end.
    pub fn bookmark(&mut self) -> Option<Bytes> {
        (self.bookmarks && self.start == Start::Running && self.position.0 > 0).then(|| self.bookmark_frame(false))
    }

    fn event_frame(&mut self, event: &Event, now: Timestamp) -> Option<Bytes> {
        match self.selection.see(&self.resource, event) {
            Seen::Nothing => None,
            Seen::AsStored if self.form == Form::Object && self.resource.shows_as_stored(&event.entry.object) => {
                Some(event.frame.clone())
            }
            Seen::AsStored => Some(self.frame(event.kind, &event.entry.object, now)),
            Seen::Changed(kind, object) => Some(self.frame(kind, &object, now)),
        }
    }
}

#[cfg(test)]
mod tests;
