//! From the durable copy to memory: all rows in order of revision, checked as they come.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::Arc,
};

use redb::{Database, ReadTransaction, ReadableDatabase, ReadableTable, ReadableTableMetadata, TableHandle};

use crate::{
    Entry, Error, Event, EventKind, Key, Memory, Revision,
    database::{COMPACTED, FLOOR, FORMAT, FORMAT_VERSION, LOG, META, REVISION},
    error::storage,
    migrate::migrate,
    row::Row,
};

/// All that a store holds.
pub(crate) struct Loaded {
    pub(crate) memory: Memory,
    /// The events of all collections, by revision.
    pub(crate) history: VecDeque<Arc<Event>>,
}

/// Reads the store; makes its tables first when the database is new.
pub(crate) fn load(database: &Database) -> Result<Loaded, Error> {
    match format(database)? {
        None => create(database)?,
        Some(found) => migrate(database, found)?,
    }
    let read = database.begin_read().map_err(storage)?;
    let revision = number(&read, REVISION)?.ok_or_else(|| Error::corrupt("no record of the last revision"))?;
    let floor = number(&read, FLOOR)?.unwrap_or_default();
    let loaded = Loaded { memory: Memory::empty(floor), history: VecDeque::new() };
    let mut loader = Loader { loaded, floor, compacted: compacted(&read)? };
    for (collection, revision) in &loader.compacted {
        loader.loaded.memory.set_compacted(collection, *revision);
    }
    let log = read.open_table(LOG).map_err(storage)?;
    let mut rows = 0;
    for row in log.iter().map_err(storage)? {
        let (at, bytes) = row.map_err(storage)?;
        let at = Revision(at.value());
        if at > revision {
            return Err(Error::corrupt(format!("a record of revision {at} beyond the last one, {revision}")));
        }
        loader.row(&Row::decode(at, bytes.value())?)?;
        rows += 1;
    }
    let counted = log.len().map_err(storage)?;
    if rows != counted {
        return Err(Error::corrupt(format!("{rows} records where {counted} were written")));
    }
    loader.loaded.memory.set_revision(revision);
    Ok(loader.loaded)
}

/// The format of what is stored; none where nothing ever was. A file that has tables but no format record is somebody else's.
fn format(database: &Database) -> Result<Option<u64>, Error> {
    let read = database.begin_read().map_err(storage)?;
    let tables: Vec<String> = read.list_tables().map_err(storage)?.map(|table| table.name().to_owned()).collect();
    let Some(table) = tables.first() else { return Ok(None) };
    let foreign = || Error::Foreign { table: table.clone() };
    if !tables.iter().any(|table| table == META.name()) {
        return Err(foreign());
    }
    let meta = read.open_table(META).map_err(|_| foreign())?;
    let format = meta.get(FORMAT).map_err(storage)?.ok_or_else(foreign)?.value();
    if format <= FORMAT_VERSION {
        Ok(Some(format))
    } else {
        Err(Error::Version { found: format, known: FORMAT_VERSION })
    }
}

fn create(database: &Database) -> Result<(), Error> {
    let write = database.begin_write().map_err(storage)?;
    {
        let mut meta = write.open_table(META).map_err(storage)?;
        meta.insert(FORMAT, FORMAT_VERSION).map_err(storage)?;
        meta.insert(REVISION, Revision::FIRST.0).map_err(storage)?;
        meta.insert(FLOOR, 0).map_err(storage)?;
        write.open_table(LOG).map_err(storage)?;
        write.open_table(COMPACTED).map_err(storage)?;
    }
    write.commit().map_err(storage)
}

fn number(read: &ReadTransaction, name: &str) -> Result<Option<Revision>, Error> {
    let meta = read.open_table(META).map_err(storage)?;
    Ok(meta.get(name).map_err(storage)?.map(|it| Revision(it.value())))
}

fn compacted(read: &ReadTransaction) -> Result<BTreeMap<String, Revision>, Error> {
    let table = read.open_table(COMPACTED).map_err(storage)?;
    let rows = table.iter().map_err(storage)?;
    rows.map(|row| row.map(|(name, at)| (name.value().to_owned(), Revision(at.value()))).map_err(storage)).collect()
}

struct Loader {
    loaded: Loaded,
    floor: Revision,
    compacted: BTreeMap<String, Revision>,
}

impl Loader {
    fn row(&mut self, row: &Row<'_>) -> Result<(), Error> {
        let key = Key::from_text(row.key);
        let current = self.loaded.memory.get(&key);
        let compacted = self.compacted.get(key.collection()).copied().unwrap_or_default().max(self.floor);
        let in_history = row.revision > compacted;
        if in_history { self.event(row, key, current) } else { self.base(row, key, current.as_ref()) }
    }

    /// A state from before the history: the one that the history, if it has anything of this key, begins with.
    fn base(&mut self, row: &Row<'_>, key: Key, current: Option<&Arc<Entry>>) -> Result<(), Error> {
        if current.is_some() || row.kind == EventKind::Deleted {
            return Err(unexpected(row));
        }
        self.loaded.memory.restore(Arc::new(row.entry(key)?));
        Ok(())
    }

    fn event(&mut self, row: &Row<'_>, key: Key, previous: Option<Arc<Entry>>) -> Result<(), Error> {
        let created = previous.as_ref().map_or(row.revision, |previous| previous.created);
        if (row.kind == EventKind::Added) == previous.is_some() || row.created != created {
            return Err(unexpected(row));
        }
        // One allocation of the key for all states of an object.
        let key = previous.as_ref().map_or(key, |previous| previous.key.clone());
        let (entry, frame) = row.framed(key)?;
        let event = Arc::new(Event { revision: row.revision, kind: row.kind, entry: Arc::new(entry), previous, frame });
        self.loaded.memory.replay(&event);
        self.loaded.history.push_back(event);
        Ok(())
    }
}

fn unexpected(row: &Row<'_>) -> Error {
    Error::corrupt(format!("the record of revision {} does not follow from those before it", row.revision))
}
