//! Something compiled from stored objects, kept as long as they do not change. It is never older than the store that the
//! same request reads: what a client was told is written, its next request finds compiled.

use std::sync::{Arc, Mutex, PoisonError};

use kanon_store::{Memory, Revision};

use crate::storage::Storage;

/// A value made from the objects under some prefixes.
pub(crate) struct Cached<T> {
    prefixes: &'static [&'static str],
    state: Mutex<Option<(Revision, Arc<T>)>>,
}

impl<T> Cached<T> {
    pub(crate) fn new(prefixes: &'static [&'static str]) -> Cached<T> {
        Cached { prefixes, state: Mutex::new(None) }
    }

    /// The value for the store's present state.
    pub(crate) fn get(&self, storage: &Storage, make: impl FnOnce(&Memory) -> T) -> Arc<T> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        storage.read(|memory| {
            if let Some((seen, value)) = state.as_mut()
                && !self.prefixes.iter().any(|it| memory.has_changed_since(it, *seen))
            {
                *seen = memory.revision();
                return Arc::clone(value);
            }
            let value = Arc::new(make(memory));
            *state = Some((memory.revision(), Arc::clone(&value)));
            value
        })
    }
}
