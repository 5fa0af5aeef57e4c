//! Recorded requests: AdmissionReviews as a webhook got them, and audit events as an API server writes them. JSON values one
//! behind the other, or YAML documents; lists are taken apart.

use std::path::Path;

use kanon_core::{GroupVersionKind, Object, Operation, Resource, Review, UserInfo};
use serde_json::Value;

use crate::{commands::texts, exit::Failure};

/// A request that was recorded.
pub(super) struct Recorded {
    /// File and number in it, from 1.
    pub(super) place: String,
    /// The request.
    pub(super) review: Review,
    /// Whether it was let through, where that is recorded.
    pub(super) was_allowed: Option<bool>,
}

/// Reads a file, the files of a folder in order of name, or standard input.
pub(super) fn read(path: &Path) -> Result<Vec<Recorded>, Failure> {
    let named =
        |problem: &dyn std::fmt::Display| Failure::new(format!("failed to read `{}`: {problem}", path.display()));
    if path.is_dir() {
        let entries = std::fs::read_dir(path).and_then(Iterator::collect::<Result<Vec<_>, _>>);
        let mut paths: Vec<_> = entries.map_err(|it| named(&it))?.iter().map(std::fs::DirEntry::path).collect();
        paths.sort();
        let mut found = Vec::new();
        for path in paths.iter().filter(|it| it.is_file()) {
            found.extend(read(path)?);
        }
        return Ok(found);
    }
    let text = texts::read(path).map_err(|problem| named(&problem))?;
    let mut found = Vec::new();
    for value in values(&text).map_err(|problem| named(&problem))? {
        take(&path.display().to_string(), value, &mut found)?;
    }
    Ok(found)
}

fn values(text: &str) -> Result<Vec<Value>, String> {
    let values = serde_json::Deserializer::from_str(text).into_iter::<Value>().collect::<Result<Vec<_>, _>>();
    // What is no JSON may be YAML; what only looks like JSON is told JSON's mistake.
    match values {
        Ok(values) => Ok(values),
        Err(error) => serde_saphyr::from_multiple(text).map_err(|_| error.to_string()),
    }
}

fn take(file: &str, value: Value, found: &mut Vec<Recorded>) -> Result<(), Failure> {
    let place = format!("{file}#{}", found.len() + 1);
    let kind = value["kind"].as_str().unwrap_or_default().to_owned();
    match (kind.as_str(), value) {
        (_, Value::Null) => Ok(()),
        ("AdmissionReview", value) => {
            let was_allowed = value["response"]["allowed"].as_bool();
            let review = kanon_web::parse_review(value.to_string().into());
            let review = review.map_err(|error| Failure::new(format!("`{place}`: {error}")))?;
            found.push(Recorded { place, review, was_allowed });
            Ok(())
        }
        ("Event", value) => {
            found.extend(event(place, &value));
            Ok(())
        }
        (kind, mut value) if kind.ends_with("List") && value["items"].is_array() => {
            let Value::Array(items) = value["items"].take() else { return Ok(()) };
            // Items of an EventList need not name their kind.
            let of = kind.trim_end_matches("List").to_owned();
            for mut item in items {
                if item.is_object() && item["kind"].is_null() {
                    item["kind"] = Value::from(of.as_str());
                }
                take(file, item, found)?;
            }
            Ok(())
        }
        _ => Err(Failure::new(format!("`{place}` is neither an AdmissionReview nor an audit event"))),
    }
}

/// The request of an audit event; `None` for what admission is not asked about, what has no body, and stages before the last.
fn event(place: String, event: &Value) -> Option<Recorded> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let operation = match event["verb"].as_str()? {
        "create" => Operation::Create,
        "update" | "patch" | "apply" => Operation::Update,
        _ => return None,
    };
    if event["stage"] != "ResponseComplete" {
        return None;
    }
    let code = event["responseStatus"]["code"].as_u64();
    let is_whole = |it: &&Value| it["kind"].is_string() && it["apiVersion"].is_string() && it["kind"] != "Status";
    // A patch says what changes; what came of it stands in the response. What was sent is told rather than what was made of it.
    let sent = if event["verb"] == "patch" { &event["responseObject"] } else { &event["requestObject"] };
    let object = [sent, &event["responseObject"]].into_iter().find(is_whole)?;
    let reference = &event["objectRef"];
    let object = Object::from_value(object);
    let resource = Resource {
        group: text(&reference["apiGroup"]),
        version: text(&reference["apiVersion"]),
        resource: text(&reference["resource"]),
    };
    let named = text(&reference["name"]);
    let name = if named.is_empty() { object.str_at(&["metadata", "name"]).to_owned() } else { named };
    let user: UserInfo = serde_json::from_value(event["user"].clone()).unwrap_or_default();
    Some(Recorded {
        place,
        review: Review {
            uid: text(&event["auditID"]),
            operation,
            kind: GroupVersionKind::from_api_version(object.str_at(&["apiVersion"]), object.str_at(&["kind"])),
            resource,
            sub_resource: text(&reference["subresource"]),
            namespace: text(&reference["namespace"]),
            name,
            user,
            object: Some(object),
            old_object: None,
            options: None,
            dry_run: true,
        },
        was_allowed: code.map(|it| it < 400),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &str) -> Vec<String> {
        let mut found = Vec::new();
        for value in values(text).unwrap() {
            take("f", value, &mut found).unwrap();
        }
        let row = |it: &Recorded| {
            let Recorded { place, review, was_allowed } = it;
            format!("{place} {} {} by {}: {was_allowed:?}", review.operation, review.subject(), review.user.username)
        };
        found.iter().map(row).collect()
    }

    #[test]
    fn reviews_and_events_are_read_as_they_come() {
        let review = r#"{"apiVersion":"admission.k8s.io/v1","kind":"AdmissionReview","request":{"uid":"u","operation":"CREATE",
            "kind":{"group":"","version":"v1","kind":"Pod"},"namespace":"shop","name":"a","userInfo":{"username":"eve"},
            "object":{"metadata":{"name":"a"}}},"response":{"uid":"u","allowed":false}}"#;
        let event = r#"{"kind":"Event","apiVersion":"audit.k8s.io/v1","stage":"ResponseComplete","verb":"create","auditID":"x",
            "user":{"username":"mallory"},"objectRef":{"resource":"pods","namespace":"shop","apiVersion":"v1"},
            "responseStatus":{"code":201},"requestObject":{"apiVersion":"v1","kind":"Pod","metadata":{"name":"b"}}}"#;
        let patched = event.replace("\"create\"", "\"patch\"").replace("requestObject", "responseObject");
        let reading = event.replace("\"create\"", "\"get\"");
        let list = format!(r#"{{"kind":"EventList","items":[{event},{reading}]}}"#);
        let want = [
            "f#1 CREATE Pod shop/a by eve: Some(false)",
            "f#2 CREATE Pod shop/b by mallory: Some(true)",
            "f#3 UPDATE Pod shop/b by mallory: Some(true)",
            "f#4 CREATE Pod shop/b by mallory: Some(true)",
        ];
        assert_eq!(shown(&format!("{review}\n{event}\n{patched}{list}")), want);
        assert!(shown("").is_empty());
        let mut found = Vec::new();
        assert!(take("f", serde_json::json!({"kind": "Pod"}), &mut found).is_err());
    }
}
