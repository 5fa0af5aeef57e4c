//! Whether the fields that a rule reads exist: what CEL's type checker says of them, where the language has no checker.

use std::sync::Arc;

use kanon_lang::{Diagnostics, Program, Span};

use crate::schema::{Schema, Type};

/// Names that CEL keeps for itself; a member called so is written `__name__`.
const RESERVED: [&str; 22] = [
    "true",
    "false",
    "null",
    "in",
    "as",
    "break",
    "const",
    "continue",
    "else",
    "for",
    "function",
    "if",
    "import",
    "let",
    "loop",
    "package",
    "namespace",
    "return",
    "var",
    "void",
    "while",
    "default",
];

/// The first field read by `program`, at the place of `schema`, that is not there. `resource`: apiVersion, kind and names
/// in metadata can be read here.
pub(super) fn undefined(program: &dyn Program, schema: &Arc<Schema>, resource: bool) -> Option<Diagnostics> {
    program.reads().paths.iter().find_map(|path| {
        let (root, rest) = path.split_first()?;
        if !super::compile::VARIABLES.contains(&root.as_str()) {
            return None;
        }
        let (depth, message) = walk(schema, resource, rest)?;
        let span = place(program.source(), path, depth + 1);
        Some(Diagnostics::one(program.source(), message, span))
    })
}

/// Which step of a path leads nowhere, and what to say of it.
fn walk(schema: &Schema, resource: bool, path: &[String]) -> Option<(usize, String)> {
    let mut schema = schema;
    for (depth, written) in path.iter().enumerate() {
        let name = unescape(written);
        let undefined = || Some((depth, format!("undefined field '{written}'")));
        if depth == 0 && resource {
            match name.as_str() {
                "apiVersion" | "kind" => return None,
                "metadata" => {
                    let known = |it: &String| matches!(it.as_str(), "name" | "generateName");
                    return path.get(1).filter(|it| !known(it)).map(|it| (1, format!("undefined field '{it}'")));
                }
                _ => {}
            }
        }
        let scalar = match schema.kind {
            Type::Integer => "int",
            Type::Number => "double",
            Type::Boolean => "bool",
            Type::String if schema.format.is_empty() => "string",
            Type::Array => "list",
            // Of these CEL knows no members, or they are computed.
            Type::Any | Type::IntOrString | Type::String => return None,
            Type::Object => "",
        };
        if !scalar.is_empty() {
            return Some((depth, format!("type '{scalar}' does not support field selection")));
        }
        schema = match schema.properties.get(&name).or(schema.additional.as_ref()) {
            Some(inner) => inner,
            // Nothing is said about what it holds.
            None if schema.properties.is_empty() && schema.preserve_unknown => return None,
            None => return undefined(),
        };
    }
    None
}

/// The member's name behind its spelling in CEL.
fn unescape(written: &str) -> String {
    if let Some(word) = written.strip_prefix("__").and_then(|it| it.strip_suffix("__"))
        && RESERVED.contains(&word)
    {
        return word.to_owned();
    }
    let mut out = String::new();
    let mut rest = written;
    'outer: while !rest.is_empty() {
        for (escape, text) in [("__underscores__", "__"), ("__dot__", "."), ("__dash__", "-"), ("__slash__", "/")] {
            if let Some(after) = rest.strip_prefix(escape) {
                out.push_str(text);
                rest = after;
                continue 'outer;
            }
        }
        let mut chars = rest.chars();
        out.extend(chars.next());
        rest = chars.as_str();
    }
    out
}

/// The spelling in CEL of a member's name; `None` for names that CEL cannot spell.
pub(super) fn escape(name: &str) -> Option<String> {
    if RESERVED.contains(&name) {
        return Some(format!("__{name}__"));
    }
    let spelled = |it: char| it.is_ascii_alphanumeric() || "_.-/".contains(it);
    if name.is_empty() || name.starts_with(|it: char| it.is_ascii_digit()) || !name.chars().all(spelled) {
        return None;
    }
    let mut out = name.to_owned();
    for (text, escape) in [("__", "__underscores__"), (".", "__dot__"), ("-", "__dash__"), ("/", "__slash__")] {
        out = out.replace(text, escape);
    }
    Some(out)
}

/// Where step `depth` of a path is selected: at its dot. The start of the text when it cannot be told.
fn place(source: &str, path: &[String], depth: usize) -> Span {
    let Some(written) = path.get(..=depth).map(|it| it.join(".")) else { return Span::default() };
    let last = path.get(depth).map_or(0, String::len);
    let ends = |end: usize| !source[end..].starts_with(|it: char| it.is_ascii_alphanumeric() || it == '_');
    let end = source.match_indices(&written).map(|(at, it)| at + it.len()).find(|end| ends(*end));
    end.map_or(Span::default(), |end| Span::new(end - last - 1, end))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::test_support::schema;

    #[test]
    fn only_fields_that_exist_can_be_read() {
        let schema = schema(&json!({"type": "object", "properties": {
            "spec": {"type": "object", "properties": {"a": {"type": "integer"}, "b-c": {"type": "string"}, "in": {"type": "string"}}},
            "map": {"type": "object", "additionalProperties": {"type": "string"}},
            "free": {"type": "object", "x-kubernetes-preserve-unknown-fields": true},
        }}));
        let check = |path: &str, want: Option<&str>| {
            let path: Vec<String> = path.split('.').map(str::to_owned).collect();
            assert_eq!(
                walk(&schema, true, &path).map(|(depth, message)| format!("{depth}: {message}")).as_deref(),
                want
            );
        };
        check("spec.a", None);
        check("spec.b__dash__c", None);
        check("spec.__in__", None);
        check("map.any", None);
        check("free.any.thing", None);
        check("kind", None);
        check("metadata.name", None);
        check("metadata.labels", Some("1: undefined field 'labels'"));
        check("spec.b", Some("1: undefined field 'b'"));
        check("spec.a.x", Some("2: type 'int' does not support field selection"));
        check("nope.a", Some("0: undefined field 'nope'"));
    }

    #[test]
    fn spellings_lead_back_to_names() {
        for name in ["a", "a-b", "a.b/c", "in", "a__b", "_x"] {
            assert_eq!(unescape(&escape(name).unwrap()), name);
        }
        assert_eq!(escape("a b"), None);
        assert_eq!(escape("1a"), None);
    }

    #[test]
    fn the_place_is_the_dot() {
        let path = ["self".to_owned(), "b".to_owned()];
        assert_eq!(place("self.b > 0", &path, 1), Span::new(4, 6));
        assert_eq!(place("self.bc > self.b", &path, 1), Span::new(14, 16));
        assert_eq!(place("self . b", &path, 1), Span::default());
    }
}
