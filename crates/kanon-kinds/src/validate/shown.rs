//! How Go prints the values of built-in types that failures quote: people and scripts know these texts
//! (`v1.LabelSelector{MatchLabels:map[string]string{"app":"web"}, …}`). Values without such a form print as plain JSON types.

use kanon_schema::quote;
use serde_json::Value;

use crate::quantity;

/// The form of a value whose shape says its type: lists and maps of texts.
pub(super) fn plain(value: &Value) -> Option<String> {
    match value {
        Value::Array(list) if !list.is_empty() && list.iter().all(Value::is_string) => Some(texts(value)),
        Value::Object(map) if !map.is_empty() && map.values().all(Value::is_string) => Some(labels(value)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) | Value::Object(_) => None,
    }
}

fn text(value: &Value) -> String {
    quote(value.as_str().unwrap_or_default())
}

/// `[]string`
fn texts(value: &Value) -> String {
    match value.as_array() {
        Some(list) => format!("[]string{{{}}}", list.iter().map(text).collect::<Vec<_>>().join(", ")),
        None => "[]string(nil)".to_owned(),
    }
}

/// `map[string]string`, sorted by key.
fn labels(value: &Value) -> String {
    let Some(map) = value.as_object() else { return "map[string]string(nil)".to_owned() };
    let mut pairs: Vec<String> = map.iter().map(|(key, value)| format!("{}:{}", quote(key), text(value))).collect();
    pairs.sort();
    format!("map[string]string{{{}}}", pairs.join(", "))
}

/// `v1.LabelSelector`
pub(super) fn label_selector(value: &Value) -> String {
    let requirement = |it: &Value| {
        format!(
            "v1.LabelSelectorRequirement{{Key:{}, Operator:{}, Values:{}}}",
            text(&it["key"]),
            text(&it["operator"]),
            texts(&it["values"])
        )
    };
    let expressions = match value["matchExpressions"].as_array() {
        Some(list) => format!("{{{}}}", list.iter().map(requirement).collect::<Vec<_>>().join(", ")),
        None => "(nil)".to_owned(),
    };
    format!(
        "v1.LabelSelector{{MatchLabels:{}, MatchExpressions:[]v1.LabelSelectorRequirement{expressions}}}",
        labels(&value["matchLabels"])
    )
}

/// `rbac.RoleRef`
pub(super) fn role_ref(value: &Value) -> String {
    let [group, kind, name] = ["apiGroup", "kind", "name"].map(|it| text(&value[it]));
    format!("rbac.RoleRef{{APIGroup:{group}, Kind:{kind}, Name:{name}}}")
}

/// `intstr.IntOrString`
pub(super) fn int_or_string(value: &Value) -> String {
    let (kind, number) = (u8::from(value.is_string()), value.as_i64().unwrap_or_default());
    format!("intstr.IntOrString{{Type:{kind}, IntVal:{number}, StrVal:{}}}", text(value))
}

/// `[]core.ResourceQuotaScope`
pub(super) fn quota_scopes(value: &Value) -> String {
    match value.as_array() {
        Some(list) => {
            format!("[]core.ResourceQuotaScope{{{}}}", list.iter().map(text).collect::<Vec<_>>().join(", "))
        }
        None => "[]core.ResourceQuotaScope(nil)".to_owned(),
    }
}

/// `core.ScopeSelector`
pub(super) fn scope_selector(value: &Value) -> String {
    let requirement = |it: &Value| {
        format!(
            "core.ScopedResourceSelectorRequirement{{ScopeName:{}, Operator:{}, Values:{}}}",
            text(&it["scopeName"]),
            text(&it["operator"]),
            texts(&it["values"])
        )
    };
    let list = value["matchExpressions"].as_array();
    let list = list.map(|it| it.iter().map(requirement).collect::<Vec<_>>().join(", ")).unwrap_or_default();
    format!("core.ScopeSelector{{MatchExpressions:[]core.ScopedResourceSelectorRequirement{{{list}}}}}")
}

/// `resource.Quantity`, which keeps its text once it was `printed`.
pub(super) fn quantity(value: &Value, printed: bool) -> String {
    let canonical = quantity::canonical(value).unwrap_or_default();
    let (number, scale, format) = quantity::in_go(&canonical).unwrap_or((0, 0, "DecimalSI"));
    let text = if printed { canonical.as_str() } else { "" };
    format!(
        "resource.Quantity{{i:resource.int64Amount{{value:{number}, scale:{scale}}}, d:resource.infDecAmount{{Dec:(*inf.Dec)(nil)}}, s:{}, Format:{}}}",
        quote(text),
        quote(format)
    )
}
