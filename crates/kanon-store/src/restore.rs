//! A new store out of the objects of another one: what restoring a backup comes down to.
//!
//! Revisions must never go back for clients, and what the other store gave away after the backup is not known. So the new store
//! begins far above: each object gets a fresh revision above `floor`, and there is no history below the last of them. A client
//! that resumes from anything it ever saw is told that this is gone (410 on the wire), lists, and sees revisions grow.

use std::sync::Arc;

use bytes::Bytes;
use kanon_core::Object;
use redb::{Database, Durability, ReadableDatabase};

use crate::{
    Draft, DraftError, Entry, Error, Event, EventKind, Key, Revision,
    database::{COMPACTED, FLOOR, FORMAT, FORMAT_VERSION, LOG, META, REVISION, guarded},
    error::storage,
    row,
};

/// Why a store was not filled. Nothing of it is there then.
#[derive(Debug, thiserror::Error)]
pub enum RestoreError<E: std::error::Error + 'static> {
    /// The source of the objects failed.
    #[error(transparent)]
    Source(E),
    /// The database cannot be written.
    #[error(transparent)]
    Store(#[from] Error),
    /// The database holds something already.
    #[error("the store is not empty")]
    NotEmpty,
    /// An object that no store holds.
    #[error("the object `{key}` cannot be stored: {source}")]
    Object {
        /// Its key.
        key: Key,
        /// What is wrong with it.
        source: DraftError,
    },
}

/// Fills an empty database with objects in one transaction; they get the revisions after `floor`, in order. Says where the store
/// stands then.
///
/// # Errors
/// A database that is not empty, I/O, a source that fails.
pub fn restore<E: std::error::Error + 'static>(
    database: &Database,
    floor: Revision,
    objects: impl IntoIterator<Item = Result<(Key, Object), E>>,
) -> Result<Revision, RestoreError<E>> {
    let is_empty = guarded(|| {
        let read = database.begin_read().map_err(storage)?;
        Ok(read.list_tables().map_err(storage)?.next().is_none())
    })?;
    if !is_empty {
        return Err(RestoreError::NotEmpty);
    }
    let mut transaction = database.begin_write().map_err(storage)?;
    transaction.set_durability(Durability::Immediate).map_err(storage)?;
    let mut last = floor;
    {
        let mut log = transaction.open_table(LOG).map_err(storage)?;
        let mut bytes = Vec::new();
        for object in objects {
            let (key, object) = object.map_err(RestoreError::Source)?;
            last = last.next();
            let draft = Draft::of(&object).map_err(|source| RestoreError::Object { key: key.clone(), source })?;
            let entry = Arc::new(Entry { key, created: last, revision: last, object: draft.with(last) });
            let event = Event { revision: last, kind: EventKind::Added, entry, previous: None, frame: Bytes::new() };
            row::encode(&event, &mut bytes);
            log.insert(last.0, bytes.as_slice()).map_err(storage)?;
        }
        // A version of its own for the restored state as a whole, also when there is no object.
        last = last.next();
        transaction.open_table(COMPACTED).map_err(storage)?;
        let mut meta = transaction.open_table(META).map_err(storage)?;
        for (name, value) in [(FORMAT, FORMAT_VERSION), (REVISION, last.0), (FLOOR, last.0)] {
            meta.insert(name, value).map_err(storage)?;
        }
    }
    transaction.commit().map_err(storage)?;
    Ok(last)
}
