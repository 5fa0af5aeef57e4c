//! Backups in gzip, as `kanon backup` writes them, and as lines, as a server sends them and earlier versions wrote them: which of
//! both a file is, its first bytes say. Gzip's own checksum adds nothing to that of the backup; what is damaged is found by either.

use std::io::{self, BufRead, BufReader, BufWriter, Read, Write};

use flate2::{Compression, bufread::MultiGzDecoder, write::GzEncoder};

use super::BackupError;

/// What gzip begins with (RFC 1952); no JSON does.
const MAGIC: [u8; 2] = [0x1f, 0x8b];

/// Compresses what is written.
#[derive(Debug)]
pub struct Compressed<W: Write>(GzEncoder<BufWriter<W>>);

impl<W: Write> Compressed<W> {
    /// Begins.
    pub fn new(out: W) -> Compressed<W> {
        Compressed(GzEncoder::new(BufWriter::new(out), Compression::default()))
    }

    /// Writes the end.
    ///
    /// # Errors
    /// I/O.
    pub fn finish(self) -> Result<(), BackupError> {
        let ended = self.0.finish().and_then(|mut out| out.flush());
        ended.map_err(|error| BackupError::io("the backup cannot be written", error))
    }
}

impl<W: Write> Write for Compressed<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write(bytes)
    }

    /// Does not end the block: that would cost space.
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A backup in either form, read as lines.
pub(super) enum Lines<R> {
    Plain(R),
    /// Several in a row count as one, so that whatever else follows is an error.
    Gzip(BufReader<MultiGzDecoder<R>>),
}

impl<R: BufRead> Lines<R> {
    pub(super) fn new(mut input: R) -> io::Result<Lines<R>> {
        let is_gzip = input.fill_buf()?.starts_with(&MAGIC);
        Ok(if is_gzip { Lines::Gzip(BufReader::new(MultiGzDecoder::new(input))) } else { Lines::Plain(input) })
    }

    /// What a failure to read after `lines` lines means.
    pub(super) fn failed(&self, lines: u64, error: io::Error) -> BackupError {
        match (self, error.kind()) {
            (Lines::Gzip(_), io::ErrorKind::UnexpectedEof) => BackupError::CutOff { lines },
            (Lines::Gzip(_), io::ErrorKind::InvalidData | io::ErrorKind::InvalidInput) => {
                BackupError::line(lines + 1, error)
            }
            _ => BackupError::io("the backup cannot be read", error),
        }
    }
}

impl<R: BufRead> Read for Lines<R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        match self {
            Lines::Plain(input) => input.read(out),
            Lines::Gzip(input) => input.read(out),
        }
    }
}

impl<R: BufRead> BufRead for Lines<R> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        match self {
            Lines::Plain(input) => input.fill_buf(),
            Lines::Gzip(input) => input.fill_buf(),
        }
    }

    fn consume(&mut self, count: usize) {
        match self {
            Lines::Plain(input) => input.consume(count),
            Lines::Gzip(input) => input.consume(count),
        }
    }
}
