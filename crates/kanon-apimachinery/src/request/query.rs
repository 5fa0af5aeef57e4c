//! Query strings: pairs in order, percent escapes and `+` resolved.

/// Query parameters in the order sent.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Query(Vec<(String, String)>);

impl Query {
    /// Reads the text after `?`. `None` when an escape gives no UTF-8.
    pub fn parse(text: &str) -> Option<Query> {
        let mut pairs = Vec::new();
        for pair in text.split('&').filter(|it| !it.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            pairs.push((decode(name, true)?, decode(value, true)?));
        }
        Some(Query(pairs))
    }

    /// The first value of a parameter.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.all(name).next()
    }

    /// All values of a parameter.
    pub fn all(&self, name: &str) -> impl Iterator<Item = &str> {
        self.0.iter().filter(move |(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// The first value, empty when absent.
    pub(super) fn text(&self, name: &str) -> String {
        self.get(name).unwrap_or_default().to_owned()
    }

    /// A boolean as Go's conversion reads it: absent is absent; empty, `false` and `0` are false, all else is true.
    pub(super) fn flag(&self, name: &str) -> Option<bool> {
        self.get(name).map(truth)
    }
}

pub(super) fn truth(text: &str) -> bool {
    !(text.is_empty() || text == "0" || text.eq_ignore_ascii_case("false"))
}

/// A text with its percent escapes resolved; as it is where they make no text.
pub fn unescape(text: &str) -> String {
    decode(text, false).unwrap_or_else(|| text.to_owned())
}

/// Resolves percent escapes (and `+` in queries). Escapes that are cut off or no hex stay as they are.
pub(super) fn decode(text: &str, plus: bool) -> Option<String> {
    if !text.bytes().any(|it| it == b'%' || (plus && it == b'+')) {
        return Some(text.to_owned());
    }
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&first, after)) = rest.split_first() {
        let escaped = match (first, after) {
            (b'%', [high, low, ..]) => hex(*high).zip(hex(*low)).map(|(high, low)| high << 4 | low),
            _ => None,
        };
        rest = if escaped.is_some() { after.get(2..).unwrap_or_default() } else { after };
        bytes.push(escaped.unwrap_or(if plus && first == b'+' { b' ' } else { first }));
    }
    String::from_utf8(bytes).ok()
}

fn hex(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).and_then(|it| u8::try_from(it).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_are_resolved() {
        let query = Query::parse("a=1%2C2&b=x+y&c&a=3&d=%zz%2").unwrap();
        assert_eq!(query.all("a").collect::<Vec<_>>(), ["1,2", "3"]);
        assert_eq!(
            (query.get("b"), query.get("c"), query.get("d"), query.get("e")),
            (Some("x y"), Some(""), Some("%zz%2"), None)
        );
        assert_eq!(Query::parse("a=%ff"), None);
        assert_eq!(decode("/a+b%20c", false), Some("/a+b c".to_owned()));
        for (text, want) in [("1", true), ("true", true), ("False", false), ("0", false), ("", false)] {
            assert_eq!(truth(text), want);
        }
    }
}
