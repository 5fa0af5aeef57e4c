//! CEL as validation rules and `kanon eval` use it.
#![allow(clippy::unwrap_used, reason = "tests fail by panicking")]

use kanon_cel::{Cel, kubernetes_text};
use kanon_core::Object;
use kanon_lang::{Arena, Environment, ErrorKind, Language, Limits, Options, Value};
use proptest::prelude::*;
use serde_json::{Value as Json, json};

const SELF: &str = r#"{"spec":{"replicas":3,"minReplicas":1,"name":"web","ports":[{"port":80,"name":"http"},{"port":443}],
    "ratio":0.5,"when":"2026-11-21T09:00:00Z"},"list":[1,2,3]}"#;

/// The JSON of `source`'s value with `self` and `oldSelf`, or its error.
fn run(source: &str) -> Result<Json, String> {
    let object = Object::parse(SELF).unwrap();
    let arena = Arena::new();
    let values = [Value::from_node(object.root(), &arena), Value::Null];
    let env = Environment::new(["self", "oldSelf"]);
    let program = Cel::default().compile(source, &env, &Options::default()).map_err(|error| kubernetes_text(&error))?;
    program
        .evaluate(&values, &Limits::default(), &arena)
        .map(|value| value.to_json(&arena))
        .map_err(|error| error.to_string())
}

#[test]
fn expressions_have_their_values() {
    let cases = [
        ("self.spec.replicas >= self.spec.minReplicas", json!(true)),
        ("self.spec.replicas % 2", json!(1)),
        ("type(self.spec.replicas) == int", json!(true)),
        ("self.spec.replicas == 3.0", json!(true)),
        ("has(self.spec.ratio) && !has(self.spec.nothing)", json!(true)),
        ("self.spec.ports.all(p, p.port > 0 && p.port < 65536)", json!(true)),
        ("self.spec.ports.filter(p, has(p.name)).map(p, p.name)", json!(["http"])),
        ("self.spec.ports.exists_one(p, p.port == 80)", json!(true)),
        ("self.?spec.?nothing.orValue('none')", json!("none")),
        ("self.spec.name.matches('^[a-z]+$') && self.spec.name.startsWith('w')", json!(true)),
        ("self.spec.name.upperAscii()", json!("WEB")),
        ("math.greatest(1, 7, 3)", json!(7)),
        ("timestamp(self.spec.when) + duration('1h')", json!("2026-11-21T10:00:00Z")),
        ("{'b': [1, 2u], 'a': null}", json!({"a": null, "b": [1, 2]})),
        ("oldSelf == null || self == oldSelf", json!(true)),
        ("size(self.list) == 3 && 2 in self.list", json!(true)),
        ("self.list.map(x, x * 2)", json!([2, 4, 6])),
    ];
    for (source, want) in cases {
        assert_eq!(run(source), Ok(want), "{source}");
    }
}

#[test]
fn mistakes_name_their_place_as_kubernetes_does() {
    let cases = [
        ("self.spec ==", "ERROR: <input>:1:13: Syntax error"),
        (
            "self.a &&\n  other.b",
            "ERROR: <input>:2:3: undeclared reference to 'other' (in container '')\n |   other.b\n | ..^",
        ),
        ("self.list.all(x, y > 1)", "ERROR: <input>:1:18: undeclared reference to 'y'"),
        ("", "ERROR: <input>:1:"),
    ];
    for (source, want) in cases {
        let got = run(source).unwrap_err();
        assert!(got.starts_with(want), "{source}: {got}");
    }
    assert!(run("self.nothing.more").unwrap_err().contains("nothing"));
    assert!(run("self.spec.replicas / 0").is_err());
}

#[test]
fn reads_follow_constant_names() {
    let env = Environment::new(["self", "oldSelf", "other"]);
    let program =
        Cel::default().compile("self.a.b > 1 && self.c.all(x, x.y == oldSelf.z)", &env, &Options::default()).unwrap();
    assert_eq!(program.reads().variables, [0, 1]);
    assert_eq!(program.reads().paths, [vec!["oldSelf", "z"], vec!["self", "a", "b"], vec!["self", "c"]]);
}

#[test]
fn explanations_show_the_parts() {
    let parts = explained("self.spec.replicas > 5 || self.spec.name == 'web'");
    for (part, value) in [("self.spec.replicas", json!(3)), ("self.spec.name == 'web'", json!(true))] {
        assert!(parts.contains(&(part.to_owned(), value)), "{parts:?}");
    }
}

#[test]
fn explanations_show_errors_that_another_operand_made_up_for() {
    let error = json!({"error": "no such key: absent"});
    let cases = [
        // A selection is known by its operator.
        ("self.absent.x > 1 || self.spec.name == 'web'", ["self.absent.x > 1", "."]),
        ("['a', 'web'].exists(x, self.absent == x) || self.spec.name == 'web'", ["self.absent == x", "."]),
    ];
    for (source, failed) in cases {
        let parts = explained(source);
        assert!(parts.contains(&(source.to_owned(), json!(true))), "{parts:?}");
        for part in failed {
            assert!(parts.contains(&(part.to_owned(), error.clone())), "{part}: {parts:?}");
        }
    }
}

/// The parts of an expression about [`SELF`], with their values.
fn explained(source: &str) -> Vec<(String, Json)> {
    let object = Object::parse(SELF).unwrap();
    let (arena, limits) = (Arena::new(), Limits::default());
    let values = [Value::from_node(object.root(), &arena)];
    let program = Cel::default().compile(source, &Environment::new(["self"]), &Options::default()).unwrap();
    program.explain(&values, &limits, &arena).values.into_iter().map(|it| (it.text, it.value)).collect()
}

#[test]
fn costs_are_bounded() {
    let list: Vec<u32> = (0..200).collect();
    let object = Object::parse(json!({ "list": list }).to_string()).unwrap();
    let arena = Arena::new();
    let values = [Value::from_node(object.root(), &arena)];
    let env = Environment::new(["self"]);
    let nested = "self.list.all(a, self.list.all(b, self.list.all(c, a + b + c >= 0)))";
    let program = Cel::default().compile(nested, &env, &Options::default()).unwrap();
    let error = program.evaluate(&values, &Limits::default(), &arena).err().unwrap();
    assert_eq!(error.kind, ErrorKind::Budget);
}

#[test]
fn texts_of_any_depth_end_in_an_answer() {
    let deep = |open: &str, core: &str, close: &str, times: usize| {
        format!("{}{core}{}", open.repeat(times), close.repeat(times))
    };
    for times in [10, 90, 130, 390, 790, 20_000] {
        let texts = [
            deep("", "1", " + 1", times),
            deep("", "true", " && true", times),
            deep("", "true", " || false", times),
            deep("", "self", ".a", times),
            deep("", "self", "[0]", times),
            deep("(", "1", ")", times),
            deep("[", "1", "]", times),
            deep("!", "true", "", times),
            deep("-", "1", "", times),
            deep("true ? 1 : ", "1", "", times),
            deep("{1: ", "1", "}", times),
            deep("size(", "1", ")", times),
            deep("[1].all(x, ", "true", ")", times),
            deep("", "1", " < 1 in", times),
        ];
        for text in texts {
            // Any answer will do; the stack must hold.
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
        "self", ".", "spec", "?", ":", "(", ")", "[", "]", "{", "}", "1", "-1", "2u", "1.5", "'a'", "b'\\xff'", "r\"\\\"", "all", "map",
        ",", "x", "+", "-", "/", "%", "*", "==", "!=", "<", "in", "&&", "||", "!", "null", "true", "has", "size", "list",
        "9223372036854775807", "string", "int", "duration", "timestamp", "matches", "optional", "none", "format", "\n", " ",
    ]), 0..14)) {
        let _ = run(&words.concat());
    }
}
