//! One rule's fields: what moved, what must be said now, and the expression.

use serde_json::{Map, Value, json};

use super::spel;
use crate::validate::restore_on;

/// Keys of an action that are not parameters.
const ACTION_KEYS: [&str; 4] = ["type", "on", "rateLimit", "params"];

/// Rewrites a rule in place; gives the warnings. A resource must say more than a file.
pub(super) fn migrate(
    rule: &mut Map<String, Value>,
    as_resource: bool,
    compile: &dyn Fn(&str) -> Result<(), String>,
) -> Vec<String> {
    let mut warnings = Vec::new();
    filter(rule, &mut warnings);
    defaults(rule, as_resource, &mut warnings);
    actions(rule);
    if let Some(Value::String(text)) = rule.get_mut("rule") {
        let rewritten = spel::rewrite(text);
        warnings.extend(rewritten.warnings);
        // Text that was fine before is not ours to judge; all else is shown to whoever migrates.
        if let Err(problem) = compile(&rewritten.text) {
            let problem = problem.lines().next().unwrap_or_default().to_owned();
            warnings.push(format!("the expression does not compile, rewrite it by hand: {problem}"));
        }
        *text = rewritten.text;
    }
    warnings
}

/// `filter.namespace` → `match.namespaces`.
fn filter(rule: &mut Map<String, Value>, warnings: &mut Vec<String>) {
    let Some(Value::Object(filter)) = rule.get_mut("filter") else { return };
    let namespaces = match filter.get("namespace") {
        Some(Value::String(name)) => json!({"include": [name]}),
        Some(Value::Object(lists)) => {
            let known = ["include", "exclude"].into_iter();
            Value::Object(known.filter_map(|it| Some((it.to_owned(), lists.get(it)?.clone()))).collect())
        }
        Some(_) => {
            warnings.push("`filter.namespace` is neither a name nor a mapping: left alone".to_owned());
            return;
        }
        None => return,
    };
    filter.remove("namespace");
    if filter.is_empty() {
        rule.remove("filter");
    }
    let matcher = rule.entry("match").or_insert_with(|| json!({}));
    match matcher.as_object_mut() {
        Some(matcher) if matcher.contains_key("namespaces") => {
            warnings.push("`match.namespaces` stays; that of `filter.namespace` is dropped".to_owned());
        }
        Some(matcher) => {
            matcher.insert("namespaces".to_owned(), namespaces);
        }
        None => warnings.push("`match` is no mapping: `filter.namespace` is dropped".to_owned()),
    }
}

fn defaults(rule: &mut Map<String, Value>, as_resource: bool, warnings: &mut Vec<String>) {
    let is_empty = |it: Option<&Value>| it.is_none_or(|it| it.is_null() || it.as_array().is_some_and(Vec::is_empty));
    let matcher = rule.entry("match").or_insert_with(|| json!({}));
    if let Some(matcher) = matcher.as_object_mut()
        && is_empty(matcher.get("gvk"))
    {
        matcher.insert("gvk".to_owned(), json!([{"group": "", "version": "v1", "kind": "Pod"}]));
        warnings.push("`match.gvk` was missing: the rule is about Pods".to_owned());
    }
    // An empty list is meant: it parks the rule.
    if rule.get("mode").is_none_or(Value::is_null) {
        rule.insert("mode".to_owned(), json!(["admission", "audit"]));
    }
    if rule.get("enforcementAction").is_none_or(Value::is_null) {
        rule.insert("enforcementAction".to_owned(), json!("warn"));
        warnings.push("`enforcementAction` was missing: the rule warns".to_owned());
    }
    if as_resource && rule.get("enabled").is_none_or(Value::is_null) {
        rule.insert("enabled".to_owned(), json!(false));
        warnings.push("`enabled` was missing, which means false, and a resource must say it".to_owned());
    }
}

/// Inline parameters go under `params`, the form that every version understands; nested ones win.
fn actions(rule: &mut Map<String, Value>) {
    let mut whole = Value::Object(std::mem::take(rule));
    restore_on(&mut whole);
    if let Value::Object(restored) = whole {
        *rule = restored;
    }
    for action in rule.get_mut("actions").and_then(Value::as_array_mut).into_iter().flatten() {
        let Some(action) = action.as_object_mut() else { continue };
        let inline: Vec<_> = action.keys().filter(|it| !ACTION_KEYS.contains(&it.as_str())).cloned().collect();
        if inline.is_empty() || action.get("params").is_some_and(|it| !it.is_object() && !it.is_null()) {
            continue;
        }
        let mut params = Map::new();
        for key in inline {
            params.extend(action.remove(&key).map(|value| (key, value)));
        }
        if let Some(Value::Object(nested)) = action.remove("params") {
            params.extend(nested);
        }
        action.insert("params".to_owned(), Value::Object(params));
    }
}
