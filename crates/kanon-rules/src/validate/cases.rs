//! The cases in a rule's `tests` (spec/rules 1.11): apart from what the rule says, so that a rule whose cases change is the same
//! revision, and its findings go on.

use serde_json::Value;

use super::keys;

/// Cases that the command line runs, as they are written.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Cases {
    list: Vec<Value>,
    warnings: Vec<String>,
}

impl Cases {
    /// The cases of a rule's `spec`.
    pub(crate) fn of(spec: &Value) -> Cases {
        let list: Vec<_> = spec["tests"].as_array().into_iter().flatten().map(keys::without_nulls).collect();
        let warnings = keys::cases(&list);
        Cases { list, warnings }
    }

    /// Each of them.
    pub fn list(&self) -> &[Value] {
        &self.list
    }

    /// What is wrong with those that cannot be run: the rule itself works all the same.
    pub(crate) fn warnings(&self) -> &[String] {
        &self.warnings
    }
}

/// What a rule says: its `spec` without the cases. Where they are no list they are a mistake of the rule, and stay.
pub(crate) fn without_cases(spec: &Value) -> Value {
    let mut said = spec.clone();
    if let Some(members) = said.as_object_mut()
        && members.get("tests").is_some_and(|it| it.is_array() || it.is_null())
    {
        members.remove("tests");
    }
    said
}
