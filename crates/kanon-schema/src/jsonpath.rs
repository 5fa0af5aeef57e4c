//! The JSONPath dialect of CRD printer columns and selectable fields, as kubectl's library reads it: `.spec.a`, `['x']`,
//! `.a\.b`, `[0]`, `[-1]`, `[*]`, `[?(@.type=="Ready")].status`. Compiled once, evaluated on stored objects.

use kanon_core::{Node, NodeKind};

/// Longest path, in bytes.
const PATH_LEN_MAX: usize = 4096;

/// A compiled path.
#[derive(Clone, Debug, PartialEq)]
pub struct JsonPath {
    steps: Vec<Step>,
}

#[derive(Clone, Debug, PartialEq)]
enum Step {
    Member(String),
    Element(i64),
    All,
    Filter { path: Vec<Step>, test: Option<(Operator, Literal)> },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Operator {
    Equal,
    NotEqual,
    Less,
    LessEqual,
    Greater,
    GreaterEqual,
}

#[derive(Clone, Debug, PartialEq)]
enum Literal {
    Text(String),
    Number(f64),
    Bool(bool),
}

/// Why a text is no path, and where.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{path}` is not a JSONPath: {problem} at byte {offset}")]
pub struct JsonPathError {
    /// The text.
    pub path: String,
    /// What is wrong.
    pub problem: &'static str,
    /// Where.
    pub offset: usize,
}

impl JsonPath {
    /// Compiles a path. Surrounding braces, a leading `$` and a missing first dot are tolerated, as kubectl does.
    ///
    /// # Errors
    /// See [`JsonPathError`].
    pub fn parse(text: &str) -> Result<JsonPath, JsonPathError> {
        let mut parser = Parser { text, rest: text.trim() };
        if text.len() > PATH_LEN_MAX {
            return parser.fail("longer than 4096 bytes");
        }
        if let Some(inner) = parser.rest.strip_prefix('{').and_then(|it| it.strip_suffix('}')) {
            parser.rest = inner;
        }
        parser.rest = parser.rest.strip_prefix('$').unwrap_or(parser.rest);
        let steps = parser.steps()?;
        if parser.rest.is_empty() { Ok(JsonPath { steps }) } else { parser.fail("expected `.` or `[`") }
    }

    /// Every value the path leads to, in document order.
    pub fn find<'a>(&self, node: Node<'a>) -> Vec<Node<'a>> {
        walk(&self.steps, node)
    }

    /// The first value the path leads to.
    pub fn first<'a>(&self, node: Node<'a>) -> Option<Node<'a>> {
        self.find(node).into_iter().next()
    }
}

fn walk<'a>(steps: &[Step], node: Node<'a>) -> Vec<Node<'a>> {
    let mut found = vec![node];
    for step in steps {
        found = found.into_iter().flat_map(|it| step.apply(it)).collect();
    }
    found
}

impl Step {
    fn apply<'a>(&self, node: Node<'a>) -> Vec<Node<'a>> {
        match self {
            Step::Member(name) => node.get(name).into_iter().collect(),
            Step::Element(at) => {
                let at =
                    usize::try_from(*at).ok().or_else(|| node.len().checked_add_signed(isize::try_from(*at).ok()?));
                at.and_then(|at| node.elements().nth(at)).into_iter().collect()
            }
            Step::All => match node.kind() {
                NodeKind::Object => node.members().map(|(_, value)| value).collect(),
                NodeKind::List => node.elements().collect(),
                NodeKind::Null | NodeKind::Bool | NodeKind::Number | NodeKind::String => Vec::new(),
            },
            Step::Filter { path, test } => node.elements().filter(|it| passes(path, test.as_ref(), *it)).collect(),
        }
    }
}

fn passes(path: &[Step], test: Option<&(Operator, Literal)>, node: Node<'_>) -> bool {
    let Some(value) = walk(path, node).into_iter().next() else { return false };
    let Some((operator, literal)) = test else { return true };
    let order = match literal {
        Literal::Text(text) => value.as_str().map(|it| (*it).cmp(text.as_str())),
        Literal::Number(number) => value.raw().parse::<f64>().ok().and_then(|it| it.partial_cmp(number)),
        Literal::Bool(bool) => value.as_bool().map(|it| it.cmp(bool)),
    };
    match operator {
        Operator::Equal => order.is_some_and(|it| it.is_eq()),
        Operator::NotEqual => order.is_none_or(|it| it.is_ne()),
        Operator::Less => order.is_some_and(|it| it.is_lt()),
        Operator::LessEqual => order.is_some_and(|it| it.is_le()),
        Operator::Greater => order.is_some_and(|it| it.is_gt()),
        Operator::GreaterEqual => order.is_some_and(|it| it.is_ge()),
    }
}

struct Parser<'t> {
    text: &'t str,
    rest: &'t str,
}

impl<'t> Parser<'t> {
    fn steps(&mut self) -> Result<Vec<Step>, JsonPathError> {
        let mut steps = Vec::new();
        if !self.rest.is_empty() && !self.rest.starts_with(['.', '[']) {
            steps.push(Step::Member(self.name()?));
        }
        loop {
            if self.eat("[") {
                steps.push(self.bracket()?);
            } else if self.eat(".") {
                if self.rest.is_empty() && steps.is_empty() {
                    return Ok(steps);
                }
                if self.eat("*") {
                    steps.push(Step::All);
                } else if !self.rest.starts_with('[') {
                    steps.push(Step::Member(self.name()?));
                }
            } else {
                return Ok(steps);
            }
        }
    }

    /// A member's name up to the next `.` or `[`; a backslash takes the next character as it is.
    fn name(&mut self) -> Result<String, JsonPathError> {
        let mut name = String::new();
        let mut chars = self.rest.char_indices();
        let mut end = self.rest.len();
        while let Some((at, char)) = chars.next() {
            match char {
                '\\' => name.extend(chars.next().map(|(_, it)| it)),
                '.' | '[' | ']' | ')' | '=' | '!' | '<' | '>' | ' ' => {
                    end = at;
                    break;
                }
                other => name.push(other),
            }
        }
        self.rest = &self.rest[end..];
        if name.is_empty() { self.fail("expected a member name") } else { Ok(name) }
    }

    fn bracket(&mut self) -> Result<Step, JsonPathError> {
        let step = if self.eat("*") {
            Step::All
        } else if self.eat("?(") {
            let filter = self.filter()?;
            self.expect(")", "expected `)`")?;
            filter
        } else if self.rest.starts_with(['\'', '"']) {
            Step::Member(self.quoted()?)
        } else {
            let end = self.rest.find(']').unwrap_or(self.rest.len());
            let (digits, rest) = self.rest.split_at(end);
            let Ok(at) = digits.trim().parse() else {
                return self.fail("expected an index, a name in quotes, `*` or `?(`");
            };
            self.rest = rest;
            Step::Element(at)
        };
        self.expect("]", "expected `]`")?;
        Ok(step)
    }

    fn filter(&mut self) -> Result<Step, JsonPathError> {
        self.rest = self.rest.trim_start();
        self.expect("@", "expected `@`")?;
        let path = self.steps()?;
        self.rest = self.rest.trim_start();
        let operators = [
            ("==", Operator::Equal),
            ("!=", Operator::NotEqual),
            ("<=", Operator::LessEqual),
            (">=", Operator::GreaterEqual),
            ("<", Operator::Less),
            (">", Operator::Greater),
        ];
        let Some((_, operator)) = operators.into_iter().find(|(text, _)| self.eat(text)) else {
            return Ok(Step::Filter { path, test: None });
        };
        self.rest = self.rest.trim_start();
        let literal = self.literal()?;
        self.rest = self.rest.trim_start();
        Ok(Step::Filter { path, test: Some((operator, literal)) })
    }

    fn literal(&mut self) -> Result<Literal, JsonPathError> {
        if self.rest.starts_with(['\'', '"']) {
            return self.quoted().map(Literal::Text);
        }
        let end = self.rest.find([')', ' ']).unwrap_or(self.rest.len());
        let (word, rest) = self.rest.split_at(end);
        let literal = match word {
            "true" => Literal::Bool(true),
            "false" => Literal::Bool(false),
            number => match number.parse() {
                Ok(number) => Literal::Number(number),
                Err(_) => return self.fail("expected a text in quotes, a number, `true` or `false`"),
            },
        };
        self.rest = rest;
        Ok(literal)
    }

    fn quoted(&mut self) -> Result<String, JsonPathError> {
        let mut chars = self.rest.char_indices();
        let quote = chars.next().map(|(_, it)| it);
        let mut text = String::new();
        while let Some((at, char)) = chars.next() {
            if Some(char) == quote {
                self.rest = &self.rest[at + 1..];
                return Ok(text);
            }
            match char {
                '\\' => text.extend(chars.next().map(|(_, it)| it)),
                other => text.push(other),
            }
        }
        self.fail("the text in quotes does not end")
    }

    fn eat(&mut self, token: &str) -> bool {
        match self.rest.strip_prefix(token) {
            Some(rest) => {
                self.rest = rest;
                true
            }
            None => false,
        }
    }

    fn expect(&mut self, token: &str, problem: &'static str) -> Result<(), JsonPathError> {
        if self.eat(token) { Ok(()) } else { self.fail(problem) }
    }

    fn fail<T>(&self, problem: &'static str) -> Result<T, JsonPathError> {
        // `rest` is always a part of `text` (it may have lost a closing brace).
        let offset = self.rest.as_ptr() as usize - self.text.as_ptr() as usize;
        Err(JsonPathError { path: self.text.to_owned(), problem, offset })
    }
}

#[cfg(test)]
mod tests {
    use kanon_core::Object;
    use proptest::prelude::*;

    use super::*;

    const OBJECT: &str = r#"{"spec":{"a":1,"list":[{"n":"x","v":1},{"n":"y","v":2}],"b.c":"dotted","flag":true},
        "status":{"conditions":[{"type":"Ready","status":"False"},{"type":"Synced","status":"True"}]}}"#;

    fn check(path: &str, want: &[&str]) {
        let object = Object::parse(OBJECT).unwrap();
        let found = JsonPath::parse(path).unwrap().find(object.root());
        assert_eq!(found.into_iter().map(Node::raw).collect::<Vec<_>>(), want, "{path}");
    }

    #[test]
    fn paths_find_what_kubectl_finds() {
        for (path, want) in [
            (".spec.a", &["1"][..]),
            ("spec.a", &["1"]),
            ("{.spec.a}", &["1"]),
            ("$.spec['a']", &["1"]),
            (".spec.b\\.c", &["\"dotted\""]),
            (".spec.list[0].n", &["\"x\""]),
            (".spec.list[-1].n", &["\"y\""]),
            (".spec.list[7].n", &[]),
            (".spec.list[-3].n", &[]),
            (".spec.list[*].v", &["1", "2"]),
            (".spec.list[?(@.v>1)].n", &["\"y\""]),
            (".spec.list[?(@.v <= 1)].n", &["\"x\""]),
            (".spec.list[?(@.absent)].n", &[]),
            (".status.conditions[?(@.type==\"Ready\")].status", &["\"False\""]),
            (".status.conditions[?(@.type=='Synced')].status", &["\"True\""]),
            (".status.conditions[?(@.type!='Synced')].status", &["\"False\""]),
            (".absent.deeper", &[]),
            (".spec.a.deeper", &[]),
        ] {
            check(path, want);
        }
    }

    #[test]
    fn mistakes_are_named() {
        for (path, problem) in [
            (".spec..a", "expected a member name"),
            (".spec[", "expected an index, a name in quotes, `*` or `?(`"),
            (".spec['a]", "the text in quotes does not end"),
            (".spec[?(@.a=b)]", "expected `)`"),
            (".spec[?(@.a==b)]", "expected a text in quotes, a number, `true` or `false`"),
            (".spec]", "expected `.` or `[`"),
        ] {
            assert_eq!(JsonPath::parse(path).unwrap_err().problem, problem, "{path}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused(text in "[.\\[\\]a-c@?()='\"\\\\0-9* é]{0,24}") {
            if let Ok(path) = JsonPath::parse(&text) {
                let _ = path.find(Object::parse(OBJECT).unwrap().root());
            }
        }
    }
}
