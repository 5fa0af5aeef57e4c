//! The log file: JSON lines, put aside when it is full, the oldest of those removed. Names as kube-apiserver's:
//! `audit.log` becomes `audit-2026-01-02T03-04-05.678.log`.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, BufWriter, Write as _},
    path::{Path, PathBuf},
    time::Duration,
};

use jiff::{SignedDuration, Timestamp, tz::TimeZone};

use super::{AuditError, AuditLog};

/// The time in the names of files put aside, in UTC.
const TIME: &str = "%Y-%m-%dT%H-%M-%S.%3f";

/// What names can tell apart.
const STEP: SignedDuration = SignedDuration::from_millis(1);

/// An open log.
pub(super) struct LogFile {
    options: AuditLog,
    out: Option<BufWriter<Out>>,
    size: u64,
    /// The time in the name of the file put aside last.
    last_aside: Timestamp,
}

enum Out {
    File(File),
    Standard(io::Stdout),
}

impl io::Write for Out {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Out::File(it) => it.write(bytes),
            Out::Standard(it) => it.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Out::File(it) => it.flush(),
            Out::Standard(it) => it.flush(),
        }
    }
}

impl LogFile {
    /// Opens the file, or makes it and its folder; what is in it stays.
    pub(super) fn open(options: &AuditLog) -> Result<LogFile, AuditError> {
        let mut log = LogFile { options: options.clone(), out: None, size: 0, last_aside: Timestamp::UNIX_EPOCH };
        log.reopen().map_err(|source| AuditError::Log { path: options.path.clone(), source })?;
        Ok(log)
    }

    fn is_standard(&self) -> bool {
        self.options.path == Path::new("-")
    }

    fn reopen(&mut self) -> io::Result<()> {
        if self.is_standard() {
            self.out = Some(BufWriter::new(Out::Standard(io::stdout())));
            return Ok(());
        }
        if let Some(folder) = self.options.path.parent().filter(|it| !it.as_os_str().is_empty()) {
            fs::create_dir_all(folder)?;
        }
        let mut options = OpenOptions::new();
        options.create(true).append(true);
        // Bodies may hold secrets.
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let file = options.open(&self.options.path)?;
        self.size = file.metadata()?.len();
        self.out = Some(BufWriter::new(Out::File(file)));
        Ok(())
    }

    /// Writes one event; with `now` it is in the file when this returns. After a failure the file is opened again.
    pub(super) fn write(&mut self, line: &[u8], now: bool) -> io::Result<()> {
        let written = self.try_write(line, now);
        if written.is_err() {
            // Opening finds out what is there.
            (self.out, self.size) = (None, 0);
        }
        written
    }

    fn try_write(&mut self, line: &[u8], now: bool) -> io::Result<()> {
        let len = line.len() as u64 + 1;
        if self.size > 0 && self.size + len > self.options.size_max && !self.is_standard() {
            self.rotate()?;
        }
        if self.out.is_none() {
            self.reopen()?;
        }
        let Some(out) = &mut self.out else { return Ok(()) };
        out.write_all(line)?;
        out.write_all(b"\n")?;
        self.size += len;
        if now { out.flush() } else { Ok(()) }
    }

    pub(super) fn flush(&mut self) -> io::Result<()> {
        self.out.as_mut().map_or(Ok(()), |it| it.flush())
    }

    fn rotate(&mut self) -> io::Result<()> {
        self.flush()?;
        self.out = None;
        let now = Timestamp::now();
        // Names sort as the files were written, also when several are put aside within a millisecond.
        let mut at = now.max(self.last_aside + STEP);
        while self.aside(at).exists() {
            at += STEP;
        }
        fs::rename(&self.options.path, self.aside(at))?;
        self.last_aside = at;
        self.size = 0;
        self.prune(now)
    }

    fn aside(&self, at: Timestamp) -> PathBuf {
        let (stem, end) = self.names();
        self.options.path.with_file_name(format!("{stem}-{}{end}", at.strftime(TIME)))
    }

    /// What comes before and after the time.
    fn names(&self) -> (String, String) {
        let text = |it: Option<&std::ffi::OsStr>| it.map(|it| it.to_string_lossy().into_owned());
        let end = text(self.options.path.extension()).map(|it| format!(".{it}")).unwrap_or_default();
        (text(self.options.path.file_stem()).unwrap_or_default(), end)
    }

    /// Removes files put aside: those beyond the number, and those beyond the age.
    fn prune(&self, now: Timestamp) -> io::Result<()> {
        let folder = self.options.path.parent().filter(|it| !it.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let (stem, end) = self.names();
        let mut aside: Vec<(Timestamp, PathBuf)> = Vec::new();
        for entry in fs::read_dir(folder)? {
            let path = entry?.path();
            let name = path.file_name().map(|it| it.to_string_lossy().into_owned()).unwrap_or_default();
            let time = name.strip_prefix(&format!("{stem}-")).and_then(|it| it.strip_suffix(&end));
            let parsed = time.and_then(|it| jiff::civil::DateTime::strptime(TIME, it).ok());
            if let Some(at) = parsed.and_then(|it| it.to_zoned(TimeZone::UTC).ok()) {
                aside.push((at.timestamp(), path));
            }
        }
        aside.sort();
        let beyond = match self.options.backups_max {
            0 => 0,
            max => aside.len().saturating_sub(max),
        };
        let is_old = |at: Timestamp| {
            let age = Duration::try_from(now.duration_since(at)).unwrap_or_default();
            self.options.age_max.is_some_and(|max| age > max)
        };
        for (number, (at, path)) in aside.into_iter().enumerate() {
            if number < beyond || is_old(at) {
                fs::remove_file(path)?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn files(folder: &Path) -> Vec<String> {
        let names = fs::read_dir(folder).expect("a folder").map(|it| it.expect("an entry").file_name());
        let mut names: Vec<String> = names.map(|it| it.to_string_lossy().into_owned()).collect();
        names.sort();
        names
    }

    #[test]
    fn a_full_file_is_put_aside_and_the_oldest_go() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("deep").join("audit.log");
        let options = AuditLog { size_max: 64, backups_max: 2, ..AuditLog::new(&path) };
        let mut log = LogFile::open(&options).expect("opened");
        for number in 0..10 {
            log.write(format!("{{\"number\":{number},\"filler\":\"0123456789\"}}").as_bytes(), true).expect("written");
        }
        let names = files(path.parent().expect("a folder"));
        assert_eq!(names.len(), 3, "{names:?}");
        assert!(names[0].starts_with("audit-2") && names[2] == "audit.log", "{names:?}");
        let all: String = names.iter().map(|it| fs::read_to_string(path.with_file_name(it)).expect("read")).collect();
        let last: Vec<bool> = (0..10).map(|it| all.contains(&format!("\"number\":{it},"))).collect();
        assert_eq!(last, [false, false, false, false, false, false, false, true, true, true]);
        // Opened again it goes on where it was.
        let mut log = LogFile::open(&options).expect("opened");
        log.write(b"{}", true).expect("written");
        assert!(fs::read_to_string(&path).expect("read").ends_with("}\n{}\n"));
    }

    #[test]
    fn files_beyond_their_age_go_and_others_stay() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("audit.log");
        for name in ["audit-2001-01-01T00-00-00.000.log", "audit-notes.log", "other-2001-01-01T00-00-00.000.log"] {
            fs::write(folder.path().join(name), "x").expect("written");
        }
        let options = AuditLog { size_max: 4, age_max: Some(Duration::from_secs(60)), ..AuditLog::new(&path) };
        let mut log = LogFile::open(&options).expect("opened");
        log.write(b"{\"a\":1}", true).expect("written");
        log.write(b"{\"b\":1}", true).expect("written");
        let names = files(folder.path());
        assert_eq!(names.len(), 4, "{names:?}");
        assert!(!names.contains(&"audit-2001-01-01T00-00-00.000.log".to_owned()), "{names:?}");
        assert!(names.contains(&"audit-notes.log".to_owned()));
    }

    #[cfg(unix)]
    #[test]
    fn a_failure_is_told_and_later_events_are_written() {
        let folder = tempfile::tempdir().expect("a folder");
        let inner = folder.path().join("inner");
        let path = inner.join("audit.log");
        let mut log = LogFile::open(&AuditLog { size_max: 4, ..AuditLog::new(&path) }).expect("opened");
        log.write(b"{\"a\":1}", true).expect("written");
        // Somebody removed the folder and put a file there: putting the log aside fails.
        fs::remove_dir_all(&inner).expect("removed");
        fs::write(&inner, "x").expect("written");
        assert!(log.write(b"{\"b\":1}", true).is_err());
        fs::remove_file(&inner).expect("removed");
        log.write(b"{\"c\":1}", true).expect("written");
        assert_eq!(fs::read_to_string(&path).expect("read"), "{\"c\":1}\n");
        let mode = std::os::unix::fs::PermissionsExt::mode(&fs::metadata(&path).expect("there").permissions());
        assert_eq!(mode & 0o777, 0o600);
    }
}
