//! What versions of upstream say in different words: values in messages, which 1.32 printed as Go does and later versions print as JSON,
//! or leave out. Scenarios are written in the words of 1.32; beside a server of another version both sides are read without these.

use std::{borrow::Cow, sync::LazyLock};

use regex::Regex;
use serde_json::Value;

/// Each pattern with what stands for it on both sides.
static SAME: LazyLock<Vec<(Regex, &str)>> = LazyLock::new(|| {
    [
        // `Invalid value: "object": MESSAGE` of a rule, whose type later versions leave out.
        (r#"Invalid value: "(object|array|string|integer|number|boolean)": "#, "Invalid value: "),
        (r#"Invalid value: "?null"?: "#, "Invalid value: "),
        (r"Invalid value: 0x0: ", "Invalid value: 0: "),
        (r"(map\[string\])?interface \{\}\{", "{"),
        (r#"\[\]string\{("[^{}]*")\}"#, "[$1]"),
    ]
    .map(|(pattern, common)| (Regex::new(pattern).expect("a pattern"), common))
    .into()
});

/// The value with every text in it in common words.
pub(crate) fn common(value: Value) -> Value {
    match value {
        Value::String(text) => {
            let text = SAME.iter().fold(Cow::Borrowed(text.as_str()), |text, (pattern, common)| {
                Cow::Owned(pattern.replace_all(&text, *common).into_owned())
            });
            Value::String(text.into_owned())
        }
        Value::Array(items) => items.into_iter().map(common).collect(),
        Value::Object(members) => members.into_iter().map(|(name, value)| (name, common(value))).collect(),
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_say_the_same() {
        for (old, new) in [
            (r#"spec: Invalid value: "object": no"#, "spec: Invalid value: no"),
            (r#"<nil>: Invalid value: "null": some"#, "<nil>: Invalid value: null: some"),
            ("Invalid value: 0x0: must", "Invalid value: 0: must"),
            (r#"Duplicate value: map[string]interface {}{"name":"y"}"#, r#"Duplicate value: {"name":"y"}"#),
            (r#"Unsupported value: []string{"x"}: y"#, r#"Unsupported value: ["x"]: y"#),
        ] {
            assert_eq!(common(old.into()), common(new.into()));
        }
        assert_ne!(common("Invalid value: 1: a".into()), common("Invalid value: 2: a".into()));
    }
}
