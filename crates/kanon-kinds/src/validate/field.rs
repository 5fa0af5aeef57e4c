//! A value with its path: what rules look at and blame.

use kanon_schema::{FieldError, FieldPath};
use serde_json::Value;

use super::shown;

pub(super) type Errors = Vec<FieldError>;

static NULL: Value = Value::Null;

/// A place in an object. Absent members are null with a path.
pub(super) struct Field<'a> {
    path: FieldPath<'a>,
    value: &'a Value,
}

impl<'a> Field<'a> {
    pub(super) fn root(value: &'a Value) -> Field<'a> {
        Field { path: FieldPath::root(), value }
    }

    pub(super) fn get<'b>(&'b self, name: &'b str) -> Field<'b> {
        Field { path: self.path.child(name), value: self.value.get(name).unwrap_or(&NULL) }
    }

    /// An entry of a map: `data[key]`.
    pub(super) fn key<'b>(&'b self, key: &'b str) -> Field<'b> {
        Field { path: self.path.key(key), value: self.value.get(key).unwrap_or(&NULL) }
    }

    pub(super) fn index(&self, index: usize) -> Field<'_> {
        Field { path: self.path.index(index), value: self.value.get(index).unwrap_or(&NULL) }
    }

    /// Visits the elements of a list.
    pub(super) fn each(&self, mut visit: impl FnMut(&Field<'_>)) {
        for index in 0..self.len() {
            visit(&self.index(index));
        }
    }

    /// Visits the entries of a map.
    pub(super) fn entries(&self) -> impl Iterator<Item = (&'a str, &'a Value)> {
        self.value.as_object().into_iter().flatten().map(|(key, value)| (key.as_str(), value))
    }

    pub(super) fn value(&self) -> &'a Value {
        self.value
    }

    /// Text; empty when absent.
    pub(super) fn text(&self) -> &'a str {
        self.value.as_str().unwrap_or_default()
    }

    pub(super) fn int(&self) -> Option<i64> {
        self.value.as_i64()
    }

    pub(super) fn is_true(&self) -> bool {
        self.value == &Value::Bool(true)
    }

    pub(super) fn is_absent(&self) -> bool {
        self.value.is_null()
    }

    /// How many elements or entries.
    pub(super) fn len(&self) -> usize {
        match self.value {
            Value::Array(list) => list.len(),
            Value::Object(map) => map.len(),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => 0,
        }
    }

    /// Absent, empty text, empty list or empty map.
    pub(super) fn is_empty(&self) -> bool {
        match self.value {
            Value::Null => true,
            Value::String(text) => text.is_empty(),
            Value::Array(_) | Value::Object(_) => self.len() == 0,
            Value::Bool(_) | Value::Number(_) => false,
        }
    }

    pub(super) fn required(&self, errors: &mut Errors, detail: &str) {
        errors.push(FieldError::required(&self.path, detail));
    }

    pub(super) fn invalid(&self, errors: &mut Errors, detail: impl Into<String>) {
        self.invalid_value(errors, self.value.clone(), detail);
    }

    /// Blames this place for a value that is not quite what is there (a map's key, an absent text).
    pub(super) fn invalid_value(&self, errors: &mut Errors, value: impl Into<Value>, detail: impl Into<String>) {
        let error = FieldError::invalid(&self.path, value, detail);
        errors.push(match shown::plain(&error.value) {
            Some(shown) => error.showing(shown),
            None => error,
        });
    }

    /// The same with the value as its Go type prints it.
    pub(super) fn invalid_shown(&self, errors: &mut Errors, shown: String, detail: impl Into<String>) {
        errors.push(FieldError::invalid(&self.path, self.value.clone(), detail).showing(shown));
    }

    /// Blames this place without showing what is there.
    pub(super) fn invalid_alone(&self, errors: &mut Errors, detail: &str) {
        errors.push(FieldError::invalid(&self.path, Value::Null, detail).showing(""));
    }

    pub(super) fn forbidden(&self, errors: &mut Errors, detail: &str) {
        errors.push(FieldError::forbidden(&self.path, detail));
    }

    pub(super) fn duplicate(&self, errors: &mut Errors) {
        errors.push(FieldError::duplicate(&self.path, self.value.clone()));
    }

    /// The same with a value that stands for what must be unique, as Go prints it.
    pub(super) fn duplicate_shown(&self, errors: &mut Errors, shown: String) {
        errors.push(FieldError::duplicate(&self.path, self.value.clone()).showing(shown));
    }

    pub(super) fn not_found(&self, errors: &mut Errors) {
        errors.push(FieldError::not_found(&self.path, self.value.clone()));
    }

    pub(super) fn too_long(&self, errors: &mut Errors, most: usize) {
        errors.push(FieldError::too_long(&self.path, most as u64));
    }

    pub(super) fn too_many(&self, errors: &mut Errors, most: usize) {
        errors.push(FieldError::too_many(&self.path, self.len() as u64, most as u64));
    }

    /// Refuses a text that is none of `allowed`.
    pub(super) fn one_of(&self, errors: &mut Errors, allowed: &[&str]) {
        if !allowed.contains(&self.text()) {
            errors.push(FieldError::not_supported(&self.path, self.text(), allowed));
        }
    }

    /// Refuses an empty value; true when there is one.
    pub(super) fn present(&self, errors: &mut Errors, detail: &str) -> bool {
        if self.is_empty() {
            self.required(errors, detail);
        }
        !self.is_empty()
    }

    /// Adds each problem with a text.
    pub(super) fn problems(&self, errors: &mut Errors, problems: Vec<String>) {
        for problem in problems {
            self.invalid(errors, problem);
        }
    }

    /// Refuses a number outside of a range, where there is one.
    pub(super) fn within(&self, errors: &mut Errors, least: i64, most: i64) {
        if self.int().is_some_and(|it| !(least..=most).contains(&it)) {
            self.invalid(errors, format!("must be between {least} and {most}, inclusive"));
        }
    }

    pub(super) fn not_negative(&self, errors: &mut Errors) {
        if self.int().is_some_and(|it| it < 0) {
            self.invalid(errors, "must be greater than or equal to 0");
        }
    }

    /// A port number.
    pub(super) fn port_number(&self, errors: &mut Errors) {
        self.within(errors, 1, 65_535);
    }

    /// A port by number or by name.
    pub(super) fn port(&self, errors: &mut Errors) {
        if self.value.is_string() {
            self.problems(errors, port_name_problems(self.text()));
        } else {
            self.port_number(errors);
        }
    }

    /// Refuses a change.
    pub(super) fn unchanged(&self, old: &Field<'_>, errors: &mut Errors) {
        if self.value != old.value {
            self.invalid(errors, "field is immutable");
        }
    }
}

/// Longest name of a port.
const PORT_NAME_MAX: usize = 15;

/// IANA service names: what names of ports look like.
pub(super) fn port_name_problems(name: &str) -> Vec<String> {
    let mut problems = Vec::new();
    if name.len() > PORT_NAME_MAX {
        problems.push(crate::names::too_long(PORT_NAME_MAX));
    }
    if !name.bytes().all(|it| it.is_ascii_lowercase() || it.is_ascii_digit() || it == b'-') {
        problems.push("must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-)".to_owned());
    }
    if !name.bytes().any(|it| it.is_ascii_lowercase()) {
        problems.push("must contain at least one letter (a-z)".to_owned());
    }
    if name.contains("--") {
        problems.push("must not contain consecutive hyphens".to_owned());
    }
    if name.starts_with('-') || name.ends_with('-') {
        problems.push("must not begin or end with a hyphen".to_owned());
    }
    problems
}
