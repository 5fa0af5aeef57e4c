//! A look at the text before the crate's parser sees it: what is too long or too deep for its recursion is refused.

use kanon_lang::{Diagnostics, Span};

/// Rules of Kubernetes resources stay far below; cel-go's own limit for expressions is 100,000 code points.
const MAX_LEN: usize = 32 << 10;

/// Operators, members and open brackets: each may be one level of the tree. Twice as many still fit a thread's
/// ordinary stack of 2 MiB in a build without optimisation.
pub(crate) const MAX_SIGNS: usize = 800;

/// Checks length, number of operators and nesting.
pub(crate) fn bounded(source: &str) -> Result<(), Diagnostics> {
    if source.len() > MAX_LEN {
        return Err(Diagnostics::one("", format!("expression is longer than {MAX_LEN} bytes"), Span::default()));
    }
    let signs = signs(source);
    match signs.get(MAX_SIGNS) {
        None => Ok(()),
        Some(at) => {
            let message = format!("expression has more than {MAX_SIGNS} operators, members and brackets");
            Err(Diagnostics::one(source, message, Span::new(*at, at + 1)))
        }
    }
}

/// Where the signs are that may deepen the tree; those in text and comments do not count.
fn signs(source: &str) -> Vec<usize> {
    let bytes = source.as_bytes();
    let mut out = Vec::new();
    let mut at = 0;
    while let Some(byte) = bytes.get(at) {
        match byte {
            b'"' | b'\'' => at = string_end(bytes, at),
            b'/' if bytes.get(at + 1) == Some(&b'/') => {
                at += bytes[at..].iter().position(|b| *b == b'\n').unwrap_or(bytes.len() - at);
            }
            b'&' | b'|' | b'=' if bytes.get(at + 1) == Some(byte) => {
                out.push(at);
                at += 2;
            }
            b'!' | b'<' | b'>' if bytes.get(at + 1) == Some(&b'=') => {
                out.push(at);
                at += 2;
            }
            b'+' | b'-' | b'*' | b'/' | b'%' | b'<' | b'>' | b'!' | b'?' | b'.' | b'[' | b'(' | b'{' | b'=' => {
                out.push(at);
                at += 1;
            }
            b'i' if bytes[at..].starts_with(b"in") && at > 0 && !bytes[at - 1].is_ascii_alphanumeric() => {
                out.push(at);
                at += 2;
            }
            _ => at += 1,
        }
    }
    out
}

/// The position after a string that begins at `at`: in one quote or three.
fn string_end(bytes: &[u8], at: usize) -> usize {
    let quote = bytes[at];
    let raw = at > 0 && matches!(bytes[at - 1], b'r' | b'R');
    let triple = bytes[at..].starts_with(&[quote; 3]);
    let close: &[u8] = if triple { &[quote; 3] } else { &[quote] };
    let close = close.to_vec();
    let mut at = at + close.len();
    while at < bytes.len() {
        if bytes[at] == b'\\' && !raw {
            at += 2;
        } else if bytes[at..].starts_with(&close) {
            return at + close.len();
        } else {
            at += 1;
        }
    }
    bytes.len()
}
