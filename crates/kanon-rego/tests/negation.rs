//! What `not` means: OPA's meaning, and the plain one of `import future.keywords.not` (spec/languages §5, table).
#![allow(clippy::unwrap_used, reason = "tests fail by panicking")]

use kanon_rego::{Given, LoadOptions, Policy, Value};
use serde_json::json;

/// Whether the body holds for an input, without the import and with it.
fn check(body: &str, input: serde_json::Value, opa: bool, plain: bool) {
    for (import, want) in [("", opa), ("import future.keywords.not\n", plain)] {
        let source = format!(
            "package test\n\n{import}\nf(x) := y if {{\n  y := lower(x)\n}}\n\nhelper_rule if {{\n  input.x == \"a\"\n}}\n\n\
             set_rule contains x if {{\n  some x in input.list\n}}\n\nresult if {{\n  {body}\n}}\n"
        );
        let policy =
            Policy::load(&[&source], &LoadOptions::default()).unwrap_or_else(|error| panic!("{body}: {error}"));
        let query = policy.query("data.test.result", false).unwrap();
        for strict in [false, true] {
            let given = Given { input: Some(Value::from(input.clone())), strict, ..Given::default() };
            let answers = policy.evaluate(&query, given).unwrap();
            assert_eq!(!answers.list.is_empty(), want, "`{body}` with `{import}` on {input}");
        }
    }
}

#[test]
fn the_table_of_the_specification_holds_in_both_meanings() {
    for (body, opa) in [
        ("not startswith(input.x, \"a\")", false),
        ("not lower(input.x) == \"a\"", false),
        ("not input.x in {\"a\"}", false),
        ("not f(input.x) == \"a\"", false),
        ("not count(input.list) > 0", false),
        ("not [input.x] == [1]", false),
        ("not input.x == \"a\"", true),
        ("not helper_rule", true),
    ] {
        check(body, json!({}), opa, true);
    }
}

#[test]
fn other_forms_follow_the_same_rule() {
    for (body, opa, plain) in [
        ("not input.x != \"a\"", false, true),
        ("not input.x > 3", false, true),
        ("not f(input.x)", false, true),
        ("not input.x", true, true),
        ("not input.x = \"a\"", true, true),
        ("not data.test.set_rule[input.x]", false, true),
        ("not set_rule[\"a\"]", true, true),
        ("not {\"k\": input.x} == {\"k\": 1}", false, true),
        ("not upper(lower(input.x)) == \"A\"", false, true),
        ("not count([1 | input.x == 2]) > 0", true, true),
        ("not object.get(input, \"x\", \"b\") == \"a\"", true, true),
        ("not input.x == \"a\" with input.x as \"b\"", true, true),
        ("not startswith(input.x, \"a\") with input.x as \"b\"", true, true),
        // The interpreter computes what `with` puts in place before the negation, whatever the import says.
        ("not input.y == 1 with input.y as input.z", false, false),
        ("not input.y == 1 with input.y as 2", true, true),
        ("every y in [1] { not startswith(input.x, \"a\") }", false, true),
        ("count([1 | not startswith(input.x, \"a\")]) == 1", false, true),
    ] {
        check(body, json!({}), opa, plain);
    }
}

#[test]
fn with_the_value_there_both_meanings_are_one() {
    for (body, want) in [
        ("not startswith(input.x, \"a\")", false),
        ("not startswith(input.x, \"b\")", true),
        ("not lower(input.x) == \"a\"", false),
        ("not lower(input.x) == \"b\"", true),
        ("not input.x in {\"a\"}", false),
        ("not input.x in {\"b\"}", true),
        ("not f(input.x) == \"a\"", false),
        ("not count(input.list) > 0", false),
        ("not count(input.list) > 5", true),
        ("not [input.x] == [\"a\"]", false),
        ("not [input.x] == [1]", true),
        ("not input.x == \"a\"", false),
        ("not helper_rule", false),
        ("not input.no", true),
    ] {
        check(body, json!({"x": "a", "list": [1, 2], "no": false}), want, want);
    }
}
