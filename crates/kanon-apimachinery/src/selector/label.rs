//! Label selectors: `a=b,c!=d,e in (f,g),!h`, and the object form `{matchLabels, matchExpressions}`.

use std::fmt;

use kanon_core::{Node, Object};
use kanon_kinds::{label_value_problems, qualified_name_problems};
use serde_json::Value;

use crate::status::{ApiError, Result};

/// All requirements hold. Empty selects everything.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LabelSelector(pub Vec<Requirement>);

/// One condition on one label.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Requirement {
    /// The label's key.
    pub key: String,
    /// How it is compared.
    pub operator: Operator,
    /// With what.
    pub values: Vec<String>,
}

/// How a label is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operator {
    /// The value is one of these; also `=` and `==`.
    In,
    /// The label is absent or its value none of these; also `!=`.
    NotIn,
    /// The label is there.
    Exists,
    /// The label is absent.
    DoesNotExist,
    /// The value is a whole number above this one.
    GreaterThan,
    /// The value is a whole number below this one.
    LessThan,
}

impl Requirement {
    fn checked(key: &str, operator: Operator, values: Vec<String>) -> Result<Requirement, String> {
        if let Some(problem) = qualified_name_problems(key).first() {
            return Err(format!("key: Invalid value: {key:?}: {problem}"));
        }
        for value in &values {
            if let Some(problem) = label_value_problems(value).first() {
                return Err(format!("values[0][{key}]: Invalid value: {value:?}: {problem}"));
            }
            let numeric = matches!(operator, Operator::GreaterThan | Operator::LessThan);
            if numeric && value.parse::<i64>().is_err() {
                return Err(format!(
                    "values[0]: Invalid value: {value:?}: for 'Gt', 'Lt' operators, the value must be an integer"
                ));
            }
        }
        Ok(Requirement { key: key.to_owned(), operator, values })
    }

    fn holds(&self, value: Option<&str>) -> bool {
        let number = |text: Option<&str>| text.and_then(|it| it.parse::<i64>().ok());
        let compare =
            |ok: fn(&i64, &i64) -> bool| match (number(value), number(self.values.first().map(String::as_str))) {
                (Some(have), Some(want)) => ok(&have, &want),
                _ => false,
            };
        match self.operator {
            Operator::In => value.is_some_and(|value| self.values.iter().any(|it| it == value)),
            Operator::NotIn => value.is_none_or(|value| self.values.iter().all(|it| it != value)),
            Operator::Exists => value.is_some(),
            Operator::DoesNotExist => value.is_none(),
            Operator::GreaterThan => compare(i64::gt),
            Operator::LessThan => compare(i64::lt),
        }
    }
}

impl LabelSelector {
    /// Whether it selects everything.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Reads the text of `labelSelector`.
    ///
    /// # Errors
    /// 400 in upstream's words.
    pub fn parse(text: &str) -> Result<LabelSelector> {
        Parser { tokens: tokens(text), at: 0 }.selector().map(LabelSelector).map_err(ApiError::bad_request)
    }

    /// Reads a `LabelSelector` object: webhooks' selectors, workloads' selectors. Null and absent select everything.
    ///
    /// # Errors
    /// What is wrong, as a fragment.
    pub fn from_value(value: &Value) -> Result<LabelSelector, String> {
        let mut requirements = Vec::new();
        for (key, value) in value["matchLabels"].as_object().into_iter().flatten() {
            let value = value.as_str().ok_or("a label's value is no text")?;
            requirements.push(Requirement::checked(key, Operator::In, vec![value.to_owned()])?);
        }
        for expression in value["matchExpressions"].as_array().into_iter().flatten() {
            let word = expression["operator"].as_str().unwrap_or_default();
            let operator = match word {
                "In" => Operator::In,
                "NotIn" => Operator::NotIn,
                "Exists" => Operator::Exists,
                "DoesNotExist" => Operator::DoesNotExist,
                _ => return Err(format!("{word:?} is not a valid label selector operator")),
            };
            let values = expression["values"].as_array().into_iter().flatten();
            let values = values.filter_map(|it| it.as_str().map(str::to_owned)).collect();
            requirements.push(Requirement::checked(expression["key"].as_str().unwrap_or_default(), operator, values)?);
        }
        Ok(LabelSelector(requirements))
    }

    /// Whether an object's labels fit.
    pub fn matches(&self, object: &Object) -> bool {
        self.is_empty() || self.matches_labels(object.at(&["metadata", "labels"]))
    }

    /// Whether labels, given as an object's member, fit.
    pub fn matches_labels(&self, labels: Option<Node<'_>>) -> bool {
        self.0.iter().all(|it| {
            let value = labels.and_then(|labels| labels.get(&it.key)).and_then(Node::as_str);
            it.holds(value.as_deref())
        })
    }

    /// Whether labels, given as a tree, fit.
    pub fn matches_value(&self, labels: &Value) -> bool {
        self.0.iter().all(|it| it.holds(labels.get(&it.key).and_then(Value::as_str)))
    }
}

/// The text form, as Go prints it.
impl fmt::Display for LabelSelector {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, it) in self.0.iter().enumerate() {
            let separator = if at == 0 { "" } else { "," };
            let (key, list) = (&it.key, it.values.join(","));
            match it.operator {
                Operator::In if it.values.len() == 1 => write!(out, "{separator}{key}={list}")?,
                Operator::In => write!(out, "{separator}{key} in ({list})")?,
                Operator::NotIn if it.values.len() == 1 => write!(out, "{separator}{key}!={list}")?,
                Operator::NotIn => write!(out, "{separator}{key} notin ({list})")?,
                Operator::Exists => write!(out, "{separator}{key}")?,
                Operator::DoesNotExist => write!(out, "{separator}!{key}")?,
                Operator::GreaterThan => write!(out, "{separator}{key}>{list}")?,
                Operator::LessThan => write!(out, "{separator}{key}<{list}")?,
            }
        }
        Ok(())
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Token<'t> {
    Word(&'t str),
    Symbol(&'static str),
    End,
}

impl Token<'_> {
    fn text(&self) -> &str {
        match self {
            Token::Word(text) => text,
            Token::Symbol(text) => text,
            Token::End => "",
        }
    }
}

const SYMBOLS: [&str; 9] = ["==", "!=", "=", "!", "(", ")", ",", "<", ">"];
const BINARY: &str = "in, notin, =, ==, !=, gt, lt";

fn tokens(text: &str) -> Vec<Token<'_>> {
    let mut rest = text.trim_start();
    let mut tokens = Vec::new();
    while !rest.is_empty() {
        let symbol = SYMBOLS.into_iter().find(|it| rest.starts_with(it));
        let len = match symbol {
            Some(symbol) => symbol.len(),
            None => rest.find(|c: char| c.is_whitespace() || "=!(),<>".contains(c)).unwrap_or(rest.len()),
        };
        let (word, after) = rest.split_at(len);
        tokens.push(symbol.map_or(Token::Word(word), Token::Symbol));
        rest = after.trim_start();
    }
    tokens
}

struct Parser<'t> {
    tokens: Vec<Token<'t>>,
    at: usize,
}

impl<'t> Parser<'t> {
    fn peek(&self) -> Token<'t> {
        self.tokens.get(self.at).copied().unwrap_or(Token::End)
    }

    fn next(&mut self) -> Token<'t> {
        let token = self.peek();
        self.at += 1;
        token
    }

    fn selector(&mut self) -> Result<Vec<Requirement>, String> {
        let mut requirements = Vec::new();
        loop {
            match self.peek() {
                Token::End => return Ok(requirements),
                Token::Word(_) | Token::Symbol("!") => {
                    let one = self.requirement().map_err(|it| format!("unable to parse requirement: {it}"))?;
                    requirements.push(one);
                }
                Token::Symbol(found) => {
                    return Err(format!("found '{found}', expected: !, identifier, or 'end of string'"));
                }
            }
            match self.next() {
                Token::End => return Ok(requirements),
                Token::Symbol(",") => {
                    let next = self.peek();
                    if !matches!(next, Token::Word(_) | Token::Symbol("!")) {
                        return Err(format!("found '{}', expected: identifier after ','", next.text()));
                    }
                }
                other => return Err(format!("found '{}', expected: ',' or 'end of string'", other.text())),
            }
        }
    }

    fn requirement(&mut self) -> Result<Requirement, String> {
        let absent = self.peek() == Token::Symbol("!");
        if absent {
            self.next();
        }
        let key = match self.next() {
            Token::Word(key) => key,
            other => return Err(format!("found '{}', expected: identifier", other.text())),
        };
        if absent {
            return Requirement::checked(key, Operator::DoesNotExist, Vec::new());
        }
        if matches!(self.peek(), Token::End | Token::Symbol(",")) {
            return Requirement::checked(key, Operator::Exists, Vec::new());
        }
        match self.next() {
            Token::Word("in") => Requirement::checked(key, Operator::In, self.set()?),
            Token::Word("notin") => Requirement::checked(key, Operator::NotIn, self.set()?),
            Token::Symbol("=" | "==") => Requirement::checked(key, Operator::In, self.exact()?),
            Token::Symbol("!=") => Requirement::checked(key, Operator::NotIn, self.exact()?),
            Token::Symbol(">") => Requirement::checked(key, Operator::GreaterThan, self.exact()?),
            Token::Symbol("<") => Requirement::checked(key, Operator::LessThan, self.exact()?),
            other => Err(format!("found '{}', expected: {BINARY}", other.text())),
        }
    }

    fn exact(&mut self) -> Result<Vec<String>, String> {
        match self.peek() {
            Token::End | Token::Symbol(",") => Ok(vec![String::new()]),
            Token::Word(value) => {
                self.next();
                Ok(vec![value.to_owned()])
            }
            Token::Symbol(found) => Err(format!("found '{found}', expected: identifier")),
        }
    }

    fn set(&mut self) -> Result<Vec<String>, String> {
        let open = self.next();
        if open != Token::Symbol("(") {
            return Err(format!("found '{}' expected: '('", open.text()));
        }
        let mut values = Vec::new();
        // Between two commas, and before or after one, an absent word is the empty value.
        let mut pending = true;
        loop {
            match self.next() {
                Token::Word(value) if pending => {
                    values.push(value.to_owned());
                    pending = false;
                }
                Token::Symbol(",") => {
                    if pending {
                        values.push(String::new());
                    }
                    pending = true;
                }
                Token::Symbol(")") => {
                    if pending {
                        values.push(String::new());
                    }
                    values.sort();
                    values.dedup();
                    return Ok(values);
                }
                other => {
                    let wanted = if pending { "',', ')' or identifier" } else { "',' or ')'" };
                    return Err(format!("found '{}', expected: {wanted}", other.text()));
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels() -> Object {
        Object::from_value(&serde_json::json!({"metadata": {"labels": {"app": "web", "tier": "front", "n": "7"}}}))
    }

    #[test]
    fn selectors_match_labels() {
        for (text, want) in [
            ("", true),
            ("app=web", true),
            ("app==web,tier!=back", true),
            ("app in (web, api),n", true),
            ("app notin (web)", false),
            ("missing!=x,missing notin (x),!missing", true),
            ("missing", false),
            ("!app", false),
            ("n>6,n<8", true),
            ("n>7", false),
            ("app=", false),
            (" app = web ", true),
        ] {
            let selector = LabelSelector::parse(text).unwrap();
            assert_eq!(selector.matches(&labels()), want, "{text}");
            assert_eq!(LabelSelector::parse(&selector.to_string()), Ok(selector), "{text}");
        }
    }

    #[test]
    fn bad_selectors_are_refused_in_upstreams_words() {
        for (text, want) in [
            ("a b", "unable to parse requirement: found 'b', expected: in, notin, =, ==, !=, gt, lt"),
            ("a in b", "unable to parse requirement: found 'b' expected: '('"),
            ("=a", "found '=', expected: !, identifier, or 'end of string'"),
            ("a,", "found '', expected: identifier after ','"),
            ("a=b c", "found 'c', expected: ',' or 'end of string'"),
            ("a in (b c)", "unable to parse requirement: found 'c', expected: ',' or ')'"),
        ] {
            let error = LabelSelector::parse(text).unwrap_err();
            assert_eq!((error.code, error.message.as_str()), (400, want), "{text}");
        }
        assert!(
            LabelSelector::parse("a=-b")
                .unwrap_err()
                .message
                .starts_with("unable to parse requirement: values[0][a]: Invalid value: \"-b\"")
        );
    }

    #[test]
    fn object_form_reads_both_parts() {
        let selector = LabelSelector::from_value(&serde_json::json!({"matchLabels": {"app": "web"},
            "matchExpressions": [{"key": "tier", "operator": "In", "values": ["front"]}, {"key": "x", "operator": "DoesNotExist"}]}));
        assert!(selector.is_ok_and(|it| it.matches(&labels())));
        assert_eq!(LabelSelector::from_value(&Value::Null), Ok(LabelSelector::default()));
    }

    proptest::proptest! {
        #[test]
        fn any_text_parses_or_fails(text in "[ab=!(), <>in]{0,20}") {
            if let Ok(selector) = LabelSelector::parse(&text) {
                selector.matches(&labels());
            }
        }
    }
}
