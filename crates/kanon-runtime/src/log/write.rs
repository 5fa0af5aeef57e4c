//! Writing the log: one writer, whole lines, durable when [`DecisionLog::append`] returns.

use std::{
    borrow::Cow,
    collections::BTreeMap,
    fs::{self, File, OpenOptions},
    io::Write,
    path::{Path, PathBuf},
};

use jiff::Timestamp;
use kanon_core::Now;
use kanon_plane::{Chain, Payload, Retention, Segment, surplus};

use super::{
    files::{self, Error, SegmentFile},
    read::walk,
};

/// How the log is kept.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// A segment is closed when it has grown beyond this.
    pub segment_bytes: u64,
    /// How much is kept.
    pub retention: Retention,
}

/// Segments of 16 MiB.
impl Default for Options {
    fn default() -> Options {
        Options { segment_bytes: 16 << 20, retention: Retention::default() }
    }
}

/// The log, open for appending.
pub struct DecisionLog {
    dir: PathBuf,
    options: Options,
    chain: Chain,
    segments: Vec<Kept>,
    file: File,
    /// Held as long as the log is open.
    _lock: File,
}

struct Kept {
    file: SegmentFile,
    bytes: u64,
    last: Timestamp,
    end: Chain,
}

impl DecisionLog {
    /// Opens the log in `dir`, creating it where there is none. Proves the whole chain first; a torn last line (a write that
    /// was never acknowledged) is cut off, and the cut is recorded.
    ///
    /// # Errors
    /// A broken chain, a folder in use, a file system that says no.
    pub fn open(dir: &Path, options: Options, now: Now) -> Result<DecisionLog, Error> {
        fs::create_dir_all(dir).map_err(Error::io("create", dir))?;
        let lock = lock(dir)?;
        let (segments, chain, torn) = load(dir, now.wall)?;
        let current = match segments.last() {
            Some(it) => it.file.clone(),
            None => SegmentFile::new(dir, chain.seq() + 1),
        };
        let file = OpenOptions::new().append(true).create(true).open(&current.path);
        let file = file.map_err(Error::io("open", &current.path))?;
        let mut log = DecisionLog { dir: dir.to_owned(), options, chain, segments, file, _lock: lock };
        if log.segments.is_empty() {
            log.segments.push(Kept { file: current, bytes: 0, last: now.wall, end: chain });
        }
        log.cut(torn)?;
        files::sync_dir(dir)?;
        let version = Cow::Borrowed(env!("CARGO_PKG_VERSION"));
        log.append(&[Payload::Opened { now, version, cut: torn }], now.wall)?;
        Ok(log)
    }

    /// The end of the chain.
    pub fn chain(&self) -> Chain {
        self.chain
    }

    /// Appends records; they are durable when this returns.
    ///
    /// # Errors
    /// When the file system says no. Nothing of the batch counts then: the chain stays where it was, and what may have
    /// reached the file is cut off before the next append.
    pub fn append(&mut self, records: &[Payload], now: Timestamp) -> Result<(), Error> {
        if records.is_empty() {
            return Ok(());
        }
        self.rotate(now)?;
        let mut chain = self.chain;
        let mut text = String::new();
        for record in records {
            text += &chain.append(record)?.text;
            text.push('\n');
        }
        let Some(segment) = self.segments.last_mut() else { return Ok(()) };
        let good = segment.bytes;
        let written = self.file.write_all(text.as_bytes()).and_then(|()| self.file.sync_data());
        if let Err(error) = written {
            let path = segment.file.path.clone();
            // Best effort: if this fails too, the next open finds a torn or complete but unacknowledged tail.
            let _ = self.file.set_len(good);
            return Err(Error::io("append to", &path)(error));
        }
        (segment.bytes, segment.last, segment.end) = (good + text.len() as u64, now, chain);
        self.chain = chain;
        Ok(())
    }

    /// Closes a full segment, opens the next, and drops what retention does not keep.
    fn rotate(&mut self, now: Timestamp) -> Result<(), Error> {
        if self.segments.last().is_none_or(|it| it.bytes < self.options.segment_bytes) {
            return Ok(());
        }
        let file = SegmentFile::new(&self.dir, self.chain.seq() + 1);
        let open = OpenOptions::new().append(true).create_new(true).open(&file.path);
        self.file = open.map_err(Error::io("create", &file.path))?;
        self.segments.push(Kept { file, bytes: 0, last: now, end: self.chain });
        files::sync_dir(&self.dir)?;
        let sizes: Vec<_> = self.segments.iter().map(|it| Segment { bytes: it.bytes, last: it.last }).collect();
        for segment in self.segments.drain(..surplus(&sizes, self.options.retention, now)) {
            files::set_dropped(&self.dir, segment.end)?;
            fs::remove_file(&segment.file.path).map_err(Error::io("remove", &segment.file.path))?;
        }
        Ok(())
    }

    fn cut(&mut self, torn: u64) -> Result<(), Error> {
        let Some(segment) = self.segments.last_mut().filter(|_| torn > 0) else { return Ok(()) };
        self.file.set_len(segment.bytes).map_err(Error::io("cut", &segment.file.path))
    }
}

fn lock(dir: &Path) -> Result<File, Error> {
    let path = dir.join("lock");
    let file = OpenOptions::new().write(true).create(true).truncate(false).open(&path);
    let file = file.map_err(Error::io("open", &path))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(fs::TryLockError::WouldBlock) => Err(Error::Locked(dir.to_owned())),
        Err(fs::TryLockError::Error(error)) => Err(Error::io("lock", &path)(error)),
    }
}

/// Every segment with its end, the end of the chain, and the bytes of a torn last line.
fn load(dir: &Path, now: Timestamp) -> Result<(Vec<Kept>, Chain, u64), Error> {
    let mut ends = BTreeMap::new();
    let report = walk(dir, |chain, _, segment| {
        ends.insert(segment.first, chain);
        Ok(())
    })?;
    let mut kept = Vec::new();
    for file in files::segments(dir)? {
        let meta = fs::metadata(&file.path).map_err(Error::io("read", &file.path))?;
        if file.first <= report.dropped {
            fs::remove_file(&file.path).map_err(Error::io("remove", &file.path))?;
            continue;
        }
        let end = ends.get(&file.first).copied().unwrap_or(report.end);
        // Only retention by age looks at this, and only at closed segments.
        let last = meta.modified().ok().and_then(|it| Timestamp::try_from(it).ok()).unwrap_or(now);
        kept.push(Kept { file, bytes: meta.len(), last, end });
    }
    if let Some(last) = kept.last_mut() {
        last.bytes -= report.torn;
    }
    Ok((kept, report.end, report.torn))
}

#[cfg(test)]
mod tests;
