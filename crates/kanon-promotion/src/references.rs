//! What an expression mentions, found in its text: metrics, windows, stages, labels, and which part of the time it reads.
//!
//! A program's `reads()` says what it reads through constant members; methods (`changewindow.isBlocked("w")`) and the checks
//! of lint need a little more, and this works for texts that do not compile too. It only ever widens or narrows what is
//! looked at: the result of a gate never depends on it.

use std::collections::BTreeSet;

/// The names that an expression may use at the top.
pub const VARIABLES: [&str; 7] =
    ["bundle", "schedule", "environment", "metrics", "previousBundle", "upstream", "changewindow"];

/// A call that an expression makes.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Call {
    /// What it is called on; empty for free functions.
    pub receiver: Vec<String>,
    /// The function.
    pub name: String,
    /// Its first argument, if that is written as text.
    pub argument: Option<String>,
    /// Offset of the receiver or, without one, of the function.
    pub offset: usize,
}

/// What an expression mentions.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct References {
    /// Paths from a name through constant members and keys, the name first.
    pub paths: BTreeSet<Vec<String>>,
    /// Calls in order of place.
    pub calls: Vec<Call>,
    /// Paths that are indexed by something computed.
    pub computed: BTreeSet<Vec<String>>,
}

/// How finely an expression looks at the clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Grain {
    /// Not at all.
    None,
    /// Hours of UTC.
    Hour,
    /// Quarters of an hour: hours of any zone.
    Quarter,
    /// Minutes.
    Minute,
}

impl References {
    /// Reads an expression; any text gives an answer.
    pub fn of(source: &str) -> References {
        let tokens = tokens(source);
        let mut found = References::default();
        let mut at = 0;
        while at < tokens.len() {
            let after_dot = at > 0 && tokens[at - 1].0 == Token::Symbol(b'.');
            match tokens[at].0 {
                Token::Name(_) if !after_dot => at = found.chain(&tokens, at),
                _ => at += 1,
            }
        }
        found
    }

    /// Follows one name through its members; where reading goes on.
    fn chain(&mut self, tokens: &[(Token<'_>, usize)], start: usize) -> usize {
        let token = |at: usize| tokens.get(at).map(|it| &it.0);
        let Some(Token::Name(first)) = token(start) else { return start + 1 };
        let mut path = vec![(*first).to_owned()];
        let mut at = start + 1;
        loop {
            match (token(at), token(at + 1), token(at + 2)) {
                (Some(Token::Symbol(b'.')), Some(Token::Symbol(b'?')), Some(Token::Name(name))) => {
                    path.push((*name).to_owned());
                    at += 3;
                }
                (Some(Token::Symbol(b'.')), Some(Token::Name(name)), _) => {
                    path.push((*name).to_owned());
                    at += 2;
                }
                (Some(Token::Symbol(b'[')), Some(Token::Text(key)), Some(Token::Symbol(b']'))) => {
                    path.push(key.clone());
                    at += 3;
                }
                (Some(Token::Symbol(b'[')), ..) => {
                    self.computed.insert(path.clone());
                    break;
                }
                (Some(Token::Symbol(b'(')), argument, _) => {
                    let argument = match argument {
                        Some(Token::Text(text)) => Some(text.clone()),
                        _ => None,
                    };
                    let name = path.pop().unwrap_or_default();
                    let offset = tokens[start].1;
                    self.calls.push(Call { receiver: path.clone(), name, argument, offset });
                    break;
                }
                _ => break,
            }
        }
        if !path.is_empty() {
            self.paths.insert(path);
        }
        at
    }

    /// Members of a variable that are named, such as metrics.
    fn members(&self, variable: &[&str]) -> BTreeSet<&str> {
        let below = |path: &&Vec<String>| path.len() > variable.len() && path.iter().zip(variable).all(|(a, b)| a == b);
        self.paths.iter().filter(below).map(|it| it[variable.len()].as_str()).collect()
    }

    /// Whether a variable is mentioned.
    pub fn mentions(&self, variable: &str) -> bool {
        self.paths.iter().any(|it| it[0] == variable)
    }

    /// Whether a path is mentioned, or something below it.
    pub fn reads(&self, path: &[&str]) -> bool {
        self.paths.iter().any(|it| it.len() >= path.len() && it.iter().zip(path).all(|(a, b)| a == b))
    }

    /// Metrics by name.
    pub fn metrics(&self) -> BTreeSet<&str> {
        self.members(&["metrics"])
    }

    /// Labels of the Bundle.
    pub fn labels(&self) -> BTreeSet<&str> {
        self.members(&["bundle", "labels"])
    }

    /// Stages whose pull request is asked about.
    pub fn stages(&self) -> BTreeSet<&str> {
        self.members(&["bundle", "pr"])
    }

    /// Environments whose history or soak is asked about.
    pub fn upstreams(&self) -> BTreeSet<&str> {
        self.members(&["upstream"])
    }

    /// Change windows by name.
    pub fn windows(&self) -> BTreeSet<&str> {
        let mut windows = self.members(&["changewindow"]);
        let on_windows = self.calls.iter().filter(|it| it.receiver == ["changewindow"]);
        windows.extend(on_windows.filter_map(|it| it.argument.as_deref()));
        windows
    }

    /// Whether every window that matters is named in the text.
    pub fn windows_are_named(&self) -> bool {
        let calls = self.calls.iter().filter(|it| it.receiver == ["changewindow"]);
        let bare = self.paths.contains(&vec!["changewindow".to_owned()]);
        let named = calls.clone().count() > 0 && calls.clone().all(|it| it.argument.is_some());
        !self.computed.contains(&vec!["changewindow".to_owned()]) && (!bare || named)
    }

    /// Whether soak time of some environment is read.
    pub fn soak(&self) -> bool {
        // Of an environment that is named, only what is read counts.
        let of_environment =
            |path: &Vec<String>| path[0] == "upstream" && path.get(2).is_none_or(|it| it == "soakMinutes");
        self.reads(&["bundle", "upstreamSoakMinutes"])
            || self.paths.iter().any(of_environment)
            || self.paths.contains(&vec!["bundle".to_owned()])
    }

    /// How finely the clock is looked at.
    pub fn grain(&self) -> Grain {
        const UTC_HOURS: [&str; 7] = ["isWeekend", "hour", "dayOfWeek", "date", "dayOfMonth", "month", "week"];
        let of_path = |path: &Vec<String>| match (path[0].as_str(), path.get(1).map(String::as_str)) {
            ("schedule", Some("local")) if path.get(2).is_some_and(|it| it != "minute" && it != "now") => {
                Grain::Quarter
            }
            ("schedule", Some(name)) if UTC_HOURS.contains(&name) => Grain::Hour,
            ("schedule", _) => Grain::Minute,
            ("metrics", _) if path.iter().any(|it| it == "ageSeconds") => Grain::Minute,
            _ => Grain::None,
        };
        let of_call = |call: &Call| match (call.receiver.as_slice(), call.name.as_str()) {
            ([], "now" | "inWindow") => Grain::Minute,
            ([first, ..], _) if first == "schedule" => Grain::Minute,
            ([first, ..], "opensAt") if first == "changewindow" => Grain::Minute,
            _ => Grain::None,
        };
        self.paths.iter().map(of_path).chain(self.calls.iter().map(of_call)).max().unwrap_or(Grain::None)
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Token<'s> {
    Name(&'s str),
    Text(String),
    Symbol(u8),
    Number,
}

/// Words, texts and single symbols; comments and white space are gone.
fn tokens(source: &str) -> Vec<(Token<'_>, usize)> {
    let bytes = source.as_bytes();
    let mut found = Vec::new();
    let mut at = 0;
    while let Some(byte) = bytes.get(at) {
        let start = at;
        match byte {
            b'/' if bytes.get(at + 1) == Some(&b'/') => {
                at += source[at..].find('\n').unwrap_or(source.len() - at);
            }
            b'a'..=b'z' | b'A'..=b'Z' | b'_' => {
                let word = |it: &u8| it.is_ascii_alphanumeric() || *it == b'_';
                at += bytes[at..].iter().take_while(|it| word(it)).count();
                let name = &source[start..at];
                let prefix = name.len() <= 2 && name.bytes().all(|it| matches!(it, b'r' | b'R' | b'b' | b'B'));
                if prefix && matches!(bytes.get(at), Some(b'"' | b'\'')) {
                    let (text, end) = quoted(source, at, name.to_ascii_lowercase().contains('r'));
                    at = end;
                    found.push((Token::Text(text), start));
                } else {
                    found.push((Token::Name(name), start));
                }
            }
            b'"' | b'\'' => {
                let (text, end) = quoted(source, at, false);
                at = end;
                found.push((Token::Text(text), start));
            }
            b'`' => {
                let end = source[at + 1..].find('`').map_or(source.len(), |it| at + 1 + it);
                found.push((Token::Name(&source[at + 1..end]), start));
                at = (end + 1).min(source.len());
            }
            b'0'..=b'9' => {
                at += bytes[at..].iter().take_while(|it| it.is_ascii_alphanumeric() || **it == b'.').count();
                found.push((Token::Number, start));
            }
            _ if byte.is_ascii_whitespace() || !byte.is_ascii() => at += 1,
            _ => {
                at += 1;
                found.push((Token::Symbol(*byte), start));
            }
        }
    }
    found
}

/// The text that begins with the quote at `start`, and where it ends. Escapes other than of quotes and backslashes stay as
/// they are written: names of objects have none.
fn quoted(source: &str, start: usize, raw: bool) -> (String, usize) {
    let quote = &source[start..=start];
    let triple = quote.repeat(3);
    let mark = if source[start..].starts_with(&triple) { triple.as_str() } else { quote };
    let mut text = String::new();
    let mut rest = &source[start + mark.len()..];
    loop {
        if rest.starts_with(mark) {
            return (text, source.len() - rest.len() + mark.len());
        }
        let mut letters = rest.chars();
        match letters.next() {
            None => return (text, source.len()),
            Some('\\') if !raw => {
                let next = letters.next();
                if !matches!(next, Some('\\' | '"' | '\'' | '`')) {
                    text.push('\\');
                }
                text.extend(next);
            }
            Some(letter) => text.push(letter),
        }
        rest = letters.as_str();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names<'r>(set: &BTreeSet<&'r str>) -> Vec<&'r str> {
        set.iter().copied().collect()
    }

    #[test]
    fn everything_that_is_named_is_found() {
        let source = r#"metrics.a.value < 1 && metrics["error-rate"].passed // metrics.gone
            && !changewindow["w1"] && changewindow.isBlocked('w2') && changewindow.w3
            && bundle.pr["staging"].isApproved && upstream.uat.soakMinutes > 3 && bundle.labels.?hotfix == r"bundle.labels.no""#;
        let found = References::of(source);
        assert_eq!(names(&found.metrics()), ["a", "error-rate"]);
        assert_eq!(names(&found.windows()), ["w1", "w2", "w3"]);
        assert_eq!(names(&found.stages()), ["staging"]);
        assert_eq!(names(&found.upstreams()), ["uat"]);
        assert_eq!(names(&found.labels()), ["hotfix"]);
        assert!(found.windows_are_named());
        assert!(found.soak());
    }

    #[test]
    fn soak_is_read_where_it_may_be() {
        let check = |source: &str, want| assert_eq!(References::of(source).soak(), want, "{source}");
        check("upstream.uat.soakMinutes > 3 && upstream.uat.phase == ''", true);
        check("upstream['uat'].recentFailureCount < 3", false);
        check("upstream[bundle.name].recentFailureCount < 3", true);
        check("upstream.all(it, upstream[it].phase == '')", true);
        check("bundle.upstreamSoakMinutes >= 30", true);
        check("bundle.version == '1'", false);
    }

    #[test]
    fn a_computed_window_may_be_any() {
        for source in
            ["changewindow[bundle.name]", "changewindow.exists(w, changewindow[w])", "changewindow.isBlocked(x)"]
        {
            assert!(!References::of(source).windows_are_named(), "{source}");
        }
    }

    #[test]
    fn grain_is_the_finest_that_is_read() {
        let check = |source: &str, want| assert_eq!(References::of(source).grain(), want, "{source}");
        check("bundle.version == '1'", Grain::None);
        check("!schedule.isWeekend && schedule.hour > 9", Grain::Hour);
        check("schedule.local.hour > 9", Grain::Quarter);
        check("schedule.minute > 9 || schedule.isWeekend", Grain::Minute);
        check(r#"inWindow("Mon-Fri", "UTC")"#, Grain::Minute);
        check("now() > timestamp('2026-01-01T00:00:00Z')", Grain::Minute);
    }

    #[test]
    fn any_text_is_read_to_its_end() {
        for source in ["\"", "a['", "`", "a.?", "r'\\", "'''", "é§ a.b[", "// end", "a.b.(", "\\"] {
            References::of(source);
        }
    }
}
