//! Selectors of workloads, services and budgets, compiled once an object changes, matched on labels.

use std::collections::BTreeMap;

use serde_json::Value;

/// An object's labels.
pub(crate) type Labels = BTreeMap<String, String>;

/// All requirements hold. Empty selects everything; that nothing is selected is an absent selector.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Selector(Vec<Requirement>);

#[derive(Clone, Debug, PartialEq, Eq)]
struct Requirement {
    key: String,
    test: Test,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Test {
    In(Vec<String>),
    NotIn(Vec<String>),
    Exists,
    DoesNotExist,
}

impl Selector {
    /// A `LabelSelector` object. None where it is absent or no valid selector: then it selects nothing.
    pub(crate) fn of(value: &Value) -> Option<Selector> {
        let object = value.as_object()?;
        let mut selector = Selector::of_map(object.get("matchLabels").unwrap_or(&Value::Null));
        for it in object.get("matchExpressions").and_then(Value::as_array).into_iter().flatten() {
            let values = || it["values"].as_array().into_iter().flatten().filter_map(Value::as_str).map(str::to_owned);
            let test = match it["operator"].as_str()? {
                "In" => Test::In(values().collect()),
                "NotIn" => Test::NotIn(values().collect()),
                "Exists" => Test::Exists,
                "DoesNotExist" => Test::DoesNotExist,
                _ => return None,
            };
            selector.0.push(Requirement { key: it["key"].as_str()?.to_owned(), test });
        }
        Some(selector)
    }

    /// A plain map of labels, as services and replication controllers have it. Null is an empty one.
    pub(crate) fn of_map(value: &Value) -> Selector {
        let pairs = value.as_object().into_iter().flatten();
        let of = |(key, value): (&String, &Value)| Requirement {
            key: key.clone(),
            test: Test::In(vec![value.as_str().unwrap_or_default().to_owned()]),
        };
        Selector(pairs.map(of).collect())
    }

    /// Whether it selects everything.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether labels fit.
    pub(crate) fn matches(&self, labels: &Labels) -> bool {
        self.0.iter().all(|it| {
            let value = labels.get(&it.key);
            match &it.test {
                Test::In(values) => value.is_some_and(|value| values.contains(value)),
                Test::NotIn(values) => value.is_none_or(|value| !values.contains(value)),
                Test::Exists => value.is_some(),
                Test::DoesNotExist => value.is_none(),
            }
        })
    }

    /// Labels that everything selected has: what an index finds candidates by.
    pub(crate) fn pairs(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().filter_map(|it| match &it.test {
            Test::In(values) if values.len() == 1 => Some((it.key.as_str(), values[0].as_str())),
            Test::In(_) | Test::NotIn(_) | Test::Exists | Test::DoesNotExist => None,
        })
    }
}

/// Labels out of a JSON member.
pub(crate) fn labels(value: &Value) -> Labels {
    let pairs = value.as_object().into_iter().flatten();
    pairs.filter_map(|(key, value)| Some((key.clone(), value.as_str()?.to_owned()))).collect()
}

#[cfg(test)]
mod tests {
    use kanon_apimachinery::selector::LabelSelector;
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    proptest! {
        /// The API server decides with its own selectors about the same labels: the two must agree.
        #[test]
        fn agrees_with_the_api_server(
            keys in proptest::collection::vec(("[ab]", "[xy]"), 0..3),
            expressions in proptest::collection::vec(
                ("[ab]", prop_oneof![Just("In"), Just("NotIn"), Just("Exists"), Just("DoesNotExist")],
                 proptest::collection::vec("[xyz]", 0..3)), 0..3),
            labels_of in proptest::collection::btree_map("[abc]", "[xyz]", 0..3),
        ) {
            let match_labels: serde_json::Map<String, Value> = keys.into_iter().map(|(k, v)| (k, v.into())).collect();
            let expressions: Vec<Value> = expressions.into_iter()
                .map(|(key, operator, values)| json!({"key": key, "operator": operator, "values": values})).collect();
            let value = json!({"matchLabels": match_labels, "matchExpressions": expressions});
            let labels_value = json!(labels_of);
            let theirs = LabelSelector::from_value(&value).expect("valid");
            let ours = Selector::of(&value).expect("valid");
            prop_assert_eq!(ours.matches(&labels(&labels_value)), theirs.matches_value(&labels_value));
        }
    }
}
