//! How CEL spells the names of fields that are no identifiers.

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_spelled_as_kubernetes_does() {
        let cases = [
            ("a", Some("a")),
            ("a-b", Some("a__dash__b")),
            ("a.b/c", Some("a__dot__b__slash__c")),
            ("in", Some("__in__")),
            ("a__b", Some("a__underscores__b")),
            ("_x", Some("_x")),
            ("a b", None),
            ("1a", None),
            ("", None),
        ];
        for (name, want) in cases {
            assert_eq!(escape(name).as_deref(), want, "{name}");
        }
    }
}
