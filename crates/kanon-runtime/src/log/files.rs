//! Names and small files of a log folder.

use std::{
    fs,
    path::{Path, PathBuf},
};

use kanon_core::Digest;
use kanon_plane::{Break, Chain};

/// What can go wrong with a log folder.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The file system said no.
    #[error("failed to {action} `{path}`: {source}")]
    Io {
        /// What was tried.
        action: &'static str,
        /// On which file.
        path: PathBuf,
        /// What it said.
        source: std::io::Error,
    },
    /// Another process writes here.
    #[error("the decision log in `{0}` is in use by another process")]
    Locked(PathBuf),
    /// The chain does not hold.
    #[error("{path}:{line}: {source}")]
    Broken {
        /// The segment.
        path: PathBuf,
        /// The line in it, from 1.
        line: usize,
        /// What does not fit.
        source: Break,
    },
    /// A segment is missing, or `dropped.json` does not lead to the first one.
    #[error("`{path}` does not follow on the record before it: a segment is missing")]
    Gap {
        /// The segment after the gap.
        path: PathBuf,
    },
    /// A record could not be written as JSON.
    #[error("a record is no JSON: {0}")]
    Record(#[from] serde_json::Error),
}

impl Error {
    pub(super) fn io<'p>(action: &'static str, path: &'p Path) -> impl FnOnce(std::io::Error) -> Error + use<'p> {
        move |source| Error::Io { action, path: path.to_owned(), source }
    }
}

/// A segment's place and the number of its first record.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct SegmentFile {
    pub(super) first: u64,
    pub(super) path: PathBuf,
}

impl SegmentFile {
    pub(super) fn new(dir: &Path, first: u64) -> SegmentFile {
        SegmentFile { first, path: dir.join(format!("{first:020}.log")) }
    }
}

/// All segments of a folder, oldest first; none when there is no folder.
pub(super) fn segments(dir: &Path) -> Result<Vec<SegmentFile>, Error> {
    let listing = match fs::read_dir(dir) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        other => other.map_err(Error::io("read", dir))?,
    };
    let mut found = Vec::new();
    for entry in listing {
        let path = entry.map_err(Error::io("read", dir))?.path();
        let number = path.file_name().and_then(|it| it.to_str()).and_then(|it| it.strip_suffix(".log"));
        if let Some(first) = number.and_then(|it| it.parse().ok()) {
            found.push(SegmentFile { first, path });
        }
    }
    found.sort();
    Ok(found)
}

/// The end of what was dropped: where the first segment is tied to.
pub(super) fn dropped(dir: &Path) -> Result<Chain, Error> {
    let path = dir.join("dropped.json");
    match fs::read(&path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Chain::default()),
        Err(error) => Err(Error::io("read", &path)(error)),
        Ok(text) => {
            let (seq, hash): (u64, Digest) = serde_json::from_slice(&text)?;
            Ok(Chain::resume(seq, hash))
        }
    }
}

/// Notes the end of what is about to be dropped; durable when it returns.
pub(super) fn set_dropped(dir: &Path, end: Chain) -> Result<(), Error> {
    let (path, draft) = (dir.join("dropped.json"), dir.join("dropped.json.new"));
    fs::write(&draft, serde_json::to_vec(&(end.seq(), end.hash()))?).map_err(Error::io("write", &draft))?;
    fs::File::open(&draft).and_then(|it| it.sync_all()).map_err(Error::io("sync", &draft))?;
    fs::rename(&draft, &path).map_err(Error::io("rename", &draft))?;
    sync_dir(dir)
}

/// Makes created, renamed and removed names durable.
pub(super) fn sync_dir(dir: &Path) -> Result<(), Error> {
    fs::File::open(dir).and_then(|it| it.sync_all()).map_err(Error::io("sync", dir))
}
