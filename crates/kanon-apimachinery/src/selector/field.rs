//! Field selectors: `metadata.name=a,status.phase!=Running`. Which fields may be used is the resource's business.

use std::fmt;

use kanon_core::{Node, NodeKind, Object};

use crate::{
    resource::Resource,
    status::{ApiError, Result},
};

/// All requirements hold. Empty selects everything.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FieldSelector(pub Vec<FieldRequirement>);

/// One condition on one field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FieldRequirement {
    /// Dotted path.
    pub field: String,
    /// Whether the value must be equal (else it must differ).
    pub equal: bool,
    /// Compared with.
    pub value: String,
}

impl FieldSelector {
    /// Whether it selects everything.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Reads the text of `fieldSelector`.
    ///
    /// # Errors
    /// 400 in upstream's words.
    pub fn parse(text: &str) -> Result<FieldSelector> {
        let mut requirements = Vec::new();
        for term in split(text).into_iter().filter(|it| !it.is_empty()) {
            let refused = || ApiError::bad_request(format!("invalid selector: '{text}'; can't understand '{term}'"));
            let (field, equal, value) = split_term(term).ok_or_else(refused)?;
            let value = unescape(value).ok_or_else(refused)?;
            requirements.push(FieldRequirement { field: field.to_owned(), equal, value });
        }
        Ok(FieldSelector(requirements))
    }

    /// Refuses fields that `resource` does not select on.
    ///
    /// # Errors
    /// 400: kinds that select on nothing but name and namespace say so, as upstream's do.
    pub fn check(&self, resource: &Resource) -> Result<()> {
        for FieldRequirement { field, .. } in &self.0 {
            let known = field == "metadata.name"
                || field == "metadata.namespace"
                || resource.selectable_fields.iter().any(|it| it == field);
            if !known {
                let plain = resource.builtin_kind().is_some() && resource.selectable_fields.is_empty();
                return Err(ApiError::bad_request(if plain {
                    format!("{field:?} is not a known field selector: only \"metadata.name\", \"metadata.namespace\"")
                } else {
                    format!("field label not supported: {field}")
                }));
            }
        }
        Ok(())
    }

    /// The one name that it requires, if it requires one: `metadata.name=a`.
    pub fn name(&self) -> Option<&str> {
        self.0.iter().find(|it| it.equal && it.field == "metadata.name").map(|it| it.value.as_str())
    }

    /// Whether an object's fields fit.
    pub fn matches(&self, resource: &Resource, object: &Object) -> bool {
        self.0.iter().all(|it| {
            let value = resource.selectable_value(object, &it.field);
            (value == it.value) == it.equal
        })
    }
}

/// The text of a scalar; empty when absent: what selectable fields of custom resources compare.
pub(crate) fn scalar_text(node: Option<Node<'_>>) -> String {
    let Some(node) = node else { return String::new() };
    match node.kind() {
        NodeKind::String => node.as_str().map(Into::into).unwrap_or_default(),
        NodeKind::Bool | NodeKind::Number => node.raw().to_owned(),
        NodeKind::Null | NodeKind::List | NodeKind::Object => String::new(),
    }
}

/// The text form, as Go prints it.
impl fmt::Display for FieldSelector {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, it) in self.0.iter().enumerate() {
            let separator = if at == 0 { "" } else { "," };
            let operator = if it.equal { "=" } else { "!=" };
            let value = it.value.replace('\\', "\\\\").replace(',', "\\,").replace('=', "\\=");
            write!(out, "{separator}{}{operator}{value}", it.field)?;
        }
        Ok(())
    }
}

/// Splits at commas that are not escaped.
fn split(text: &str) -> Vec<&str> {
    let mut parts = Vec::new();
    let (mut start, mut escaped) = (0, false);
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b',' => {
                parts.push(&text[start..at]);
                start = at + 1;
            }
            _ => {}
        }
    }
    parts.push(&text[start..]);
    parts
}

fn split_term(term: &str) -> Option<(&str, bool, &str)> {
    let at = term.find(['=', '!'])?;
    let (field, rest) = term.split_at(at);
    let operators = [("!=", false), ("==", true), ("=", true)];
    operators.into_iter().find_map(|(operator, equal)| rest.strip_prefix(operator).map(|value| (field, equal, value)))
}

/// Removes escapes; `None` for an unescaped `=`, a bad escape or one that is cut off.
fn unescape(value: &str) -> Option<String> {
    let mut out = String::with_capacity(value.len());
    let mut chars = value.chars();
    while let Some(c) = chars.next() {
        match c {
            '\\' => out.push(chars.next().filter(|it| matches!(it, '\\' | ',' | '='))?),
            '=' => return None,
            other => out.push(other),
        }
    }
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn terms_are_read_with_their_escapes() {
        for (text, want) in [
            ("", ""),
            ("metadata.name=a", "metadata.name=a"),
            ("a==b,c!=d", "a=b,c!=d"),
            (r"a=b\,c\=d\\", r"a=b\,c\=d\\"),
            ("a=", "a="),
        ] {
            assert_eq!(FieldSelector::parse(text).map(|it| it.to_string()), Ok(want.to_owned()), "{text}");
        }
        let error = FieldSelector::parse("a=b,c").unwrap_err();
        assert_eq!((error.code, error.message.as_str()), (400, "invalid selector: 'a=b,c'; can't understand 'c'"));
        for text in ["a", r"a=\x", r"a=b\", "a=b=c"] {
            assert!(FieldSelector::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn name_is_found() {
        assert_eq!(FieldSelector::parse("x=y,metadata.name=a").unwrap().name(), Some("a"));
        assert_eq!(FieldSelector::parse("metadata.name!=a").unwrap().name(), None);
    }
}
