//! Rules with the fake language of `fake.rs`.

use serde_json::json;

use super::{fake::Fake, *};
use crate::test_support::schema;

fn checker(json: &Value) -> Checker {
    Checker::new(&Arc::new(schema(json)), &Fake, &FieldPath::of("S")).unwrap_or_else(|errors| panic!("{errors:?}"))
}

fn with_rules(rules: Value) -> Value {
    json!({"type": "object", "properties": {"spec": {"type": "object", "x-kubernetes-validations": rules, "properties": {
        "a": {"type": "integer", "maximum": 100}, "b": {"type": "integer"}, "mode": {"type": "string", "enum": ["x"]}}}}})
}

fn check(rules: Value, new: Value, old: Option<Value>, want: &[&str]) {
    let object = |spec: Value| json!({"spec": spec});
    let old = old.map(object);
    let found = checker(&with_rules(rules)).check(&object(new), old.as_ref());
    let found: Vec<String> = found.iter().map(ToString::to_string).collect();
    assert_eq!(found, want);
}

#[test]
fn a_broken_rule_tells_its_message() {
    let plain = json!([{"rule": "self.a < self.b"}]);
    check(plain.clone(), json!({"a": 1, "b": 2}), None, &[]);
    check(plain, json!({"a": 2, "b": 1}), None, &[r#"spec: Invalid value: "object": failed rule: self.a < self.b"#]);
    check(
        json!([{"rule": "self.a < 1", "message": " too much "}]),
        json!({"a": 2}),
        None,
        &[r#"spec: Invalid value: "object": too much"#],
    );
    check(
        json!([{"rule": "self.a < 1", "message": "m", "messageExpression": "text(self.a)"}]),
        json!({"a": 2}),
        None,
        &[r#"spec: Invalid value: "object": got 2"#],
    );
    check(
        json!([{"rule": "self.a < 1", "message": "m", "messageExpression": "fail"}]),
        json!({"a": 2}),
        None,
        &[r#"spec: Invalid value: "object": m"#],
    );
    check(
        json!([
            {"rule": "self.a < 1", "message": "m", "reason": "FieldValueForbidden", "fieldPath": ".a"},
            {"rule": "self.a < 1", "message": "m", "reason": "FieldValueRequired"},
            {"rule": "self.a < 1", "message": "m", "reason": "FieldValueDuplicate"},
        ]),
        json!({"a": 2}),
        None,
        &["spec.a: Forbidden: m", "spec: Required value: m", r#"spec: Duplicate value: "object""#],
    );
    check(
        json!([{"rule": "fail"}, {"rule": "costly"}, {"rule": "self.a < 0"}]),
        json!({"a": 2}),
        None,
        &[
            r#"spec: Invalid value: "object": no such key: x evaluating rule: fail"#,
            r#"spec: Invalid value: "object": 'operation cancelled: actual cost limit exceeded': no further validation rules will be run due to call cost exceeds limit for rule: costly"#,
        ],
    );
}

#[test]
fn all_rules_together_may_take_so_much_of_an_object() {
    let item = json!({"type": "object", "x-kubernetes-validations": [{"rule": "many"}, {"rule": "self.a < 1"}]});
    let checker = checker(&json!({"type": "object", "properties": {"list": {"type": "array", "items": item}}}));
    let found: Vec<String> = checker
        .check(&json!({"list": [{"a": 5}, {"a": 5}, {"a": 5}, {"a": 5}]}), None)
        .iter()
        .map(|it| format!("{}: {}", it.field, it.detail))
        .collect();
    assert_eq!(
        found,
        [
            "list[0]: failed rule: self.a < 1",
            "list[1]: failed rule: self.a < 1",
            "list[2]: validation failed due to running out of cost budget, no further validation rules will be run",
        ]
    );
}

#[test]
fn rules_about_a_change_need_an_old_value() {
    let rules = json!([{"rule": "self.a == oldSelf.a", "message": "immutable"}]);
    check(rules.clone(), json!({"a": 1}), None, &[]);
    check(rules.clone(), json!({"a": 1}), Some(json!({"a": 1})), &[]);
    check(rules, json!({"a": 2}), Some(json!({"a": 1})), &[r#"spec: Invalid value: "object": immutable"#]);
    let optional = |rule: &str| json!([{"rule": rule, "message": "m", "optionalOldSelf": true}]);
    check(optional("has oldSelf"), json!({}), None, &[r#"spec: Invalid value: "object": m"#]);
    check(optional("has oldSelf"), json!({"a": 1}), Some(json!({})), &[]);
    check(optional("none oldSelf"), json!({}), None, &[]);
}

#[test]
fn unchanged_values_are_not_judged_again() {
    let rules = json!([{"rule": "self.a < 1", "message": "m"}]);
    check(rules.clone(), json!({"a": 5}), Some(json!({"a": 5})), &[]);
    check(rules.clone(), json!({"a": 6}), Some(json!({"a": 5})), &[r#"spec: Invalid value: "object": m"#]);
    let object = |label: &str| json!({"metadata": {"labels": {"l": label}}, "spec": {"a": 5}});
    let found = checker(&with_rules(rules)).judge(&object("new"), Some(&object("old")));
    let warned: Vec<String> = found.ratcheted.iter().map(ToString::to_string).collect();
    assert_eq!((found.errors.len(), warned), (0, vec![r#"spec: Invalid value: "object": m"#.to_owned()]));
    // A rule that cannot be evaluated is told all the same.
    let same = || json!({"a": 5});
    check(
        json!([{"rule": "fail"}]),
        same(),
        Some(same()),
        &[r#"spec: Invalid value: "object": no such key: x evaluating rule: fail"#],
    );
}

#[test]
fn parts_that_did_not_change_keep_their_mistakes() {
    let item =
        json!({"type": "object", "properties": {"name": {"type": "string"}, "v": {"type": "integer", "maximum": 3}}});
    let spec = json!({"type": "object", "required": ["must"], "properties": {
        "must": {"type": "string"},
        "free": {"type": "integer"},
        "mode": {"type": "string", "enum": ["x"]},
        "keyed": {"type": "array", "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["name"], "items": item},
        "plain": {"type": "array", "items": item},
        "set": {"type": "array", "x-kubernetes-list-type": "set", "items": {"type": "string"}},
        "map": {"type": "object", "additionalProperties": item}}});
    let checker = checker(&json!({"type": "object", "properties": {"spec": spec}}));
    let found = |new: Value, old: Value| -> Vec<String> {
        let object = |spec: Value| json!({"spec": spec});
        checker.check(&object(new), Some(&object(old))).iter().map(ToString::to_string).collect()
    };
    let old = json!({"must": "m", "free": 1, "mode": "y", "keyed": [{"name": "a", "v": 9}, {"name": "b", "v": 9}], "map": {"k": {"v": 9}}});
    let mut new = old.clone();
    new["free"] = json!(2);
    assert_eq!(found(new.clone(), old.clone()), [""; 0]);
    // Elements are known by their keys, wherever they stand.
    new["keyed"] = json!([{"name": "b", "v": 9}, {"name": "a", "v": 8}]);
    assert_eq!(
        found(new, old.clone()),
        ["spec.keyed[1].v: Invalid value: 8: spec.keyed[1].v in body should be less than or equal to 3"]
    );
    // Without keys, one changed element brings back the mistakes of all.
    let plain = |values: [i64; 2]| json!({"must": "m", "plain": values.map(|it| json!({"name": "n", "v": it}))});
    assert_eq!(found(plain([9, 1]), plain([9, 2])).len(), 1);
    assert_eq!(found(plain([9, 1]), plain([9, 1])).len(), 0);
    let set = |values: &[&str]| json!({"must": "m", "set": values});
    assert_eq!(found(set(&["a", "a", "b"]), set(&["a", "a"])), [""; 0], "duplicates that were there may stay");
    assert_eq!(found(set(&["a", "a"]), set(&["a"])), [r#"spec.set[1]: Duplicate value: "a""#]);
    assert_eq!(found(json!({"free": 2}), json!({"free": 1})), ["spec.must: Required value"]);
    assert_eq!(found(json!({"free": 1}), json!({"free": 1})), [""; 0]);
}

#[test]
fn messages_that_cannot_be_shown_give_way() {
    let message = |expression: &str| {
        let rules = json!([{"rule": "self.a < 1", "message": "plain", "messageExpression": expression}, {"rule": "self.b < 1"}]);
        let object = json!({"spec": {"a": 5, "b": 5}});
        let found = checker(&with_rules(rules)).check(&object, None);
        found.iter().map(|it| it.detail.clone()).collect::<Vec<_>>()
    };
    assert_eq!(message("text(self.a)"), ["got 5", "failed rule: self.b < 1"]);
    for unusable in ["fail", "self.a", "'  '", "'two\nlines'"] {
        assert_eq!(message(unusable), ["plain", "failed rule: self.b < 1"], "{unusable}");
    }
    // One that costs too much ends it all.
    assert_eq!(
        message("costly"),
        [r#"no further validation rules will be run due to call cost exceeds limit for messageExpression: "costly""#]
    );
}

#[test]
fn rules_wait_until_the_schema_is_satisfied() {
    let rules = json!([{"rule": "self.a < 1", "message": "m"}]);
    check(
        rules.clone(),
        json!({"a": 5, "mode": "y"}),
        None,
        &[
            r#"spec.mode: Unsupported value: "y": supported values: "x""#,
            r#"<nil>: Invalid value: "null": some validation rules were not checked because the object was invalid; correct the existing errors to complete validation"#,
        ],
    );
    check(
        rules,
        json!({"a": 101}),
        None,
        &[
            "spec.a: Invalid value: 101: spec.a in body should be less than or equal to 100",
            r#"spec: Invalid value: "object": m"#,
        ],
    );
}

#[test]
fn rules_reach_list_elements_and_map_entries() {
    let item = json!({"type": "object", "properties": {"name": {"type": "string"}, "v": {"type": "integer"}},
        "x-kubernetes-validations": [{"rule": "self.v == oldSelf.v", "message": "changed"}, {"rule": "self.v < 9", "message": "big"}]});
    let checker = checker(&json!({"type": "object", "properties": {
        "list": {"type": "array", "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["name"], "items": item},
        "map": {"type": "object", "additionalProperties": item},
    }}));
    let found = |new: Value, old: Option<Value>| -> Vec<String> {
        checker.check(&new, old.as_ref()).iter().map(|it| format!("{}: {}", it.field, it.detail)).collect()
    };
    let new = json!({"list": [{"name": "y", "v": 9}, {"name": "x", "v": 2}], "map": {"k/1": {"v": 10}}});
    assert_eq!(found(new.clone(), None), ["list[0]: big", "map[k/1]: big"]);
    let old = json!({"list": [{"name": "x", "v": 1}, {"name": "y", "v": 9}], "map": {"k/1": {"v": 9}}});
    assert_eq!(found(new, Some(old)), ["list[1]: changed", "map[k/1]: changed", "map[k/1]: big"]);
}

#[test]
fn mistakes_in_rules_are_told_with_their_place() {
    let refuse = |json: Value, want: &[&str]| {
        let errors = Rules::compile(&Arc::new(schema(&json)), &Fake, &FieldPath::of("S")).err().unwrap_or_default();
        let errors: Vec<String> = errors.iter().map(ToString::to_string).collect();
        assert_eq!(errors, want);
    };
    refuse(
        with_rules(json!([{"rule": "self.nope < 1", "messageExpression": "nope"}])),
        &[
            "S.properties[spec].x-kubernetes-validations[0].rule: Invalid value: \"self.nope < 1\": compilation failed: ERROR: <input>:1:6: undefined field 'nope'\n | self.nope < 1\n | .....^",
            "S.properties[spec].x-kubernetes-validations[0].messageExpression: Invalid value: \"nope\": messageExpression compilation failed: ERROR: <input>:1:1: undefined field 'nope'\n | nope\n | ^",
        ],
    );
    refuse(
        with_rules(json!([{"rule": "true", "optionalOldSelf": true}])),
        &[
            "S.properties[spec].x-kubernetes-validations[0].optionalOldSelf: Invalid value: true: may not be set if oldSelf is not used in rule",
        ],
    );
    let list = json!({"type": "object", "properties": {"l": {"type": "array", "items": {"type": "integer",
        "x-kubernetes-validations": [{"rule": "self == oldSelf"}]}}}});
    refuse(
        list,
        &[
            "S.properties[l].items.x-kubernetes-validations[0].rule: Invalid value: \"self == oldSelf\": oldSelf cannot be used on the uncorrelatable portion of the schema within S.properties[l]",
        ],
    );
    assert!(checker(&json!({"type": "object"})).rules.is_empty());
}
