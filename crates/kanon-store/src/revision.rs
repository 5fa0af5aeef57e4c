//! The one global counter behind every resourceVersion (spec/kubernetes-api.md §4.3).

use std::{fmt, str::FromStr};

/// A resourceVersion: a state of the whole store, and the write that led to it. Grows by every write of any kind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Revision(pub u64);

impl Revision {
    /// Where a fresh store stands before its first write. Not 0, which means "any" on the wire.
    pub const FIRST: Revision = Revision(1);

    /// The revision of the next write.
    #[must_use]
    pub fn next(self) -> Revision {
        // At a million writes a second the counter lasts for half a million years.
        Revision(self.0.saturating_add(1))
    }
}

impl fmt::Display for Revision {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(out)
    }
}

/// The text is not a decimal number of 64 bits.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not a resource version")]
pub struct ParseRevisionError {
    /// What was given.
    pub text: String,
}

impl FromStr for Revision {
    type Err = ParseRevisionError;

    fn from_str(text: &str) -> Result<Revision, ParseRevisionError> {
        // `u64` alone would accept a sign.
        let digits = text.bytes().all(|byte| byte.is_ascii_digit());
        let number = if digits { text.parse().ok() } else { None };
        number.map(Revision).ok_or_else(|| ParseRevisionError { text: text.to_owned() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_decimal_digits_are_revisions() {
        for (text, want) in [("0", Some(0)), ("17", Some(17)), ("18446744073709551615", Some(u64::MAX))] {
            assert_eq!(text.parse().ok(), want.map(Revision), "{text}");
            assert_eq!(text.parse::<Revision>().expect("digits").to_string(), text);
        }
        for text in ["", "+1", "-1", " 1", "1.0", "0x1", "18446744073709551616"] {
            assert_eq!(text.parse::<Revision>(), Err(ParseRevisionError { text: text.to_owned() }));
        }
    }
}
