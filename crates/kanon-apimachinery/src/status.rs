//! Failures as Kubernetes says them: one constructor per row of spec/kubernetes-api.md 4.1, with the exact words.
//!
//! An [`ApiError`] is what every step of a request returns; [`ApiError::body`] is the `Status` that the client reads.

use std::{borrow::Cow, fmt};

use bytes::Bytes;
use kanon_core::GroupVersionKind;
use kanon_schema::FieldError;
use serde::{Deserialize, Serialize};
use serde_json::Value;

mod admission;
mod body;
mod storage;

/// Group and plural of a resource: how failures name it (`deployments.apps`).
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct GroupResource {
    /// API group; empty for core.
    pub group: String,
    /// Lower-case plural.
    pub resource: String,
}

impl GroupResource {
    /// Builds one from its parts.
    pub fn new(group: &str, resource: &str) -> GroupResource {
        GroupResource { group: group.to_owned(), resource: resource.to_owned() }
    }
}

impl fmt::Display for GroupResource {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&qualified(&self.resource, &self.group))
    }
}

/// `name.group`, or `name` alone in the core group.
fn qualified(name: &str, group: &str) -> String {
    if group.is_empty() { name.to_owned() } else { format!("{name}.{group}") }
}

/// One finding inside a failure (`details.causes[]`).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cause {
    /// Word for machines: `FieldValueInvalid`, …
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub reason: String,
    /// What is wrong, without the field.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub message: String,
    /// Path of the field.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub field: String,
}

impl Cause {
    /// A cause from its parts.
    pub fn new(reason: &str, field: impl Into<String>, message: impl Into<String>) -> Cause {
        Cause { reason: reason.to_owned(), message: message.into(), field: field.into() }
    }

    /// `Invalid value: <value>: <detail>`.
    pub fn invalid(field: &str, value: &Value, detail: &str) -> Cause {
        Cause::new("FieldValueInvalid", field, format!("Invalid value: {value}: {detail}"))
    }

    /// `Required value: <detail>`.
    pub fn required(field: &str, detail: &str) -> Cause {
        let separator = if detail.is_empty() { "" } else { ": " };
        Cause::new("FieldValueRequired", field, format!("Required value{separator}{detail}"))
    }

    /// `Forbidden: <detail>`.
    pub fn forbidden(field: &str, detail: &str) -> Cause {
        Cause::new("FieldValueForbidden", field, format!("Forbidden: {detail}"))
    }

    /// `Unsupported value: <value>: supported values: <list>`.
    pub fn not_supported(field: &str, value: &str, supported: &[&str]) -> Cause {
        let list: Vec<String> = supported.iter().map(|it| format!("{it:?}")).collect();
        let message = format!("Unsupported value: {value:?}: supported values: {}", list.join(", "));
        Cause::new("FieldValueNotSupported", field, message)
    }
}

/// `field: message`, as the failure's own message lists it.
impl fmt::Display for Cause {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}: {}", self.field, self.message)
    }
}

impl From<FieldError> for Cause {
    fn from(error: FieldError) -> Cause {
        Cause { reason: error.reason().to_owned(), message: error.body(), field: error.field }
    }
}

/// What a failure is about.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Details {
    /// Name of the object.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub name: String,
    /// Its group.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub group: String,
    /// Its plural, or its kind for invalid objects.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub kind: String,
    /// Its uid.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub uid: String,
    /// Single findings.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub causes: Vec<Cause>,
    /// Seconds to wait before trying again.
    #[serde(default, skip_serializing_if = "Option::is_none", rename = "retryAfterSeconds")]
    pub retry_after: Option<u32>,
}

/// A failed request: what the `Status` in its answer says.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct ApiError {
    /// HTTP status.
    pub code: u16,
    /// Word for machines (`NotFound`); empty where upstream has none.
    pub reason: Cow<'static, str>,
    /// Sentence for people.
    pub message: String,
    /// What it is about; absent where upstream has none.
    pub details: Option<Box<Details>>,
}

/// What every step of a request returns.
pub type Result<T, E = ApiError> = std::result::Result<T, E>;

impl ApiError {
    /// A failure from its parts, for what has no constructor of its own.
    pub fn new(code: u16, reason: impl Into<Cow<'static, str>>, message: impl Into<String>) -> ApiError {
        ApiError { code, reason: reason.into(), message: message.into(), details: None }
    }

    /// The same failure about something.
    #[must_use]
    pub fn with_details(mut self, details: Details) -> ApiError {
        self.details = Some(Box::new(details));
        self
    }

    /// The same failure, met on the way to something: `what: ` comes before its message.
    #[must_use]
    pub fn inside(mut self, what: &str) -> ApiError {
        self.message = format!("{what}: {}", self.message);
        self
    }

    fn about(code: u16, reason: &'static str, what: &GroupResource, name: &str, message: String) -> ApiError {
        let details = Details {
            name: name.to_owned(),
            group: what.group.clone(),
            kind: what.resource.clone(),
            ..Details::default()
        };
        ApiError::new(code, reason, message).with_details(details)
    }

    /// The compact JSON of the `Status`.
    pub fn body(&self) -> Bytes {
        status_json(&Status {
            kind: "Status",
            api_version: "v1",
            metadata: Empty {},
            status: "Failure",
            message: &self.message,
            reason: &self.reason,
            details: self.details.as_deref(),
            code: self.code,
        })
    }

    /// The `Status` as a tree: for YAML answers.
    pub fn to_value(&self) -> Value {
        serde_json::from_slice(&self.body()).unwrap_or_default()
    }

    /// Whether the request may be repeated as it is: conflicts of unconditional patches, time-outs.
    pub fn is_conflict(&self) -> bool {
        self.code == 409 && self.reason == "Conflict"
    }
}

/// The answer to a deletion that left nothing behind (spec 4.7): Status Success with what was deleted.
pub fn deleted(what: &GroupResource, name: &str, uid: &str) -> Bytes {
    let details = Details {
        name: name.to_owned(),
        group: what.group.clone(),
        kind: what.resource.clone(),
        uid: uid.to_owned(),
        ..Details::default()
    };
    success(Some(&details), 0)
}

/// A bare Status Success; `code` is left out when 0 (an accepted eviction says 201).
pub fn success(details: Option<&Details>, code: u16) -> Bytes {
    status_json(&Status {
        kind: "Status",
        api_version: "v1",
        metadata: Empty {},
        status: "Success",
        message: "",
        reason: "",
        details,
        code,
    })
}

fn status_json(status: &Status<'_>) -> Bytes {
    serde_json::to_vec(status).expect("a status has text keys only").into()
}

#[derive(Serialize)]
struct Empty {}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Status<'a> {
    kind: &'a str,
    api_version: &'a str,
    metadata: Empty,
    status: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    message: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    reason: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    details: Option<&'a Details>,
    #[serde(skip_serializing_if = "is_zero")]
    code: u16,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks for a reference")]
fn is_zero(code: &u16) -> bool {
    *code == 0
}

/// `Kind.group`, as failures about invalid objects name the kind.
fn group_kind(gvk: &GroupVersionKind) -> String {
    qualified(&gvk.kind, &gvk.group)
}

#[cfg(test)]
mod tests;
