//! One pass over JSON text that checks it (RFC 8259), compacts it where needed and builds the index.
//!
//! Index layout, in document order, one entry a value:
//! - the low bits are an offset in the compact text: of the value, or of the opening quote of its key when the value is
//!   an object's member;
//! - the top bit marks a container; then the next entry is the index position just after the container's last descendant.
//!
//! Text below 32 KiB, which is nearly every Kubernetes object, gets 16-bit entries (15 bits of offset); other text 32-bit ones.

use std::sync::Arc;

use bytes::Bytes;
use bytestring::ByteString;

use super::Object;

/// How deep objects may nest. The same bound as `serde_json`'s, so that no door accepts what another refuses.
pub const MAX_DEPTH: usize = 127;

/// Marks an entry of a container while the index is built.
const CONTAINER: u32 = 1 << 31;
/// The same in a 16-bit entry.
const SHORT_CONTAINER: u16 = 1 << 15;

/// The finished index.
#[derive(Clone)]
pub(super) enum Index {
    Short(Arc<[u16]>),
    Wide(Arc<[u32]>),
}

impl Index {
    pub(super) fn null() -> Index {
        Index::Short(Arc::new([0]))
    }

    fn new(words: &[u32], text_len: usize) -> Index {
        if text_len >= usize::from(SHORT_CONTAINER) {
            return Index::Wide(words.into());
        }
        // Offsets and positions are below the text's length: they fit 15 bits.
        Index::Short(words.iter().map(|it| *it as u16 | ((it >> 16) as u16 & SHORT_CONTAINER)).collect())
    }

    /// Offset in the text, and whether the value is a container.
    #[inline]
    pub(super) fn entry(&self, at: usize) -> (usize, bool) {
        match self {
            Index::Short(words) => (usize::from(words[at] & !SHORT_CONTAINER), words[at] & SHORT_CONTAINER != 0),
            Index::Wide(words) => ((words[at] & !CONTAINER) as usize, words[at] & CONTAINER != 0),
        }
    }

    /// The position after the last descendant of the value at `at`.
    #[inline]
    pub(super) fn end(&self, at: usize) -> usize {
        match self {
            Index::Short(words) if words[at] & SHORT_CONTAINER != 0 => usize::from(words[at + 1]),
            Index::Wide(words) if words[at] & CONTAINER != 0 => words[at + 1] as usize,
            Index::Short(_) | Index::Wide(_) => at + 1,
        }
    }

    /// The first member of the object at `entry` whose key's offset (after its quote) passes: its position and that offset.
    #[inline]
    pub(super) fn find(&self, entry: usize, is_at: impl Fn(usize) -> bool) -> Option<(usize, usize)> {
        // One loop for each width, so that the width is not asked for at every member.
        match self {
            Index::Short(words) => find_member(
                words,
                entry,
                |word| (usize::from(word & !SHORT_CONTAINER), word & SHORT_CONTAINER != 0),
                usize::from,
                is_at,
            ),
            Index::Wide(words) => find_member(
                words,
                entry,
                |word| ((word & !CONTAINER) as usize, word & CONTAINER != 0),
                |word| word as usize,
                is_at,
            ),
        }
    }

    /// The index of the value at `entry..end` alone, whose text begins at `start` and has `text_len` bytes.
    pub(super) fn part(&self, entry: usize, end: usize, start: usize, text_len: usize) -> Index {
        let mut words = Vec::with_capacity(end - entry);
        let mut at = entry;
        while at < end {
            let (offset, container) = self.entry(at);
            // The first entry points to its key where the value is a member; alone it points to the value.
            let offset = if at == entry { 0 } else { offset - start };
            if container {
                words.push(offset as u32 | CONTAINER);
                words.push((self.end(at) - entry) as u32);
                at += 2;
            } else {
                words.push(offset as u32);
                at += 1;
            }
        }
        Index::new(&words, text_len)
    }

    pub(super) fn memory(&self) -> usize {
        match self {
            Index::Short(words) => size_of_val(&**words),
            Index::Wide(words) => size_of_val(&**words),
        }
    }
}

#[inline]
fn find_member<W: Copy>(
    words: &[W],
    object: usize,
    split: impl Fn(W) -> (usize, bool),
    position: impl Fn(W) -> usize,
    is_at: impl Fn(usize) -> bool,
) -> Option<(usize, usize)> {
    let words = words.get(..position(*words.get(object + 1)?))?;
    let mut entry = object + 2;
    while let Some(word) = words.get(entry) {
        let (offset, container) = split(*word);
        if is_at(offset + 1) {
            return Some((entry, offset + 1));
        }
        entry = if container { position(*words.get(entry + 1)?) } else { entry + 1 };
    }
    None
}

/// Why a text is not an object, and where.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("invalid JSON at byte {offset}: {problem}")]
pub struct ParseError {
    /// Offset in the text given.
    pub offset: usize,
    /// What is wrong there.
    pub problem: &'static str,
}

pub(super) fn parse(text: Bytes) -> Result<Object, ParseError> {
    if text.len() >= CONTAINER as usize {
        return Err(ParseError { offset: 0, problem: "text of 2 GiB or more" });
    }
    let text = match ByteString::try_from(text) {
        Ok(text) => text,
        Err(error) => return Err(ParseError { offset: error.valid_up_to(), problem: "invalid UTF-8" }),
    };
    let mut indexer = Indexer {
        source: text.as_bytes(),
        at: 0,
        compacted: None,
        kept_from: 0,
        index: Vec::with_capacity(text.len() / 16 + 4),
        open: Vec::with_capacity(16),
        escaped: false,
    };
    indexer.document()?;
    let Indexer { compacted, index, escaped, .. } = indexer;
    // Pieces of valid text, cut at ASCII characters, are valid text: nothing is lost.
    let text = compacted.map_or(text, |text| String::from_utf8(text).unwrap_or_default().into());
    let index = Index::new(&index, text.len());
    Ok(Object { text, index, escaped })
}

/// A container that is still open.
struct Open {
    /// Where its entry stands in the index.
    entry: usize,
    object: bool,
}

struct Indexer<'t> {
    source: &'t [u8],
    at: usize,
    /// The compact text so far, once white space was met; before that the source itself is compact.
    compacted: Option<Vec<u8>>,
    /// Source offset up to which `compacted` holds everything.
    kept_from: usize,
    index: Vec<u32>,
    open: Vec<Open>,
    /// Whether an escape was met.
    escaped: bool,
}

impl Indexer<'_> {
    fn document(&mut self) -> Result<(), ParseError> {
        self.skip_space();
        let start = self.offset();
        self.value(start)?;
        while let Some(open) = self.open.last() {
            // Between two values of the innermost open container, or at its end.
            let (object, entry) = (open.object, open.entry);
            let first = self.index.len() == entry + 2;
            self.skip_space();
            match self.peek() {
                Some(b'}') if object => self.close(),
                Some(b']') if !object => self.close(),
                Some(b',') if !first => {
                    self.at += 1;
                    self.skip_space();
                    self.element(object)?;
                }
                Some(_) if first => self.element(object)?,
                Some(_) => return self.fail("expected a comma or the end of the list or object"),
                None => return self.fail("the text ends inside a list or object"),
            }
        }
        self.skip_space();
        if self.at < self.source.len() {
            return self.fail("text after the end of the value");
        }
        self.keep();
        Ok(())
    }

    fn element(&mut self, object: bool) -> Result<(), ParseError> {
        let start = self.offset();
        if object {
            if self.peek() != Some(b'"') {
                return self.fail("expected a member name in double quotes");
            }
            self.string()?;
            self.skip_space();
            if self.peek() != Some(b':') {
                return self.fail("expected a colon");
            }
            self.at += 1;
            self.skip_space();
        }
        self.value(start)
    }

    /// Reads one scalar, or opens one container; `start` is what its entry points to.
    fn value(&mut self, start: u32) -> Result<(), ParseError> {
        match self.peek() {
            Some(b @ (b'{' | b'[')) => {
                if self.open.len() == MAX_DEPTH {
                    return self.fail("nested too deep");
                }
                self.open.push(Open { entry: self.index.len(), object: b == b'{' });
                self.index.push(start | CONTAINER);
                self.index.push(0);
                self.at += 1;
                return Ok(());
            }
            Some(b'"') => self.string()?,
            Some(b't') => self.word(b"true")?,
            Some(b'f') => self.word(b"false")?,
            Some(b'n') => self.word(b"null")?,
            Some(b'-' | b'0'..=b'9') => self.number()?,
            Some(_) => return self.fail("expected a value"),
            None => return self.fail("the text ends where a value is expected"),
        }
        self.index.push(start);
        Ok(())
    }

    fn close(&mut self) {
        self.at += 1;
        if let Some(open) = self.open.pop() {
            // Fits: there is at most one entry a byte of text, and the text is below 2 GiB.
            self.index[open.entry + 1] = self.index.len() as u32;
        }
    }

    fn string(&mut self) -> Result<(), ParseError> {
        self.at += 1;
        loop {
            match self.peek() {
                Some(b'"') => {
                    self.at += 1;
                    return Ok(());
                }
                Some(b'\\') => self.escape()?,
                Some(0..0x20) => return self.fail("control character in a string"),
                Some(_) => self.at += 1,
                None => return self.fail("the text ends inside a string"),
            }
        }
    }

    fn escape(&mut self) -> Result<(), ParseError> {
        self.escaped = true;
        self.at += 1;
        match self.peek() {
            Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => self.at += 1,
            Some(b'u') => {
                let digits = self.source.get(self.at + 1..self.at + 5);
                if !digits.is_some_and(|it| it.iter().all(u8::is_ascii_hexdigit)) {
                    return self.fail("expected four hex digits after \\u");
                }
                self.at += 5;
            }
            _ => return self.fail("unknown escape in a string"),
        }
        Ok(())
    }

    fn word(&mut self, word: &'static [u8]) -> Result<(), ParseError> {
        if !self.source[self.at..].starts_with(word) {
            return self.fail("expected a value");
        }
        self.at += word.len();
        Ok(())
    }

    fn number(&mut self) -> Result<(), ParseError> {
        self.at += usize::from(self.peek() == Some(b'-'));
        match self.peek() {
            Some(b'0') => self.at += 1,
            _ => self.digits()?,
        }
        if self.peek() == Some(b'.') {
            self.at += 1;
            self.digits()?;
        }
        if let Some(b'e' | b'E') = self.peek() {
            self.at += 1;
            self.at += usize::from(matches!(self.peek(), Some(b'+' | b'-')));
            self.digits()?;
        }
        Ok(())
    }

    fn digits(&mut self) -> Result<(), ParseError> {
        let start = self.at;
        while let Some(b'0'..=b'9') = self.peek() {
            self.at += 1;
        }
        if start == self.at { self.fail("expected a digit") } else { Ok(()) }
    }

    fn peek(&self) -> Option<u8> {
        self.source.get(self.at).copied()
    }

    fn skip_space(&mut self) {
        if !matches!(self.peek(), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            return;
        }
        self.keep();
        while let Some(b' ' | b'\t' | b'\n' | b'\r') = self.peek() {
            self.at += 1;
        }
        self.kept_from = self.at;
        self.compacted.get_or_insert_with(Vec::new);
    }

    /// Copies what was read since the last white space, where copying has begun or must begin now.
    fn keep(&mut self) {
        let new = &self.source[self.kept_from..self.at];
        match &mut self.compacted {
            Some(text) => text.extend_from_slice(new),
            None if self.at < self.source.len() => {
                let mut text = Vec::with_capacity(self.source.len());
                text.extend_from_slice(new);
                self.compacted = Some(text);
            }
            None => {}
        }
        self.kept_from = self.at;
    }

    /// Where the next byte will stand in the compact text.
    fn offset(&self) -> u32 {
        let kept = self.compacted.as_ref().map_or(0, Vec::len);
        (kept + self.at - self.kept_from) as u32
    }

    fn fail<T>(&self, problem: &'static str) -> Result<T, ParseError> {
        Err(ParseError { offset: self.at, problem })
    }
}
