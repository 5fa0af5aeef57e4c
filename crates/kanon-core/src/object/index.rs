//! The finished index over an object's text, and how members are found with it.
//!
//! Layout, in document order, one entry a value:
//! - the low bits are an offset in the compact text: of the value, or of the opening quote of its key when the value is
//!   an object's member;
//! - the top bit marks a container; then the next entry is the index position just after everything that belongs to the
//!   container. Its top bit marks an object with a directory.
//!
//! An object with [`DIRECTORY_MIN`] members or more ends with a directory: the positions of its members' entries, one byte of
//! hash for each member's name (two a word, eight together), and the number of members. So a member of a large object is
//! found by comparing eight bytes at once, where walking would touch the text of every name before it.
//!
//! Text below 32 KiB, which is nearly every Kubernetes object, gets 16-bit entries (15 bits of offset); other text 32-bit ones.

use std::sync::Arc;

/// From how many members on an object has a directory: below, walking is about as fast and takes no memory.
pub(super) const DIRECTORY_MIN: usize = 6;
/// Marks a container, and in its second entry a directory, while the index is built.
pub(super) const MARK: u32 = 1 << 31;
/// The same in a 16-bit entry.
const SHORT_MARK: u16 = 1 << 15;
/// Hashes that are compared together, and the words that hold them.
const GROUP: usize = 8;
const GROUP_WORDS: usize = GROUP / 2;
/// One in each byte.
const ONES: u64 = u64::MAX / 255;

/// The finished index.
#[derive(Clone)]
pub(super) enum Index {
    Short(Arc<[u16]>),
    Wide(Arc<[u32]>),
}

/// A word of an index.
pub(super) trait Word: Copy {
    /// Without its mark, as an offset, a position or a number.
    fn plain(self) -> usize;
    fn is_marked(self) -> bool;
    /// The two hashes that it holds.
    fn hashes(self) -> u64;
}

impl Word for u16 {
    #[inline]
    fn plain(self) -> usize {
        usize::from(self & !SHORT_MARK)
    }

    #[inline]
    fn is_marked(self) -> bool {
        self & SHORT_MARK != 0
    }

    #[inline]
    fn hashes(self) -> u64 {
        u64::from(self)
    }
}

impl Word for u32 {
    #[inline]
    fn plain(self) -> usize {
        (self & !MARK) as usize
    }

    #[inline]
    fn is_marked(self) -> bool {
        self & MARK != 0
    }

    #[inline]
    fn hashes(self) -> u64 {
        u64::from(self)
    }
}

/// One byte that tells most names of an object apart: of its first and last letter and its length.
#[inline]
pub(super) fn hash(name: &[u8]) -> u8 {
    match (name.first(), name.last()) {
        (Some(first), Some(last)) => {
            first.wrapping_mul(7).wrapping_add(last.wrapping_mul(31)) ^ (name.len() as u8).wrapping_mul(11)
        }
        _ => 0,
    }
}

/// The hash of a name eight times, as it is compared with a group.
#[inline]
pub(super) fn hashes(name: &[u8]) -> u64 {
    ONES * u64::from(hash(name))
}

/// Appends an object's directory: `members` are positions of entries and hashes of names.
pub(super) fn push_directory(words: &mut Vec<u32>, members: &[(u32, u8)]) {
    words.extend(members.iter().map(|it| it.0));
    for group in members.chunks(GROUP) {
        let mut hashes = [0; GROUP];
        for (slot, member) in hashes.iter_mut().zip(group) {
            *slot = member.1;
        }
        words.extend(hashes.chunks_exact(2).map(|pair| u32::from(pair[0]) | u32::from(pair[1]) << 8));
    }
    // Fits: a member takes more than a byte of text.
    words.push(members.len() as u32);
}

/// The words that the directory of an object with so many members takes.
#[inline]
fn directory_len(members: usize) -> usize {
    members + members.div_ceil(GROUP) * GROUP_WORDS + 1
}

impl Index {
    pub(super) fn null() -> Index {
        Index::Short(Arc::new([0]))
    }

    pub(super) fn new(words: &[u32], text_len: usize) -> Index {
        if text_len >= usize::from(SHORT_MARK) {
            return Index::Wide(words.into());
        }
        // Offsets, positions and numbers are below the text's length (a value takes at least as many bytes as words, its part of
        // a directory included), and hashes have 16 bits: nothing is lost.
        Index::Short(words.iter().map(|it| *it as u16 | ((it >> 16) as u16 & SHORT_MARK)).collect())
    }

    /// Offset in the text.
    #[inline]
    pub(super) fn offset(&self, at: usize) -> usize {
        match self {
            Index::Short(words) => words[at].plain(),
            Index::Wide(words) => words[at].plain(),
        }
    }

    /// Offset in the text of the value at `at`, and the position after everything that belongs to it.
    #[inline]
    pub(super) fn step(&self, at: usize) -> (usize, usize) {
        match self {
            Index::Short(words) => (words[at].plain(), end(words, at)),
            Index::Wide(words) => (words[at].plain(), end(words, at)),
        }
    }

    /// The position after the last child of the container at `at`.
    #[inline]
    pub(super) fn children_end(&self, at: usize) -> usize {
        match self {
            Index::Short(words) => children_end(words, at),
            Index::Wide(words) => children_end(words, at),
        }
    }

    /// The words of a 16-bit index.
    #[inline]
    pub(super) fn short(&self) -> Option<&[u16]> {
        match self {
            Index::Short(words) => Some(words),
            Index::Wide(_) => None,
        }
    }

    /// See [`find_member`].
    #[inline]
    pub(super) fn find(&self, entry: usize, wanted: u64, is_at: impl Fn(usize) -> bool) -> Option<(usize, usize)> {
        match self {
            Index::Short(words) => find_member(words, entry, wanted, is_at),
            Index::Wide(words) => find_member(words, entry, wanted, is_at),
        }
    }

    /// The index of the value at `entry` alone, whose text begins at `start` and has `text_len` bytes.
    pub(super) fn part(&self, entry: usize, start: usize, text_len: usize) -> Index {
        let words = match self {
            Index::Short(words) => part(words, entry, start),
            Index::Wide(words) => part(words, entry, start),
        };
        Index::new(&words, text_len)
    }

    /// See [`Object::fetch`](super::Object::fetch).
    #[inline]
    pub(super) fn fetch(&self) -> u8 {
        match self {
            Index::Short(words) => words.iter().step_by(32).fold(0, |sum, word| sum ^ *word as u8),
            Index::Wide(words) => words.iter().step_by(16).fold(0, |sum, word| sum ^ *word as u8),
        }
    }

    pub(super) fn memory(&self) -> usize {
        match self {
            Index::Short(words) => size_of_val(&**words),
            Index::Wide(words) => size_of_val(&**words),
        }
    }
}

#[inline]
fn end<W: Word>(words: &[W], at: usize) -> usize {
    if words[at].is_marked() { words[at + 1].plain() } else { at + 1 }
}

#[inline]
fn children_end<W: Word>(words: &[W], at: usize) -> usize {
    let second = words[at + 1];
    let end = second.plain();
    if second.is_marked() { end - directory_len(words[end - 1].plain()) } else { end }
}

/// The first member of the object at `object` whose name has the wanted hash ([`hashes`]) and whose key's offset (after its
/// quote) passes: its position and that offset.
#[inline]
pub(super) fn find_member<W: Word>(
    words: &[W],
    object: usize,
    wanted: u64,
    mut is_at: impl FnMut(usize) -> bool,
) -> Option<(usize, usize)> {
    let second = *words.get(object + 1)?;
    let words = words.get(..second.plain())?;
    let key = |entry: usize| Some(words.get(entry)?.plain() + 1);
    if second.is_marked() {
        let entry = entry_by_hash(words, wanted, |entry| key(entry).is_some_and(&mut is_at))?;
        return Some((entry, key(entry)?));
    }
    let mut entry = object + 2;
    while let Some(word) = words.get(entry) {
        let offset = word.plain() + 1;
        if is_at(offset) {
            return Some((entry, offset));
        }
        entry = if word.is_marked() { words.get(entry + 1)?.plain() } else { entry + 1 };
    }
    None
}

/// The first entry with the wanted hash ([`hashes`]) that passes, in the directory with which the words end. Another name may have
/// the same hash.
#[inline(always)]
pub(super) fn entry_by_hash<W: Word>(words: &[W], wanted: u64, mut passes: impl FnMut(usize) -> bool) -> Option<usize> {
    let (count, words) = words.split_last()?;
    let count = count.plain();
    let (words, groups) = words.split_at_checked(words.len().checked_sub(count.div_ceil(GROUP) * GROUP_WORDS)?)?;
    let (_, positions) = words.split_at_checked(words.len().checked_sub(count)?)?;
    let mut first = 0;
    for [a, b, c, d] in groups.as_chunks().0 {
        let difference = (a.hashes() | b.hashes() << 16 | c.hashes() << 32 | d.hashes() << 48) ^ wanted;
        // Zero bytes of the difference: exact for the lowest one, and what is found is compared anyway.
        let mut found = difference.wrapping_sub(ONES) & !difference & (ONES << 7);
        while found != 0 {
            // Beyond the positions is what fills the last group up.
            let entry = positions.get(first + found.trailing_zeros() as usize / 8)?.plain();
            if passes(entry) {
                return Some(entry);
            }
            found &= found - 1;
        }
        first += GROUP;
    }
    None
}

fn part<W: Word>(words: &[W], entry: usize, start: usize) -> Vec<u32> {
    let end = end(words, entry);
    let mut part = Vec::with_capacity(end - entry);
    // Directories of the objects that are open, innermost last: where they begin and end.
    let mut directories: Vec<(usize, usize)> = Vec::new();
    let (mut at, mut stop) = (entry, end);
    loop {
        // Up to the next directory, or to the end.
        while at < stop {
            let word = words[at];
            // The first entry points to its key where the value is a member; alone it points to the value.
            let offset = if at == entry { 0 } else { word.plain() - start } as u32;
            if !word.is_marked() {
                part.push(offset);
                at += 1;
                continue;
            }
            let second = words[at + 1];
            part.push(offset | MARK);
            part.push((second.plain() - entry) as u32 | if second.is_marked() { MARK } else { 0 });
            if second.is_marked() {
                let directory = (children_end(words, at), second.plain());
                directories.push(directory);
                stop = directory.0;
            }
            at += 2;
        }
        let Some((from, to)) = directories.pop() else { return part };
        let hashes = from + words[to - 1].plain();
        part.extend(words[from..hashes].iter().map(|it| (it.plain() - entry) as u32));
        part.extend(words[hashes..to].iter().map(|it| it.hashes() as u32));
        at = to;
        stop = directories.last().map_or(end, |it| it.0);
    }
}
