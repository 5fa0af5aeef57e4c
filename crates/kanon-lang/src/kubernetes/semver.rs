//! Semantic versions.

use std::{borrow::Cow, cmp::Ordering};

use ::semver::Version;

use crate::{Opaque, Type, Value};

/// A version, by its text, which has been checked.
#[derive(Clone, Copy, Debug)]
pub struct Semver<'a>(&'a str);

impl<'a> Semver<'a> {
    /// Its name among types.
    pub const TYPE: Type = Type::Opaque(NAME);

    /// Text that [`Semver::check`] has found to be a version.
    pub fn checked(text: &'a str) -> Semver<'a> {
        Semver(text)
    }

    /// The text of a version as it is kept. With `lenient`, without a `v`, with three numbers, without zeros before them.
    ///
    /// # Errors
    /// Why it is none.
    pub fn check(text: &str, lenient: bool) -> Result<Cow<'_, str>, String> {
        let text = if lenient { normalized(text)? } else { Cow::Borrowed(text) };
        match Version::parse(&text) {
            Ok(_) => Ok(text),
            Err(error) => Err(format!("invalid semantic version {text:?}: {error}")),
        }
    }

    /// The version that a value is; `None` for values of other types.
    pub fn of(value: Value<'_>) -> Option<Version> {
        match value {
            Value::Opaque(opaque) if opaque.type_name() == NAME => Version::parse(&opaque.text()).ok(),
            _ => None,
        }
    }
}

const NAME: &str = "kubernetes.Semver";

impl Opaque for Semver<'_> {
    fn type_name(&self) -> &'static str {
        NAME
    }

    fn equals(&self, other: Value<'_>) -> Option<bool> {
        self.compare(other).map(Ordering::is_eq)
    }

    fn compare(&self, other: Value<'_>) -> Option<Ordering> {
        // Build metadata has no say.
        Some(Version::parse(self.0).ok()?.cmp_precedence(&Semver::of(other)?))
    }

    fn text(&self) -> Cow<'_, str> {
        Cow::Borrowed(self.0)
    }
}

fn normalized(text: &str) -> Result<Cow<'_, str>, String> {
    let text = text.strip_prefix('v').unwrap_or(text);
    let mut parts: Vec<String> = text.splitn(3, '.').map(without_zeros).collect();
    if parts.len() < 3 {
        if parts.last().is_some_and(|it| it.contains(['+', '-'])) {
            return Err("short version cannot contain PreRelease/Build meta data".to_owned());
        }
        parts.resize(3, "0".to_owned());
    }
    Ok(Cow::Owned(parts.join(".")))
}

fn without_zeros(part: &str) -> String {
    if part.len() <= 1 {
        return part.to_owned();
    }
    let rest = part.trim_start_matches('0');
    if rest.starts_with(|it: char| it.is_ascii_digit()) { rest.to_owned() } else { format!("0{rest}") }
}
