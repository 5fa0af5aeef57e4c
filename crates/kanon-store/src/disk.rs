//! A disk in memory that can fail: the backend of tests and of the simulator. A server that keeps nothing has no disk
//! (`Writer::in_memory`).
//!
//! It keeps apart what was synced and what was only written, so that [`Disk::power_cut`] can lose any part of the latter.

use std::{
    fmt, io,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use redb::StorageBackend;

/// What real disks write at once or not at all.
const SECTOR: usize = 512;

/// A disk in memory. Clones are the same disk; each may be handed to `database` as a backend, one after the other.
#[derive(Clone, Default)]
pub struct Disk(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    /// What readers see.
    content: Vec<u8>,
    /// What a power cut leaves in any case.
    synced: Vec<u8>,
    /// What was done since the last sync, in order.
    unsynced: Vec<Operation>,
    /// Writes, length changes and syncs so far.
    operations: u64,
    /// From this operation on everything fails.
    fail_from: Option<u64>,
    /// How many bytes fit.
    space: Option<usize>,
}

enum Operation {
    Write(usize, Vec<u8>),
    SetLen(usize),
}

impl Disk {
    /// An empty disk.
    pub fn new() -> Disk {
        Disk::default()
    }

    /// A disk that holds `content`, synced.
    pub fn with(content: Vec<u8>) -> Disk {
        Disk(Arc::new(Mutex::new(State { synced: content.clone(), content, ..State::default() })))
    }

    /// What is written so far.
    pub fn content(&self) -> Vec<u8> {
        self.state().content.clone()
    }

    /// How many writes, length changes and syncs there were.
    pub fn operations(&self) -> u64 {
        self.state().operations
    }

    /// Lets the operation with this number (from 0, as counted by [`Disk::operations`]) and all later ones fail; none fails with
    /// `None`.
    pub fn fail_from(&self, operation: Option<u64>) {
        self.state().fail_from = operation;
    }

    /// Lets only so many bytes fit: what needs more fails as on a full disk. All fits with `None`.
    pub fn set_space(&self, space: Option<usize>) {
        self.state().space = space;
    }

    /// The disk after a power cut: all that was synced, and of what came later only the sectors for which `keeps` says so.
    #[must_use]
    pub fn power_cut(&self, mut keeps: impl FnMut() -> bool) -> Disk {
        let state = self.state();
        let mut content = state.synced.clone();
        for operation in &state.unsynced {
            match operation {
                Operation::SetLen(len) if keeps() => content.resize(*len, 0),
                Operation::SetLen(_) => {}
                Operation::Write(offset, data) => {
                    for (at, sector) in data.chunks(SECTOR).enumerate() {
                        if keeps() {
                            write_at(&mut content, offset + at * SECTOR, sector);
                        }
                    }
                }
            }
        }
        Disk::with(content)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts one operation, and fails it where that was asked for.
    fn operate(&self) -> Result<MutexGuard<'_, State>, io::Error> {
        let mut state = self.state();
        let fails = state.fail_from.is_some_and(|from| state.operations >= from);
        state.operations += 1;
        if fails { Err(io::Error::other("injected fault")) } else { Ok(state) }
    }
}

impl State {
    fn check_space(&self, len: usize) -> Result<(), io::Error> {
        let is_full = self.space.is_some_and(|space| len > space.max(self.content.len()));
        if is_full { Err(io::ErrorKind::StorageFull.into()) } else { Ok(()) }
    }
}

impl fmt::Debug for Disk {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = self.state();
        write!(out, "disk of {} bytes after {} operations", state.content.len(), state.operations)
    }
}

fn write_at(content: &mut Vec<u8>, offset: usize, data: &[u8]) {
    let end = offset + data.len();
    if content.len() < end {
        content.resize(end, 0);
    }
    content[offset..end].copy_from_slice(data);
}

fn position(offset: u64) -> Result<usize, io::Error> {
    usize::try_from(offset).map_err(|_| io::ErrorKind::InvalidInput.into())
}

impl StorageBackend for Disk {
    fn len(&self) -> Result<u64, io::Error> {
        Ok(self.state().content.len() as u64)
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> Result<(), io::Error> {
        let start = position(offset)?;
        let state = self.state();
        let data = start.checked_add(out.len()).and_then(|end| state.content.get(start..end));
        out.copy_from_slice(data.ok_or(io::ErrorKind::UnexpectedEof)?);
        Ok(())
    }

    fn set_len(&self, len: u64) -> Result<(), io::Error> {
        let len = position(len)?;
        let mut state = self.operate()?;
        state.check_space(len)?;
        state.content.resize(len, 0);
        state.unsynced.push(Operation::SetLen(len));
        Ok(())
    }

    fn sync_data(&self) -> Result<(), io::Error> {
        let mut state = self.operate()?;
        let state = &mut *state;
        for operation in state.unsynced.drain(..) {
            match operation {
                Operation::SetLen(len) => state.synced.resize(len, 0),
                Operation::Write(offset, data) => write_at(&mut state.synced, offset, &data),
            }
        }
        Ok(())
    }

    fn write(&self, offset: u64, data: &[u8]) -> Result<(), io::Error> {
        let offset = position(offset)?;
        let mut state = self.operate()?;
        state.check_space(offset.saturating_add(data.len()))?;
        write_at(&mut state.content, offset, data);
        state.unsynced.push(Operation::Write(offset, data.to_vec()));
        Ok(())
    }
}
