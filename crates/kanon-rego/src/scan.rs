//! A look at the text before the interpreter's parser sees it: what its recursion or its backtracking cannot bear is refused,
//! and so is chance.

use kanon_lang::{Diagnostics, Span};

/// Longer texts are refused; the interpreter's own limit a file is a mebibyte too.
const MAX_LEN: usize = 1 << 20;

/// How deep `[` and `{` may nest. The parser tries list, comprehension and set one after the other at every level: its
/// time doubles with each, and is 20 ms at this depth.
const MAX_NESTING: usize = 12;

/// Operators in one expression: each is a level of its tree. Several times as many still fit a thread's ordinary stack
/// of 2 MiB in a build without optimisation.
const MAX_OPERATORS: usize = 1_000;

/// `---1`: the parser recurses at each sign.
const MAX_SIGNS: usize = 32;

/// The interpreter has `rand.intn` whether or not it is wanted; a policy's value must not depend on chance. The word is
/// refused as a whole, since the function can be named in more than one way.
const RANDOM: &[u8] = b"rand";

const OPERATORS: &[u8] = b"+-*/%&|<>=!.,[";

/// Checks length, nesting and operators. Text and comments inside the policy do not count.
pub(crate) fn bounded(source: &str) -> Result<(), Diagnostics> {
    if source.len() > MAX_LEN {
        return Err(Diagnostics::one("", format!("policy is longer than {MAX_LEN} bytes"), Span::default()));
    }
    let fail = |message: String, at: usize| Err(Diagnostics::one(source, message, Span::new(at, at + 1)));
    let bytes = source.as_bytes();
    let (mut at, mut nesting, mut operators, mut signs) = (0, 0usize, 0, 0);
    // The last byte that was not blank: an operator there carries the expression over the end of the line.
    let mut last = 0u8;
    while let Some(byte) = bytes.get(at).copied() {
        let next = match byte {
            b'"' | b'`' => string_end(bytes, at),
            b'#' => at + bytes[at..].iter().position(|b| *b == b'\n').unwrap_or(bytes.len() - at),
            _ => at + 1,
        };
        match byte {
            b'[' | b'{' => nesting += 1,
            b']' | b'}' => nesting = nesting.saturating_sub(1),
            _ => {}
        }
        match byte {
            b'\n' => {
                let first = bytes[at..].iter().find(|b| !b.is_ascii_whitespace()).copied().unwrap_or(b'\n');
                if !OPERATORS.contains(&first) && !OPERATORS.contains(&last) {
                    operators = 0;
                }
                // A reference may go on in the next line; within a line its length is bounded by the line's.
                operators += usize::from(matches!(first, b'.' | b'['));
            }
            b'.' | b',' | b'[' => {}
            _ if OPERATORS.contains(&byte) => operators += 1,
            _ => {}
        }
        if !byte.is_ascii_whitespace() {
            signs = if byte == b'-' { signs + 1 } else { 0 };
        }
        if signs > MAX_SIGNS {
            return fail(format!("more than {MAX_SIGNS} signs in a row"), at);
        }
        if is_word(bytes, at, RANDOM) {
            return fail("`rand` is not available: a policy's value does not depend on chance".to_owned(), at);
        }
        if nesting > MAX_NESTING {
            return fail(format!("brackets are nested deeper than {MAX_NESTING} levels"), at);
        }
        if operators > MAX_OPERATORS {
            return fail(format!("expression has more than {MAX_OPERATORS} operators"), at);
        }
        if !byte.is_ascii_whitespace() && byte != b'#' {
            last = byte;
        }
        at = next;
    }
    Ok(())
}

/// Whether `word` stands at `at` as a name of its own, not as a member's.
fn is_word(bytes: &[u8], at: usize, word: &[u8]) -> bool {
    let is_name = |byte: &u8| byte.is_ascii_alphanumeric() || *byte == b'_';
    let before = at.checked_sub(1).and_then(|before| bytes.get(before));
    bytes[at..].starts_with(word)
        && !before.is_some_and(|byte| is_name(byte) || *byte == b'.')
        && !bytes.get(at + word.len()).is_some_and(is_name)
}

/// The position after a string that begins at `at`.
fn string_end(bytes: &[u8], at: usize) -> usize {
    let quote = bytes[at];
    let mut at = at + 1;
    while let Some(byte) = bytes.get(at) {
        match byte {
            b'\\' if quote == b'"' => at += 2,
            byte if *byte == quote => return at + 1,
            _ => at += 1,
        }
    }
    bytes.len()
}
