//! Reading and proving a log. Works beside a running writer: a line that is still being written is not there yet.

use std::{
    fs::File,
    io::{BufRead, BufReader},
    path::Path,
};

use kanon_plane::{Chain, Verifier};

use super::files::{self, Error, SegmentFile};

/// What a proof found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Report {
    /// Records before the first one kept, dropped by retention.
    pub dropped: u64,
    /// Records that hold.
    pub records: u64,
    /// Segments they are in.
    pub segments: usize,
    /// The end of the chain.
    pub end: Chain,
    /// Bytes of an unfinished last line: a write that was cut off before it was acknowledged.
    pub torn: u64,
}

/// One record as read from the log.
#[derive(Clone, Debug)]
pub struct Entry {
    /// Its number.
    pub seq: u64,
    /// The first digits of its hash: what `decision/ID` names.
    pub id: String,
    /// What it says.
    pub record: serde_json::Value,
}

/// Proves that no kept record was changed, dropped or moved.
///
/// # Errors
/// The first place where the chain does not hold, or a file that cannot be read.
pub fn verify(dir: &Path) -> Result<Report, Error> {
    walk(dir, |_, _, _| Ok(()))
}

/// All records whose chain holds, oldest first, as far as `keep` wants them.
///
/// # Errors
/// As [`verify`].
pub fn entries(dir: &Path, mut keep: impl FnMut(&Entry) -> bool) -> Result<Vec<Entry>, Error> {
    let mut found = Vec::new();
    walk(dir, |chain, record, _| {
        let entry = Entry { seq: chain.seq(), id: chain.hash().short(), record: serde_json::from_str(record)? };
        if keep(&entry) {
            found.push(entry);
        }
        Ok(())
    })?;
    Ok(found)
}

/// Follows the chain through all segments, calling `visit` with the chain's end, the record and the segment.
pub(super) fn walk(
    dir: &Path,
    mut visit: impl FnMut(Chain, &str, &SegmentFile) -> Result<(), Error>,
) -> Result<Report, Error> {
    let start = files::dropped(dir)?;
    let segments = files::segments(dir)?;
    let mut verifier = Verifier::after(start);
    let mut torn = 0;
    for (at, segment) in segments.iter().enumerate() {
        if segment.first <= start.seq() && at == 0 && segments.len() > 1 {
            // Retention noted the drop and was stopped before it removed the file.
            continue;
        }
        if segment.first != verifier.chain().seq() + 1 || torn > 0 {
            return Err(Error::Gap { path: segment.path.clone() });
        }
        torn = walk_segment(segment, &mut verifier, &mut visit)?;
    }
    let end = verifier.chain();
    Ok(Report { dropped: start.seq(), records: end.seq() - start.seq(), segments: segments.len(), end, torn })
}

/// Returns the bytes of an unfinished last line.
fn walk_segment(
    segment: &SegmentFile,
    verifier: &mut Verifier,
    visit: &mut impl FnMut(Chain, &str, &SegmentFile) -> Result<(), Error>,
) -> Result<u64, Error> {
    let read = || Error::io("read", &segment.path);
    let mut file = BufReader::new(File::open(&segment.path).map_err(read())?);
    let mut line = Vec::new();
    for number in 1.. {
        line.clear();
        file.read_until(b'\n', &mut line).map_err(read())?;
        if line.pop_if(|it| *it == b'\n').is_none() {
            return Ok(line.len() as u64);
        }
        let text = String::from_utf8_lossy(&line);
        let broken = |source| Error::Broken { path: segment.path.clone(), line: number, source };
        let record = verifier.check(&text).map_err(broken)?;
        visit(verifier.chain(), record.get(), segment)?;
    }
    Ok(0)
}
