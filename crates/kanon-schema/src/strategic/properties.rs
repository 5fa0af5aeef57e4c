//! What holds for every object and patch: a patch made from two objects leads from one to the other.

use proptest::prelude::*;
use serde_json::json;

use super::{tests::schema, *};

fn name() -> impl Strategy<Value = &'static str> {
    prop::sample::select(vec!["x", "y", "z"])
}

/// Those of the members that have a value.
fn object<const N: usize>(members: [(&str, Option<Value>); N]) -> Value {
    let given = members.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?)));
    Value::Object(given.collect())
}

/// The first of those elements that have the same `key`.
fn distinct(items: Vec<Value>, key: &str) -> Value {
    let mut seen = std::collections::BTreeSet::new();
    Value::Array(items.into_iter().filter(|it| seen.insert(it[key].to_string())).collect())
}

fn port() -> impl Strategy<Value = Value> {
    (1_i64..4, prop::option::of(name()), prop::option::of(1_i64..3)).prop_map(|(port, protocol, host)| {
        object([
            ("containerPort", Some(port.into())),
            ("protocol", protocol.map(Value::from)),
            ("hostPort", host.map(Value::from)),
        ])
    })
}

fn container() -> impl Strategy<Value = Value> {
    let ports = prop::collection::vec(port(), 0..4).prop_map(|it| distinct(it, "containerPort"));
    let args = prop::collection::vec(name(), 0..3).prop_map(|it| json!(it));
    (name(), prop::option::of(name()), prop::option::of(ports), prop::option::of(args)).prop_map(
        |(name, image, ports, args)| {
            object([("name", Some(name.into())), ("image", image.map(Value::from)), ("ports", ports), ("args", args)])
        },
    )
}

/// Members of a map: texts, and one level of maps.
fn map() -> impl Strategy<Value = Value> {
    let text = name().prop_map(Value::from);
    let inner = prop::collection::btree_map(name(), name(), 0..3).prop_map(|it| json!(it));
    prop::collection::btree_map(name(), prop_oneof![text, inner], 0..4).prop_map(|it| json!(it))
}

fn whole() -> impl Strategy<Value = Value> {
    let containers = prop::collection::vec(container(), 0..4).prop_map(|it| distinct(it, "name"));
    let finalizers = prop::collection::btree_set(name(), 0..4).prop_map(|it| json!(it));
    // Sets come in any order.
    let finalizers = (finalizers, any::<bool>()).prop_map(|(mut list, reverse)| {
        if let (Value::Array(items), true) = (&mut list, reverse) {
            items.reverse();
        }
        list
    });
    (prop::option::of(containers), prop::option::of(finalizers), prop::option::of(map()), prop::option::of(map()))
        .prop_map(|(containers, finalizers, labels, strategy)| {
            object([("containers", containers), ("finalizers", finalizers), ("labels", labels), ("strategy", strategy)])
        })
}

/// The patch that leads from one object to another, as `kubectl apply` makes it: only what differs, with directives.
fn patch(schema: &Schema, from: &Value, to: &Value) -> Value {
    let mut out = Map::new();
    let (Value::Object(old), Value::Object(new)) = (from, to) else { return to.clone() };
    for key in old.keys().filter(|it| !new.contains_key(*it)) {
        out.insert(key.clone(), Value::Null);
    }
    for (key, value) in new.iter().filter(|(key, value)| old.get(*key) != Some(*value)) {
        let any = Schema::default();
        let member = member_schema(schema, key).unwrap_or(&any);
        match (old.get(key), value) {
            (Some(before @ Value::Object(_)), Value::Object(members)) => {
                let mut change = patch(member, before, value);
                if key == "strategy" {
                    change[RETAIN_KEYS] = members.keys().cloned().collect();
                }
                out.insert(key.clone(), change);
            }
            (Some(Value::Array(before)), Value::Array(after)) if member.patch.merge => {
                list_patch(member, key, before, after, &mut out);
            }
            _ => drop(out.insert(key.clone(), value.clone())),
        }
    }
    Value::Object(out)
}

fn list_patch(schema: &Schema, name: &str, before: &[Value], after: &[Value], out: &mut Map<String, Value>) {
    let Some(key) = schema.patch.merge_key.as_deref() else {
        let added = after.iter().filter(|it| !before.contains(it)).cloned().collect();
        let gone = before.iter().filter(|it| !after.contains(it)).cloned().collect();
        out.insert(name.to_owned(), added);
        out.insert(format!("{DELETE_FROM}{name}"), gone);
        out.insert(format!("{SET_ORDER}{name}"), after.to_vec().into());
        return;
    };
    let find = |list: &[Value], item: &Value| list.iter().find(|it| it[key] == item[key]).cloned();
    let mut changes: Vec<Value> = Vec::new();
    let any = Schema::default();
    for item in after {
        let mut change = match find(before, item) {
            Some(old) => patch(schema.items.as_deref().unwrap_or(&any), &old, item),
            None => item.clone(),
        };
        change[key] = item[key].clone();
        changes.push(change);
    }
    changes
        .extend(before.iter().filter(|it| find(after, it).is_none()).map(|it| json!({PATCH: "delete", key: it[key]})));
    out.insert(name.to_owned(), changes.into());
    let order = after.iter().map(|it| json!({key: it[key]})).collect();
    out.insert(format!("{SET_ORDER}{name}"), order);
}

/// RFC 7396, as it is written there.
fn merge_patch(target: &mut Value, patch: &Value) {
    let Value::Object(patch) = patch else {
        *target = patch.clone();
        return;
    };
    if !target.is_object() {
        *target = json!({});
    }
    let Value::Object(members) = target else { return };
    for (name, value) in patch {
        if value.is_null() {
            members.remove(name);
        } else {
            merge_patch(members.entry(name.clone()).or_insert(Value::Null), value);
        }
    }
}

/// Maps of texts, maps and nulls: objects without lists.
fn listless() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![Just(Value::Null), name().prop_map(Value::from), (0_i64..3).prop_map(Value::from)];
    leaf.prop_recursive(3, 12, 3, |inner| prop::collection::btree_map(name(), inner, 0..3).prop_map(|it| json!(it)))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn a_patch_of_two_objects_leads_from_one_to_the_other(from in whole(), to in whole()) {
        let patch = patch(&schema(), &from, &to);
        let once = strategic_merge(&schema(), &from, &patch).unwrap();
        prop_assert_eq!(&once, &to, "{}", patch);
        prop_assert_eq!(strategic_merge(&schema(), &once, &patch).unwrap(), to, "the second time changes nothing");
    }

    #[test]
    fn replacing_leaves_nothing_of_what_was(from in whole(), to in whole()) {
        let mut patch = to.clone();
        patch[PATCH] = json!("replace");
        prop_assert_eq!(strategic_merge(&schema(), &from, &patch).unwrap(), to);
    }

    #[test]
    fn without_lists_it_is_a_merge_patch(from in map(), patch in map(), deep in listless()) {
        for patch in [patch, json!({"x": deep})] {
            let mut want = from.clone();
            merge_patch(&mut want, &patch);
            prop_assert_eq!(strategic_merge(&Schema::default(), &from, &patch).unwrap(), want);
        }
    }
}
