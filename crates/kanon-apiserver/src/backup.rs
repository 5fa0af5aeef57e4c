//! Backups: one file with all objects at one revision, and with what else makes a server the same for its clients (keys).
//!
//! JSON lines, in gzip or as they are: a header, an object or file a line, and at the end how many lines there were and the SHA-256 of
//! all before. A file that is cut off or changed is refused as a whole. History is not part of it: [`restore`] begins far above any revision
//! that the server can have given away meanwhile, so that clients are told 410 and never see a version go back.
//!
//! Taken from a stopped server's folder ([`of_folder`]), or from a running one at [`PATH`]: its readers' state at one moment.

mod folder;
mod gzip;
mod read;
mod write;

use std::sync::Arc;

use futures_util::{Stream, stream};
use http::{Method, StatusCode};
use jiff::Timestamp;
use kanon_apimachinery::status::{ApiError, Result};
use kanon_core::{Object, ParseError};
use kanon_store::{Entry, Key, ListOptions, Revision};
use serde::{Deserialize, Serialize};

pub use folder::{Restored, of_folder, restore};
pub use gzip::Compressed;
pub use read::{BackupItem, BackupReader};
pub use write::{BackupSummary, BackupWriter};

use crate::{body::Body, core::Core, reply::Reply, service::Asked};

/// Where a running server gives a backup of its objects to whoever may `get` this path.
pub const PATH: &str = "/kanon/backup";
/// How far a restored server's revisions begin above those of the backup, unless said otherwise (etcd's documentation advises
/// the same: more than any server writes between a backup and its loss).
pub const BUMP: u64 = 1_000_000_000;
/// The version of the file's form. A newer one is refused.
const VERSION: u32 = 1;
/// Lines made at a time.
const LINES: usize = 256;

/// The first line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BackupHeader {
    kind: String,
    version: u32,
    /// Where the store stood.
    pub revision: u64,
    /// When.
    pub created: Timestamp,
}

impl BackupHeader {
    const KIND: &str = "KanonBackup";

    /// The header of a backup of this revision.
    pub fn new(revision: Revision, created: Timestamp) -> BackupHeader {
        BackupHeader { kind: BackupHeader::KIND.to_owned(), version: VERSION, revision: revision.0, created }
    }
}

/// Why a backup cannot be made, read or restored.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    /// Reading or writing.
    #[error("{what}: {source}")]
    Io {
        /// What could not be done.
        what: String,
        /// What the system said.
        source: std::io::Error,
    },
    /// Not a backup at all.
    #[error("the file is no backup of Kanon: {0}")]
    Foreign(String),
    /// The file was written by a newer version, which must be used to read it.
    #[error("the backup has version {found}, and this version of Kanon reads versions up to {known}")]
    Version {
        /// The file's.
        found: u32,
        /// The newest known.
        known: u32,
    },
    /// A line that makes no sense.
    #[error("the backup is damaged at line {line}: {problem}")]
    Line {
        /// Its number, from 1.
        line: u64,
        /// What is wrong with it.
        problem: String,
    },
    /// The end is missing.
    #[error("the backup is cut off after line {lines}")]
    CutOff {
        /// Lines that are there.
        lines: u64,
    },
    /// What is there is not what was written.
    #[error("the backup is damaged: its checksum is {found}, and {wanted} was written")]
    Checksum {
        /// Of what is there.
        found: String,
        /// Of what was written.
        wanted: String,
    },
    /// The folder's server runs.
    #[error("the store in `{0}` is in use by another process")]
    InUse(String),
    /// There is no store to back up.
    #[error("there is no store in `{0}`")]
    Absent(String),
    /// The store cannot be opened or filled.
    #[error("{0}")]
    Store(String),
}

impl BackupError {
    fn io(what: impl Into<String>, source: std::io::Error) -> BackupError {
        BackupError::Io { what: what.into(), source }
    }

    fn line(line: u64, problem: impl std::fmt::Display) -> BackupError {
        BackupError::Line { line, problem: problem.to_string() }
    }
}

/// One line between header and end.
#[derive(Serialize)]
struct FileLine {
    /// Path in the data folder.
    file: String,
    /// Permission bits.
    mode: u32,
    /// Base64.
    data: String,
}

/// The last line.
#[derive(Serialize)]
struct End {
    lines: u64,
    sha256: String,
}

fn object(text: &str) -> std::result::Result<Object, ParseError> {
    Object::parse(bytes::Bytes::copy_from_slice(text.as_bytes()))
}

/// Answers [`PATH`]: all objects as readers see them at this moment. Made while it is sent.
pub(crate) fn answer(core: &Core, asked: &Asked) -> Result<Reply> {
    if asked.info.method != Method::GET {
        return Err(ApiError::method_not_allowed());
    }
    let page = core.storage.read(|memory| memory.list("", ListOptions::default())).map_err(ApiError::internal)?;
    let header = BackupHeader::new(page.revision, core.now().wall);
    let mut reply = Reply::new(StatusCode::OK, "application/x-ndjson", bytes::Bytes::new());
    reply.body = Body::stream(lines(header, page.entries));
    Ok(reply)
}

fn lines(header: BackupHeader, entries: Vec<Arc<Entry>>) -> impl Stream<Item = Vec<bytes::Bytes>> {
    let writer = BackupWriter::new(Vec::new(), &header).ok();
    stream::unfold((writer, entries.into_iter()), |(writer, mut entries)| async move {
        let mut writer = writer?;
        // Writing into memory does not fail; if it did, the missing end would tell.
        for entry in entries.by_ref().take(LINES) {
            writer.object(&entry.key, &entry.object).ok()?;
        }
        if entries.len() > 0 {
            let text = std::mem::take(writer.out());
            return Some((vec![text.into()], (Some(writer), entries)));
        }
        let (text, _) = writer.finish().ok()?;
        Some((vec![text.into()], (None, entries)))
    })
}

/// A key from its text.
fn key(text: &str) -> Option<Key> {
    let parts: Vec<&str> = text.split('/').collect();
    match parts.as_slice() {
        [group, plural, name] => Some(Key::new(&format!("{group}/{plural}"), "", name)),
        [group, plural, namespace, name] => Some(Key::new(&format!("{group}/{plural}"), namespace, name)),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
