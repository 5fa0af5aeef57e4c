//! One thing wrong at one place of an object, in kube-apiserver 1.32's words.

use std::fmt;

use serde_json::Value;

use crate::{gotext, path::FieldPath};

/// What kind of mistake a [`FieldError`] is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum FieldErrorKind {
    /// The value names something that is not there.
    NotFound,
    /// A value is missing.
    Required,
    /// A value that must be unique is not.
    Duplicate,
    /// The value breaks a rule.
    Invalid,
    /// The value is none of those allowed.
    NotSupported,
    /// The value must not be given here.
    Forbidden,
    /// The text has too many bytes.
    TooLong,
    /// The list or map has too many entries.
    TooMany,
    /// The value has another type than its schema says.
    TypeInvalid,
    /// The server failed, not the user.
    Internal,
}

impl FieldErrorKind {
    /// The word for machines in a failure's causes.
    pub fn reason(self) -> &'static str {
        match self {
            FieldErrorKind::NotFound => "FieldValueNotFound",
            FieldErrorKind::Required => "FieldValueRequired",
            FieldErrorKind::Duplicate => "FieldValueDuplicate",
            FieldErrorKind::Invalid => "FieldValueInvalid",
            FieldErrorKind::NotSupported => "FieldValueNotSupported",
            FieldErrorKind::Forbidden => "FieldValueForbidden",
            FieldErrorKind::TooLong => "FieldValueTooLong",
            FieldErrorKind::TooMany => "FieldValueTooMany",
            FieldErrorKind::TypeInvalid => "FieldValueTypeInvalid",
            FieldErrorKind::Internal => "InternalError",
        }
    }

    /// The kind that a reason names.
    pub fn from_reason(reason: &str) -> Option<FieldErrorKind> {
        const ALL: [FieldErrorKind; 10] = [
            FieldErrorKind::NotFound,
            FieldErrorKind::Required,
            FieldErrorKind::Duplicate,
            FieldErrorKind::Invalid,
            FieldErrorKind::NotSupported,
            FieldErrorKind::Forbidden,
            FieldErrorKind::TooLong,
            FieldErrorKind::TooMany,
            FieldErrorKind::TypeInvalid,
            FieldErrorKind::Internal,
        ];
        ALL.into_iter().find(|it| it.reason() == reason)
    }

    fn words(self) -> &'static str {
        match self {
            FieldErrorKind::NotFound => "Not found",
            FieldErrorKind::Required => "Required value",
            FieldErrorKind::Duplicate => "Duplicate value",
            FieldErrorKind::Invalid | FieldErrorKind::TypeInvalid => "Invalid value",
            FieldErrorKind::NotSupported => "Unsupported value",
            FieldErrorKind::Forbidden => "Forbidden",
            FieldErrorKind::TooLong => "Too long",
            FieldErrorKind::TooMany => "Too many",
            FieldErrorKind::Internal => "Internal error",
        }
    }

    /// Whether the message quotes the value.
    fn shows_value(self) -> bool {
        match self {
            FieldErrorKind::Required
            | FieldErrorKind::Forbidden
            | FieldErrorKind::TooLong
            | FieldErrorKind::Internal => false,
            FieldErrorKind::NotFound
            | FieldErrorKind::Duplicate
            | FieldErrorKind::Invalid
            | FieldErrorKind::NotSupported
            | FieldErrorKind::TooMany
            | FieldErrorKind::TypeInvalid => true,
        }
    }
}

/// One thing wrong at one place. Prints as `spec.mode: Unsupported value: "Nope": supported values: "Audit", "Warn"`.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub struct FieldError {
    /// What kind of mistake.
    pub kind: FieldErrorKind,
    /// Where, as text; `<nil>` is the object itself.
    pub field: String,
    /// The value at fault.
    pub value: Value,
    /// What is wrong with it; may be empty.
    pub detail: String,
    /// How the value is shown, where upstream has a Go type of its own for it (`v1.LabelSelector{…}`); empty: not at all.
    pub shown: Option<String>,
}

impl FieldError {
    /// An error from its parts.
    pub fn new(kind: FieldErrorKind, field: &FieldPath<'_>, value: Value, detail: impl Into<String>) -> FieldError {
        FieldError { kind, field: field.to_string(), value, detail: detail.into(), shown: None }
    }

    /// The same error with the value shown as this text.
    #[must_use]
    pub fn showing(self, shown: impl Into<String>) -> FieldError {
        FieldError { shown: Some(shown.into()), ..self }
    }

    /// A value is missing.
    pub fn required(field: &FieldPath<'_>, detail: impl Into<String>) -> FieldError {
        FieldError::new(FieldErrorKind::Required, field, Value::Null, detail)
    }

    /// A value breaks a rule.
    pub fn invalid(field: &FieldPath<'_>, value: impl Into<Value>, detail: impl Into<String>) -> FieldError {
        FieldError::new(FieldErrorKind::Invalid, field, value.into(), detail)
    }

    /// A value has the wrong type.
    pub fn type_invalid(field: &FieldPath<'_>, value: impl Into<Value>, detail: impl Into<String>) -> FieldError {
        FieldError::new(FieldErrorKind::TypeInvalid, field, value.into(), detail)
    }

    /// A value is none of `supported`.
    pub fn not_supported<S: AsRef<str>>(
        field: &FieldPath<'_>,
        value: impl Into<Value>,
        supported: impl IntoIterator<Item = S>,
    ) -> FieldError {
        let list: Vec<String> = supported.into_iter().map(|it| gotext::quote(it.as_ref())).collect();
        let detail = if list.is_empty() { String::new() } else { format!("supported values: {}", list.join(", ")) };
        FieldError::new(FieldErrorKind::NotSupported, field, value.into(), detail)
    }

    /// A value that must be unique is not.
    pub fn duplicate(field: &FieldPath<'_>, value: impl Into<Value>) -> FieldError {
        FieldError::new(FieldErrorKind::Duplicate, field, value.into(), "")
    }

    /// A value must not be given here.
    pub fn forbidden(field: &FieldPath<'_>, detail: impl Into<String>) -> FieldError {
        FieldError::new(FieldErrorKind::Forbidden, field, Value::Null, detail)
    }

    /// A value names something that is not there.
    pub fn not_found(field: &FieldPath<'_>, value: impl Into<Value>) -> FieldError {
        FieldError::new(FieldErrorKind::NotFound, field, value.into(), "")
    }

    /// A text has more than `max` bytes.
    pub fn too_long(field: &FieldPath<'_>, max: u64) -> FieldError {
        let unit = if max == 1 { "byte" } else { "bytes" };
        FieldError::new(FieldErrorKind::TooLong, field, Value::Null, format!("may not be more than {max} {unit}"))
    }

    /// A list or map has `actual` entries, more than `max`.
    pub fn too_many(field: &FieldPath<'_>, actual: u64, max: u64) -> FieldError {
        let unit = if max == 1 { "item" } else { "items" };
        FieldError::new(FieldErrorKind::TooMany, field, actual.into(), format!("must have at most {max} {unit}"))
    }

    /// The server failed.
    pub fn internal(field: &FieldPath<'_>, detail: impl Into<String>) -> FieldError {
        FieldError::new(FieldErrorKind::Internal, field, Value::Null, detail)
    }

    /// The word for machines: `FieldValueInvalid`, …
    pub fn reason(&self) -> &'static str {
        self.kind.reason()
    }

    /// The message without the field, as causes carry it.
    pub fn body(&self) -> String {
        let mut text = self.kind.words().to_owned();
        if self.kind.shows_value() && self.shown.as_deref() != Some("") {
            text.push_str(": ");
            text.push_str(&match &self.shown {
                Some(shown) => shown.clone(),
                None if self.value.is_null() => "\"null\"".to_owned(),
                None => gotext::syntax(&self.value),
            });
        }
        if !self.detail.is_empty() {
            text.push_str(": ");
            text.push_str(&self.detail);
        }
        text
    }
}

impl fmt::Display for FieldError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}: {}", self.field, self.body())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn errors_use_the_servers_words() {
        let field = FieldPath::of("spec.x");
        let check = |error: FieldError, reason: &str, text: &str| {
            assert_eq!(error.to_string(), text);
            assert_eq!(error.reason(), reason);
            assert_eq!(FieldErrorKind::from_reason(reason), Some(error.kind));
            assert_eq!(format!("{}: {}", error.field, error.body()), text);
        };
        check(
            FieldError::not_supported(&field, "Nope", ["Audit", "Warn", "Block"]),
            "FieldValueNotSupported",
            r#"spec.x: Unsupported value: "Nope": supported values: "Audit", "Warn", "Block""#,
        );
        check(FieldError::required(&field, ""), "FieldValueRequired", "spec.x: Required value");
        check(FieldError::invalid(&field, 99, "too big"), "FieldValueInvalid", "spec.x: Invalid value: 99: too big");
        check(
            FieldError::invalid(&field, Value::Null, "y"),
            "FieldValueInvalid",
            r#"spec.x: Invalid value: "null": y"#,
        );
        check(
            FieldError::duplicate(&field, json!({"name": "y"})),
            "FieldValueDuplicate",
            r#"spec.x: Duplicate value: map[string]interface {}{"name":"y"}"#,
        );
        check(
            FieldError::too_many(&field, 4, 3),
            "FieldValueTooMany",
            "spec.x: Too many: 4: must have at most 3 items",
        );
        check(FieldError::too_long(&field, 5), "FieldValueTooLong", "spec.x: Too long: may not be more than 5 bytes");
        check(FieldError::forbidden(&field, "no"), "FieldValueForbidden", "spec.x: Forbidden: no");
        check(
            FieldError::invalid(&field, json!({"a": "b"}), "y").showing(r#"map[string]string{"a":"b"}"#),
            "FieldValueInvalid",
            r#"spec.x: Invalid value: map[string]string{"a":"b"}: y"#,
        );
        check(FieldError::not_found(&field, "a"), "FieldValueNotFound", r#"spec.x: Not found: "a""#);
        check(FieldError::internal(&field, "oops"), "InternalError", "spec.x: Internal error: oops");
    }
}
