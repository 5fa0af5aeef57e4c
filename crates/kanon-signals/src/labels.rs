//! Custom labels as the rule `labels` gives them, made fit to be stored and matched (spec/signal-approval 1.6).

use std::collections::BTreeMap;

use serde_json::Value;

/// Keys kept.
const KEYS_MAX: usize = 10;
/// Values kept a key.
const VALUES_MAX: usize = 5;
/// Length of a key, in bytes.
const KEY_LEN_MAX: usize = 63;
/// Length of a value, in bytes.
const VALUE_LEN_MAX: usize = 100;
/// Beginnings of keys that are not an operator's to set.
const RESERVED: [&str; 2] = ["kubernaut.ai/", "system/"];
/// Namespace labels that stand in where the policy gives none (1.4), and the custom labels that they become.
const FALLBACK: [(&str, &str); 4] = [
    ("kubernaut.ai/team", "team"),
    ("kubernaut.ai/tier", "tier"),
    ("kubernaut.ai/cost-center", "cost-center"),
    ("kubernaut.ai/region", "region"),
];

/// Labels by key.
pub(crate) type Values = BTreeMap<String, Vec<String>>;

/// Labels that can be kept, and a word about each that cannot; `None` when the value is no object.
///
/// Keys are taken in order of their bytes, so that the same ten survive every time.
pub(crate) fn sanitise(value: &Value) -> Option<(Values, Vec<String>)> {
    let Value::Object(members) = value else { return None };
    let members: BTreeMap<_, _> = members.iter().collect();
    let (mut labels, mut dropped, mut accepted) = (Values::new(), Vec::new(), 0);
    for (key, value) in members {
        let Some(values) = texts(value) else {
            dropped.push(format!("`{key}` has no text value"));
            continue;
        };
        if RESERVED.iter().any(|it| key.starts_with(it)) {
            dropped.push(format!("`{key}` is reserved"));
            continue;
        }
        if accepted == KEYS_MAX {
            dropped.push(format!("`{key}` and what follows: there are more than {KEYS_MAX} keys"));
            break;
        }
        accepted += 1;
        labels.insert(cut(key, KEY_LEN_MAX), values);
    }
    Some((labels, dropped))
}

/// The texts of a label, cut and counted; `None` when there is none.
fn texts(value: &Value) -> Option<Vec<String>> {
    let texts: Vec<_> = match value {
        Value::String(text) => vec![text.as_str()],
        Value::Array(items) => items.iter().filter_map(Value::as_str).collect(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Object(_) => Vec::new(),
    };
    (!texts.is_empty()).then(|| texts.into_iter().take(VALUES_MAX).map(|it| cut(it, VALUE_LEN_MAX)).collect())
}

/// The text up to `max` bytes, ending at a character.
fn cut(text: &str, max: usize) -> String {
    let end = (0..=max.min(text.len())).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
    text[..end].to_owned()
}

/// What stands in for labels that the policy does not give.
pub(crate) fn fallback(namespace: &BTreeMap<String, String>) -> Values {
    let label = |(from, to): &(&str, &str)| Some(((*to).to_owned(), vec![namespace.get(*from)?.clone()]));
    FALLBACK.iter().filter_map(label).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn check(value: Value, want: Value) {
        let labels = sanitise(&value).map(|(labels, _)| json!(labels));
        assert_eq!(labels.unwrap_or_default(), want, "{value}");
    }

    #[test]
    fn labels_are_texts_in_lists() {
        check(json!("x"), Value::Null);
        check(json!([]), Value::Null);
        check(json!({}), json!({}));
        check(json!({"a": ["x", 1, null, "y"], "b": "z"}), json!({"a": ["x", "y"], "b": ["z"]}));
        check(json!({"a": [], "b": [1], "c": 1, "d": true, "e": {}, "f": null}), json!({}));
        check(json!({"a": ["", ""], "b": ""}), json!({"a": ["", ""], "b": [""]}));
        check(json!({"a": ["1", "2", "3", "4", "5", "6"]}), json!({"a": ["1", "2", "3", "4", "5"]}));
    }

    #[test]
    fn reserved_keys_go_and_do_not_count() {
        check(json!({"kubernaut.ai/x": "1", "system/y": "2", "a": "3"}), json!({"a": ["3"]}));
        check(json!({"kubernaut.aix": "1", "systems": "2"}), json!({"kubernaut.aix": ["1"], "systems": ["2"]}));
        let mut many: serde_json::Map<_, _> = (0..20).map(|at| (format!("system/{at:02}"), json!("x"))).collect();
        many.extend((0..12).map(|at| (format!("t{at:02}"), json!("x"))));
        let (labels, dropped) = sanitise(&Value::Object(many)).unwrap();
        assert_eq!(
            labels.keys().map(String::as_str).collect::<Vec<_>>().join(" "),
            "t00 t01 t02 t03 t04 t05 t06 t07 t08 t09"
        );
        assert_eq!(dropped.len(), 21);
    }

    #[test]
    fn long_texts_are_cut_at_a_character() {
        let key = "k".repeat(62) + "é";
        check(json!({key: "v".repeat(99) + "é"}), json!({"k".repeat(62): ["v".repeat(99)]}));
        // Two keys that become one: the later overwrites, and both count.
        let (one, two) = ("k".repeat(63) + "a", "k".repeat(63) + "b");
        check(json!({one: "1", two: "2"}), json!({"k".repeat(63): ["2"]}));
    }

    proptest! {
        #[test]
        fn what_comes_out_keeps_the_limits(
            labels in prop::collection::btree_map("\\PC{0,80}", prop::collection::vec("\\PC{0,120}", 0..8), 0..20)
        ) {
            let (labels, _) = sanitise(&json!(labels)).unwrap();
            prop_assert!(labels.len() <= KEYS_MAX);
            for (key, values) in &labels {
                prop_assert!(key.len() <= KEY_LEN_MAX && !RESERVED.iter().any(|it| key.starts_with(it)));
                prop_assert!((1..=VALUES_MAX).contains(&values.len()));
                prop_assert!(values.iter().all(|it| it.len() <= VALUE_LEN_MAX));
            }
            // Fit labels stay as they are.
            prop_assert_eq!(sanitise(&json!(labels)).map(|it| it.0), Some(labels));
        }
    }
}
