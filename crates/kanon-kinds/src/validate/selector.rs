//! Label selectors: their form, and whether they match.

use serde_json::Value;

use super::field::{Errors, Field};
use crate::names::{label_value_problems, qualified_name_problems};

/// Checks a `LabelSelector`.
pub(super) fn validate(selector: &Field<'_>, errors: &mut Errors) {
    super::metadata::labels(&selector.get("matchLabels"), errors);
    selector.get("matchExpressions").each(|it| expression(it, errors));
}

fn expression(it: &Field<'_>, errors: &mut Errors) {
    let (key, operator, values) = (it.get("key"), it.get("operator"), it.get("values"));
    match operator.text() {
        "In" | "NotIn" if values.is_empty() => {
            values.required(errors, "must be specified when `operator` is 'In' or 'NotIn'");
        }
        "In" | "NotIn" => {}
        "Exists" | "DoesNotExist" if !values.is_empty() => {
            values.forbidden(errors, "may not be specified when `operator` is 'Exists' or 'DoesNotExist'");
        }
        "Exists" | "DoesNotExist" => {}
        other => operator.invalid_value(errors, other, "not a valid selector operator"),
    }
    for problem in qualified_name_problems(key.text()) {
        key.invalid_value(errors, key.text(), problem);
    }
    values.each(|value| value.problems(errors, label_value_problems(value.text())));
}

/// Whether a `LabelSelector` selects nothing in particular.
pub(super) fn is_empty(selector: &Field<'_>) -> bool {
    selector.get("matchLabels").is_empty() && selector.get("matchExpressions").is_empty()
}

/// Whether a `LabelSelector` selects an object with these labels.
pub(super) fn matches(selector: &Value, labels: &Value) -> bool {
    let pairs = selector["matchLabels"].as_object();
    let equal = pairs.into_iter().flatten().all(|(key, value)| labels.get(key) == Some(value));
    let expressions = selector["matchExpressions"].as_array();
    equal && expressions.into_iter().flatten().all(|it| meets(it, labels))
}

fn meets(expression: &Value, labels: &Value) -> bool {
    let label = expression["key"].as_str().and_then(|key| labels.get(key));
    let listed = label.is_some_and(|it| expression["values"].as_array().is_some_and(|all| all.contains(it)));
    match expression["operator"].as_str().unwrap_or_default() {
        "In" => listed,
        "NotIn" => !listed,
        "Exists" => label.is_some(),
        "DoesNotExist" => label.is_none(),
        _ => false,
    }
}
