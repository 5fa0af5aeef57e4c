//! The store as requests use it: reads from shared memory, writes through one thread, watchers woken by collection.
//!
//! Order of a write (design §8, "Store"): staged against committed plus pending state, made durable together with all that
//! gathered during the last sync, published, acknowledged, then watchers wake. What an object means is decided before it
//! comes here.

mod file;
mod writer;

use std::{
    collections::BTreeMap,
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError, RwLock},
    time::Duration,
};

use kanon_store::{Disk, Entry, Key, Memory, Options, Revision, Staged, Write};
use tokio::sync::{mpsc, oneshot, watch};

pub(crate) use file::FILE;

use writer::Job;

/// Writes that may wait for the writer; beyond that requests wait at the door, and clients with them.
const QUEUE: usize = 4096;

/// Where the durable copy is.
#[derive(Clone, Debug)]
pub enum Place {
    /// In a folder, which is made if absent.
    Folder(PathBuf),
    /// Nowhere: all is gone when the server stops.
    Memory,
    /// On a disk of a simulator or a test, which can fail.
    Disk(Disk),
}

/// Why the store could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The folder or file cannot be made or opened.
    #[error("cannot open the store `{}`: {source}", path.display())]
    File {
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The file is locked, damaged, foreign or too new.
    #[error("cannot open the store `{}`: {source}", path.display())]
    Store {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: kanon_store::Error,
    },
    /// No thread to write with.
    #[error("cannot start the writer of the store: {0}")]
    Thread(std::io::Error),
}

/// Why a write did not happen.
#[derive(Clone, Debug, thiserror::Error)]
pub enum WriteError {
    /// The object is not in the state that the write expects; here is the one that it is in.
    #[error("the object is not in the expected state")]
    Rejected(Option<Arc<Entry>>),
    /// The disk refused, or the store is closed. Nothing was written.
    #[error("the write could not be made durable: {0}")]
    Failed(String),
}

/// A handle on the store. Clones share it.
#[derive(Clone)]
pub struct Storage {
    shared: Arc<Shared>,
    queue: mpsc::Sender<Job>,
}

pub(crate) struct Shared {
    memory: RwLock<Memory>,
    /// By collection, the revision of its last event: what watchers sleep on.
    wakers: Mutex<BTreeMap<String, watch::Sender<Revision>>>,
    /// Where the store stands: what sleeps on everything sleeps on this.
    revision: watch::Sender<Revision>,
}

impl Storage {
    /// Opens or makes the store, and starts its writer.
    ///
    /// # Errors
    /// A folder or file that cannot be used; the error names it.
    pub fn open(place: &Place, options: Options) -> Result<Storage, OpenError> {
        let source = file::Source::new(place, options)?;
        let (writer, memory) = source.open()?;
        let revision = memory.revision();
        let shared = Arc::new(Shared {
            memory: RwLock::new(memory),
            wakers: Mutex::default(),
            revision: watch::Sender::new(revision),
        });
        let (queue, jobs) = mpsc::channel(QUEUE);
        let writer = writer::WriterLoop::new(writer, source, Arc::clone(&shared));
        let started = std::thread::Builder::new().name("store-writer".to_owned()).spawn(move || writer.run(jobs));
        started.map_err(OpenError::Thread)?;
        Ok(Storage { shared, queue })
    }

    /// Reads under the lock: all that `read` sees belongs to one revision. It must be quick.
    pub fn read<T>(&self, read: impl FnOnce(&Memory) -> T) -> T {
        read(&self.shared.memory.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// The current state of one object.
    pub fn get(&self, key: &Key) -> Option<Arc<Entry>> {
        self.read(|memory| memory.get(key))
    }

    /// Where the store stands.
    pub fn revision(&self) -> Revision {
        self.read(Memory::revision)
    }

    /// Writes, and returns when it is durable and visible.
    ///
    /// # Errors
    /// The state is another than expected; the disk failed.
    pub async fn write(&self, write: Write) -> Result<Staged, WriteError> {
        let (answer, answered) = oneshot::channel();
        let job = Job::Write { write: Box::new(write), answer };
        self.queue.send(job).await.map_err(|_| closed())?;
        answered.await.map_err(|_| closed())?
    }

    /// Writes several at once: they become durable in one commit unless the writer is busy. Answers are in order.
    pub async fn write_all(&self, writes: Vec<Write>) -> Vec<Result<Staged, WriteError>> {
        let mut waiting = Vec::with_capacity(writes.len());
        let mut jobs = Vec::with_capacity(writes.len());
        for write in writes {
            let (answer, answered) = oneshot::channel();
            jobs.push((Box::new(write), answer));
            waiting.push(answered);
        }
        if self.queue.send(Job::WriteAll(jobs)).await.is_err() {
            return waiting.into_iter().map(|_| Err(closed())).collect();
        }
        let mut answers = Vec::with_capacity(waiting.len());
        for answered in waiting {
            answers.push(answered.await.unwrap_or_else(|_| Err(closed())));
        }
        answers
    }

    /// Wakes whenever the collection of `prefix` (`apps/deployments/…`) changed. Subscribe, then read, then wait.
    pub fn subscribe(&self, prefix: &str) -> watch::Receiver<Revision> {
        let collection = collection_of(prefix);
        let mut wakers = self.shared.wakers.lock().unwrap_or_else(PoisonError::into_inner);
        match wakers.get(collection) {
            Some(waker) => waker.subscribe(),
            None => wakers.entry(collection.to_owned()).or_insert_with(|| watch::Sender::new(Revision(0))).subscribe(),
        }
    }

    /// Wakes at every commit.
    pub fn subscribe_all(&self) -> watch::Receiver<Revision> {
        self.shared.revision.subscribe()
    }

    /// Waits until the store has reached `revision`, at most `limit`. Says whether it has.
    pub async fn reached(&self, revision: Revision, limit: Duration) -> bool {
        let mut receiver = self.subscribe_all();
        let reached = receiver.wait_for(|it| *it >= revision);
        tokio::time::timeout(limit, reached).await.is_ok_and(|it| it.is_ok())
    }

    /// Lets the history up to `revision` go: watches from before are told so from then on.
    pub async fn compact_to(&self, revision: Revision) {
        // An error means that the server is shutting down: then it no longer matters.
        let _ = self.queue.send(Job::Compact(revision)).await;
    }

    /// Ends the writer after what is queued. Later writes fail; reads go on.
    pub async fn close(&self) {
        let (answer, answered) = oneshot::channel();
        if self.queue.send(Job::Stop(answer)).await.is_ok() {
            // An error means that the writer ended already.
            let _ = answered.await;
        }
    }
}

impl Shared {
    /// Makes a commit visible.
    fn publish(&self, batch: kanon_store::Batch) {
        let retired = self.memory.write().unwrap_or_else(PoisonError::into_inner).publish(batch);
        // Outside of the lock: this frees memory.
        drop(retired);
    }

    fn wake(&self, events: &[Arc<kanon_store::Event>], revision: Revision) {
        self.revision.send_replace(revision);
        let mut last: BTreeMap<&str, Revision> = BTreeMap::new();
        for event in events {
            last.insert(event.entry.key.collection(), event.revision);
        }
        let wakers = self.wakers.lock().unwrap_or_else(PoisonError::into_inner);
        for (collection, revision) in last {
            if let Some(waker) = wakers.get(collection) {
                waker.send_replace(revision);
            }
        }
    }
}

/// The first two segments with their slashes.
fn collection_of(prefix: &str) -> &str {
    let second = prefix.match_indices('/').nth(1);
    second.and_then(|(at, _)| prefix.get(..=at)).unwrap_or(prefix)
}

fn closed() -> WriteError {
    WriteError::Failed("the server is shutting down".to_owned())
}

#[cfg(test)]
mod tests;
