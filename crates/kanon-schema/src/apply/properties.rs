//! What holds for every configuration and order of writes.

use proptest::prelude::*;
use serde_json::json;

use super::{tests::gate, *};

fn name() -> impl Strategy<Value = &'static str> {
    prop::sample::select(vec!["x", "y", "z"])
}

/// A configuration's spec: any subset of the fields, with few values so that managers meet.
fn spec() -> impl Strategy<Value = Value> {
    let target = (name(), prop::option::of(0_i64..3), prop::option::of(name())).prop_map(|(name, weight, note)| {
        let mut target = json!({"name": name});
        if let Some(weight) = weight {
            target["weight"] = weight.into();
        }
        if let Some(note) = note {
            target["note"] = note.into();
        }
        target
    });
    let targets = prop::collection::vec(target, 0..3).prop_map(|mut list| {
        let mut seen = std::collections::BTreeSet::new();
        list.retain(|it| seen.insert(it["name"].to_string()));
        list
    });
    let tags = prop::collection::btree_set(name(), 0..3);
    let env = prop::collection::btree_map(name(), name(), 0..3);
    (prop::option::of(name()), prop::option::of(targets), prop::option::of(tags), prop::option::of(env)).prop_map(
        |(expr, targets, tags, env)| {
            let mut spec = Map::new();
            let mut put = |key: &str, value: Option<Value>| spec.extend(value.map(|it| (key.to_owned(), it)));
            put("expr", expr.map(Value::from));
            put("targets", targets.filter(|it| !it.is_empty()).map(Value::from));
            put("tags", tags.filter(|it| !it.is_empty()).map(|it| json!(it)));
            put("env", env.filter(|it| !it.is_empty()).map(|it| json!(it)));
            Value::Object(spec)
        },
    )
}

/// A spec with what nobody should write too: nulls, empty values, elements with one name or none.
fn odd() -> impl Strategy<Value = Value> {
    let any = prop::sample::select(vec![
        json!(null),
        json!({}),
        json!([]),
        json!(1),
        json!({"x": null, "y": {"z": {}}}),
        json!([{"name": "x"}, {"name": "x", "weight": 1}, {"note": "z"}, null]),
        json!(["x", "x", 1, 1.0, {}]),
    ]);
    let members = prop::sample::select(vec!["expr", "targets", "tags", "env", "unknown"]);
    (spec(), prop::collection::btree_map(members, any, 0..4)).prop_map(|(mut spec, odd)| {
        spec.as_object_mut().unwrap().extend(odd.into_iter().map(|(key, value)| (key.to_owned(), value)));
        spec
    })
}

fn object(spec: &Value) -> Value {
    let mut object = json!({"apiVersion": "example.io/v1", "kind": "Gate", "metadata": {"name": "g"}});
    // An empty spec would be owned as a leaf: that is its own case, in the tests.
    if spec.as_object().is_some_and(|it| !it.is_empty()) {
        object["spec"] = spec.clone();
    }
    object
}

fn write(live: Option<&Value>, spec: &Value, manager: &str, now: &str, force: bool) -> Result<Value, ApplyError> {
    let schema = gate();
    let writer = Writer { manager, api_version: "example.io/v1", subresource: "", now };
    let mut out = apply(&schema, live, &object(spec), &writer, force)?;
    crate::default::default(&schema, &mut out);
    Ok(out)
}

/// All fields with a value of their own.
fn leaves(object: &Value) -> FieldSet {
    to_set(Place::root(&gate()), &without_managers(object))
}

fn owned(object: &Value) -> FieldSet {
    managers(object).unwrap().iter().fold(FieldSet::default(), |set, it| set.union(&it.fields))
}

/// One write of a random history: by whom, whether as an apply, and what it wants.
fn step() -> impl Strategy<Value = (&'static str, bool, Value)> {
    (prop::sample::select(vec!["A", "B", "C"]), any::<bool>(), spec())
}

/// The object after a write; an apply takes what it wants.
fn after(live: Option<&Value>, (manager, applies, spec): &(&str, bool, Value), now: &str) -> Value {
    if *applies {
        return write(live, spec, manager, now, true).unwrap();
    }
    let schema = gate();
    let mut new = object(spec);
    // A PUT of what a client read and changed.
    if let Some(entries) = live.and_then(|it| it.pointer("/metadata/managedFields")) {
        new["metadata"]["managedFields"] = entries.clone();
    }
    crate::default::default(&schema, &mut new);
    let writer = Writer { manager, api_version: "example.io/v1", subresource: "", now };
    update_managed_fields(&schema, live, &mut new, &writer);
    new
}

/// Every field that is there, with those above it.
fn all_fields(object: &Value) -> FieldSet {
    let nothing = Value::Object(Map::new());
    Changes::between(Place::root(&gate()), &nothing, &without_managers(object)).set()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn a_new_object_is_owned_as_if_it_came_from_nothing(spec in odd()) {
        let schema = gate();
        let place = Place::root(&schema);
        let mut object = object(&json!({}));
        object["metadata"]["labels"] = json!({"a": "b"});
        object["spec"] = spec;
        let nothing = Value::Object(Map::new());
        let slow = Changes::between(place, &nothing, &object).into_taken().difference(unowned());
        prop_assert_eq!(Value::Object(fresh::fields_v1(place, &object, Some(unowned()))), slow.to_fields_v1());
        let writer = Writer { manager: "A", api_version: "example.io/v1", subresource: "", now: "t" };
        update_managed_fields(&schema, None, &mut object, &writer);
        let entry = ManagerEntry {
            manager: "A".to_owned(), operation: Operation::Update, api_version: "example.io/v1".to_owned(),
            time: Some("t".to_owned()), subresource: String::new(), fields: slow,
        };
        prop_assert_eq!(managers(&object), Ok(vec![entry]));
    }

    #[test]
    fn managed_fields_cover_the_object_and_nothing_else(history in prop::collection::vec(step(), 1..7)) {
        let mut live: Option<Value> = None;
        for (at, step) in history.iter().enumerate() {
            let new = after(live.as_ref(), step, &format!("t{at}"));
            let owned = owned(&new);
            prop_assert_eq!(owned.difference(&all_fields(&new)).paths(), Vec::<String>::new(), "owned, and not there");
            let free = leaves(&new).difference(&owned).difference(unowned()).paths();
            // Only defaults belong to nobody.
            prop_assert!(free.iter().all(|it| it.ends_with(".weight")), "there, and not owned: {free:?}");
            live = Some(new);
        }
    }

    #[test]
    fn what_a_manager_applies_no_more_stays_only_with_other_owners(history in prop::collection::vec(step(), 1..5), last in spec()) {
        let mut live: Option<Value> = None;
        for (at, step) in history.iter().enumerate() {
            live = Some(after(live.as_ref(), step, &format!("t{at}")));
        }
        let first = write(live.as_ref(), &last, "D", "u1", true).unwrap();
        let dropped = write(Some(&first), &json!({}), "D", "u2", true).unwrap();
        let others = managers(&first).unwrap();
        let others = others.iter().filter(|it| it.manager != "D").fold(FieldSet::default(), |set, it| set.union(&it.fields));
        // A default comes back.
        for path in leaves(&first).paths().into_iter().filter(|it| !it.ends_with(".weight")) {
            let was_d = managers(&first).unwrap().iter().any(|it| it.manager == "D" && it.fields.paths().contains(&path));
            if was_d && !others.paths().contains(&path) {
                prop_assert!(!leaves(&dropped).paths().contains(&path), "{path} had no other owner");
            }
        }
        prop_assert!(managers(&dropped).unwrap().iter().all(|it| it.manager != "D"));
    }

    #[test]
    fn applying_twice_is_applying_once(first in spec(), second in spec()) {
        let live = write(None, &first, "A", "t1", false).unwrap();
        let live = write(Some(&live), &second, "B", "t2", true).unwrap();
        let again = write(Some(&live), &second, "B", "t3", false).unwrap();
        prop_assert_eq!(again, live);
    }

    #[test]
    fn every_owned_field_is_there(first in spec(), second in spec(), third in spec()) {
        let live = write(None, &first, "A", "t1", true).unwrap();
        let live = write(Some(&live), &second, "B", "t2", true).unwrap();
        let live = write(Some(&live), &third, "A", "t3", true).unwrap();
        prop_assert_eq!(owned(&live).difference(&leaves(&live)).paths(), Vec::<String>::new());
        // What nobody owns came from defaults.
        let free = leaves(&live).difference(&owned(&live)).difference(unowned()).paths();
        prop_assert!(free.iter().all(|it| it.ends_with(".weight")), "{free:?}");
    }

    #[test]
    fn conflicts_are_mutual(first in spec(), second in spec()) {
        let a = write(None, &first, "A", "t1", false).unwrap();
        let b = write(None, &second, "B", "t1", false).unwrap();
        let into_a = write(Some(&a), &second, "B", "t2", false).is_err();
        let into_b = write(Some(&b), &first, "A", "t2", false).is_err();
        prop_assert_eq!(into_a, into_b);
    }

    #[test]
    fn force_succeeds_and_ends_the_conflict(first in spec(), second in spec()) {
        let live = write(None, &first, "A", "t1", false).unwrap();
        let live = write(Some(&live), &second, "B", "t2", true).unwrap();
        prop_assert!(write(Some(&live), &second, "B", "t3", false).is_ok());
        let merged = merge(Place::root(&gate()), &live, &object(&second));
        prop_assert_eq!(Changes::between(Place::root(&gate()), &live, &merged).set().paths(), Vec::<String>::new());
    }

    #[test]
    fn applying_nothing_gives_everything_back(first in spec(), second in spec()) {
        let before = write(None, &first, "A", "t1", false).unwrap();
        let Ok(both) = write(Some(&before), &second, "B", "t2", false) else { return Ok(()) };
        let after = write(Some(&both), &json!({}), "B", "t3", false).unwrap();
        prop_assert_eq!(leaves(&after).difference(&leaves(&before)).paths(), Vec::<String>::new());
        prop_assert_eq!(leaves(&before).difference(&leaves(&after)).paths(), Vec::<String>::new());
        prop_assert!(managers(&after).unwrap().iter().all(|it| it.manager == "A"));
    }

    #[test]
    fn sets_form_an_algebra(first in spec(), second in spec()) {
        let (a, b) = (leaves(&object(&first)), leaves(&object(&second)));
        prop_assert_eq!(a.union(&b), b.union(&a));
        prop_assert_eq!(a.intersection(&b), b.intersection(&a));
        prop_assert_eq!(a.difference(&b).union(&a.intersection(&b)), a.clone());
        prop_assert_eq!(FieldSet::from_fields_v1(&a.to_fields_v1()), Ok(a));
    }

    #[test]
    fn updates_never_leave_a_field_with_two_writers_that_disagree(first in spec(), second in spec()) {
        let live = write(None, &first, "A", "t1", false).unwrap();
        let mut new = live.clone();
        new["spec"] = second;
        let writer = Writer { manager: "C", api_version: "example.io/v1", subresource: "", now: "t2" };
        update_managed_fields(&gate(), Some(&live), &mut new, &writer);
        let changes = Changes::between(Place::root(&gate()), &live, &new).set();
        for entry in managers(&new).unwrap() {
            let stolen = entry.fields.intersection(&changes).difference(unowned());
            prop_assert!(entry.manager == "C" || stolen.is_empty(), "{:?}", stolen.paths());
        }
    }
}
