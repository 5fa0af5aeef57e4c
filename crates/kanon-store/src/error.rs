//! What can go wrong with the durable copy.

/// Why the store could not be opened or written.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The file's content is damaged: restore a backup, or remove the file to start afresh.
    #[error("the store's file is damaged: {what}")]
    Corrupt {
        /// What was found, and where.
        what: String,
    },
    /// The file was written by a newer version, which must be used to read it.
    #[error("the store has format {found}, and this version reads formats up to {known}")]
    Version {
        /// The file's format.
        found: u64,
        /// The newest format this version reads.
        known: u64,
    },
    /// A redb file, but of some other program.
    #[error("the file belongs to another program: it has a table `{table}` and no format record")]
    Foreign {
        /// One of its tables.
        table: String,
    },
    /// Another process holds the file.
    #[error("the store is in use by another process")]
    InUse,
    /// Reading or writing failed; what was staged is gone, and the writer is closed until it is reopened.
    #[error("the store's file cannot be read or written")]
    Storage(#[source] Box<redb::Error>),
    /// An earlier commit failed; the writer must be reopened with a fresh database.
    #[error("the store is closed after a failed write")]
    Closed,
}

impl Error {
    /// Whether opening again may help without anybody's action: after I/O errors such as a full disk, yes.
    pub fn is_transient(&self) -> bool {
        match self {
            Error::Storage(_) | Error::InUse | Error::Closed => true,
            Error::Corrupt { .. } | Error::Version { .. } | Error::Foreign { .. } => false,
        }
    }

    pub(crate) fn corrupt(what: impl Into<String>) -> Error {
        Error::Corrupt { what: what.into() }
    }
}

#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "redb's error may grow; what is not named here is an I/O failure to us"
)]
/// Sorts redb's errors. Not `From`: every kind of redb error would need its own.
pub(crate) fn storage(error: impl Into<redb::Error>) -> Error {
    match error.into() {
        redb::Error::DatabaseAlreadyOpen => Error::InUse,
        redb::Error::UpgradeRequired(found) => {
            Error::corrupt(format!("written by an unsupported version ({found}) of redb"))
        }
        redb::Error::Corrupted(what) => Error::Corrupt { what },
        // How redb reports a file that is no redb file, or one that is cut off inside its header.
        redb::Error::Io(error)
            if matches!(error.kind(), std::io::ErrorKind::InvalidData | std::io::ErrorKind::UnexpectedEof) =>
        {
            Error::corrupt(error.to_string())
        }
        error @ (redb::Error::TableTypeMismatch { .. }
        | redb::Error::TableIsMultimap(_)
        | redb::Error::TableIsNotMultimap(_)
        | redb::Error::TypeDefinitionChanged { .. }
        | redb::Error::TableDoesNotExist(_)) => Error::corrupt(error.to_string()),
        error => Error::Storage(Box::new(error)),
    }
}
