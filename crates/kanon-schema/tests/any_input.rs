//! Whatever a client sends: nothing panics, what is cleaned once stays clean, and what is refused says where.

use std::sync::Arc;

use kanon_schema::{
    FieldPath, Schema, Validator, Writer, apply, default, from_json, managers, prune, strategic_merge,
    structural_schema, update_managed_fields,
};
use proptest::prelude::*;
use serde_json::{Map, Value, json};

/// Words that mean something to one of the walks, so that chance meets them.
const WORDS: &[&str] = &[
    "a",
    "b",
    "name",
    "metadata",
    "spec",
    "apiVersion",
    "kind",
    "labels",
    "finalizers",
    "managedFields",
    "$patch",
    "$retainKeys",
    "$setElementOrder/list",
    "$deleteFromPrimitiveList/list",
    "list",
    "merge",
    "replace",
    "delete",
    "",
];

/// Keywords of schemas.
const KEYWORDS: &[&str] = &[
    "type",
    "properties",
    "items",
    "additionalProperties",
    "default",
    "nullable",
    "required",
    "enum",
    "pattern",
    "format",
    "minimum",
    "maximum",
    "multipleOf",
    "minLength",
    "maxItems",
    "uniqueItems",
    "allOf",
    "anyOf",
    "oneOf",
    "not",
    "x-kubernetes-list-type",
    "x-kubernetes-list-map-keys",
    "x-kubernetes-map-type",
    "x-kubernetes-preserve-unknown-fields",
    "x-kubernetes-embedded-resource",
    "x-kubernetes-int-or-string",
    "x-kubernetes-validations",
    "x-kubernetes-patch-strategy",
    "x-kubernetes-patch-merge-key",
];

fn word() -> impl Strategy<Value = &'static str> {
    prop::sample::select(WORDS)
}

fn scalar() -> impl Strategy<Value = Value> {
    let types =
        vec!["object", "array", "string", "integer", "number", "boolean", "set", "map", "atomic", "date-time", "^a"];
    prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        (-3_i64..4).prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        word().prop_map(Value::from),
        prop::sample::select(types).prop_map(Value::from),
    ]
}

fn tree(keys: impl Strategy<Value = &'static str> + Clone + 'static) -> impl Strategy<Value = Value> {
    scalar().prop_recursive(5, 40, 5, move |inner| {
        let members = prop::collection::vec((keys.clone(), inner.clone()), 0..5).prop_map(|list| {
            Value::Object(list.into_iter().map(|(key, value)| (key.to_owned(), value)).collect::<Map<_, _>>())
        });
        prop_oneof![prop::collection::vec(inner, 0..4).prop_map(Value::from), members]
    })
}

fn value() -> impl Strategy<Value = Value> {
    tree(prop::sample::select(WORDS))
}

/// Schemas of all kinds, many of them nonsense.
fn schema() -> impl Strategy<Value = Value> {
    tree(prop::sample::select([KEYWORDS, WORDS].concat()))
}

/// Schemas that say something about most words, in the lists and maps that the walks treat specially.
fn sensible() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(json!({"type": "string", "maxLength": 3})),
        Just(json!({"type": "integer", "default": 5, "minimum": 0})),
        Just(json!({"x-kubernetes-int-or-string": true})),
        Just(json!({"type": "string", "nullable": true})),
        Just(json!({"type": "object", "x-kubernetes-preserve-unknown-fields": true})),
        Just(json!({"type": "array", "x-kubernetes-list-type": "set", "items": {"type": "string"}})),
    ];
    leaf.prop_recursive(4, 30, 5, |inner| {
        let members = prop::collection::btree_map(word(), inner.clone(), 0..5);
        let members = members.prop_map(|it| json!({"type": "object", "properties": it}));
        let map = inner.clone().prop_map(|it| json!({"type": "object", "additionalProperties": it}));
        let keyed = inner.clone().prop_map(|it| {
            json!({"type": "array", "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["name"],
                "x-kubernetes-patch-strategy": "merge", "x-kubernetes-patch-merge-key": "name",
                "items": {"type": "object", "required": ["name"], "properties": {"name": {"type": "string"}, "a": it}}})
        });
        let list = inner.prop_map(|it| json!({"type": "array", "items": it}));
        prop_oneof![members, map, keyed, list]
    })
}

fn object_schema() -> impl Strategy<Value = Schema> {
    prop::collection::btree_map(word(), sensible(), 0..6)
        .prop_map(|it| from_json(&json!({"type": "object", "properties": it})))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn schemas_are_taken_or_refused_with_a_place(json in schema(), object in value()) {
        match structural_schema(&json, &FieldPath::of("S")) {
            Ok(schema) => drop(Validator::new(schema).validate(&object)),
            Err(errors) => {
                prop_assert!(!errors.is_empty());
                prop_assert!(errors.iter().all(|it| it.field.starts_with('S')), "{errors:?}");
            }
        }
        // Even one that is refused harms nobody.
        let schema = Arc::new(from_json(&json));
        let mut object = object;
        prune(&schema, &mut object);
        default(&schema, &mut object);
        Validator::new(schema).validate(&object);
    }

    #[test]
    fn cleaning_twice_is_cleaning_once(schema in object_schema(), object in value()) {
        let mut object = object;
        prune(&schema, &mut object);
        let pruned = object.clone();
        prop_assert_eq!(prune(&schema, &mut object), Vec::<String>::new());
        prop_assert_eq!(&object, &pruned);
        default(&schema, &mut object);
        let defaulted = object.clone();
        default(&schema, &mut object);
        prop_assert_eq!(object, defaulted);
    }

    #[test]
    fn an_object_never_fails_an_update_to_itself(schema in object_schema(), object in value()) {
        let validator = Validator::new(Arc::new(schema));
        prop_assert_eq!(validator.validate_update(&object, &object), Vec::new());
    }

    #[test]
    fn a_configuration_of_good_objects_is_what_is_stored(schema in object_schema(), config in value()) {
        let writer = Writer { manager: "m", api_version: "v1", subresource: "", now: "t1" };
        let Ok(stored) = apply(&schema, None, &config, &writer, false) else { return Ok(()) };
        let again = apply(&schema, Some(&stored), &config, &Writer { now: "t2", ..writer }, false);
        prop_assert_eq!(again, Ok(stored));
    }

    #[test]
    fn books_are_kept_for_any_write(schema in object_schema(), old in value(), new in value()) {
        let mut new = new;
        let writer = Writer { manager: "m", api_version: "v1", subresource: "", now: "t1" };
        update_managed_fields(&schema, Some(&old), &mut new, &writer);
        prop_assert!(managers(&new).is_ok());
        let same = new.clone();
        update_managed_fields(&schema, Some(&same), &mut new, &Writer { now: "t2", ..writer });
        prop_assert_eq!(new, same);
    }

    #[test]
    fn patches_are_applied_or_refused(schema in object_schema(), object in value(), patch in value()) {
        if let Ok(patched) = strategic_merge(&schema, &object, &patch) {
            prop_assert!(patched.is_object());
        }
        if object.is_object() {
            let same = strategic_merge(&schema, &object, &json!({}));
            prop_assert_eq!(same, Ok(object));
        }
    }
}
