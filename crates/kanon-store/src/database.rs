//! The redb database: how it is opened, its tables, and the guard against panics on damaged files.

use std::panic::{AssertUnwindSafe, catch_unwind};

use redb::{Builder, Database, StorageBackend, TableDefinition};

use crate::error::{Error, storage};

/// Single numbers: [`FORMAT`] and [`REVISION`].
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
/// The layout of the tables and rows. Raise it with every change that older versions would misread.
pub(crate) const FORMAT_VERSION: u64 = 1;

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
    guarded(|| Builder::new().set_cache_size(options.cache_bytes).create_with_backend(backend).map_err(storage))
}

/// Runs `work` on redb. On some damaged files redb panics where it should report; here that becomes an error.
pub(crate) fn guarded<T>(work: impl FnOnce() -> Result<T, Error>) -> Result<T, Error> {
    // Nothing that a panic may leave half-done is used again: the caller drops the database.
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|panic| {
        let text = panic.downcast_ref::<&str>().copied().or_else(|| panic.downcast_ref::<String>().map(String::as_str));
        Err(Error::corrupt(format!("redb stopped with `{}`", text.unwrap_or("unknown panic"))))
    })
}
