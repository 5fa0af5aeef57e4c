//! One row of the log: how a write is stored.
//!
//! Layout, numbers little-endian: checksum of all that follows and of the revision (8 bytes) · kind (1) · created (8) ·
//! length of the key (4) · key · the object's text. The checksum is ours because redb checks its own only after a crash.

use kanon_core::Object;

use crate::{Entry, Error, Event, EventKind, Key, Revision};

const CHECKSUM: usize = 8;
const HEADER: usize = CHECKSUM + 1 + 8 + 4;

/// Writes the row of `event` into `out`, replacing what is there.
pub(crate) fn encode(event: &Event, out: &mut Vec<u8>) {
    let Entry { key, created, revision, object } = &*event.entry;
    // Keys come from URLs and names: far below 4 GiB.
    let key_len = u32::try_from(key.as_str().len()).unwrap_or(u32::MAX);
    out.clear();
    out.extend_from_slice(&[0; CHECKSUM]);
    out.push(code(event.kind));
    out.extend_from_slice(&created.0.to_le_bytes());
    out.extend_from_slice(&key_len.to_le_bytes());
    out.extend_from_slice(key.as_str().as_bytes());
    out.extend_from_slice(object.text());
    let sum = checksum(*revision, &out[CHECKSUM..]);
    out[..CHECKSUM].copy_from_slice(&sum.to_le_bytes());
}

/// A row's parts, borrowed from redb's page.
#[derive(Debug)]
pub(crate) struct Row<'p> {
    pub(crate) kind: EventKind,
    pub(crate) created: Revision,
    pub(crate) revision: Revision,
    pub(crate) key: &'p str,
    text: &'p [u8],
}

impl<'p> Row<'p> {
    pub(crate) fn decode(revision: Revision, bytes: &'p [u8]) -> Result<Row<'p>, Error> {
        Row::read(revision, bytes)
            .ok_or_else(|| Error::corrupt(format!("the record of revision {revision} is unreadable")))
    }

    fn read(revision: Revision, bytes: &'p [u8]) -> Option<Row<'p>> {
        let (sum, rest) = bytes.split_at_checked(CHECKSUM)?;
        if sum != checksum(revision, rest).to_le_bytes() {
            return None;
        }
        let (header, rest) = rest.split_at_checked(HEADER - CHECKSUM)?;
        let kind = kind(*header.first()?)?;
        let created = u64::from_le_bytes(header.get(1..9)?.try_into().ok()?);
        let key_len = u32::from_le_bytes(header.get(9..13)?.try_into().ok()?);
        let (key, text) = rest.split_at_checked(usize::try_from(key_len).ok()?)?;
        let key = std::str::from_utf8(key).ok()?;
        Some(Row { kind, created: Revision(created), revision, key, text })
    }

    /// The entry alone, for a state whose event is no longer in the history.
    pub(crate) fn entry(&self, key: Key) -> Result<Entry, Error> {
        let text = bytes::Bytes::copy_from_slice(self.text);
        self.entry_of(key, text)
    }

    /// The entry as a slice of its watch line, and that line.
    pub(crate) fn framed(&self, key: Key) -> Result<(Entry, bytes::Bytes), Error> {
        let (line, text) = crate::event::frame(self.kind, [self.text, b"", b""]);
        Ok((self.entry_of(key, text)?, line))
    }

    fn entry_of(&self, key: Key, text: bytes::Bytes) -> Result<Entry, Error> {
        let object = Object::parse(text)
            .map_err(|error| Error::corrupt(format!("the object of revision {}: {error}", self.revision)))?;
        Ok(Entry { key, created: self.created, revision: self.revision, object })
    }
}

fn code(kind: EventKind) -> u8 {
    match kind {
        EventKind::Added => 1,
        EventKind::Modified => 2,
        EventKind::Deleted => 3,
    }
}

fn kind(code: u8) -> Option<EventKind> {
    match code {
        1 => Some(EventKind::Added),
        2 => Some(EventKind::Modified),
        3 => Some(EventKind::Deleted),
        _ => None,
    }
}

/// Finds accidents, not attackers. Each step is a bijection of the state, so damage within one 8-byte word always shows.
fn checksum(revision: Revision, bytes: &[u8]) -> u64 {
    /// 2^64 divided by the golden ratio, made odd: spreads every bit upwards.
    const SPREAD: u64 = 0x9E37_79B9_7F4A_7C15;
    let step = |sum: u64, word: u64| ((sum ^ word).wrapping_mul(SPREAD)).rotate_left(29);
    let (words, rest) = bytes.as_chunks::<8>();
    let sum = words.iter().fold(step(revision.0, bytes.len() as u64), |sum, word| step(sum, u64::from_le_bytes(*word)));
    let mut last = [0; 8];
    last[..rest.len()].copy_from_slice(rest);
    step(sum, u64::from_le_bytes(last))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use bytes::Bytes;

    use super::*;

    fn row() -> Vec<u8> {
        let object = Object::parse(r#"{"kind":"Pod","metadata":{"name":"a"}}"#).expect("JSON");
        let entry =
            Entry { key: Key::new("core/pods", "shop", "a"), created: Revision(3), revision: Revision(9), object };
        let event = Event {
            revision: Revision(9),
            kind: EventKind::Modified,
            entry: Arc::new(entry),
            previous: None,
            frame: Bytes::new(),
        };
        let mut out = vec![1, 2, 3];
        encode(&event, &mut out);
        out
    }

    #[test]
    fn a_row_reads_as_it_was_written() {
        let bytes = row();
        let row = Row::decode(Revision(9), &bytes).expect("whole");
        assert_eq!(
            (row.kind, row.created, row.revision, row.key),
            (EventKind::Modified, Revision(3), Revision(9), "core/pods/shop/a")
        );
        let (entry, line) = row.framed(Key::from_text(row.key)).expect("JSON");
        assert_eq!(line, EventKind::Modified.frame(&entry.object));
        assert_eq!(
            entry.object.text().as_ptr() as usize,
            line.as_ptr() as usize + br#"{"type":"MODIFIED","object":"#.len()
        );
    }

    #[test]
    fn every_flipped_bit_and_every_cut_shows() {
        let bytes = row();
        for bit in 0..bytes.len() * 8 {
            let mut damaged = bytes.clone();
            damaged[bit / 8] ^= 1 << (bit % 8);
            assert!(Row::decode(Revision(9), &damaged).is_err(), "bit {bit}");
        }
        for len in 0..bytes.len() {
            assert!(Row::decode(Revision(9), &bytes[..len]).is_err(), "length {len}");
        }
        assert!(Row::decode(Revision(8), &bytes).is_err());
    }
}
