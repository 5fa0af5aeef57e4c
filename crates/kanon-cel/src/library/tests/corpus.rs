//! The specification's own suite, as far as the calculator reads it: a first look before the front end runs all of it.

use std::path::PathBuf;

use kanon_lang::{Arena, Context, Limits};
use serde_json::Value as Json;

use super::calculator::{evaluate, render};

/// How many cases the calculator must read: a bug in it must not look like success.
const FLOOR: usize = 750;

fn folder() -> PathBuf {
    #[expect(clippy::disallowed_methods, reason = "where the corpora lie on this machine")]
    let named = std::env::var("KANON_CONFORMANCE");
    named.map_or_else(
        |_| PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/conformance")),
        PathBuf::from,
    )
}

#[test]
fn the_suite_agrees_wherever_the_calculator_reads_it() {
    let path = folder().join("cel/cases.jsonl");
    let Ok(cases) = std::fs::read_to_string(&path) else {
        // Nothing to compare with on this machine.
        assert!(!path.exists());
        return;
    };
    let mut read = 0;
    let mut wrong = Vec::new();
    for line in cases.lines() {
        let case: Json = serde_json::from_str(line).unwrap();
        let text = |name: &str| case[name].as_str().unwrap_or_default();
        let plain = text("proto").is_empty() && case["bindings"].as_object().is_none_or(|it| it.is_empty());
        if !plain || case["disable_macros"] == true || !text("container").is_empty() {
            continue;
        }
        let want = match text("match") {
            "value" => expected(&case["value"]),
            "default_true" => "true".to_owned(),
            "eval_error" => "error".to_owned(),
            _ => continue,
        };
        let arena = Arena::new();
        let limits = Limits::default();
        let mut cx = Context::new(&limits, &arena);
        let Ok(result) = evaluate(&mut cx, text("expr")) else { continue };
        let got = match result {
            Ok(value) => render(value, &arena),
            Err(_) => "error".to_owned(),
        };
        // What a logical operator makes of an error is not the library's affair, nor is what only the checker refuses.
        let absorbed = got == "error" && (text("expr").contains("||") || text("expr").contains("&&"));
        let refused = want == "error" && got != "error" && case["disable_check"] == false;
        if absorbed || refused {
            continue;
        }
        read += 1;
        if got != want && !refused {
            wrong.push(format!("{}: {} => {got}, not {want}", text("file"), text("expr")));
        }
    }
    assert!(wrong.is_empty(), "{read} read, {} wrong:\n{}", wrong.len(), wrong.join("\n"));
    assert!(read >= FLOOR, "only {read} read");
}

/// The value of a case as [`render`] writes values.
fn expected(value: &Json) -> String {
    let text = value["v"].as_str().unwrap_or_default();
    let list = |value: &Json| value["v"].as_array().cloned().unwrap_or_default();
    match value["t"].as_str().unwrap_or_default() {
        "null" => "null".to_owned(),
        "bool" => value["v"].to_string(),
        "int" | "type" => text.to_owned(),
        "uint" => format!("{text}u"),
        "double" => format!("{:?}", text.parse::<f64>().unwrap()),
        "string" => format!("{text:?}"),
        "bytes" => {
            let bytes: Vec<u8> = list(value).iter().map(|it| it.as_u64().unwrap() as u8).collect();
            format!("b{bytes:?}")
        }
        "list" => format!("[{}]", list(value).iter().map(expected).collect::<Vec<_>>().join(", ")),
        "map" => {
            let mut members: Vec<String> =
                list(value).iter().map(|it| format!("{}: {}", expected(&it[0]), expected(&it[1]))).collect();
            members.sort();
            format!("{{{}}}", members.join(", "))
        }
        other => format!("a value of type {other}"),
    }
}
