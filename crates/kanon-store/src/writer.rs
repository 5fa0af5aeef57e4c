//! The one writer: checks writes against committed plus pending state, and makes them durable in batches.
//!
//! It must not publish, answer or wake anybody: the shell does, in that order, with the batch it gets.
//!
//! Commits use redb's one-phase commit without quick repair: one sync for each batch. Quick repair needs two and writes
//! more, to spare a walk of the file after a kill; but opening reads every row anyway. Measured with
//! `examples/store_bench.rs` (64 rows of 1.5 kB a commit, 100,000 rows, the file in the page cache, a disk with cheap syncs):
//! a commit takes 0.64 ms without and 0.81 ms with it; opening after a kill takes 0.63 s without it, of which the walk is
//! 0.2 s, and opening after an orderly stop 0.47 s. That a power cut in the middle of a one-phase commit leaves the commit
//! whole or absent is what `tests/store/faults.rs` shows.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::Arc,
};

use redb::{Database, Durability};

use crate::{
    Batch, Draft, Entry, Error, Event, EventKind, Key, Memory, Options, Revision,
    database::{COMPACTED, LOG, META, REVISION, guarded},
    error::storage,
    load::{Loaded, load},
    row,
};

/// What a write requires of the current state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expect {
    /// There is no such object.
    Absent,
    /// The object is at this revision.
    At(Revision),
}

/// What a write does.
#[derive(Clone, Debug)]
pub enum Change {
    /// Creates the object or replaces it.
    Put(Draft),
    /// Removes the object; the draft is its last state.
    Delete(Draft),
}

/// One write.
#[derive(Clone, Debug)]
pub struct Write {
    /// Which object.
    pub key: Key,
    /// Under which condition. A deletion needs an object to be there.
    pub expect: Expect,
    /// What to do.
    pub change: Change,
}

/// A write that will happen with the next commit, if that succeeds. Nobody may hear of it before.
#[derive(Clone, Debug)]
pub struct Staged {
    /// Its revision.
    pub revision: Revision,
    /// The new state; of a deletion the last one, with the deletion's revision.
    pub entry: Arc<Entry>,
}

/// A write whose condition does not hold.
#[derive(Clone, Debug, thiserror::Error)]
#[error("the object is not in the expected state")]
pub struct Rejected {
    /// The state that it met.
    pub current: Option<Arc<Entry>>,
    /// Whether that state is not durable yet: then the client may be answered only after the next commit, and if that fails, must
    /// be told of the failure instead.
    pub pending: bool,
}

/// Where commits go.
#[derive(Debug)]
enum Home {
    Database(Database),
    /// The memory is all there is.
    Memory,
    /// A commit failed.
    Closed,
}

/// Owns the durable copy.
#[derive(Debug)]
pub struct Writer {
    home: Home,
    options: Options,
    /// The last revision given away. Never decreases, whatever fails.
    last: Revision,
    staged: Vec<Arc<Event>>,
    /// What the staged writes lead to; None for deleted objects.
    pending: BTreeMap<Key, Option<Arc<Entry>>>,
    /// The same of commits that the memory does not show yet, up to `committed`.
    unpublished: BTreeMap<Key, Option<Arc<Entry>>>,
    committed: Revision,
    /// The events whose rows are kept for the history; the memory has the same.
    history: VecDeque<Arc<Event>>,
    history_bytes: usize,
    /// The history up to here shall go with the next commit.
    compact_to: Revision,
}

impl Writer {
    /// Reads the whole store, or starts a new one at [`Revision::FIRST`].
    ///
    /// # Errors
    /// I/O, a damaged file, a file of a newer format or of another program.
    pub fn open(database: Database, options: Options) -> Result<(Writer, Memory), Error> {
        // The database goes through the guard too: closing a damaged one may panic as well.
        let (database, Loaded { memory, history }) = guarded(move || load(&database).map(|loaded| (database, loaded)))?;
        let writer = Writer::new(Home::Database(database), history, &memory, options);
        Ok((writer, memory))
    }

    /// A new store without a durable copy: its commits are visible and cannot fail.
    pub fn in_memory(options: Options) -> (Writer, Memory) {
        let memory = Memory::empty(Revision(0));
        (Writer::new(Home::Memory, VecDeque::new(), &memory, options), memory)
    }

    fn new(home: Home, history: VecDeque<Arc<Event>>, memory: &Memory, options: Options) -> Writer {
        let revision = memory.revision();
        Writer {
            home,
            options,
            last: revision,
            staged: Vec::new(),
            pending: BTreeMap::new(),
            unpublished: BTreeMap::new(),
            committed: revision,
            history_bytes: history.iter().map(|event| event.frame.len()).sum(),
            history,
            compact_to: Revision(0),
        }
    }

    /// Continues with a fresh database on the same file after a failed commit. A commit that failed may have become durable all
    /// the same, and the batch returned is what the memory does not show of it: publish it before anything else.
    ///
    /// # Errors
    /// As of [`Writer::open`]; a file that lacks what was acknowledged.
    pub fn reopen(&mut self, database: Database, memory: &Memory) -> Result<Batch, Error> {
        self.close();
        self.drop_staged();
        let (database, loaded) = guarded(move || load(&database).map(|loaded| (database, loaded)))?;
        let revision = loaded.memory.revision();
        if revision < self.committed {
            let committed = self.committed;
            return Err(Error::corrupt(format!(
                "the file ends at revision {revision}, but {committed} was acknowledged"
            )));
        }
        let events: Vec<Arc<Event>> =
            loaded.history.iter().filter(|event| event.revision > memory.revision()).cloned().collect();
        let batch = Batch { events, revision, compacted: loaded.memory.compacted() };
        self.unpublish(&batch.events);
        self.history_bytes = loaded.history.iter().map(|event| event.frame.len()).sum();
        self.history = loaded.history;
        self.last = self.last.max(revision);
        self.committed = revision;
        self.home = Home::Database(database);
        Ok(batch)
    }

    /// Whether a commit would do nothing.
    pub fn is_empty(&self) -> bool {
        self.staged.is_empty() && self.evicted() == 0
    }

    /// Asks for the history up to `revision` to go with the next commit: for bounds on its age, which the shell knows.
    pub fn compact_to(&mut self, revision: Revision) {
        self.compact_to = self.compact_to.max(revision.min(self.committed));
    }

    /// Checks a write against committed plus pending state, and makes it part of the next commit.
    ///
    /// # Errors
    /// The object is not in the state that the write expects.
    pub fn stage(&mut self, write: Write, memory: &Memory) -> Result<Staged, Rejected> {
        let Write { key, expect, change } = write;
        let (current, pending) = self.current(&key, memory);
        let holds = match (expect, &change, &current) {
            (Expect::Absent, Change::Put(_), None) => true,
            (Expect::At(revision), _, Some(current)) => current.revision == revision,
            (Expect::Absent, ..) | (Expect::At(_), _, None) => false,
        };
        if !holds {
            return Err(Rejected { current, pending });
        }
        let (kind, draft) = match (&change, &current) {
            (Change::Put(draft), None) => (EventKind::Added, draft),
            (Change::Put(draft), Some(_)) => (EventKind::Modified, draft),
            (Change::Delete(draft), _) => (EventKind::Deleted, draft),
        };
        let revision = self.last.next();
        self.last = revision;
        // One allocation of the key for all states of an object.
        let key = current.as_ref().map_or(key, |current| current.key.clone());
        let created = current.as_ref().map_or(revision, |current| current.created);
        let (frame, object) = draft.framed(kind, revision);
        let entry = Arc::new(Entry { key: key.clone(), created, revision, object });
        let event = Event { revision, kind, entry: Arc::clone(&entry), previous: current, frame };
        self.pending.insert(key, state_after(&event));
        self.staged.push(Arc::new(event));
        Ok(Staged { revision, entry })
    }

    /// Makes all staged writes durable in one transaction. After an error none of them is visible, all are dropped, and the
    /// writer is closed until [`Writer::reopen`]; their revisions are not given away again.
    ///
    /// # Errors
    /// I/O, a damaged file, an earlier failure.
    pub fn commit(&mut self) -> Result<Batch, Error> {
        let evicted = self.evicted();
        let events = std::mem::take(&mut self.staged);
        let revision = events.last().map_or(self.committed, |event| event.revision);
        if !events.is_empty() || evicted > 0 {
            let evicted = self.history.iter().take(evicted);
            let written = match &self.home {
                Home::Database(database) => guarded(|| write(database, &events, revision, evicted)),
                Home::Memory => Ok(()),
                Home::Closed => Err(Error::Closed),
            };
            if let Err(error) = written {
                self.close();
                self.drop_staged();
                return Err(error);
            }
        }
        self.pending.clear();
        self.unpublish(&events);
        let compacted = self.forget(evicted);
        self.remember(&events);
        self.committed = revision;
        Ok(Batch { events, revision, compacted })
    }

    fn current(&mut self, key: &Key, memory: &Memory) -> (Option<Arc<Entry>>, bool) {
        if memory.revision() >= self.committed {
            self.unpublished.clear();
        }
        if let Some(pending) = self.pending.get(key) {
            return (pending.clone(), true);
        }
        (self.unpublished.get(key).cloned().unwrap_or_else(|| memory.get(key)), false)
    }

    fn unpublish(&mut self, events: &[Arc<Event>]) {
        self.unpublished.extend(events.iter().map(|event| (event.entry.key.clone(), state_after(event))));
    }

    /// How many of the oldest events go with the next commit. Never those staged: watchers must get to see them.
    fn evicted(&self) -> usize {
        let mut bytes = self.history_bytes + self.staged.iter().map(|event| event.frame.len()).sum::<usize>();
        let mut count = self.history.len() + self.staged.len();
        let mut evicted = 0;
        for event in &self.history {
            // The bounds alone never cause a commit.
            let beyond = count > self.options.history_events || bytes > self.options.history_bytes;
            if (!beyond || self.staged.is_empty()) && event.revision > self.compact_to {
                break;
            }
            count -= 1;
            bytes -= event.frame.len();
            evicted += 1;
        }
        evicted
    }

    fn forget(&mut self, evicted: usize) -> Revision {
        let mut compacted = Revision(0);
        for event in self.history.drain(..evicted) {
            self.history_bytes -= event.frame.len();
            compacted = event.revision;
        }
        compacted
    }

    fn remember(&mut self, events: &[Arc<Event>]) {
        self.history_bytes += events.iter().map(|event| event.frame.len()).sum::<usize>();
        self.history.extend(events.iter().cloned());
    }

    fn drop_staged(&mut self) {
        self.staged.clear();
        self.pending.clear();
    }

    fn close(&mut self) {
        if let Home::Database(database) = std::mem::replace(&mut self.home, Home::Closed) {
            // Closing writes; after a failure that may fail or panic again, and there is nothing left to lose.
            let _ = guarded(move || {
                drop(database);
                Ok(())
            });
        }
    }
}

impl Drop for Writer {
    /// Closes the file in order; through the guard, since closing a damaged file may panic.
    fn drop(&mut self) {
        self.close();
    }
}

/// What a key holds after an event.
fn state_after(event: &Event) -> Option<Arc<Entry>> {
    (event.kind != EventKind::Deleted).then(|| Arc::clone(&event.entry))
}

/// One durable transaction: new rows in, rows that only the evicted history needed out.
fn write<'h>(
    database: &Database,
    events: &[Arc<Event>],
    revision: Revision,
    evicted: impl Iterator<Item = &'h Arc<Event>>,
) -> Result<(), Error> {
    let mut transaction = database.begin_write().map_err(storage)?;
    transaction.set_durability(Durability::Immediate).map_err(storage)?;
    {
        let mut log = transaction.open_table(LOG).map_err(storage)?;
        let mut bytes = Vec::new();
        for event in events {
            row::encode(event, &mut bytes);
            log.insert(event.revision.0, bytes.as_slice()).map_err(storage)?;
        }
        let mut compacted = BTreeMap::new();
        for event in evicted {
            // The state before the event was kept for its sake; a deletion's row was nothing but the event.
            let superseded = event.previous.as_ref().map(|previous| previous.revision);
            let itself = (event.kind == EventKind::Deleted).then_some(event.revision);
            for row in superseded.into_iter().chain(itself) {
                log.remove(row.0).map_err(storage)?;
            }
            compacted.insert(event.entry.key.collection(), event.revision);
        }
        if !compacted.is_empty() {
            let mut table = transaction.open_table(COMPACTED).map_err(storage)?;
            for (collection, revision) in compacted {
                table.insert(collection, revision.0).map_err(storage)?;
            }
        }
        transaction.open_table(META).map_err(storage)?.insert(REVISION, revision.0).map_err(storage)?;
    }
    transaction.commit().map_err(storage)
}
