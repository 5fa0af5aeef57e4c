//! Expressions in SpEL, rewritten where expr-lang writes or means something else. What is not recognised stays as it is.
//!
//! `{a, b}.contains(x)` → `(x in [a, b])`, then `xs.contains('y')` → `('y' in xs)`, `s.startsWith('y')` → `(s startsWith 'y')`
//! (`endsWith` likewise), `s.matches('y')` → a match of the whole text, as Java's is, and `a ?: b` → `(a ?? b)`. Parentheses keep
//! a leading `!` right. `T(…)` and `#root` have no counterpart.

use std::ops::Range;

/// More rewriting than this is no expression that somebody wrote.
const REWRITES_MAX: usize = 500;

/// A rewriting: the text with one place rewritten, where there is one.
type Step = fn(&Tokens<'_>) -> Option<String>;

/// In this order: lists before members.
const STEPS: [Step; 4] = [listed, contained, tested, elvis];

/// A rewritten expression.
pub(super) struct Rewritten {
    pub(super) text: String,
    pub(super) warnings: Vec<String>,
}

/// Rewrites an expression.
pub(super) fn rewrite(text: &str) -> Rewritten {
    let mut text = text.to_owned();
    // What does not even close its brackets has no parts to speak of.
    let steps: &[Step] = if Tokens::of(&text).is_balanced() { &STEPS } else { &[] };
    for step in steps {
        let mut left = REWRITES_MAX;
        while left > 0
            && let Some(next) = step(&Tokens::of(&text))
        {
            text = next;
            left -= 1;
        }
    }
    let warnings = warnings(&Tokens::of(&text));
    Rewritten { text, warnings }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Space,
    Text,
    Word,
    Sign,
}

/// A text in pieces; together they are the text.
struct Tokens<'t> {
    text: &'t str,
    list: Vec<(Kind, Range<usize>)>,
}

impl<'t> Tokens<'t> {
    fn of(text: &'t str) -> Tokens<'t> {
        let mut list = Vec::new();
        let mut at = 0;
        while let Some(first) = text[at..].chars().next() {
            let rest = &text[at..];
            let run = |is: fn(char) -> bool| rest.find(|it| !is(it)).unwrap_or(rest.len());
            let is_word = |it: char| it.is_alphanumeric() || it == '_' || it == '$';
            let (kind, len) = match first {
                '\'' | '"' | '`' => (Kind::Text, quoted(rest, first)),
                it if it.is_whitespace() => (Kind::Space, run(char::is_whitespace)),
                it if is_word(it) => (Kind::Word, run(is_word)),
                '?' if rest.starts_with("?:") => (Kind::Sign, 2),
                // `a ?.5 : b` is a condition.
                '?' if rest.starts_with("?.") && !rest[2..].starts_with(|it: char| it.is_ascii_digit()) => {
                    (Kind::Sign, 2)
                }
                '?' if rest.starts_with("??") => (Kind::Sign, 2),
                it => (Kind::Sign, it.len_utf8()),
            };
            list.push((kind, at..at + len));
            at += len;
        }
        Tokens { text, list }
    }

    fn kind(&self, at: usize) -> Option<Kind> {
        self.list.get(at).map(|it| it.0)
    }

    fn get(&self, at: usize) -> &'t str {
        self.list.get(at).map_or("", |it| &self.text[it.1.clone()])
    }

    /// The text of tokens `from..to`.
    fn part(&self, from: usize, to: usize) -> &'t str {
        let start = self.list.get(from).map_or(self.text.len(), |it| it.1.start);
        let end = self.list.get(to).map_or(self.text.len(), |it| it.1.start);
        self.text.get(start..end).unwrap_or_default()
    }

    /// The text with tokens `from..to` replaced.
    fn replaced(&self, from: usize, to: usize, by: &str) -> String {
        format!("{}{by}{}", self.part(0, from), self.part(to, self.list.len()))
    }

    fn is_dot(&self, at: usize) -> bool {
        matches!(self.get(at), "." | "?.") && self.kind(at) == Some(Kind::Sign)
    }

    /// Whether every bracket and every quote is closed by its like.
    fn is_balanced(&self) -> bool {
        let mut open = Vec::new();
        for at in 0..self.list.len() {
            let text = self.get(at);
            match (self.kind(at), text) {
                (Some(Kind::Text), _) if text.len() < 2 || !text.ends_with(&text[..1]) => return false,
                (Some(Kind::Sign), "(") => open.push(")"),
                (Some(Kind::Sign), "[") => open.push("]"),
                (Some(Kind::Sign), "{") => open.push("}"),
                (Some(Kind::Sign), ")" | "]" | "}") if open.pop() != Some(text) => return false,
                _ => {}
            }
        }
        open.is_empty()
    }

    /// The token behind the bracket that closes the one at `open`.
    fn behind(&self, open: usize) -> Option<usize> {
        let mut depth = 0_usize;
        for at in open..self.list.len() {
            if self.kind(at) == Some(Kind::Sign) {
                match self.get(at) {
                    "(" | "[" | "{" => depth += 1,
                    ")" | "]" | "}" => {
                        depth = depth.checked_sub(1)?;
                        if depth == 0 {
                            return Some(at + 1);
                        }
                    }
                    _ => {}
                }
            }
        }
        None
    }

    /// Where the dotted path begins that ends before `end`; `None` where something else does.
    fn path_before(&self, end: usize) -> Option<usize> {
        let mut at = end.checked_sub(1)?;
        loop {
            if self.kind(at) != Some(Kind::Word) || self.get(at).starts_with(|it: char| it.is_ascii_digit()) {
                return None;
            }
            match at.checked_sub(1) {
                Some(before) if self.is_dot(before) => at = before.checked_sub(1)?,
                Some(before) if matches!(self.get(before), ")" | "]" | "}" | "#" | "'") => return None,
                _ => return Some(at),
            }
        }
    }

    /// Places of signs at the depth of `at`, from there leftwards or rightwards, until a bracket or one of `ends`.
    fn bound(&self, at: usize, rightwards: bool, ends: &[&str]) -> usize {
        let (open, close) =
            if rightwards { (["(", "[", "{"], [")", "]", "}"]) } else { ([")", "]", "}"], ["(", "[", "{"]) };
        let mut depth = 0_usize;
        let mut here = at;
        loop {
            let next = if rightwards { here + 1 } else { here.wrapping_sub(1) };
            if next >= self.list.len() {
                return if rightwards { self.list.len() } else { 0 };
            }
            let sign = if self.kind(next) == Some(Kind::Sign) { self.get(next) } else { "" };
            let ends_here = depth == 0 && (close.contains(&sign) || ends.contains(&sign));
            if ends_here {
                return if rightwards { next } else { here };
            }
            if open.contains(&sign) {
                depth += 1;
            } else if close.contains(&sign) {
                depth -= 1;
            }
            here = next;
        }
    }
}

/// The length of a quoted text with its quotes; all that is left where it does not end.
fn quoted(rest: &str, quote: char) -> usize {
    let mut escaped = false;
    for (at, it) in rest.char_indices().skip(1) {
        match it {
            _ if escaped => escaped = false,
            '\\' if quote != '`' => escaped = true,
            it if it == quote => return at + 1,
            _ => {}
        }
    }
    rest.len()
}

/// `{a, b}.contains(x)`
fn listed(tokens: &Tokens<'_>) -> Option<String> {
    (0..tokens.list.len()).find_map(|at| {
        if tokens.get(at) != "{" {
            return None;
        }
        let dot = tokens.behind(at)?;
        if !tokens.is_dot(dot) || tokens.get(dot + 1) != "contains" || tokens.get(dot + 2) != "(" {
            return None;
        }
        let end = tokens.behind(dot + 2)?;
        let (items, sought) = (tokens.part(at + 1, dot - 1), tokens.part(dot + 3, end - 1).trim());
        // `{a: b}` is a map.
        let is_map = tokens.bound(at, true, &[":"]) != dot - 1;
        (!is_map && !sought.is_empty()).then(|| tokens.replaced(at, end, &format!("({sought} in [{}])", items.trim())))
    })
}

/// The calls `path.method(argument)` of these methods: path, method, argument, tokens.
fn calls<'t>(tokens: &Tokens<'t>, methods: &[&str]) -> Vec<(&'t str, &'t str, &'t str, Range<usize>)> {
    let call = |at: usize| {
        let is_call =
            methods.contains(&tokens.get(at)) && tokens.get(at + 1) == "(" && at >= 2 && tokens.is_dot(at - 1);
        if !is_call {
            return None;
        }
        let start = tokens.path_before(at - 1)?;
        let end = tokens.behind(at + 1)?;
        Some((tokens.part(start, at - 1), tokens.get(at), tokens.part(at + 2, end - 1).trim(), start..end))
    };
    (0..tokens.list.len()).filter_map(call).collect()
}

/// Whether a text is one quoted text.
fn is_literal(text: &str) -> bool {
    matches!(Tokens::of(text).list.as_slice(), [(Kind::Text, _)])
}

/// `xs.contains('y')`
fn contained(tokens: &Tokens<'_>) -> Option<String> {
    let (path, _, sought, range) = calls(tokens, &["contains"]).into_iter().find(|it| is_literal(it.2))?;
    Some(tokens.replaced(range.start, range.end, &format!("({sought} in {path})")))
}

/// `s.startsWith('y')`, `s.endsWith('y')`, `s.matches('y')`
fn tested(tokens: &Tokens<'_>) -> Option<String> {
    let found = calls(tokens, &["startsWith", "endsWith", "matches"]).into_iter().find(|it| is_literal(it.2))?;
    let (path, method, argument, range) = found;
    let argument = if method == "matches" { whole(argument) } else { argument.to_owned() };
    Some(tokens.replaced(range.start, range.end, &format!("({path} {method} {argument})")))
}

/// A pattern for the whole text. SpEL knows no escapes but doubled quotes, so a pattern's backslashes are its own.
fn whole(literal: &str) -> String {
    let inner = &literal[1..literal.len().saturating_sub(1).max(1)];
    if inner.contains('`') || literal.starts_with('`') {
        let quote = &literal[..1];
        return format!("{quote}^(?:{})${quote}", inner.replace('\\', "\\\\"));
    }
    format!("`^(?:{inner})$`")
}

/// `a ?: b`, the last one first: it binds to the right.
fn elvis(tokens: &Tokens<'_>) -> Option<String> {
    let at = (0..tokens.list.len()).rev().find(|at| tokens.get(*at) == "?:" && tokens.kind(*at) == Some(Kind::Sign))?;
    let start = tokens.bound(at, false, &[",", ";", "?", ":", "?:"]);
    let end = tokens.bound(at, true, &[",", ";", "?", ":", "?:"]);
    let (left, right) = (tokens.part(start, at), tokens.part(at + 1, end));
    if left.trim().is_empty() || right.trim().is_empty() {
        return None;
    }
    let operand = |text: &str| {
        let tokens = Tokens::of(text);
        let len = tokens.list.len();
        let is_simple = is_literal(text)
            || tokens.path_before(len) == Some(0)
            || (tokens.get(0) == "(" && tokens.behind(0) == Some(len))
            || (len == 1 && tokens.kind(0) == Some(Kind::Word));
        if is_simple { text.to_owned() } else { format!("({text})") }
    };
    // Blanks at the ends stay outside.
    let head = &left[..left.len() - left.trim_start().len()];
    let tail = &right[right.trim_end().len()..];
    Some(tokens.replaced(start, end, &format!("{head}({} ?? {}){tail}", operand(left.trim()), operand(right.trim()))))
}

fn warnings(tokens: &Tokens<'_>) -> Vec<String> {
    let mut warnings = Vec::new();
    let mut warn = |text: String| {
        if !warnings.contains(&text) {
            warnings.push(text);
        }
    };
    for at in 0..tokens.list.len() {
        match tokens.get(at) {
            "T" if tokens.get(at + 1) == "(" => {
                warn("`T(…)` names a Java type, which expr does not have: rewrite it by hand".to_owned());
            }
            "#" if tokens.get(at + 1) == "root" => {
                warn("`#root` is SpEL's whole context, which expr does not have: rewrite it by hand".to_owned());
            }
            method @ ("contains" | "startsWith" | "endsWith" | "matches")
                if at > 0 && tokens.is_dot(at - 1) && tokens.get(at + 1) == "(" =>
            {
                warn(format!("`.{method}(…)` is a method call, which fails when it runs: write the operator by hand"));
            }
            _ => {}
        }
    }
    warnings
}
