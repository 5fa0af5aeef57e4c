//! The redb database: how it is opened, its tables, and the guard against panics on damaged files.

use std::{
    io,
    ops::Bound,
    panic::{AssertUnwindSafe, catch_unwind},
};

use redb::{BackendError, Builder, Database, StorageBackend, TableDefinition};

use crate::error::{Error, storage};

/// Single numbers: [`FORMAT`], [`REVISION`] and [`FLOOR`].
pub(crate) const META: TableDefinition<'static, &str, u64> = TableDefinition::new("meta");
/// Every write that is still needed, by its revision: `row` has the layout. The last row of a key that is not a deletion is
/// the current state; older ones serve the history.
pub(crate) const LOG: TableDefinition<'static, u64, &[u8]> = TableDefinition::new("log");
/// By collection, the last revision whose event is gone from the history.
pub(crate) const COMPACTED: TableDefinition<'static, &str, u64> = TableDefinition::new("compacted");

/// Names the record that holds [`FORMAT_VERSION`].
pub(crate) const FORMAT: &str = "format";
/// Names the record of the last revision.
pub(crate) const REVISION: &str = "revision";
/// Names the record of the revision up to which there is no history of anything, not even of collections without a record in
/// [`COMPACTED`]: the last revision of a store that was restored.
pub(crate) const FLOOR: &str = "floor";
/// The layout of the tables and rows. Raise it with every change that older versions would misread, and add the step from the one
/// before to `migrate`.
pub(crate) const FORMAT_VERSION: u64 = 2;

/// Bytes of redb's magic number (redb docs/design.md, "Super-header").
const MAGIC: usize = 9;
/// Bytes before redb's first page of data (the same place).
const HEADER: usize = 512;
/// More than redb gives a new file, which is a little over 1 MiB.
const NEW_FILE_MAX: usize = 2 << 20;

/// Bounds of a store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Options {
    /// Bytes of redb's page cache. Small: reads are served from memory, redb only needs the upper pages of its trees.
    pub cache_bytes: usize,
    /// Events kept for watchers that resume and for lists at older revisions. One batch may exceed the bounds.
    pub history_events: usize,
    /// Bytes of the watch lines of those events.
    pub history_bytes: usize,
}

impl Default for Options {
    fn default() -> Options {
        Options { cache_bytes: 4 << 20, history_events: 16_384, history_bytes: 32 << 20 }
    }
}

/// Opens the database on a backend, or makes one on an empty backend. Pass the result to `Writer::open`.
///
/// # Errors
/// I/O, a damaged or foreign file, a file that is in use.
pub fn database(backend: impl StorageBackend, options: &Options) -> Result<Database, Error> {
    guarded(|| {
        start_over_if_unfinished(&backend)?;
        Builder::new().set_cache_size(options.cache_bytes).create_with_backend(backend).map_err(storage)
    })
}

/// redb writes its magic number last of all when it makes a file. A fault in between leaves a file that it would never open again,
/// though it holds nothing: such a file is emptied.
fn start_over_if_unfinished(backend: &impl StorageBackend) -> Result<(), Error> {
    let whole = (Bound::Unbounded, Bound::Unbounded);
    let locked = match backend.try_lock_range(whole.0, whole.1) {
        Ok(true) => true,
        // Perhaps another process is just making the file.
        Ok(false) => return Err(Error::InUse),
        // Backends need not know locks; then nobody else has them either.
        Err(BackendError::Unsupported) => false,
        Err(error) => return Err(storage(redb::Error::from(error))),
    };
    let outcome = is_unfinished(backend).and_then(|unfinished| if unfinished { backend.set_len(0) } else { Ok(()) });
    if locked {
        backend.unlock_range(whole.0, whole.1).map_err(|error| storage(redb::Error::from(error)))?;
    }
    outcome.map_err(|error| storage(redb::Error::Io(error)))
}

/// Whether there is nothing but zeros after the header, and a header without its first bytes, in a file not longer than a new one.
fn is_unfinished(backend: &impl StorageBackend) -> Result<bool, io::Error> {
    let len = usize::try_from(backend.len()?).unwrap_or(usize::MAX);
    if !(MAGIC..=NEW_FILE_MAX).contains(&len) {
        return Ok(false);
    }
    let mut magic = [0; MAGIC];
    backend.read(0, &mut magic)?;
    if magic != [0; MAGIC] {
        return Ok(false);
    }
    let mut rest = vec![0; len.saturating_sub(HEADER)];
    if !rest.is_empty() {
        backend.read(HEADER as u64, &mut rest)?;
    }
    Ok(rest.iter().all(|byte| *byte == 0))
}

/// Runs `work` on redb. On some damaged files redb panics where it should report; here that becomes an error.
pub(crate) fn guarded<T>(work: impl FnOnce() -> Result<T, Error>) -> Result<T, Error> {
    // Nothing that a panic may leave half-done is used again: the caller drops the database.
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|panic| {
        let text = panic.downcast_ref::<&str>().copied().or_else(|| panic.downcast_ref::<String>().map(String::as_str));
        Err(Error::corrupt(format!("redb stopped with `{}`", text.unwrap_or("unknown panic"))))
    })
}
