//! The form of `x-kubernetes-validations`; whether the expressions compile is `crate::rules`' affair.

use super::{convert::from_json, field_path::rule_field, node::JsonNode};
use crate::{error::FieldError, path::FieldPath};

/// Reasons a rule may give.
const REASONS: [&str; 4] = ["FieldValueDuplicate", "FieldValueForbidden", "FieldValueInvalid", "FieldValueRequired"];

pub(super) fn check(node: JsonNode<'_>, path: &FieldPath<'_>, errors: &mut Vec<FieldError>) {
    let list = path.child("x-kubernetes-validations");
    for (index, rule) in node.listed("x-kubernetes-validations") {
        let path = list.index(index);
        texts(rule, &path, errors);
        let reason = rule.text("reason");
        if rule.get("reason").is_some() && !REASONS.contains(&reason) {
            errors.push(FieldError::not_supported(&path.child("reason"), reason, REASONS));
        }
        field(node, rule, &path.child("fieldPath"), errors);
    }
}

fn has_breaks(text: &str) -> bool {
    text.contains(['\n', '\r'])
}

/// The first mistake in rule and message, and that of the message expression.
fn texts(rule: JsonNode<'_>, path: &FieldPath<'_>, errors: &mut Vec<FieldError>) {
    let (text, message) = (rule.text("rule").trim(), rule.text("message"));
    let at = path.child("message");
    if text.is_empty() {
        errors.push(FieldError::required(&path.child("rule"), "rule is not specified"));
    } else if !message.is_empty() && message.trim().is_empty() {
        errors.push(FieldError::invalid(&at, message, "message must be non-empty if specified"));
    } else if has_breaks(message.trim()) {
        errors.push(FieldError::invalid(&at, message, "message must not contain line breaks"));
    } else if has_breaks(text) && message.is_empty() {
        errors.push(FieldError::required(&at, "message must be specified if rule contains line breaks"));
    }
    let expression = rule.text("messageExpression");
    if !expression.is_empty() && expression.trim().is_empty() {
        let why = "messageExpression must be non-empty if specified";
        errors.push(FieldError::required(&path.child("messageExpression"), why));
    }
}

fn field(node: JsonNode<'_>, rule: JsonNode<'_>, path: &FieldPath<'_>, errors: &mut Vec<FieldError>) {
    let field = rule.text("fieldPath");
    if field.is_empty() {
        return;
    }
    if field.trim().is_empty() {
        errors.push(FieldError::invalid(path, field, "fieldPath must be non-empty if specified"));
    }
    if has_breaks(field) {
        errors.push(FieldError::invalid(path, field, "fieldPath must not contain line breaks"));
    }
    if rule_field(&from_json(&node.to_value()), field).is_none() {
        errors.push(FieldError::invalid(path, field, "fieldPath must be a valid path"));
    }
}
