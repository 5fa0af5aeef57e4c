//! Values against a schema, in the words of the validation library that kube-apiserver uses (spec/kubernetes-api.md 4.8).
//!
//! Order as upstream: the schema, embedded resources, then uniqueness of list elements. Rules in CEL come after
//! (`rules.rs`). An update is judged with its old value at hand: a part that did not change is not judged again.

mod embedded;
pub(crate) mod format;
mod junctor;
mod lists;
mod number;

use std::{
    collections::{BTreeMap, HashSet},
    sync::{Arc, OnceLock},
};

use regex::Regex;
use serde_json::Value;

use crate::{
    error::{FieldError, FieldErrorKind},
    path::FieldPath,
    pattern::compile_pattern,
    schema::{ListType, Schema, Type},
};

pub(crate) use lists::element_key;
pub(crate) use number::equal;

/// Patterns of a schema, each compiled once, when the first value meets it; one that does not compile matches nothing and says
/// why. A server starts with hundreds of patterns and meets a few of them.
type Patterns = BTreeMap<String, OnceLock<Result<Regex, String>>>;

/// A schema ready to validate values: each pattern is compiled once.
#[derive(Clone, Debug)]
pub struct Validator {
    schema: Arc<Schema>,
    patterns: Arc<Patterns>,
}

impl Validator {
    /// Prepares `schema`.
    pub fn new(schema: Arc<Schema>) -> Validator {
        let mut patterns = Patterns::new();
        collect_patterns(&schema, &mut patterns, &mut HashSet::new());
        Validator { schema, patterns: Arc::new(patterns) }
    }

    /// The schema.
    pub fn schema(&self) -> &Arc<Schema> {
        &self.schema
    }

    /// Everything wrong with a new value.
    pub fn validate(&self, value: &Value) -> Vec<FieldError> {
        let mut errors = self.check(value, None);
        errors.extend(lists::check(&self.schema, value));
        errors
    }

    /// Everything wrong with a value that replaces `old`: what was wrong before and did not change is let pass.
    pub fn validate_update(&self, value: &Value, old: &Value) -> Vec<FieldError> {
        let mut errors = self.check(value, Some(old));
        let duplicates = lists::check(&self.schema, value);
        if !duplicates.is_empty() && lists::check(&self.schema, old).is_empty() {
            errors.extend(duplicates);
        }
        errors
    }

    fn check(&self, value: &Value, old: Option<&Value>) -> Vec<FieldError> {
        let mut walk = Walk { patterns: &self.patterns, errors: Vec::new() };
        walk.node(&self.schema, value, old, &FieldPath::root());
        let mut errors = walk.errors;
        errors.extend(embedded::check(&self.schema, value, old));
        errors
    }

    /// Everything wrong with a value that stands at `path`, by the schema alone.
    pub(crate) fn check_at(&self, value: &Value, path: &FieldPath<'_>) -> Vec<FieldError> {
        let mut walk = Walk { patterns: &self.patterns, errors: Vec::new() };
        walk.node(&self.schema, value, None, path);
        walk.errors
    }
}

/// Validates once. For values that keep coming, keep a [`Validator`].
pub fn validate(schema: &Schema, value: &Value) -> Vec<FieldError> {
    Validator::new(Arc::new(schema.clone())).validate(value)
}

fn collect_patterns(schema: &Schema, out: &mut Patterns, seen: &mut HashSet<*const Schema>) {
    if !seen.insert(std::ptr::from_ref(schema)) {
        return;
    }
    let rules = &schema.rules;
    if let Some(pattern) = &rules.pattern
        && !out.contains_key(pattern)
    {
        out.insert(pattern.clone(), OnceLock::new());
    }
    let shared = schema.properties.values().chain(&schema.additional).chain(&schema.items).map(|it| &**it);
    let nested = rules.all_of.iter().chain(&rules.any_of).chain(&rules.one_of).chain(rules.not.as_deref());
    for inner in shared.chain(nested) {
        collect_patterns(inner, out, seen);
    }
}

/// The name of a value's JSON type.
fn type_name(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(number) if number.is_f64() => "number",
        Value::Number(_) => "integer",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}

impl Type {
    /// The type as schemas and messages spell it; empty for any.
    pub fn name(self) -> &'static str {
        match self {
            Type::Any => "",
            Type::Object => "object",
            Type::Array => "array",
            Type::String => "string",
            Type::Integer => "integer",
            Type::Number => "number",
            Type::Boolean => "boolean",
            Type::IntOrString => "integer,string",
        }
    }

    fn admits(self, value: &Value) -> bool {
        match self {
            Type::Any => true,
            Type::Object => value.is_object(),
            Type::Array => value.is_array(),
            Type::String => value.is_string(),
            Type::Integer => number::is_integer(value),
            Type::Number => value.is_number(),
            Type::Boolean => value.is_boolean(),
            Type::IntOrString => value.is_string() || number::is_integer(value),
        }
    }
}

struct Walk<'v> {
    patterns: &'v Patterns,
    errors: Vec<FieldError>,
}

impl Walk<'_> {
    /// Checks a value; gives how many checks applied, by which the nearest alternative of several is chosen.
    fn node(&mut self, schema: &Schema, value: &Value, old: Option<&Value>, path: &FieldPath<'_>) -> usize {
        if old == Some(value) {
            return 0;
        }
        let mut count = self.type_check(schema, value, path);
        if value.is_null() {
            self.enum_check(schema, value, path);
            return count;
        }
        count += self.junctors(schema, value, path);
        match value {
            Value::String(text) => count += self.text(schema, text, path),
            Value::Number(number) => {
                number::check(&schema.rules, number, path, &mut self.errors);
                count += 2;
            }
            Value::Array(items) => count += self.list(schema, items, old, path),
            Value::Null | Value::Bool(_) | Value::Object(_) => {}
        }
        self.enum_check(schema, value, path);
        if let Value::Object(members) = value {
            count += self.object(schema, members, old, path);
        }
        count + 2
    }

    fn fail(&mut self, path: &FieldPath<'_>, value: impl Into<Value>, detail: std::fmt::Arguments<'_>) {
        self.errors.push(FieldError::invalid(path, value, format!("{} in body {detail}", path.name())));
    }

    fn type_check(&mut self, schema: &Schema, value: &Value, path: &FieldPath<'_>) -> usize {
        if schema.kind == Type::Any {
            return 0;
        }
        if value.is_null() && schema.nullable {
            return 2;
        }
        let mismatch = number::format_mismatch(schema, value);
        if !schema.kind.admits(value) {
            // Of fractions where a format asks for whole numbers, upstream tells Go's types.
            let (expected, found) = match mismatch {
                Some(format) => (format, "float64"),
                None => (schema.kind.name(), type_name(value)),
            };
            let detail = format!("{} in body must be of type {expected}: {found:?}", path.name());
            self.errors.push(FieldError::type_invalid(path, found, detail));
        }
        if let Some(format) = mismatch {
            // Upstream names the field in the text alone.
            let detail = format!("Checked value must be of type integer with format {format} in {}", path.name());
            self.errors.push(FieldError::invalid(&FieldPath::root(), "", detail));
        }
        2
    }

    fn enum_check(&mut self, schema: &Schema, value: &Value, path: &FieldPath<'_>) {
        let allowed = &schema.rules.one_of_values;
        let null_fine = value.is_null() && schema.nullable && allowed.contains(value);
        if allowed.is_empty() || null_fine || allowed.iter().any(|it| !value.is_null() && number::equal(it, value)) {
            return;
        }
        let words = allowed.iter().map(|it| it.as_str().map_or_else(|| it.to_string(), str::to_owned));
        self.errors.push(FieldError::not_supported(path, value.clone(), words));
    }

    /// Length, pattern and format; of the first two only the first mistake is told.
    fn text(&mut self, schema: &Schema, text: &str, path: &FieldPath<'_>) -> usize {
        let rules = &schema.rules;
        let length = || text.chars().count() as u64;
        if let Some(max) = rules.max_length.filter(|it| length() > *it) {
            self.errors.push(FieldError::too_long(path, max));
        } else if let Some(min) = rules.min_length.filter(|it| length() < *it) {
            self.fail(path, text, format_args!("should be at least {min} chars long"));
        } else if let Some(pattern) = &rules.pattern {
            match self.patterns.get(pattern).map(|it| it.get_or_init(|| compile_pattern(pattern))) {
                Some(Ok(regex)) if regex.is_match(text) => {}
                Some(Err(why)) => {
                    let why = format!("should match '{pattern}, but pattern is invalid: {why}'");
                    self.fail(path, text, format_args!("{why}"));
                }
                Some(Ok(_)) | None => self.fail(path, text, format_args!("should match '{pattern}'")),
            }
        }
        let known = if schema.format.is_empty() { None } else { format::matches_format(&schema.format, text) };
        if known == Some(false) {
            let detail = format!("{} in body must be of type {}: {:?}", path.name(), schema.format, text);
            self.errors.push(FieldError::type_invalid(path, text, detail));
        }
        1 + usize::from(known.is_some())
    }

    fn list(&mut self, schema: &Schema, items: &[Value], old: Option<&Value>, path: &FieldPath<'_>) -> usize {
        let mut count = 2;
        if let Some(inner) = &schema.items {
            let old = OldItems::new(schema, old);
            for (index, item) in items.iter().enumerate() {
                count += self.node(inner, item, old.find(item), &path.index(index));
            }
        }
        let (rules, len) = (&schema.rules, items.len() as u64);
        if let Some(min) = rules.min_items.filter(|it| len < *it) {
            self.fail(path, len, format_args!("should have at least {min} items"));
        }
        if let Some(max) = rules.max_items.filter(|it| len > *it) {
            self.errors.push(FieldError::too_many(path, len, max));
        }
        if rules.unique_items && lists::has_duplicates(items) {
            self.fail(path, "", format_args!("shouldn't contain duplicates"));
        }
        count
    }

    fn object(
        &mut self,
        schema: &Schema,
        members: &serde_json::Map<String, Value>,
        old: Option<&Value>,
        path: &FieldPath<'_>,
    ) -> usize {
        let (rules, len) = (&schema.rules, members.len() as u64);
        if let Some(min) = rules.min_properties.filter(|it| len < *it) {
            self.fail(path, len, format_args!("should have at least {min} properties"));
            return 1;
        }
        if let Some(max) = rules.max_properties.filter(|it| len > *it) {
            self.errors.push(FieldError::too_many(path, len, max));
            return 1;
        }
        let mut count = 2;
        for (key, value) in members {
            if let Some(inner) = schema.properties.get(key).or(schema.additional.as_ref()) {
                count += self.node(inner, value, old.and_then(|it| it.get(key)), &path.child(key));
            }
        }
        for key in schema.required.iter().filter(|it| !members.contains_key(*it)) {
            self.errors.push(FieldError::new(FieldErrorKind::Required, &path.child(key), Value::Null, ""));
        }
        count
    }
}

/// The elements of the old list by key, where the list has keys: only there an element's old value can be told.
pub(crate) struct OldItems<'o> {
    keys: &'o [String],
    items: Vec<(Vec<&'o Value>, &'o Value)>,
}

impl<'o> OldItems<'o> {
    pub(crate) fn new(schema: &'o Schema, old: Option<&'o Value>) -> OldItems<'o> {
        let keys: &[String] = match &schema.list_type {
            ListType::Map(keys) => keys,
            ListType::Atomic | ListType::Set => &[],
        };
        let old = old.and_then(Value::as_array).filter(|_| !keys.is_empty());
        let items = old.into_iter().flatten().map(|it| (element_key(keys, it), it)).collect();
        OldItems { keys, items }
    }

    pub(crate) fn find(&self, item: &Value) -> Option<&'o Value> {
        if self.items.is_empty() {
            return None;
        }
        let key = element_key(self.keys, item);
        self.items.iter().find(|(it, _)| *it == key).map(|(_, old)| *old)
    }
}

#[cfg(test)]
mod tests;
