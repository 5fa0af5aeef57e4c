//! Keys of a rule document before it is typed: unknown ones are named, null ones count as absent (as in Go).

use serde_json::Value;

const SPEC: &[&str] = &[
    "name",
    "enabled",
    "severity",
    "mode",
    "enforcementAction",
    "match",
    "rule",
    "alert",
    "actions",
    "message",
    "onError",
    "containerTypes",
    "preexisting",
    "resolveAfter",
    "exceptions",
    "runtime",
    "tests",
];
const EXCEPTION: &[&str] = &["rules", "match", "containers", "images", "reason", "owner", "expires"];
const MATCH: &[&str] = &["gvk", "namespaces", "labelSelector", "namespaceSelector", "names", "operations", "subjects"];
const SUBJECTS: &[&str] = &["include", "exclude"];
const SUBJECT: &[&str] = &["users", "groups", "serviceAccounts"];
const NAMESPACES: &[&str] = &["include", "exclude"];
const RUNTIME: &[&str] = &["events", "includeDenied"];
const KIND: &[&str] = &["group", "version", "kind"];

const CASE: &[&str] =
    &["name", "mode", "operation", "userInfo", "namespace", "object", "oldObject", "objects", "expect"];

/// A warning for every key that is not known.
pub(super) fn unknown(spec: &Value) -> Vec<String> {
    let mut warnings = Vec::new();
    look(spec, "", SPEC, &mut warnings);
    look(&spec["runtime"], "runtime.", RUNTIME, &mut warnings);
    look_at_match(spec, &mut warnings);
    warnings
}

/// The same of an exception, whose keys are not passed over.
pub(crate) fn unknown_of_exception(spec: &Value) -> Vec<String> {
    let mut found = Vec::new();
    look(spec, "", EXCEPTION, &mut found);
    look_at_match(spec, &mut found);
    found.into_iter().map(|it| it.replacen(", ignored;", ";", 1)).collect()
}

fn look_at_match(spec: &Value, warnings: &mut Vec<String>) {
    look(&spec["match"], "match.", MATCH, warnings);
    look(&spec["match"]["namespaces"], "match.namespaces.", NAMESPACES, warnings);
    let subjects = &spec["match"]["subjects"];
    look(subjects, "match.subjects.", SUBJECTS, warnings);
    for side in SUBJECTS {
        look(&subjects[side], &format!("match.subjects.{side}."), SUBJECT, warnings);
    }
    for (at, kind) in spec["match"]["gvk"].as_array().into_iter().flatten().enumerate() {
        look(kind, &format!("match.gvk[{at}]."), KIND, warnings);
    }
}

/// A warning for every case of `tests` that cannot be run: the rule itself works all the same.
pub(super) fn cases(tests: &[Value]) -> Vec<String> {
    let mut warnings = Vec::new();
    for (at, case) in tests.iter().enumerate() {
        look(case, &format!("tests[{at}]."), CASE, &mut warnings);
        if !case["name"].is_string() {
            warnings.push(format!("`tests[{at}].name`: is required, as text"));
        }
        if !case["object"].is_object() {
            warnings.push(format!("`tests[{at}].object`: is required, as a manifest"));
        }
    }
    warnings
}

fn look(value: &Value, prefix: &str, known: &[&str], warnings: &mut Vec<String>) {
    let keys = value.as_object().into_iter().flat_map(|it| it.keys());
    let strange = keys.filter(|key| !known.contains(&key.as_str()));
    warnings
        .extend(strange.map(|key| format!("`{prefix}{key}`: unknown key, ignored; known are {}", known.join(", "))));
}

/// kubectl reads YAML 1.1, where the key `on` is the truth value: what a user writes as `on: [audit]` arrives as
/// `"true": ["audit"]`, which the schema keeps as an inline parameter. Such a list of words is `on`.
pub(crate) fn restore_on(spec: &mut Value) {
    let actions = spec.get_mut("actions").and_then(Value::as_array_mut);
    for action in actions.into_iter().flatten().filter_map(Value::as_object_mut) {
        if action.get("true").is_some_and(Value::is_array)
            && !action.contains_key("on")
            && let Some(modes) = action.remove("true")
        {
            action.insert("on".to_owned(), modes);
        }
    }
}

/// The document without members that are null.
pub(crate) fn without_nulls(value: &Value) -> Value {
    match value {
        Value::Object(members) => {
            let kept = members.iter().filter(|(_, value)| !value.is_null());
            Value::Object(kept.map(|(key, value)| (key.clone(), without_nulls(value))).collect())
        }
        Value::Array(items) => items.iter().map(without_nulls).collect(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => value.clone(),
    }
}
