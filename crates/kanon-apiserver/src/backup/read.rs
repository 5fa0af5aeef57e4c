//! Reading a backup: items as they come, and an error at the end when what was read is not what was written. Whoever reads must
//! not let anything of it count before the end.

use std::io::{BufRead, Read as _};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use kanon_core::Object;
use kanon_store::Key;
use ring::digest::{Context, SHA256};
use serde::Deserialize;
use serde_json::value::RawValue;

use super::{BackupError, BackupHeader, End, VERSION, gzip::Lines, write::hex};

/// Longest line: an object of the largest size and its key, with room.
const LINE_MAX: u64 = 64 << 20;

/// What a backup holds, line by line.
#[derive(Debug)]
pub enum BackupItem {
    /// An object as stored.
    Object(Key, Object),
    /// A file of the data folder.
    File {
        /// Its path there.
        name: String,
        /// Permission bits.
        mode: u32,
        /// What is in it.
        content: Vec<u8>,
    },
}

/// Reads a backup. After an error or the end there is nothing more.
pub struct BackupReader<R> {
    input: Lines<R>,
    digest: Context,
    lines: u64,
    header: BackupHeader,
    ended: bool,
}

/// Any line but the first.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Line<'l> {
    key: Option<String>,
    #[serde(borrow)]
    object: Option<&'l RawValue>,
    file: Option<String>,
    mode: Option<u32>,
    data: Option<String>,
    lines: Option<u64>,
    sha256: Option<String>,
}

impl<R: BufRead> BackupReader<R> {
    /// Reads the header of a backup, which may be compressed.
    ///
    /// # Errors
    /// Something else than a backup, one of a newer version, I/O.
    pub fn new(input: R) -> Result<BackupReader<R>, BackupError> {
        #[derive(Deserialize)]
        struct Kind {
            kind: String,
            version: u32,
        }
        let input = Lines::new(input).map_err(|error| BackupError::io("the backup cannot be read", error))?;
        let none = BackupHeader::new(kanon_store::Revision(0), jiff::Timestamp::UNIX_EPOCH);
        let mut reader = BackupReader { input, digest: Context::new(&SHA256), lines: 0, header: none, ended: false };
        let line = reader.line()?.ok_or_else(|| BackupError::Foreign("it is empty".to_owned()))?;
        let kind: Option<Kind> = serde_json::from_slice(&line).ok();
        let kind = kind.filter(|it| it.kind == BackupHeader::KIND);
        let kind = kind.ok_or_else(|| BackupError::Foreign("its first line is no header".to_owned()))?;
        if kind.version != VERSION {
            return Err(BackupError::Version { found: kind.version, known: VERSION });
        }
        reader.header = serde_json::from_slice(&line).map_err(|error| BackupError::line(1, error))?;
        reader.digest.update(&line);
        Ok(reader)
    }

    /// What the header says.
    pub fn header(&self) -> &BackupHeader {
        &self.header
    }

    /// A line with its line feed, not yet in the checksum.
    fn line(&mut self) -> Result<Option<Vec<u8>>, BackupError> {
        let mut line = Vec::new();
        let read = (&mut self.input).take(LINE_MAX).read_until(b'\n', &mut line);
        read.map_err(|error| self.input.failed(self.lines, error))?;
        if line.last() != Some(&b'\n') {
            return if line.is_empty() { Ok(None) } else { Err(BackupError::CutOff { lines: self.lines }) };
        }
        self.lines += 1;
        Ok(Some(line))
    }

    fn item(&mut self) -> Result<Option<BackupItem>, BackupError> {
        let Some(line) = self.line()? else { return Err(BackupError::CutOff { lines: self.lines }) };
        let at = self.lines;
        let wrong = |problem: &dyn std::fmt::Display| BackupError::line(at, problem);
        let strange = || wrong(&"it is neither an object, nor a file, nor the end");
        let Line { key, object, file, mode, data, lines, sha256 } =
            serde_json::from_slice(&line).map_err(|_| strange())?;
        let item = match (key, object, file, mode, data, lines.zip(sha256)) {
            (Some(key), Some(object), None, None, None, None) => {
                let key = super::key(&key).ok_or_else(|| wrong(&format!("`{key}` is no key")))?;
                BackupItem::Object(key, super::object(object.get()).map_err(|error| wrong(&error))?)
            }
            (None, None, Some(name), Some(mode), Some(data), None) => {
                let content = STANDARD.decode(data).map_err(|error| wrong(&error))?;
                BackupItem::File { name, mode, content }
            }
            (None, None, None, None, None, Some((lines, sha256))) => {
                return self.end(&End { lines, sha256 }).map(|()| None);
            }
            _ => return Err(strange()),
        };
        self.digest.update(&line);
        Ok(Some(item))
    }

    fn end(&mut self, end: &End) -> Result<(), BackupError> {
        let found = hex(self.digest.clone().finish().as_ref());
        if end.lines != self.lines - 1 || end.sha256 != found {
            return Err(BackupError::Checksum { found, wanted: end.sha256.clone() });
        }
        match self.input.fill_buf().map(<[u8]>::is_empty) {
            Ok(true) => Ok(()),
            Ok(false) => Err(BackupError::line(self.lines + 1, "something follows the end")),
            Err(error) => Err(self.input.failed(self.lines, error)),
        }
    }
}

impl<R: BufRead> Iterator for BackupReader<R> {
    type Item = Result<BackupItem, BackupError>;

    fn next(&mut self) -> Option<Result<BackupItem, BackupError>> {
        if self.ended {
            return None;
        }
        let item = self.item().transpose();
        self.ended = !matches!(item, Some(Ok(_)));
        item
    }
}
