//! Names that are looked up again and again: prepared once, so that most members that have another name are told apart by
//! one comparison of eight bytes.

use super::scan::is_plain;

/// A member's name, or a text, prepared for being looked for in objects.
#[derive(Clone, PartialEq, Eq)]
pub struct Name {
    /// The letters and a closing quote.
    quoted: Box<str>,
    /// The first eight bytes of `quoted`, and which bits of them count.
    head: u64,
    mask: u64,
    /// The last eight bytes of `quoted`, where it has as many.
    tail: u64,
    plain: bool,
    /// As in directories of members.
    hashes: u64,
}

impl Name {
    /// Prepares a text.
    pub fn new(text: &str) -> Name {
        let quoted: Box<str> = format!("{text}\"").into();
        let mut head = [0; 8];
        let len = quoted.len().min(8);
        head[..len].copy_from_slice(&quoted.as_bytes()[..len]);
        let mask = if len == 8 { u64::MAX } else { (1 << (8 * len)) - 1 };
        let tail = quoted.as_bytes().last_chunk::<8>().map_or(0, |tail| u64::from_le_bytes(*tail));
        let plain = Name::is_plain_text(text);
        // What JSON writes with escapes never stands there as it is: bytes that are no text keep it from being found.
        let (head, mask) = if plain { (head, mask) } else { ([u8::MAX; 8], u64::MAX) };
        let hashes = super::index::hashes(text.as_bytes());
        Name { quoted, head: u64::from_le_bytes(head), mask, tail, plain, hashes }
    }

    /// The text.
    #[inline]
    pub fn as_str(&self) -> &str {
        &self.quoted[..self.quoted.len() - 1]
    }

    /// Its length in bytes.
    #[inline]
    pub(super) fn len(&self) -> usize {
        self.quoted.len() - 1
    }

    /// Whether JSON may write the text as it is.
    #[inline]
    pub(super) fn is_plain(&self) -> bool {
        self.plain
    }

    /// The hash by which directories of members know it, as they are compared with.
    #[inline]
    pub(super) fn hashes(&self) -> u64 {
        self.hashes
    }

    /// See [`Name::is_plain`].
    #[inline(never)]
    pub(super) fn is_plain_text(text: &str) -> bool {
        is_plain(text.as_bytes())
    }

    /// Whether the text and a closing quote stand at `start`.
    #[inline]
    pub(super) fn is_at(&self, text: &[u8], start: usize) -> bool {
        match self.begins_at(text, start) {
            Some(begins) => begins && (self.is_short() || self.ends_at(text, start)),
            None => self.is_whole_at(text, start),
        }
    }

    /// Whether the first eight bytes of text and closing quote stand at `start`, or all of them where they are fewer; `None`
    /// too near to the end of `text` to compare eight.
    #[inline]
    pub(super) fn begins_at(&self, text: &[u8], start: usize) -> Option<bool> {
        let head = text.get(start..start + 8)?.first_chunk::<8>()?;
        Some((u64::from_le_bytes(*head) ^ self.head) & self.mask == 0)
    }

    /// Whether [`Name::begins_at`] says all.
    #[inline]
    pub(super) fn is_short(&self) -> bool {
        self.quoted.len() <= 8
    }

    /// Whether what follows the first eight bytes stands there, too.
    #[inline(always)]
    pub(super) fn ends_at(&self, text: &[u8], start: usize) -> bool {
        let end = start + self.quoted.len();
        let Some(tail) = text.get(end.wrapping_sub(8)..end).and_then(<[u8]>::first_chunk::<8>) else { return false };
        if u64::from_le_bytes(*tail) != self.tail {
            return false;
        }
        // What is between; what is left of it after whole eights belongs to the tail.
        self.quoted.len() <= 16 || self.goes_on_at(&text[start + 8..end])
    }

    #[inline]
    fn goes_on_at(&self, text: &[u8]) -> bool {
        let eights = self.quoted.as_bytes()[8..].as_chunks::<8>().0;
        text.as_chunks::<8>().0.iter().zip(eights).all(|(a, b)| u64::from_le_bytes(*a) == u64::from_le_bytes(*b))
    }

    /// The same as [`Name::is_at`], letter by letter. Apart, so that its call takes no registers from those who do not need it.
    #[inline(never)]
    fn is_whole_at(&self, text: &[u8], start: usize) -> bool {
        self.plain && text.get(start..start + self.quoted.len()) == Some(self.quoted.as_bytes())
    }
}

impl std::fmt::Debug for Name {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(out, "{:?}", self.as_str())
    }
}
