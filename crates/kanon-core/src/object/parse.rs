//! One pass over JSON text that checks it (RFC 8259), compacts it where needed and builds the index.

use bytes::Bytes;
use bytestring::ByteString;

use super::{
    Object,
    index::{self, DIRECTORY_MIN, Index, MARK},
    scan::{plain_len, short_plain_len},
};

/// How deep objects may nest. The same bound as `serde_json`'s, so that no door accepts what another refuses.
pub const MAX_DEPTH: usize = 127;

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
    if text.len() >= MARK as usize {
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
        dropped: 0,
        index: Vec::with_capacity(text.len() / 16 + 4),
        open: Vec::with_capacity(16),
        names: Vec::with_capacity(64),
        escaped: false,
        problem: "",
    };
    if let Err(Stop) = indexer.document() {
        return Err(ParseError { offset: indexer.at, problem: indexer.problem });
    }
    let Indexer { compacted, index, escaped, .. } = indexer;
    // Pieces of valid text, cut at ASCII characters, are valid text: nothing is lost.
    let text = compacted.map_or(text, |text| String::from_utf8(text).unwrap_or_default().into());
    let index = Index::new(&index, text.len());
    Ok(Object { text, index, escaped, cut: false })
}

/// A container that is still open.
#[derive(Clone, Copy)]
struct Open {
    /// Where its entry stands in the index.
    entry: usize,
    object: bool,
    /// Where its members begin among the names.
    names: usize,
}

struct Indexer<'t> {
    source: &'t [u8],
    at: usize,
    /// The compact text so far, once white space was met; before that the source itself is compact.
    compacted: Option<Vec<u8>>,
    /// Source offset up to which `compacted` holds everything.
    kept_from: usize,
    /// Bytes of white space so far.
    dropped: usize,
    index: Vec<u32>,
    /// The containers around the one that is being read.
    open: Vec<Open>,
    /// Of the members of objects that are open: their positions in the index and hashes of their names.
    names: Vec<(u32, u8)>,
    /// Whether an escape was met.
    escaped: bool,
    /// What is wrong where it stopped.
    problem: &'static str,
}

/// Reading ended early: `problem` says why. A word in a register, where the error itself would go through memory at every value.
struct Stop;

impl Indexer<'_> {
    fn document(&mut self) -> Result<(), Stop> {
        self.skip_space();
        let start = self.offset();
        if let Some(outermost) = self.value(start)? {
            self.container(outermost)?;
        }
        self.skip_space();
        if self.at < self.source.len() {
            return self.fail("text after the end of the value");
        }
        self.keep();
        Ok(())
    }

    /// Reads the rest of a container that has begun, and all inside it: no recursion, so that depth costs no stack.
    fn container(&mut self, mut inner: Open) -> Result<(), Stop> {
        let mut first = true;
        loop {
            // Before an element or a member of the innermost container, or at its end.
            self.skip_space();
            match self.peek() {
                Some(b'}') if inner.object => {
                    self.close(inner);
                    let Some(outer) = self.open.pop() else { return Ok(()) };
                    (inner, first) = (outer, false);
                    continue;
                }
                Some(b']') if !inner.object => {
                    self.close(inner);
                    let Some(outer) = self.open.pop() else { return Ok(()) };
                    (inner, first) = (outer, false);
                    continue;
                }
                Some(b',') if !first => {
                    self.at += 1;
                    self.skip_space();
                }
                Some(_) if first => {}
                Some(_) => return self.fail("expected a comma or the end of the list or object"),
                None => return self.fail("the text ends inside a list or object"),
            }
            let start = self.offset();
            if inner.object {
                self.name()?;
            }
            first = false;
            if let Some(opened) = self.value(start)? {
                self.open.push(inner);
                (inner, first) = (opened, true);
            }
        }
    }

    /// A member's name and colon.
    #[inline]
    fn name(&mut self) -> Result<(), Stop> {
        if self.peek() != Some(b'"') {
            return self.fail("expected a member name in double quotes");
        }
        let name = self.at + 1;
        self.string()?;
        let hash = index::hash(&self.source[name..self.at - 1]);
        self.names.push((self.index.len() as u32, hash));
        self.skip_space();
        if self.peek() != Some(b':') {
            return self.fail("expected a colon");
        }
        self.at += 1;
        self.skip_space();
        Ok(())
    }

    /// Reads one scalar, or begins one container; `start` is what its entry points to.
    #[inline]
    fn value(&mut self, start: u32) -> Result<Option<Open>, Stop> {
        match self.peek() {
            Some(b'"') => self.string()?,
            Some(b @ (b'{' | b'[')) => {
                // The innermost is not among the open ones.
                let depth = self.open.len() + usize::from(!self.index.is_empty());
                if depth == MAX_DEPTH {
                    return self.fail("nested too deep");
                }
                let opened = Open { entry: self.index.len(), object: b == b'{', names: self.names.len() };
                self.index.extend([start | MARK, 0]);
                self.at += 1;
                return Ok(Some(opened));
            }
            Some(b't') => self.word(b"true")?,
            Some(b'f') => self.word(b"false")?,
            Some(b'n') => self.word(b"null")?,
            Some(b'-' | b'0'..=b'9') => self.number()?,
            Some(_) => return self.fail("expected a value"),
            None => return self.fail("the text ends where a value is expected"),
        }
        self.index.push(start);
        Ok(None)
    }

    fn close(&mut self, open: Open) {
        self.at += 1;
        let members = &self.names[open.names..];
        let has_directory = members.len() >= DIRECTORY_MIN;
        if has_directory {
            index::push_directory(&mut self.index, members);
        }
        self.names.truncate(open.names);
        // Fits: there is at most one entry a byte of text, and the text is below 2 GiB.
        self.index[open.entry + 1] = self.index.len() as u32 | if has_directory { MARK } else { 0 };
    }

    #[inline]
    fn string(&mut self) -> Result<(), Stop> {
        self.at += 1;
        // Most names and many values end here.
        let end = self.at + short_plain_len(&self.source[self.at..]);
        if self.source.get(end) == Some(&b'"') {
            self.at = end + 1;
            return Ok(());
        }
        self.rest_of_string(end)
    }

    #[inline(never)]
    fn rest_of_string(&mut self, from: usize) -> Result<(), Stop> {
        self.at = from;
        loop {
            self.at += plain_len(&self.source[self.at..]);
            match self.peek() {
                Some(b'"') => {
                    self.at += 1;
                    return Ok(());
                }
                Some(b'\\') => self.escape()?,
                Some(_) => return self.fail("control character in a string"),
                None => return self.fail("the text ends inside a string"),
            }
        }
    }

    #[cold]
    fn escape(&mut self) -> Result<(), Stop> {
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

    fn word(&mut self, word: &'static [u8]) -> Result<(), Stop> {
        if !self.source[self.at..].starts_with(word) {
            return self.fail("expected a value");
        }
        self.at += word.len();
        Ok(())
    }

    fn number(&mut self) -> Result<(), Stop> {
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

    fn digits(&mut self) -> Result<(), Stop> {
        let start = self.at;
        while let Some(b'0'..=b'9') = self.peek() {
            self.at += 1;
        }
        if start == self.at { self.fail("expected a digit") } else { Ok(()) }
    }

    #[inline]
    fn peek(&self) -> Option<u8> {
        self.source.get(self.at).copied()
    }

    #[inline]
    fn skip_space(&mut self) {
        if let Some(b' ' | b'\t' | b'\n' | b'\r') = self.peek() {
            self.drop_space();
        }
    }

    #[cold]
    fn drop_space(&mut self) {
        self.keep();
        while let Some(b' ' | b'\t' | b'\n' | b'\r') = self.peek() {
            self.at += 1;
        }
        self.dropped += self.at - self.kept_from;
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
    #[inline]
    fn offset(&self) -> u32 {
        (self.at - self.dropped) as u32
    }

    #[cold]
    fn fail<T>(&mut self, problem: &'static str) -> Result<T, Stop> {
        self.problem = problem;
        Err(Stop)
    }
}
