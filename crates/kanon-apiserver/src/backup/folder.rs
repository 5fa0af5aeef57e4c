//! A server's folder: its backup while it is stopped, and a new one out of a backup.
//!
//! Restoring writes everything beside its place first, and moves it there when the whole backup was read and its checksum is right:
//! the store last. A restore that is cut off leaves no store that a server would open.

use std::{
    fs::{self, File, OpenOptions},
    io::{BufRead, Write},
    path::{Component, Path, PathBuf},
};

use jiff::Timestamp;
use kanon_store::{ListOptions, Options, RestoreError, Revision, Writer, database, redb::backends::FileBackend};

use super::{BackupError, BackupHeader, BackupItem, BackupReader, BackupSummary, BackupWriter};
use crate::storage::FILE;

/// What a restored folder holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Restored {
    /// Objects.
    pub objects: u64,
    /// Files beside them.
    pub files: u64,
    /// Where the store stands: above all that clients may have seen.
    pub revision: u64,
}

/// Writes the backup of a stopped server's folder, with these files of it (paths in it).
///
/// # Errors
/// A server that runs ([`BackupError::InUse`]), no store, I/O.
pub fn of_folder<W: Write>(
    folder: &Path,
    files: &[PathBuf],
    now: Timestamp,
    out: W,
) -> Result<(W, BackupSummary), BackupError> {
    let path = folder.join(FILE);
    if !path.exists() {
        return Err(BackupError::Absent(folder.display().to_string()));
    }
    let options = Options::default();
    let opened = database(lock(&path, false)?, &options).and_then(|it| Writer::open(it, options));
    let (writer, memory) = opened.map_err(|error| match error {
        kanon_store::Error::InUse => BackupError::InUse(path.display().to_string()),
        error => BackupError::Store(format!("`{}`: {error}", path.display())),
    })?;
    let page = memory.list("", ListOptions::default()).map_err(|error| BackupError::Store(error.to_string()))?;
    let mut backup = BackupWriter::new(out, &BackupHeader::new(page.revision, now))?;
    for entry in &page.entries {
        backup.object(&entry.key, &entry.object)?;
    }
    for file in files {
        add(&mut backup, folder, file)?;
    }
    drop(writer);
    backup.finish()
}

/// Adds a file of a folder to a backup.
///
/// # Errors
/// A file that cannot be read.
pub(super) fn add<W: Write>(backup: &mut BackupWriter<W>, folder: &Path, file: &Path) -> Result<(), BackupError> {
    let path = folder.join(file);
    let unreadable = |error| BackupError::io(format!("`{}` cannot be read", path.display()), error);
    let content = fs::read(&path).map_err(unreadable)?;
    #[cfg(unix)]
    let mode = std::os::unix::fs::PermissionsExt::mode(&fs::metadata(&path).map_err(unreadable)?.permissions()) & 0o777;
    #[cfg(not(unix))]
    let mode = 0o600;
    backup.file(&file.to_string_lossy(), mode, &content)
}

impl<W: Write> BackupWriter<W> {
    /// Adds a file of a folder; `file` is its path there.
    ///
    /// # Errors
    /// A file that cannot be read, I/O.
    pub fn file_of(&mut self, folder: &Path, file: &Path) -> Result<(), BackupError> {
        add(self, folder, file)
    }
}

/// Makes a folder out of a backup. Its revisions begin `bump` above those of the backup. A store that is there already is put
/// aside as `objects.redb.before-restore`, and its revisions are exceeded too.
///
/// # Errors
/// A backup that is damaged, cut off or too new; a folder whose server runs; I/O. The folder's store is as before then.
pub fn restore<R: BufRead>(folder: &Path, backup: BackupReader<R>, bump: u64) -> Result<Restored, BackupError> {
    let cannot = |what: &Path| format!("`{}` cannot be written", what.display());
    fs::create_dir_all(folder).map_err(|error| BackupError::io(cannot(folder), error))?;
    let place = folder.join(FILE);
    // Held until the end, so that no server starts meanwhile.
    let (_held, before) = if place.exists() { standing(&place)? } else { (None, 0) };
    let floor = Revision(backup.header().revision.max(before).saturating_add(bump));
    let beside = folder.join(format!("{FILE}.restoring"));
    remove(&beside)?;
    let options = Options::default();
    let fresh = database(lock(&beside, true)?, &options).map_err(|error| BackupError::Store(error.to_string()))?;
    let mut files: Vec<(PathBuf, u32, Vec<u8>)> = Vec::new();
    let mut objects = 0;
    let filled = {
        let objects = backup.filter_map(|item| match item {
            Ok(BackupItem::Object(key, object)) => {
                objects += 1;
                Some(Ok((key, object)))
            }
            Ok(BackupItem::File { name, mode, content }) => {
                let path = PathBuf::from(&name);
                let is_inside = path.components().all(|it| matches!(it, Component::Normal(_))) && !name.is_empty();
                if !is_inside || name.starts_with(FILE) {
                    return Some(Err(BackupError::Store(format!(
                        "the backup has a file at `{name}`, outside of its folder"
                    ))));
                }
                files.push((path, mode, content));
                None
            }
            Err(error) => Some(Err(error)),
        });
        kanon_store::restore(&fresh, floor, objects)
    };
    drop(fresh);
    let revision = match filled {
        Ok(revision) => revision,
        Err(error) => {
            remove(&beside)?;
            return Err(match error {
                RestoreError::Source(error) => error,
                error @ (RestoreError::Store(_) | RestoreError::NotEmpty | RestoreError::Object { .. }) => {
                    BackupError::Store(error.to_string())
                }
            });
        }
    };
    for (name, mode, content) in &files {
        put(&folder.join(name), *mode, content)?;
    }
    if place.exists() {
        let aside = folder.join(format!("{FILE}.before-restore"));
        fs::rename(&place, &aside).map_err(|error| BackupError::io(cannot(&aside), error))?;
    }
    fs::rename(&beside, &place).map_err(|error| BackupError::io(cannot(&place), error))?;
    sync(folder)?;
    Ok(Restored { objects, files: files.len() as u64, revision: revision.0 })
}

/// The store that is there: locked, and where it stands. One that cannot be read is no reason not to restore.
fn standing(path: &Path) -> Result<(Option<Writer>, u64), BackupError> {
    let options = Options::default();
    match database(lock(path, false)?, &options).and_then(|it| Writer::open(it, options)) {
        Ok((writer, memory)) => Ok((Some(writer), memory.revision().0)),
        Err(kanon_store::Error::InUse) => Err(BackupError::InUse(path.display().to_string())),
        Err(_) => Ok((None, 0)),
    }
}

fn lock(path: &Path, create: bool) -> Result<FileBackend, BackupError> {
    let file = OpenOptions::new().read(true).write(true).create(create).truncate(false).open(path);
    let file = file.map_err(|error| BackupError::io(format!("`{}` cannot be opened", path.display()), error))?;
    FileBackend::new(file).map_err(|_| BackupError::InUse(path.display().to_string()))
}

fn remove(path: &Path) -> Result<(), BackupError> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(BackupError::io(format!("`{}` cannot be removed", path.display()), error))
        }
        _ => Ok(()),
    }
}

/// Writes a file beside its place, then moves it there.
fn put(path: &Path, mode: u32, content: &[u8]) -> Result<(), BackupError> {
    let mut name = path.as_os_str().to_owned();
    name.push(".restoring");
    let beside = PathBuf::from(name);
    let write = || {
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder)?;
        }
        let mut options = OpenOptions::new();
        options.write(true).create(true).truncate(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, mode);
        #[cfg(not(unix))]
        let _ = mode;
        let mut file = options.open(&beside)?;
        file.write_all(content)?;
        file.sync_all()?;
        fs::rename(&beside, path)
    };
    write().map_err(|error| BackupError::io(format!("`{}` cannot be written", path.display()), error))
}

/// Makes the names in a folder durable.
fn sync(folder: &Path) -> Result<(), BackupError> {
    let synced = File::open(folder).and_then(|it| it.sync_all());
    synced.map_err(|error| BackupError::io(format!("`{}` cannot be written", folder.display()), error))
}
