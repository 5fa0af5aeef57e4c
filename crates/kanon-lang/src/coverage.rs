//! Which operands of `&&` and `||` (`and` and `or` where a language has the words) the test cases of an expression have seen true
//! and false.

use kanon_core::EvidenceValue;
use serde_json::Value;

/// One operand.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Operand {
    /// Its text.
    pub text: String,
    /// Whether some case saw it true.
    pub seen_true: bool,
    /// Whether some case saw it false.
    pub seen_false: bool,
}

/// The operands of an expression; the whole of it when it has neither operator.
pub fn operands(source: &str) -> Vec<Operand> {
    let mut found = Vec::new();
    let mut open = vec![source];
    while let Some(text) = open.pop() {
        let parts = split(trim(text));
        if parts.len() == 1 {
            let text = parts[0].to_owned();
            found.push(Operand { text, seen_true: false, seen_false: false });
        } else {
            open.extend(parts.into_iter().rev());
        }
    }
    found
}

/// Notes what an evaluation saw.
pub fn note(operands: &mut [Operand], whole: Option<bool>, values: &[EvidenceValue]) {
    let single = operands.len() == 1;
    for operand in operands {
        let seen = values.iter().find(|it| trim(&it.text) == operand.text).and_then(|it| it.value.as_bool());
        match seen.or(whole.filter(|_| single)) {
            Some(true) => operand.seen_true = true,
            Some(false) => operand.seen_false = true,
            None => {}
        }
    }
}

/// Outcomes seen, and outcomes there are.
pub fn share(operands: &[Operand]) -> (usize, usize) {
    let seen = |it: &Operand| usize::from(it.seen_true) + usize::from(it.seen_false);
    (operands.iter().map(seen).sum(), operands.len() * 2)
}

/// The same for machines.
pub fn data(operands: &[Operand]) -> Value {
    let operand = |it: &Operand| serde_json::json!({"operand": it.text, "true": it.seen_true, "false": it.seen_false});
    operands.iter().map(operand).collect()
}

/// Without white space, outer parentheses and a `!` before them.
fn trim(text: &str) -> &str {
    let mut text = text.trim();
    loop {
        let inner = text.strip_prefix('!').filter(|it| it.trim_start().starts_with('(')).unwrap_or(text).trim();
        let Some(body) = inner.strip_prefix('(').and_then(|it| it.strip_suffix(')')) else { return text };
        // `(a) && (b)` begins and ends with parentheses that do not belong together.
        if depths(body).any(|(_, depth)| depth < 0) {
            return text;
        }
        text = body.trim();
    }
}

/// Splits at the operators that stand outside of everything.
fn split(text: &str) -> Vec<&str> {
    let mut parts = Vec::new();
    let mut start = 0;
    for (at, depth) in depths(text) {
        if depth == 0
            && at >= start
            && let Some(len) = operator(text, at)
        {
            parts.push(text[start..at].trim());
            start = at + len;
        }
    }
    parts.push(text[start..].trim());
    parts
}

/// How long the operator is that stands at a place, if one does. A word stands between blanks or brackets.
fn operator(text: &str, at: usize) -> Option<usize> {
    let rest = &text[at..];
    if rest.starts_with("&&") || rest.starts_with("||") {
        return Some(2);
    }
    let word = ["and", "or"].into_iter().find(|it| rest.starts_with(it))?;
    let is_edge = |it: Option<char>| it.is_some_and(|it| it.is_whitespace() || "()[]".contains(it));
    let stands_alone = is_edge(text[..at].chars().next_back()) && is_edge(rest[word.len()..].chars().next());
    stands_alone.then_some(word.len())
}

/// Every symbol outside of quotes with the number of brackets that are open there.
fn depths(text: &str) -> impl Iterator<Item = (usize, i32)> {
    let mut depth = 0;
    let mut quote: Option<char> = None;
    let mut escaped = false;
    text.char_indices().filter_map(move |(at, letter)| {
        if let Some(end) = quote {
            match letter {
                _ if escaped => escaped = false,
                '\\' => escaped = true,
                _ if letter == end => quote = None,
                _ => {}
            }
            return None;
        }
        match letter {
            '"' | '\'' => quote = Some(letter),
            '(' | '[' | '{' => depth += 1,
            ')' | ']' | '}' => depth -= 1,
            _ => {}
        }
        Some((at, depth))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn operands_are_the_leaves_of_the_logic() {
        let check = |source: &str, want: &[&str]| {
            let found: Vec<_> = operands(source).into_iter().map(|it| it.text).collect();
            assert_eq!(found, want, "{source}");
        };
        check("a", &["a"]);
        check("a && b || c", &["a", "b", "c"]);
        check("!(a == \"x && y\" && b) || (c)", &["a == \"x && y\"", "b", "c"]);
        check("(a) && (b)", &["a", "b"]);
        check("x.exists(i, i > 1 && i < 3) && !d", &["x.exists(i, i > 1 && i < 3)", "!d"]);
        check("'\\'&&' == a && b", &["'\\'&&' == a", "b"]);
        check("a and (b or c.or) or android", &["a", "b", "c.or", "android"]);
    }
}
