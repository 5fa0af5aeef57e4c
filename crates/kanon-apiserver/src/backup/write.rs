//! Writing a backup, line by line, with the checksum on the way.

use std::io::Write;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use kanon_core::Object;
use kanon_store::Key;
use ring::digest::{Context, SHA256};

use super::{BackupError, BackupHeader, End, FileLine};

/// What a backup holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct BackupSummary {
    /// Objects.
    pub objects: u64,
    /// Files.
    pub files: u64,
    /// Bytes of the whole.
    pub bytes: u64,
}

/// Writes a backup.
pub struct BackupWriter<W> {
    out: W,
    digest: Context,
    lines: u64,
    summary: BackupSummary,
}

impl<W: Write> BackupWriter<W> {
    /// Begins one.
    ///
    /// # Errors
    /// I/O.
    pub fn new(out: W, header: &BackupHeader) -> Result<BackupWriter<W>, BackupError> {
        let mut writer =
            BackupWriter { out, digest: Context::new(&SHA256), lines: 0, summary: BackupSummary::default() };
        writer.json(header)?;
        Ok(writer)
    }

    /// Adds an object as stored.
    ///
    /// # Errors
    /// I/O.
    pub fn object(&mut self, key: &Key, object: &Object) -> Result<(), BackupError> {
        let key = serde_json::to_string(key.as_str()).map_err(|error| BackupError::Store(error.to_string()))?;
        self.summary.objects += 1;
        self.line(&[b"{\"key\":", key.as_bytes(), b",\"object\":", object.text(), b"}\n"])
    }

    /// Adds a file of the data folder.
    ///
    /// # Errors
    /// I/O.
    pub fn file(&mut self, name: &str, mode: u32, content: &[u8]) -> Result<(), BackupError> {
        self.summary.files += 1;
        self.json(&FileLine { file: name.to_owned(), mode, data: STANDARD.encode(content) })
    }

    /// Writes the end.
    ///
    /// # Errors
    /// I/O.
    pub fn finish(mut self) -> Result<(W, BackupSummary), BackupError> {
        let sha256 = hex(self.digest.clone().finish().as_ref());
        let lines = self.lines;
        self.json(&End { lines, sha256 })?;
        self.out.flush().map_err(|error| BackupError::io("the backup cannot be written", error))?;
        Ok((self.out, self.summary))
    }

    pub(super) fn out(&mut self) -> &mut W {
        &mut self.out
    }

    fn json(&mut self, line: &impl serde::Serialize) -> Result<(), BackupError> {
        let text = serde_json::to_vec(line).map_err(|error| BackupError::Store(error.to_string()))?;
        self.line(&[&text, b"\n"])
    }

    fn line(&mut self, parts: &[&[u8]]) -> Result<(), BackupError> {
        self.lines += 1;
        for part in parts {
            self.digest.update(part);
            self.summary.bytes += part.len() as u64;
            self.out.write_all(part).map_err(|error| BackupError::io("the backup cannot be written", error))?;
        }
        Ok(())
    }
}

pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|it| format!("{it:02x}")).collect()
}
