//! Texts that are nearly right: a good program with a few things wrong. Knows bytes, and words that all grammars share.

use crate::random::Random;

/// Words and signs that turn one construct into another; numbers at every edge.
const WORDS: &[&str] = &[
    "(",
    ")",
    "[",
    "]",
    "{",
    "}",
    ",",
    ";",
    ":",
    ":=",
    ".",
    "?.",
    "..",
    "...",
    "#",
    "$env",
    "|",
    "||",
    "&&",
    "!",
    "!=",
    "==",
    "=",
    "<",
    ">=",
    "+",
    "-",
    "*",
    "**",
    "/",
    "%",
    "^",
    "??",
    "?",
    "in",
    "not",
    "and",
    "or",
    "if",
    "else",
    "let",
    "some",
    "every",
    "with",
    "as",
    "default",
    "import",
    "package",
    "null",
    "nil",
    "true",
    "false",
    "matches",
    "contains",
    "'",
    "\"",
    "`",
    "r'",
    "b\"",
    "\"\"\"",
    "//",
    "/*",
    "*/",
    "#\n",
    "\\",
    "\\u",
    "\\xff",
    "\\777",
    "\n",
    "\r\n",
    "\t",
    "\u{0}",
    "\u{feff}",
    "é",
    "日",
    "\u{202e}",
    "\u{1f600}",
    "e\u{301}",
    "0",
    "-0",
    "00",
    "0x",
    "0xffffffffffffffff",
    "0b1",
    "0o7",
    "1e",
    "1e400",
    "1e-400",
    "4.9e-324",
    "1.7976931348623157e308",
    "9223372036854775807",
    "9223372036854775808",
    "-9223372036854775808",
    "18446744073709551615",
    "18446744073709551616",
    "18446744073709551615u",
    "99999999999999999999999999999999999999999999",
    "0.1",
    ".5",
    "5.",
    "1_000",
    "1..",
    "NaN",
    "Infinity",
    "__proto__",
    "$now",
    "_",
    "x",
    "input",
    "data",
    "object",
];

/// The program with one to six things wrong.
pub(crate) fn mutate(seeds: &[&str], random: &mut Random) -> String {
    let mut bytes = random.pick(seeds).as_bytes().to_vec();
    for _ in 0..=random.below(6) {
        let (from, to) = range(&bytes, random);
        match random.below(9) {
            0 => drop(bytes.drain(from..to)),
            1 => {
                let piece = bytes[from..to].to_vec();
                insert(&mut bytes, random, &piece);
            }
            2 => {
                let piece: Vec<u8> = bytes.drain(from..to).collect();
                insert(&mut bytes, random, &piece);
            }
            3 => {
                let other = random.pick(seeds).as_bytes();
                let (from, to) = range(other, random);
                insert(&mut bytes, random, &other[from..to]);
            }
            4 | 5 => {
                let word = random.pick_word();
                insert(&mut bytes, random, word.as_bytes());
            }
            6 => drop(bytes.splice(from..to, random.pick_word().bytes())),
            7 => {
                let piece = bytes[from..to].repeat(1 + random.below(40));
                bytes.splice(from..to, piece.into_iter().take(4_000));
            }
            _ => {
                if let Some(byte) = bytes.get_mut(from) {
                    *byte = random.next() as u8;
                }
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Bytes without any sense.
pub(crate) fn noise(random: &mut Random) -> String {
    let len = random.below(120);
    let bytes: Vec<u8> = match random.below(3) {
        0 => (0..len).map(|_| random.next() as u8).collect(),
        1 => (0..len).map(|_| b' ' + random.below(95) as u8).collect(),
        _ => (0..len / 4).flat_map(|_| random.pick_word().bytes().chain(*b" ")).collect(),
    };
    String::from_utf8_lossy(&bytes).into_owned()
}

impl Random {
    fn pick_word(&mut self) -> &'static str {
        WORDS[self.below(WORDS.len())]
    }
}

/// A short range, mostly.
fn range(bytes: &[u8], random: &mut Random) -> (usize, usize) {
    let from = random.below(bytes.len() + 1);
    let len = if random.below(4) == 0 { random.below(bytes.len() + 1) } else { random.below(12) };
    (from, (from + len).min(bytes.len()))
}

fn insert(bytes: &mut Vec<u8>, random: &mut Random, piece: &[u8]) {
    let at = random.below(bytes.len() + 1);
    bytes.splice(at..at, piece.iter().copied());
}
