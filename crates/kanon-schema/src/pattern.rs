//! Regular expressions in RE2's syntax (Go's `regexp`), on the `regex` crate.
//!
//! The two differ in small things: RE2's `\d`, `\w`, `\s` and `\b` know ASCII only, `[` inside a class is a plain
//! character, `\Q…\E` quotes, and free-spacing mode does not exist. A pattern is rewritten so that it means here what it
//! means there.

use std::{iter::Peekable, str::Chars};

use regex::{Regex, RegexBuilder};

/// Bound on the memory of one compiled pattern, so that a hostile CRD cannot exhaust the server.
const SIZE_LIMIT: usize = 4 << 20;

/// Compiles an RE2 pattern.
///
/// # Errors
/// Why it is not one: one line.
pub fn compile_pattern(pattern: &str) -> Result<Regex, String> {
    let rewritten = Rewriter { rest: pattern.chars().peekable(), out: String::with_capacity(pattern.len()) }.run()?;
    RegexBuilder::new(&rewritten).size_limit(SIZE_LIMIT).build().map_err(|error| one_line(&error))
}

/// The last line of `regex`'s many, which says what is wrong.
fn one_line(error: &regex::Error) -> String {
    let text = error.to_string();
    let last = text.lines().last().unwrap_or_default();
    last.trim().trim_start_matches("error: ").to_owned()
}

struct Rewriter<'a> {
    rest: Peekable<Chars<'a>>,
    out: String,
}

impl Rewriter<'_> {
    fn run(mut self) -> Result<String, String> {
        while let Some(c) = self.rest.next() {
            match c {
                '\\' => self.escape()?,
                '[' => self.class()?,
                '(' => self.group()?,
                other => self.out.push(other),
            }
        }
        Ok(self.out)
    }

    /// Flags may not hold `x`, which RE2 does not have.
    fn group(&mut self) -> Result<(), String> {
        self.out.push('(');
        let mut ahead = self.rest.clone();
        if ahead.next() != Some('?') {
            return Ok(());
        }
        let flags: String = ahead.take_while(|it| it.is_ascii_alphabetic() || *it == '-').collect();
        let named = flags.starts_with('P');
        if !named && flags.contains(['x', 'R', 'u']) {
            return Err(format!("invalid or unsupported Perl syntax: `(?{flags}`"));
        }
        Ok(())
    }

    fn escape(&mut self) -> Result<(), String> {
        let c = self.rest.next().ok_or("trailing backslash at end of expression")?;
        match c {
            'Q' => self.quoted(),
            'b' => self.out.push_str(r"(?-u:\b)"),
            'B' => self.out.push_str(r"(?-u:\B)"),
            'A' | 'z' => self.out.extend(['\\', c]),
            _ => {
                let (text, set) = self.escaped(c)?;
                if set {
                    self.out.push('[');
                }
                self.out.push_str(&text);
                if set {
                    self.out.push(']');
                }
            }
        }
        Ok(())
    }

    /// Everything up to `\E` stands for itself.
    fn quoted(&mut self) {
        while let Some(c) = self.rest.next() {
            if c == '\\' && self.rest.peek() == Some(&'E') {
                self.rest.next();
                return;
            }
            self.out.push_str(&literal(c));
        }
    }

    /// What follows a backslash, in class and out: text for inside a class, and whether it needs a class around it.
    fn escaped(&mut self, c: char) -> Result<(String, bool), String> {
        let set = |text: &str| Ok((text.to_owned(), true));
        match c {
            'd' => set("0-9"),
            'D' => set(r"\x00-/:-\x{10FFFF}"),
            'w' => set("0-9A-Za-z_"),
            'W' => set(r"\x00-/:-@\x5B-\x5E`\x7B-\x{10FFFF}"),
            's' => set(r"\t\n\x0C\r "),
            'S' => set(r"\x00-\x08\x0B\x0E-\x1F!-\x{10FFFF}"),
            'p' | 'P' => Ok((self.unicode_class(c), false)),
            'x' => Ok((self.hex()?, false)),
            'a' => Ok((r"\x07".to_owned(), false)),
            'f' => Ok((r"\x0C".to_owned(), false)),
            'v' => Ok((r"\x0B".to_owned(), false)),
            'n' | 'r' | 't' => Ok((format!("\\{c}"), false)),
            '0'..='7' => self.octal(c),
            c if c.is_ascii_punctuation() || c == ' ' => Ok((literal(c), false)),
            other => Err(format!("invalid escape sequence: `\\{other}`")),
        }
    }

    fn unicode_class(&mut self, c: char) -> String {
        let mut text = format!("\\{c}");
        if self.rest.peek() == Some(&'{') {
            for c in self.rest.by_ref() {
                text.push(c);
                if c == '}' {
                    break;
                }
            }
        } else {
            text.extend(self.rest.next());
        }
        text
    }

    fn hex(&mut self) -> Result<String, String> {
        let digits: String = if self.rest.next_if_eq(&'{').is_some() {
            self.rest.by_ref().take_while(|it| *it != '}').collect()
        } else {
            self.rest.by_ref().take(2).collect()
        };
        match u32::from_str_radix(&digits, 16).ok().and_then(char::from_u32) {
            Some(c) => Ok(literal(c)),
            None => Err(format!("invalid escape sequence: `\\x{digits}`")),
        }
    }

    /// Octal codes have three digits, or begin with 0; a lone digit would be a back-reference.
    fn octal(&mut self, first: char) -> Result<(String, bool), String> {
        let mut digits = String::from(first);
        while digits.len() < 3
            && let Some(c) = self.rest.next_if(|it| matches!(it, '0'..='7'))
        {
            digits.push(c);
        }
        let code = u32::from_str_radix(&digits, 8).ok().and_then(char::from_u32);
        match code {
            Some(c) if first == '0' || digits.len() == 3 => Ok((literal(c), false)),
            Some(_) | None => Err(format!("invalid escape sequence: `\\{digits}`")),
        }
    }

    fn class(&mut self) -> Result<(), String> {
        self.out.push('[');
        if self.rest.next_if_eq(&'^').is_some() {
            self.out.push('^');
        }
        let mut first = true;
        loop {
            let c = self.rest.next().ok_or("missing closing ]")?;
            match c {
                ']' if !first => break,
                '[' if self.rest.peek() == Some(&':') => self.posix()?,
                '\\' => {
                    let c = self.rest.next().ok_or("trailing backslash at end of expression")?;
                    let (text, _) = self.escaped(c)?;
                    self.out.push_str(&text);
                }
                // A hyphen between two characters makes a range; elsewhere it stands for itself.
                '-' if !first && !matches!(self.rest.peek(), None | Some(']')) => self.out.push('-'),
                other => self.out.push_str(&literal(other)),
            }
            first = false;
        }
        self.out.push(']');
        Ok(())
    }

    /// `[:alpha:]`, whose first bracket was read; both syntaxes have the same names.
    fn posix(&mut self) -> Result<(), String> {
        let mut ahead = self.rest.clone();
        ahead.next();
        let name: String = ahead.by_ref().take_while(|it| *it != ':').collect();
        let word = name.trim_start_matches('^');
        if ahead.next() != Some(']') || !word.chars().all(|it| it.is_ascii_alphabetic()) {
            self.out.push_str(&literal('['));
            return Ok(());
        }
        self.rest = ahead;
        self.out.push_str(&format!("[:{name}:]"));
        Ok(())
    }
}

/// A character that stands for itself, in class and out.
fn literal(c: char) -> String {
    if c.is_alphanumeric() { c.to_string() } else { format!("\\x{{{:X}}}", c as u32) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_mean_what_they_mean_in_go() {
        for (pattern, yes, no) in [
            ("^a$", "a", "b"),
            (r"^\d+$", "12", "١٢"),
            (r"^\w+$", "a_1", "é"),
            (r"^[\w.-]+$", "a.b-c", "a/b"),
            (r"^[^\s]+$", "ab", "a b"),
            (r"^[a[b]+$", "a[b", "c"),
            (r"^[]a]+$", "]a", "b"),
            (r"^[a&&b]+$", "a&b", "c"),
            (r"^\Qa.b\E$", "a.b", "axb"),
            (r"^a\/b\_c$", "a/b_c", "ab"),
            (r"^[[:alpha:]]+$", "abc", "1"),
            (r"^\x41\x{42}\103$", "ABC", "abc"),
            (r"\bfoo\b", "a foo b", "afoob"),
            (r"^(?i)ab$", "AB", "cd"),
            (r"^(?P<n>a)(?:b)$", "ab", "a"),
            (r"^\pL{2}$", "éa", "1a"),
            (r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$", "my-app-1", "-x"),
            (r"^([0-9]+(\.[0-9]+)?(ms|s|m|h))+$", "1h30m", "1x"),
        ] {
            let regex = compile_pattern(pattern).unwrap_or_else(|error| panic!("{pattern}: {error}"));
            assert!(regex.is_match(yes), "{pattern} must match {yes}");
            assert!(!regex.is_match(no), "{pattern} must not match {no}");
        }
    }

    #[test]
    fn what_re2_does_not_have_is_refused() {
        for pattern in ["(", "a(?=b)", "(?<!a)b", r"\1", "[a", "a\\", "(?x)a", r"\y"] {
            let error = compile_pattern(pattern).expect_err(pattern);
            assert!(!error.is_empty() && !error.contains('\n'), "{pattern}: {error}");
        }
    }

    proptest::proptest! {
        #[test]
        fn any_text_compiles_or_is_refused(text in "[\\\\\\[\\](){}^$.|?*+a-z0-9:P<>=!&~-]{0,24}") {
            if let Ok(regex) = compile_pattern(&text) {
                let _ = regex.is_match("abc");
            }
        }
    }
}
