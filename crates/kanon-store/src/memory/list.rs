//! Lists: of the current state, and of the exact state at an older revision, which is the current one with newer history undone.

use std::{
    collections::{BTreeMap, btree_map},
    iter::Peekable,
    sync::Arc,
};

use super::{Compacted, Memory};
use crate::{Entry, Key, Revision};

/// Which part of which state to list.
#[derive(Clone, Copy, Debug, Default)]
pub struct ListOptions<'a> {
    /// The exact state at this revision; the current one when absent or beyond [`Memory::revision`].
    pub at: Option<Revision>,
    /// Begin after this key (its whole text), which need not exist.
    pub after: Option<&'a str>,
    /// At most so many entries.
    pub limit: Option<usize>,
}

/// A part of a list, in key order.
#[derive(Clone, Debug)]
pub struct Page {
    /// The objects.
    pub entries: Vec<Arc<Entry>>,
    /// The revision that the list belongs to; following pages ask for it with `at`.
    pub revision: Revision,
    /// Whether the limit cut the list.
    pub more: bool,
    /// How many objects come after this page.
    pub remaining: usize,
}

/// What keys held at an older revision, for those that changed since.
type Undone<'m> = BTreeMap<&'m Key, Option<&'m Arc<Entry>>>;

impl Memory {
    /// The objects under a prefix, by key.
    ///
    /// # Errors
    /// The history does not reach back to `at`.
    pub fn list(&self, prefix: &str, options: ListOptions<'_>) -> Result<Page, Compacted> {
        let ListOptions { at, after, limit } = options;
        let at = at.filter(|at| *at < self.revision);
        let undone = at.map_or_else(|| Ok(Undone::new()), |at| self.undone(prefix, after, at))?;
        // Counted apart: walking the rest of a large list for its length alone would take milliseconds.
        let total = self.count_after(prefix, after).saturating_add_signed(self.balance(&undone));
        let current = self.collections(prefix).flat_map(|(_, collection)| collection.range(prefix, after));
        let entries = Snapshot { current: current.peekable(), undone: undone.into_iter().peekable() };
        let page: Vec<Arc<Entry>> = entries.take(limit.unwrap_or(usize::MAX)).cloned().collect();
        let remaining = total.saturating_sub(page.len());
        Ok(Page { entries: page, revision: at.unwrap_or(self.revision), more: remaining > 0, remaining })
    }

    /// How many more entries there were then than now.
    fn balance(&self, undone: &Undone<'_>) -> isize {
        let is_there =
            |key: &Key| self.collections.get(key.collection()).is_some_and(|it| it.entries.contains_key(key));
        undone.iter().map(|(key, before)| isize::from(before.is_some()) - isize::from(is_there(key))).sum()
    }

    fn undone<'m>(&'m self, prefix: &'m str, after: Option<&str>, at: Revision) -> Result<Undone<'m>, Compacted> {
        self.check_floor(at)?;
        let mut undone = Undone::new();
        for (_, collection) in self.collections(prefix) {
            collection.check(at)?;
            for event in collection.since(at) {
                let key = &event.entry.key;
                if key.as_str().starts_with(prefix) && after.is_none_or(|after| key.as_str() > after) {
                    // The first event after `at` knows the state at `at`.
                    undone.entry(key).or_insert(event.previous.as_ref());
                }
            }
        }
        Ok(undone)
    }
}

/// Merges the current state with what is undone; the latter wins.
struct Snapshot<'m, I: Iterator<Item = &'m Arc<Entry>>> {
    current: Peekable<I>,
    undone: Peekable<btree_map::IntoIter<&'m Key, Option<&'m Arc<Entry>>>>,
}

impl<'m, I: Iterator<Item = &'m Arc<Entry>>> Iterator for Snapshot<'m, I> {
    type Item = &'m Arc<Entry>;

    fn next(&mut self) -> Option<&'m Arc<Entry>> {
        loop {
            let Some((undone, _)) = self.undone.peek() else { return self.current.next() };
            if self.current.peek().is_some_and(|entry| entry.key < **undone) {
                return self.current.next();
            }
            self.current.next_if(|entry| entry.key == **undone);
            if let Some((_, Some(before))) = self.undone.next() {
                return Some(before);
            }
        }
    }
}
