//! Regular expressions as RE2 writes them, on the `regex` crate, which reads a little more and means a little else by some.
//!
//! Matching takes linear time. What a pattern may become in memory is bounded, and both compiling and matching are paid for.

use kanon_lang::{Context, Stop};
use regex::{Regex, RegexBuilder};

/// The largest program a pattern may become. RE2's own default in Go is a limit of repetitions; this bounds the same.
const MAX_PROGRAM: usize = 256 * 1024;

/// The longest pattern, and the most Unicode classes in one: reading them takes time before their size is known.
const MAX_PATTERN: usize = 4 * 1024;
const MAX_CLASSES: usize = 64;

/// Compiles a pattern; for programs whose patterns are constant, ahead of time.
///
/// # Errors
/// Why it is no pattern, as text.
pub fn compile(pattern: &str) -> Result<Regex, String> {
    if pattern.len() > MAX_PATTERN {
        return Err(format!("regular expression of {} bytes; the longest has {MAX_PATTERN}", pattern.len()));
    }
    let classes = pattern.matches("\\p").count() + pattern.matches("\\P").count();
    if classes > MAX_CLASSES {
        return Err(format!("regular expression with {classes} Unicode classes; the most is {MAX_CLASSES}"));
    }
    RegexBuilder::new(&translate(pattern))
        .size_limit(MAX_PROGRAM)
        .dfa_size_limit(MAX_PROGRAM)
        .nest_limit(200)
        .octal(true)
        .build()
        .map_err(|error| match error {
            regex::Error::CompiledTooBig(_) => "regular expression too large".to_owned(),
            error => {
                let text = error.to_string();
                let reason = text.lines().rev().find_map(|it| it.strip_prefix("error: ")).unwrap_or("syntax");
                format!("error parsing regexp: {reason}: `{pattern}`")
            }
        })
}

/// Compiles a pattern that is about to be matched against `text`, and pays for both.
pub(super) fn compiled(cx: &mut Context<'_>, pattern: &str, text: &str) -> Result<Regex, Stop> {
    // The worst case of matching is the product; compiling a byte of pattern takes as long as many steps.
    cx.spend(8 + pattern.len() as u64 * 4 + text.len() as u64 * pattern.len() as u64 / 64)?;
    compile(pattern).or_else(|error| cx.fail(error))
}

/// RE2's meaning in the other syntax:
/// - `\d`, `\s`, `\w` and `\b` know ASCII only;
/// - inside `[…]`, `[`, `&`, `~` and `-` have no meaning of their own beyond ranges;
/// - `{` that begins no repetition is itself;
/// - `\Q…\E` quotes.
fn translate(pattern: &str) -> String {
    let mut out = String::with_capacity(pattern.len() + 16);
    let mut rest = pattern;
    let mut class = false;
    while let Some(first) = rest.chars().next() {
        if first == '\\' {
            rest = escape(rest, class, &mut out);
            continue;
        }
        let after = &rest[first.len_utf8()..];
        match first {
            '[' if class => match posix_class(rest) {
                Some(name) => {
                    out += name;
                    rest = &rest[name.len()..];
                    continue;
                }
                None => out += "\\[",
            },
            '[' => {
                class = true;
                out.push('[');
                let mut after = after;
                for (text, written) in [("^", "^"), ("]", "\\]")] {
                    if let Some(next) = after.strip_prefix(text) {
                        out += written;
                        after = next;
                    }
                }
                rest = after;
                continue;
            }
            ']' if class => {
                class = false;
                out.push(']');
            }
            '&' | '~' if class => {
                out.push('\\');
                out.push(first);
            }
            '-' if class && after.starts_with('-') => out += "\\-",
            '{' if !class && !repetition(after) => out += "\\{",
            _ => out.push(first),
        }
        rest = after;
    }
    out
}

/// Writes the escape that `rest` begins with, and gives what follows it.
fn escape<'p>(rest: &'p str, class: bool, out: &mut String) -> &'p str {
    let Some(name) = rest[1..].chars().next() else {
        out.push('\\');
        return "";
    };
    let after = &rest[1 + name.len_utf8()..];
    match (name, class) {
        ('d', false) => *out += "[0-9]",
        ('d', true) => *out += "0-9",
        ('D', _) => *out += "[^0-9]",
        ('s', false) => *out += "[\\t\\n\\f\\r ]",
        ('s', true) => *out += "\\t\\n\\f\\r ",
        ('S', _) => *out += "[^\\t\\n\\f\\r ]",
        ('w', false) => *out += "[0-9A-Za-z_]",
        ('w', true) => *out += "0-9A-Za-z_",
        ('W', _) => *out += "[^0-9A-Za-z_]",
        ('b', false) => *out += "(?-u:\\b)",
        ('Q', false) => {
            let (quoted, after) = after.split_once("\\E").unwrap_or((after, ""));
            *out += &regex::escape(quoted);
            return after;
        }
        _ => {
            out.push('\\');
            out.push(name);
        }
    }
    after
}

/// `[:alpha:]`, if that is what `rest` begins with.
fn posix_class(rest: &str) -> Option<&str> {
    let end = rest.strip_prefix("[:")?.find(":]")?;
    let name = &rest[2..2 + end];
    name.bytes().all(|it| it.is_ascii_lowercase() || it == b'^').then(|| &rest[..end + 4])
}

/// Whether what follows a `{` makes it a repetition: `2}`, `2,}`, `2,3}`.
fn repetition(after: &str) -> bool {
    let Some((inner, _)) = after.split_once('}') else {
        return false;
    };
    let number = |text: &str| !text.is_empty() && text.bytes().all(|it| it.is_ascii_digit());
    match inner.split_once(',') {
        Some((from, to)) => number(from) && (to.is_empty() || number(to)),
        None => number(inner),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_mean_what_they_mean_in_re2() {
        let cases = [
            (r"^\w+$", "é", false),
            (r"^\d+$", "٣", false),
            (r"^[\d.]+$", "1.2", true),
            (r"^[^\s]+$", "a b", false),
            (r"^[[a]+$", "[a", true),
            (r"^[]a]+$", "]a", true),
            (r"^[^]a]+$", "b", true),
            (r"^[a&&b]+$", "&", true),
            (r"^[[:alpha:]]+$", "ab", true),
            (r"a{,2}", "a{,2}", true),
            (r"^\Qa.b\E$", "a.b", true),
            (r"^\Qa.b\E$", "axb", false),
            (r"^.$", "é", true),
            (r"(?i)STRASSE", "strasse", true),
            (r"\bfoo\b", "a foo b", true),
        ];
        for (pattern, text, want) in cases {
            assert_eq!(compile(pattern).unwrap().is_match(text), want, "{pattern} on {text}");
        }
    }

    #[test]
    fn patterns_that_would_be_large_are_refused() {
        for pattern in ["((a{100}){100}){100}", "(", "a{1001}{1001}", "*"] {
            assert!(compile(pattern).is_err(), "{pattern}");
        }
        for (part, times) in [("(", 10_000), ("(", 1_000), (r"[\pL\pN]", 40), ("(a|b|c)*", 1_000)] {
            assert!(compile(&part.repeat(times)).is_err(), "{part} {times} times");
        }
    }
}
