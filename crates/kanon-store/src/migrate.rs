//! From older formats of the file to the present one: a table of steps, all of those that are needed in one transaction.
//!
//! Opening migrates; a version that is older than the file refuses it ([`Error::Version`]).

use redb::{Database, Durability, WriteTransaction};

use crate::{
    Error,
    database::{FLOOR, FORMAT, FORMAT_VERSION, META},
    error::storage,
};

/// What leads from one format to the next.
type Step = fn(&WriteTransaction) -> Result<(), Error>;

/// The steps by the format that they start from.
const STEPS: &[(u64, Step)] = &[(1, add_floor)];

/// Brings a file of format `found` to the present one.
pub(crate) fn migrate(database: &Database, found: u64) -> Result<(), Error> {
    if found == FORMAT_VERSION {
        return Ok(());
    }
    let mut transaction = database.begin_write().map_err(storage)?;
    transaction.set_durability(Durability::Immediate).map_err(storage)?;
    for format in found..FORMAT_VERSION {
        let step = STEPS.iter().find(|(from, _)| *from == format);
        let (_, step) = step.ok_or_else(|| Error::corrupt(format!("format {format} was never written")))?;
        step(&transaction)?;
    }
    transaction.open_table(META).map_err(storage)?.insert(FORMAT, FORMAT_VERSION).map_err(storage)?;
    transaction.commit().map_err(storage)
}

/// Format 2 knows how far a restored store's history is gone as a whole. Older stores were never restored.
fn add_floor(transaction: &WriteTransaction) -> Result<(), Error> {
    transaction.open_table(META).map_err(storage)?.insert(FLOOR, 0).map_err(storage)?;
    Ok(())
}
