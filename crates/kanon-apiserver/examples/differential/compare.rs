//! Two answers to one request: what differs, but for what no two servers share.

use std::{fmt, sync::LazyLock};

use regex::Regex;
use serde_json::{Value, json};

use crate::runner::{
    http::{Answer, Sent},
    words::common,
};

/// A request whose answers differ.
pub(crate) struct Difference {
    /// `METHOD path`, and the body.
    pub(crate) request: String,
    /// Each place with what the two have there.
    pub(crate) places: Vec<(String, Value, Value)>,
}

impl fmt::Display for Difference {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}", self.request)?;
        for (place, ours, other) in self.places.iter().take(6) {
            write!(out, "\n  {place}\n    ours:  {}\n    other: {}", short(ours), short(other))?;
        }
        Ok(())
    }
}

fn short(value: &Value) -> String {
    value.to_string().chars().take(900).collect()
}

/// What differs, if anything does.
pub(crate) fn compare(sent: &Sent, ours: &Answer, other: &Answer) -> Option<Difference> {
    let mut places = Vec::new();
    differences("", &shown(ours), &shown(other), &mut places);
    if places.is_empty() {
        return None;
    }
    let body: String = String::from_utf8_lossy(&sent.body).chars().take(1500).collect();
    let kind = sent.headers.get("content-type").map_or("", String::as_str);
    Some(Difference { request: format!("{} {} {kind} {body}", sent.method, sent.path), places })
}

/// An answer without uids, times and versions; findings in one order, since Go's maps have none.
fn shown(answer: &Answer) -> Value {
    let header = |name: &str| {
        let mut found: Vec<&str> = answer.headers.get_all(name).iter().filter_map(|it| it.to_str().ok()).collect();
        found.sort_unstable();
        json!(found)
    };
    let body = serde_json::from_slice(&answer.body).unwrap_or_else(|_| json!(answer.text()));
    json!({
        "status": answer.status, "type": header("content-type"), "warning": header("warning"), "allow": header("allow"),
        "body": common(plain(body)),
    })
}

static UID: LazyLock<Regex> = LazyLock::new(|| regex(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"));
static TIME: LazyLock<Regex> = LazyLock::new(|| regex(r"20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z"));
static VERSIONS: LazyLock<Regex> =
    LazyLock::new(|| regex(r#"(\\?"resourceVersion\\?":\\?"|current: |record \()[0-9]+"#));
static LIST: LazyLock<Regex> = LazyLock::new(|| regex(r"(?s)^(.* is invalid: )\[(.*)\]$"));

fn regex(pattern: &str) -> Regex {
    Regex::new(pattern).expect("a pattern")
}

fn plain(value: Value) -> Value {
    match value {
        Value::String(text) => {
            let text = UID.replace_all(&text, "UID");
            let text = TIME.replace_all(&text, "TIME");
            let text = VERSIONS.replace_all(&text, "${1}N");
            match LIST.captures(&text) {
                Some(found) => {
                    let mut parts: Vec<&str> = found[2].split(", ").collect();
                    parts.sort_unstable();
                    json!(format!("{}[{}]", &found[1], parts.join(" | ")))
                }
                None => json!(text),
            }
        }
        Value::Array(items) => items.into_iter().map(plain).collect(),
        Value::Object(members) => members.into_iter().map(|(name, value)| member(name, value)).collect(),
        other => other,
    }
}

fn member(name: String, value: Value) -> (String, Value) {
    let value = match (name.as_str(), value) {
        ("resourceVersion", Value::String(text)) if text.parse::<u64>().is_ok_and(|it| it > 0) => json!("N"),
        ("continue", Value::String(text)) if !text.is_empty() => json!("TOKEN"),
        ("causes", Value::Array(mut causes)) => {
            causes = causes.into_iter().map(|it| common(plain(it))).collect();
            causes.sort_by_key(Value::to_string);
            // Upstream tells what is wrong with the metadata of an update twice.
            causes.dedup();
            Value::Array(causes)
        }
        (_, value) => plain(value),
    };
    (name, value)
}

fn differences(place: &str, ours: &Value, other: &Value, out: &mut Vec<(String, Value, Value)>) {
    match (ours, other) {
        (Value::Object(a), Value::Object(b)) => {
            for (name, value) in a {
                differences(&format!("{place}.{name}"), value, b.get(name).unwrap_or(&Value::Null), out);
            }
            for (name, value) in b.iter().filter(|(name, _)| !a.contains_key(*name)) {
                differences(&format!("{place}.{name}"), &Value::Null, value, out);
            }
        }
        (Value::Array(a), Value::Array(b)) if a.len() == b.len() => {
            for (index, (ours, other)) in a.iter().zip(b).enumerate() {
                differences(&format!("{place}[{index}]"), ours, other, out);
            }
        }
        (a, b) if a == b => {}
        (a, b) => out.push((place.to_owned(), a.clone(), b.clone())),
    }
}
