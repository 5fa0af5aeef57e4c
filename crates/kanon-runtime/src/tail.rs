//! The audit log as a file (spec/rules 7.1): read as it grows, over rotation, from its end at the first start and from where it was
//! left at later ones.
//!
//! A file that was put aside is read to its end first, also when that happened while nobody was here, as long as it is in the same
//! folder. A file that became shorter is begun anew.

use std::{
    fs::File,
    io::{Read, Seek, SeekFrom},
    os::unix::fs::{FileExt, MetadataExt},
    path::{Path, PathBuf},
    time::Duration,
};

use kanon_core::{Digest, Object};
use notify::{RecursiveMode, Watcher};
use serde::{Deserialize, Serialize};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::observer::{Feed, Told};

/// How often the file is looked at without an event of the file system.
const POLL: Duration = Duration::from_secs(5);
/// Longest line: an event with two bodies of 3 MiB. A longer one is passed over.
const LINE_MAX: usize = 8 << 20;
/// Bytes read at a time.
const CHUNK: usize = 64 << 10;
/// Bytes at the beginning of a file that tell it from another one whose inode it got.
const HEAD: u64 = 1 << 10;

/// Why the log cannot be followed.
#[derive(Debug, thiserror::Error)]
#[error("failed to follow the audit log `{path}`: {source}")]
pub struct TailError {
    /// The log.
    pub path: PathBuf,
    /// What the file system said.
    pub source: std::io::Error,
}

/// Follows a log.
pub struct LogFollower {
    tail: Tail,
    events: mpsc::Receiver<()>,
    /// Ends the watch when it goes.
    _watcher: notify::RecommendedWatcher,
}

impl LogFollower {
    /// Finds where to begin in the log at `path`: what is written from now on is read. `place` is the file that remembers how
    /// far it was read.
    ///
    /// # Errors
    /// When the log's folder cannot be watched.
    pub fn open(path: PathBuf, place: PathBuf) -> Result<LogFollower, TailError> {
        let (wake, events) = mpsc::channel(1);
        let notify = move |_| {
            let _ = wake.try_send(());
        };
        let failed = |error: notify::Error| TailError { path: path.clone(), source: std::io::Error::other(error) };
        let folder = path.parent().filter(|it| !it.as_os_str().is_empty()).unwrap_or(Path::new(".")).to_owned();
        let mut watcher = notify::recommended_watcher(notify).map_err(failed)?;
        watcher.watch(&folder, RecursiveMode::NonRecursive).map_err(failed)?;
        let mut tail = Tail { path, folder, place, open: None, is_new: true, saved: None };
        tail.open = tail.begin();
        Ok(LogFollower { tail, events, _watcher: watcher })
    }

    /// Hands each line on to `feed`, until cancelled.
    pub async fn run(mut self, feed: Feed, stop: CancellationToken) {
        loop {
            while let Some(lines) = self.tail.read() {
                for line in lines {
                    match Object::parse(line) {
                        Ok(event) => feed.hand_on(Told::Audit(event)).await,
                        Err(_) => feed.unreadable(),
                    }
                }
                if stop.is_cancelled() {
                    break;
                }
            }
            self.tail.save();
            tokio::select! {
                () = stop.cancelled() => return,
                Some(()) = self.events.recv() => {}
                () = tokio::time::sleep(POLL) => {}
            }
            let _ = self.events.try_recv();
        }
    }
}

/// How far a log was read.
struct Tail {
    path: PathBuf,
    folder: PathBuf,
    place: PathBuf,
    open: Option<Open>,
    /// Whether nothing was opened yet.
    is_new: bool,
    /// What the place file says.
    saved: Option<Place>,
}

/// Where reading ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Place {
    inode: u64,
    offset: u64,
    /// Digest of the file's beginning up to there.
    head: String,
}

struct Open {
    file: File,
    inode: u64,
    /// How far it was read.
    at: u64,
    /// The beginning of a line whose end is not there yet.
    rest: Vec<u8>,
    /// Whether the line that is being read is passed over.
    skips: bool,
}

impl Tail {
    /// Whole lines that were not read before; `None` when there are none for now.
    fn read(&mut self) -> Option<Vec<Vec<u8>>> {
        if self.open.is_none() {
            self.open = self.begin();
        }
        let open = self.open.as_mut()?;
        if let Some(lines) = open.read() {
            return Some(lines);
        }
        let inode = std::fs::metadata(&self.path).ok()?.ino();
        if inode == open.inode {
            return open.read();
        }
        // It was put aside: what was written before that, and then the new one.
        if let Some(lines) = open.read() {
            return Some(lines);
        }
        self.open = Open::at(&self.path, 0);
        self.open.as_mut()?.read()
    }

    fn begin(&mut self) -> Option<Open> {
        let is_new = std::mem::replace(&mut self.is_new, false);
        if !is_new {
            return Open::at(&self.path, 0);
        }
        let Some(place) = self.left_at() else { return Open::at_end(&self.path) };
        let others = std::fs::read_dir(&self.folder).ok()?.filter_map(|it| Some(it.ok()?.path()));
        let mut files = std::iter::once(self.path.clone()).chain(others);
        let found = files.find_map(|path| {
            Open::at(&path, place.offset).filter(|it| it.place(place.offset).as_ref() == Some(&place))
        });
        self.saved = Some(place);
        found.or_else(|| Open::at(&self.path, 0))
    }

    fn left_at(&self) -> Option<Place> {
        serde_json::from_slice(&std::fs::read(&self.place).ok()?).ok()
    }

    /// Remembers how far it was read: the line that is not whole yet is read again.
    fn save(&mut self) {
        let Some(open) = &self.open else { return };
        let offset = open.at - open.rest.len() as u64;
        if self.saved.as_ref().is_some_and(|it| (it.inode, it.offset) == (open.inode, offset)) {
            return;
        }
        let Some(place) = open.place(offset) else { return };
        let draft = self.place.with_extension("new");
        let text = serde_json::to_string(&place).unwrap_or_default();
        match std::fs::write(&draft, text).and_then(|()| std::fs::rename(&draft, &self.place)) {
            Ok(()) => self.saved = Some(place),
            Err(error) => tracing::warn!(%error, "how far the audit log was read cannot be remembered"),
        }
    }
}

impl Open {
    /// What tells this file, and how far it was read, from others.
    fn place(&self, offset: u64) -> Option<Place> {
        let mut head = vec![0; offset.min(HEAD) as usize];
        self.file.read_exact_at(&mut head, 0).ok()?;
        Some(Place { inode: self.inode, offset, head: Digest::of(&[&head]).short() })
    }

    fn at(path: &Path, at: u64) -> Option<Open> {
        let mut file = File::open(path).ok()?;
        let meta = file.metadata().ok()?;
        // It became shorter: what stands there now is new.
        let at = if at > meta.len() { 0 } else { at };
        file.seek(SeekFrom::Start(at)).ok()?;
        Some(Open { file, inode: meta.ino(), at, rest: Vec::new(), skips: false })
    }

    /// At the end; a line that is being written goes to its end unread.
    fn at_end(path: &Path) -> Option<Open> {
        let len = std::fs::metadata(path).ok()?.len();
        let mut open = Open::at(path, len.saturating_sub(1))?;
        let mut last = [0];
        if len > 0 {
            open.file.read_exact(&mut last).ok()?;
            open.at = len;
            open.skips = last[0] != b'\n';
        }
        Some(open)
    }

    fn read(&mut self) -> Option<Vec<Vec<u8>>> {
        if self.file.metadata().is_ok_and(|it| it.len() < self.at) {
            self.file.seek(SeekFrom::Start(0)).ok()?;
            (self.at, self.skips) = (0, false);
            self.rest.clear();
        }
        let mut chunk = vec![0; CHUNK];
        let mut lines = Vec::new();
        while lines.is_empty() {
            let read = self.file.read(&mut chunk).ok().filter(|it| *it > 0)?;
            self.at += read as u64;
            let mut parts = chunk[..read].split(|it| *it == b'\n');
            let first = parts.next().unwrap_or_default();
            self.add(first);
            for part in parts {
                let line = std::mem::take(&mut self.rest);
                if !std::mem::take(&mut self.skips) && !line.is_empty() {
                    lines.push(line);
                }
                self.add(part);
            }
        }
        Some(lines)
    }

    /// Adds to the line that is being read.
    fn add(&mut self, part: &[u8]) {
        if self.skips {
            return;
        }
        self.rest.extend_from_slice(part);
        if self.rest.len() > LINE_MAX {
            self.rest = Vec::new();
            self.skips = true;
            tracing::warn!("a line of the audit log is longer than 8 MiB and was passed over");
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    struct Log {
        folder: tempfile::TempDir,
    }

    impl Log {
        fn new() -> Log {
            Log { folder: tempfile::tempdir().unwrap() }
        }

        fn path(&self) -> PathBuf {
            self.folder.path().join("audit.log")
        }

        fn write(&self, text: &str) {
            let mut file = File::options().create(true).append(true).open(self.path()).unwrap();
            file.write_all(text.as_bytes()).unwrap();
        }

        fn put_aside(&self, name: &str) {
            std::fs::rename(self.path(), self.folder.path().join(name)).unwrap();
        }

        fn tail(&self) -> Tail {
            let (path, folder) = (self.path(), self.folder.path().to_owned());
            let place = folder.join("place");
            Tail { path, folder, place, open: None, is_new: true, saved: None }
        }
    }

    fn lines(tail: &mut Tail) -> Vec<String> {
        let found = std::iter::from_fn(|| tail.read()).flatten();
        let found = found.map(|it| String::from_utf8(it).unwrap()).collect();
        tail.save();
        found
    }

    #[test]
    fn a_log_is_read_from_its_end_and_over_rotation() {
        let log = Log::new();
        log.write("old\nhalf");
        let mut tail = log.tail();
        assert_eq!(lines(&mut tail), Vec::<String>::new());
        log.write(" a line\none\ntw");
        assert_eq!(lines(&mut tail), ["one"]);
        log.write("o\n\n");
        assert_eq!(lines(&mut tail), ["two"]);
        // The last lines of the file that was put aside come before those of the new one.
        log.write("three\n");
        log.put_aside("audit-1.log");
        log.write("four\n");
        assert_eq!(lines(&mut tail), ["three", "four"]);
        // Emptied in place.
        File::create(log.path()).unwrap();
        log.write("5\n");
        assert_eq!(lines(&mut tail), ["5"]);
    }

    #[test]
    fn a_later_start_goes_on_where_the_first_one_ended() {
        let log = Log::new();
        log.write("old\n");
        assert_eq!(lines(&mut log.tail()), Vec::<String>::new());
        log.write("one\nha");
        assert_eq!(lines(&mut log.tail()), ["one"]);
        log.write("lf\n");
        log.put_aside("audit-1.log");
        log.write("two\n");
        assert_eq!(lines(&mut log.tail()), ["half", "two"]);
        // What was put aside is gone: the new file from its beginning.
        log.write("three\n");
        log.put_aside("audit-2.log");
        std::fs::remove_file(log.folder.path().join("audit-2.log")).unwrap();
        log.write("four\n");
        assert_eq!(lines(&mut log.tail()), ["four"]);
    }

    #[test]
    fn a_log_that_appears_later_is_read_whole() {
        let log = Log::new();
        let mut tail = log.tail();
        assert_eq!(lines(&mut tail), Vec::<String>::new());
        log.write("one\n");
        assert_eq!(lines(&mut tail), ["one"]);
    }

    #[test]
    fn an_endless_line_takes_no_memory() {
        let log = Log::new();
        log.write("x\n");
        let mut tail = log.tail();
        lines(&mut tail);
        for _ in 0..10 {
            log.write(&"y".repeat(1 << 20));
            assert_eq!(lines(&mut tail), Vec::<String>::new());
        }
        assert!(tail.open.as_ref().unwrap().rest.is_empty());
        log.write("\nz\n");
        assert_eq!(lines(&mut tail), ["z"]);
    }
}
