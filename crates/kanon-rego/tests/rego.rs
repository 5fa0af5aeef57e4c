//! Rego as `kanon eval` uses it.
#![allow(clippy::unwrap_used, reason = "tests fail by panicking")]

use kanon_core::Object;
use kanon_lang::{Arena, Environment, Language, Limits, Options, Value};
use kanon_rego::Rego;
use proptest::prelude::*;
use serde_json::{Value as Json, json};

fn run(source: &str) -> Result<Json, String> {
    let input =
        Object::parse(r#"{"user":"ann","roles":["dev","ops"],"n":3,"big":12345678901234567890,"f":0.5}"#).unwrap();
    let data = Object::parse(r#"{"limits":{"n":5}}"#).unwrap();
    let arena = Arena::new();
    let values = [Value::from_node(input.root(), &arena), Value::from_node(data.root(), &arena)];
    let env = Environment::new(["input", "data"]);
    let program = Rego.compile(source, &env, &Options::default()).map_err(|error| format!("compile: {error}"))?;
    program
        .evaluate(&values, &Limits::default(), &arena)
        .map(|value| value.to_json(&arena))
        .map_err(|error| format!("run: {error}"))
}

#[test]
fn queries_and_modules_have_their_values() {
    let module = "# METADATA\npackage shop.rules\n\ndefault allow := false\n\nallow if {\n  input.n <= data.limits.n\n  \
                  \"ops\" in input.roles\n}\n\ntags contains upper(r) if some r in input.roles\n";
    let cases = [
        ("input.n + 1", json!(4)),
        ("input.n <= data.limits.n", json!(true)),
        ("input.nothing", json!(null)),
        ("input.roles[_]", json!(["dev", "ops"])),
        ("\"ops\" in input.roles", json!(true)),
        ("x := input.n; x * 2", json!(6)),
        ("[input.big, input.f]", json!([12_345_678_901_234_567_890_u64, 0.5])),
        ("{r | some r in input.roles}", json!(["dev", "ops"])),
        ("sprintf(\"%s-%d\", [input.user, input.n])", json!("ann-3")),
        (module, json!({"allow": true, "tags": ["DEV", "OPS"]})),
    ];
    for (source, want) in cases {
        assert_eq!(run(source), Ok(want), "{source}");
    }
}

#[test]
fn chance_is_refused_however_it_is_named() {
    for source in ["rand.intn(\"a\", 9)", "rand[\"intn\"](\"a\", 9)", "package a\n\nx := rand.intn(\"a\", 9)\n"] {
        let error = run(source).unwrap_err();
        assert!(error.starts_with("compile: ") && error.contains("does not depend on chance"), "{source}: {error}");
    }
    assert_eq!(run("{\"rand\": input.rand_n, \"operand\": 1}.operand"), Ok(json!(null)));
    assert_eq!(run("operand := \"rand\"; operand"), Ok(json!("rand")));
}

#[test]
fn mistakes_name_their_place() {
    for (source, place) in [
        ("package a\n\nallow if {\n  input.x ==\n}\n", "(5:1)"),
        ("input.n +", "(1:10)"),
        ("package", "(1:"),
        ("", "(1:1)"),
    ] {
        let error = run(source).unwrap_err();
        assert!(error.starts_with("compile: ") && error.contains(place), "{source}: {error}");
    }
    assert!(run("nothing + 1").is_err());
    assert!(run("1 / 0").is_err() || run("1 / 0") == Ok(json!(null)));
}

#[test]
fn texts_of_any_depth_end_in_an_answer() {
    for times in [10, 100, 500, 950, 19_000] {
        let repeat =
            |open: &str, core: &str, close: &str| format!("{}{core}{}", open.repeat(times), close.repeat(times));
        for text in [
            repeat("(", "1", ")"),
            repeat("[", "1", "]"),
            repeat("", "1", " + 1"),
            repeat("", "1", "\n+ 1"),
            repeat("", "input", ".a"),
            repeat("", "input", "\n[0]"),
            repeat("{1: ", "1", "}"),
            repeat("[", "1", "]").replace('[', "[\n"),
            repeat("-", "1", ""),
            repeat("not ", "true", ""),
            repeat("count(", "1", ")"),
            repeat("", "true", "\ntrue"),
            repeat("[x | x := ", "1", "]"),
            format!("package a\n{}", "a := 1 if { true } else := 2\n".repeat(times.min(500))),
        ] {
            // Any answer will do; the stack must hold, and time too.
            let _ = run(&text);
        }
    }
}

proptest! {
    #[test]
    fn random_text_never_panics(text in "\\PC{0,60}") {
        let _ = run(&text);
    }

    #[test]
    fn random_tokens_never_panic(words in prop::collection::vec(prop::sample::select(vec![
        "input", ".", "roles", "(", ")", "[", "]", "{", "}", "1", "-", "\"a\"", "`a`", "some ", "every ", " in ", " if ", "not ",
        ",", "x", "+", "/", "%", "*", "==", ":=", "=", "!=", "<", "|", "&", "null", "true", "count", "\n", "strings.count(\"abc\", \"\")",
        "package p\n", "default ", "with ", "as ", "contains ", "import ", "rego.v1", "data", "_", ";", ":", "sprintf", "$\"",
    ]), 0..12)) {
        let _ = run(&words.concat());
    }
}

#[test]
fn a_layout_may_not_ask_for_widths_without_end() {
    for layout in ["%1000000000d", "%-99999999999s", "a %d %.12345678f"] {
        let query = format!("sprintf({layout:?}, [1, 2])");
        assert!(run(&query).is_err_and(|it| it.contains("budget")), "{layout}");
    }
    assert_eq!(run("sprintf(\"%5d|%d\", [1, 12345678])"), Ok(json!("    1|12345678")));
}
