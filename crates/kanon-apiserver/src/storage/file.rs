//! Where the durable copy lives, and how it is opened, again if need be.

use std::{
    fs::{self, OpenOptions},
    path::PathBuf,
};

use kanon_store::{
    Batch, Memory, Options, Writer, database,
    redb::{
        Database,
        backends::{FileBackend, InMemoryBackend},
    },
};

use super::{OpenError, Place};

/// The store's file in its folder.
const FILE: &str = "objects.redb";

/// Where databases come from.
#[derive(Debug)]
pub(super) struct Source {
    /// None in memory.
    path: Option<PathBuf>,
    options: Options,
}

impl Source {
    pub(super) fn new(place: &Place, options: Options) -> Result<Source, OpenError> {
        let path = match place {
            Place::Memory => None,
            Place::Folder(folder) => {
                fs::create_dir_all(folder).map_err(|source| OpenError::File { path: folder.clone(), source })?;
                Some(folder.join(FILE))
            }
        };
        Ok(Source { path, options })
    }

    pub(super) fn open(&self) -> Result<(Writer, Memory), OpenError> {
        let database = self.database()?;
        Writer::open(database, self.options).map_err(|source| self.refused(source))
    }

    /// Gives the writer a fresh database after a failed commit.
    pub(super) fn reopen(&self, writer: &mut Writer, memory: &Memory) -> Result<Batch, OpenError> {
        let database = self.database()?;
        writer.reopen(database, memory).map_err(|source| self.refused(source))
    }

    fn database(&self) -> Result<Database, OpenError> {
        let opened = match &self.path {
            None => database(InMemoryBackend::new(), &self.options),
            Some(path) => {
                let file = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path);
                let file = file.map_err(|source| OpenError::File { path: path.clone(), source })?;
                match FileBackend::new(file) {
                    Ok(backend) => database(backend, &self.options),
                    Err(_) => Err(kanon_store::Error::InUse),
                }
            }
        };
        opened.map_err(|source| self.refused(source))
    }

    fn refused(&self, source: kanon_store::Error) -> OpenError {
        let path = self.path.clone().unwrap_or_else(|| PathBuf::from("(memory)"));
        OpenError::Store { path, source }
    }
}
