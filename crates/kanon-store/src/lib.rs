//! Storage of the embedded Kubernetes API server (design §3 and §8, "Store").
//!
//! - [`Memory`] is what readers see: committed state and recent history, as shared bytes.
//! - [`Writer`] is the one writer: it checks each [`Write`] against committed plus pending state ([`Writer::stage`]) and
//!   makes all that gathered durable at once ([`Writer::commit`]). The [`Batch`] it returns is then published.
//! - redb holds the durable copy, on a `StorageBackend` that comes from outside: a file in the shell, a [`Disk`] in
//!   tests and in the simulator.
//!
//! The order that a shell must keep: stage, commit, publish, answer the clients, wake the watchers.
//!
//! This crate starts no threads, reads no clock and opens no files. It knows keys and revisions; what an object means
//! (names, kinds, no-op writes, selectors) is the caller's business.

mod database;
mod disk;
mod draft;
mod error;
mod event;
mod key;
mod load;
mod memory;
mod migrate;
mod restore;
mod revision;
mod row;
mod writer;

pub use redb;

pub use database::{Options, database};
pub use disk::Disk;
pub use draft::{Draft, DraftError};
pub use error::Error;
pub use event::{Entry, Event, EventKind};
pub use key::Key;
pub use memory::{Batch, Compacted, ListOptions, Memory, Page, Retired};
pub use restore::{RestoreError, restore};
pub use revision::{ParseRevisionError, Revision};
pub use writer::{Change, Expect, Rejected, Staged, Write, Writer};
