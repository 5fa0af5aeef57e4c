//! Scanning text eight bytes at a time.

const ONES: u64 = u64::MAX / 255;
const HIGH: u64 = ONES << 7;

/// How many bytes stand before the next quote, backslash or control character, or before the end: eight are looked at together,
/// since nearly every one is none of them.
#[inline]
pub(super) fn plain_len(bytes: &[u8]) -> usize {
    let (words, rest) = bytes.as_chunks();
    for (at, word) in words.iter().enumerate() {
        let found = special(u64::from_le_bytes(*word));
        if found != 0 {
            return at * 8 + found.trailing_zeros() as usize / 8;
        }
    }
    let plain = rest.iter().position(|it| matches!(it, b'"' | b'\\' | 0..0x20)).unwrap_or(rest.len());
    words.len() * 8 + plain
}

/// The same for the first eight bytes; 8 where all of them are plain, 0 where there are fewer.
#[inline]
pub(super) fn short_plain_len(bytes: &[u8]) -> usize {
    bytes.first_chunk().map_or(0, |word| match special(u64::from_le_bytes(*word)) {
        0 => 8,
        found => found.trailing_zeros() as usize / 8,
    })
}

/// Whether no byte is one of those.
#[inline]
pub(super) fn is_plain(bytes: &[u8]) -> bool {
    let (words, rest) = bytes.as_chunks::<8>();
    let last = match bytes.last_chunk() {
        Some(last) => *last,
        None => {
            let mut last = [b' '; 8];
            last[..rest.len()].copy_from_slice(rest);
            last
        }
    };
    words.iter().chain([&last]).all(|word| special(u64::from_le_bytes(*word)) == 0)
}

/// The top bit of each byte that is a quote, a backslash or a control character. Exact for the lowest one found: subtraction
/// borrows upwards only.
#[inline]
fn special(word: u64) -> u64 {
    let zeros = |it: u64| it.wrapping_sub(ONES) & !it;
    let quotes = zeros(word ^ (ONES * b'"' as u64));
    let backslashes = zeros(word ^ (ONES * b'\\' as u64));
    let controls = word.wrapping_sub(ONES * 0x20) & !word;
    (quotes | backslashes | controls) & HIGH
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn plain_runs_end_where_they_do_byte_by_byte(bytes in proptest::collection::vec(any::<u8>(), 0..40), plain in 0..40_usize) {
            let mut bytes = bytes;
            for byte in bytes.iter_mut().take(plain) {
                *byte |= 0x80;
            }
            let end = bytes.iter().position(|it| *it < 0x20 || *it == b'"' || *it == b'\\');
            let end = end.unwrap_or(bytes.len());
            prop_assert_eq!(plain_len(&bytes), end);
            prop_assert_eq!(is_plain(&bytes), end == bytes.len());
            prop_assert_eq!(short_plain_len(&bytes), if bytes.len() < 8 { 0 } else { end.min(8) });
        }
    }
}
