//! Bad policies: deep, long, random, growing. Each ends in a value or an error, soon and in bounded memory.
#![allow(clippy::unwrap_used, reason = "tests fail by panicking")]

use kanon_lang::{Arena, Environment, ErrorKind, EvalError, Language, Limits, Options};
use kanon_rego::Rego;
use proptest::prelude::*;

/// Loads and evaluates with a small budget.
fn run(source: &str) -> Result<String, Option<EvalError>> {
    let env = Environment::new(["input", "data"]);
    let program = Rego.compile(source, &env, &Options::default()).map_err(|_| None)?;
    let arena = Arena::new();
    let limits = Limits { steps: 200_000, ..Limits::default() };
    program.evaluate(&[], &limits, &arena).map(|value| value.to_json(&arena).to_string()).map_err(Some)
}

#[test]
fn values_that_double_are_stopped() {
    let doubled = |first: &str, step: &dyn Fn(usize) -> String, last: &str| {
        let steps: String = (0..60).map(|at| format!("  x{} := {}\n", at + 1, step(at))).collect();
        format!("package p\n\na := y if {{\n  x0 := {first}\n{steps}  y := {last}\n}}\n")
    };
    for source in [
        doubled("\"ab\"", &|at| format!("concat(\"\", [x{at}, x{at}])"), "x60"),
        doubled("\"ab\"", &|at| format!("sprintf(\"%s%s\", [x{at}, x{at}])"), "x60"),
        doubled("\"ab\"", &|at| format!("replace(x{at}, \"a\", x{at})"), "x60"),
        doubled("\"ab\"", &|at| format!("$\"{{x{at}}}{{x{at}}}\""), "x60"),
        doubled("[1]", &|at| format!("array.concat(x{at}, x{at})"), "x60"),
        doubled("[1]", &|at| format!("[x{at}, x{at}]"), "json.marshal(x60)"),
        doubled("[1]", &|at| format!("[x{at}, x{at}]"), "sprintf(\"%v\", [x60])"),
        doubled("[1]", &|at| format!("[x{at}, x{at}]"), "x60"),
        doubled("9999999999", &|at| format!("x{at} * x{at}"), "x60"),
        "package p\n\na := bits.lsh(1, 4000000000)\n\nb := numbers.range(1, 1000000000)\n\nc := net.cidr_expand(\"::/0\")\n".to_owned(),
    ] {
        match run(&source) {
            Ok(value) => assert_eq!(value, "{}", "{source}"),
            Err(error) => assert_eq!(error.map(|it| it.kind), Some(ErrorKind::Budget), "{source}"),
        }
    }
}

#[test]
fn long_chains_and_long_bodies_end_in_an_answer() {
    for length in [100, 700, 5_000, 20_000] {
        let chain: String = (0..length).map(|at| format!("r{at} := r{}\n", at + 1)).collect();
        let _ = run(&format!("package p\n{chain}r{length} := 1\n"));
        let calls: String = (0..length).map(|at| format!("f{at}(x) := f{}(x)\n", at + 1)).collect();
        let _ = run(&format!("package p\na := f0(1)\n{calls}f{length}(x) := x\n"));
        let backwards: String = (0..length).rev().map(|at| format!("  x{} := [x{at}]\n", at + 1)).collect();
        let _ = run(&format!("package p\na if {{\n{backwards}  x0 := 1\n}}\n"));
        let nested: String = (0..length).map(|at| format!("  x{} := [x{at}]\n", at + 1)).collect();
        let _ = run(&format!("package p\na := x{length} if {{\n  x0 := 1\n{nested}}}\n"));
        let _ = run(&format!("package p\na := {}\n", "else := ".repeat(length)));
    }
}

#[test]
fn nesting_of_every_kind_ends_in_an_answer() {
    for times in [10, 31, 63, 400, 10_000] {
        for (open, core, close) in [
            ("[", "1", "]"),
            ("{", "1", "}"),
            ("(", "1", ")"),
            ("{1: ", "1", "}"),
            ("{{1: 1}: ", "1", "}"),
            ("[1 | ", "true", "]"),
            ("{x | x := ", "1", "}"),
            ("count(", "1", ")"),
            ("$\"{", "1", "}\""),
            ("1 + ", "1", ""),
            ("", "1", " | 1"),
            ("not ", "true", ""),
            ("every x in [1] { ", "true", " }"),
            ("[a | [", "1", ", c], c]"),
            ("", "input", "[0]"),
            ("input[", "1", "]"),
        ] {
            let text = format!("{}{core}{}", open.repeat(times), close.repeat(times));
            for source in [text.clone(), format!("package p\na := {text}\n"), format!("package p\na if {text}\n")] {
                let _ = run(&source);
            }
        }
    }
}

proptest! {
    #[test]
    fn random_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = run(&String::from_utf8_lossy(&bytes));
    }

    #[test]
    fn random_modules_never_panic(words in prop::collection::vec(prop::sample::select(vec![
        "a", "b", "x", "input", "data", ".", "[", "]", "{", "}", "(", ")", ":=", "=", "==", "!=", "<", "|", "&", "+", "*", "-",
        " if ", " else ", " contains ", "default ", "not ", "some ", "every ", " in ", " with ", " as ", "import ", "\n", "\n",
        ";", ",", ":", "1", "0.5", "\"s\"", "`r`", "$\"{", "}\"", "count", "walk", "sprintf", "true", "null", "_", "set()",
    ]), 0..24)) {
        let _ = run(&format!("package p\n{}", words.concat()));
    }
}
