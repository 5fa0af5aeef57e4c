//! Where the durable copy lives, and how it is opened, again if need be.

use std::{
    fs::{self, OpenOptions},
    path::PathBuf,
};

use kanon_store::{
    Batch, Disk, Memory, Options, Writer, database,
    redb::{Database, backends::FileBackend},
};

use super::{OpenError, Place};

/// The store's file in its folder.
pub(crate) const FILE: &str = "objects.redb";

/// Where databases come from.
#[derive(Debug)]
pub(super) struct Source {
    medium: Medium,
    options: Options,
}

#[derive(Debug)]
enum Medium {
    File(PathBuf),
    Memory,
    Disk(Disk),
}

impl Source {
    pub(super) fn new(place: &Place, options: Options) -> Result<Source, OpenError> {
        let medium = match place {
            Place::Memory => Medium::Memory,
            Place::Disk(disk) => Medium::Disk(disk.clone()),
            Place::Folder(folder) => {
                fs::create_dir_all(folder).map_err(|source| OpenError::File { path: folder.clone(), source })?;
                Medium::File(folder.join(FILE))
            }
        };
        Ok(Source { medium, options })
    }

    pub(super) fn open(&self) -> Result<(Writer, Memory), OpenError> {
        match self.database()? {
            Some(database) => Writer::open(database, self.options).map_err(|source| self.refused(source)),
            None => Ok(Writer::in_memory(self.options)),
        }
    }

    /// Gives the writer a fresh database after a failed commit.
    pub(super) fn reopen(&self, writer: &mut Writer, memory: &Memory) -> Result<Batch, OpenError> {
        let reopened = match self.database()? {
            Some(database) => writer.reopen(database, memory),
            // Its commits do not fail.
            None => Err(kanon_store::Error::Closed),
        };
        reopened.map_err(|source| self.refused(source))
    }

    /// The database; none where nothing is kept.
    fn database(&self) -> Result<Option<Database>, OpenError> {
        let opened = match &self.medium {
            Medium::Memory => return Ok(None),
            Medium::Disk(disk) => database(disk.clone(), &self.options),
            Medium::File(path) => {
                let file = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path);
                let file = file.map_err(|source| OpenError::File { path: path.clone(), source })?;
                match FileBackend::new(file) {
                    Ok(backend) => database(backend, &self.options),
                    Err(_) => Err(kanon_store::Error::InUse),
                }
            }
        };
        opened.map(Some).map_err(|source| self.refused(source))
    }

    fn refused(&self, source: kanon_store::Error) -> OpenError {
        let path = match &self.medium {
            Medium::File(path) => path.clone(),
            Medium::Memory | Medium::Disk(_) => PathBuf::from("(memory)"),
        };
        OpenError::Store { path, source }
    }
}
