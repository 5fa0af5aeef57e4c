//! Agreement with the specification's own test suite.
//!
//! The data is not part of the project: set `KANON_CONFORMANCE` to the folder, or have it beside the checkout as
//! `../shared/conformance`; without it this test says so and passes. `KANON_TABLE=1` prints the table by file.
#![allow(
    clippy::disallowed_macros,
    clippy::disallowed_methods,
    reason = "tests find their data and print their figure"
)]
#![allow(clippy::unwrap_used, reason = "tests fail by panicking")]

use std::{collections::BTreeMap, path::PathBuf};

use kanon_cel::{Cel, values};
use kanon_lang::{Arena, Environment, Language, Limits, Options, Value};
use serde_json::{Value as Json, json};

/// Cases whose expected bytes have a backslash that the text of the case lost on its way into the data.
const GARBLED: [&str; 2] = ["b\"\"\" ? \" ' ` \"\"\"", "b''' ? \" ' ` '''"];

/// How many cases of 1,000 must pass: all of those that need neither protobuf nor declarations that this suite adds.
const FLOOR: usize = 1000;

fn folder() -> Option<PathBuf> {
    let beside = || PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared/conformance");
    let folder = std::env::var("KANON_CONFORMANCE").map_or_else(|_| beside(), PathBuf::from).join("cel");
    folder.join("cases.jsonl").exists().then_some(folder)
}

/// Passed, failed, out of scope.
#[derive(Clone, Copy, Default)]
struct Count([usize; 3]);

#[test]
fn the_specification_s_suite_passes() {
    let Some(folder) = folder() else {
        println!("no conformance data: skipped");
        return;
    };
    let text = std::fs::read_to_string(folder.join("cases.jsonl")).unwrap();
    let mut table: BTreeMap<String, Count> = BTreeMap::new();
    let mut failures = Vec::new();
    let cel = Cel::default().with_blocks();
    for line in text.lines() {
        let case: Json = serde_json::from_str(line).unwrap();
        let count = table.entry(case["file"].as_str().unwrap().to_owned()).or_default();
        // Functions over types with parameters that the suite declares have no counterpart in environments.
        let is_garbled = GARBLED.contains(&case["expr"].as_str().unwrap());
        if is_garbled || case["proto"] != "" || !case["funcs"].as_array().unwrap().is_empty() {
            count.0[2] += 1;
            continue;
        }
        match check(&cel, &case) {
            Ok(()) => count.0[0] += 1,
            Err(problem) => {
                count.0[1] += 1;
                failures.push(format!(
                    "{} `{}`: {problem}",
                    case["file"].as_str().unwrap(),
                    case["expr"].as_str().unwrap()
                ));
            }
        }
    }
    let total = table.values().fold([0; 3], |sum, it| [sum[0] + it.0[0], sum[1] + it.0[1], sum[2] + it.0[2]]);
    if std::env::var("KANON_TABLE").is_ok() {
        println!("| file | passed | failed | out of scope |\n|---|---:|---:|---:|");
        for (file, Count([passed, failed, out])) in &table {
            println!("| {file} | {passed} | {failed} | {out} |");
        }
        println!("| **all** | {} | {} | {} |", total[0], total[1], total[2]);
    }
    for failure in &failures {
        println!("- {failure}");
    }
    assert!(
        total[0] * 1000 >= (total[0] + total[1]) * FLOOR,
        "{} of {} cases fail",
        failures.len(),
        total[0] + total[1]
    );
}

fn check(cel: &Cel, case: &Json) -> Result<(), String> {
    let source = case["expr"].as_str().unwrap();
    let cel = cel.clone().in_container(case["container"].as_str().unwrap());
    let cel = cel.with_macros(case["disable_macros"] != true);
    let bindings = case["bindings"].as_object().unwrap();
    let env = Environment::new(bindings.keys().map(String::as_str));
    if let Some(want) = case["dtype"].as_str().filter(|it| !it.is_empty()) {
        let found = cel.type_of(source, &env).map_err(|it| it.to_string())?;
        let want = declared(&words(want), &mut 0);
        if found != want {
            return Err(format!("type {found}, not {want}"));
        }
    }
    if case["check_only"] == true {
        return Ok(());
    }
    let arena = Arena::new();
    let values: Vec<Value<'_>> = bindings.values().map(|it| bound(it, &arena)).collect();
    let options = Options { unchecked: case["disable_check"] == true, ..Options::default() };
    let program = cel.compile(source, &env, &options);
    let limits = Limits::default();
    let result = match &program {
        Ok(program) => program.evaluate(&values, &limits, &arena).map_err(|it| it.message),
        Err(mistakes) => Err(mistakes.to_string()),
    };
    let want = match case["match"].as_str().unwrap() {
        "eval_error" => return result.map_or(Ok(()), |it| Err(format!("{}, not an error", tagged(it, &arena)))),
        "default_true" => json!({"t": "bool", "v": true}),
        _ => case["value"].clone(),
    };
    let found = tagged(result?, &arena);
    if same(&found, &want) { Ok(()) } else { Err(format!("{found}, not {want}")) }
}

/// The value that a case binds.
fn bound<'a>(json: &Json, arena: &'a Arena) -> Value<'a> {
    let text = || json["v"].as_str().unwrap_or_default();
    match json["t"].as_str().unwrap() {
        "null" => Value::Null,
        "bool" => Value::Bool(json["v"].as_bool().unwrap()),
        "int" => Value::Int(text().parse().unwrap()),
        "uint" => Value::UInt(text().parse().unwrap()),
        "double" => Value::Float(text().parse().unwrap()),
        "string" => Value::Str(arena.alloc_str(text())),
        "bytes" => {
            let bytes: Vec<u8> = json["v"].as_array().unwrap().iter().map(|it| it.as_u64().unwrap() as u8).collect();
            Value::Bytes(arena.alloc_slice_copy(&bytes))
        }
        "list" => {
            let items: Vec<Value<'a>> = json["v"].as_array().unwrap().iter().map(|it| bound(it, arena)).collect();
            Value::List(arena.alloc_slice_copy(&items))
        }
        "map" => {
            let members = json["v"].as_array().unwrap().iter().map(|it| (bound(&it[0], arena), bound(&it[1], arena)));
            let members: Vec<_> = members.collect();
            Value::Map(arena.alloc_slice_copy(&members))
        }
        other => panic!("a binding of type {other}"),
    }
}

/// A value in the form of the cases.
fn tagged<'a>(value: Value<'a>, arena: &'a Arena) -> Json {
    let of = |t: &str, v: Json| json!({"t": t, "v": v});
    match value {
        Value::Null => json!({"t": "null"}),
        Value::Bool(it) => of("bool", json!(it)),
        Value::Int(it) => of("int", json!(it.to_string())),
        Value::UInt(it) => of("uint", json!(it.to_string())),
        Value::Float(it) => of("double", json!(it.to_string())),
        Value::Str(it) => of("string", json!(it)),
        Value::Bytes(it) => of("bytes", json!(it)),
        Value::Type(it) => of("type", json!(it)),
        Value::Optional(it) => of("optional", it.map_or(Json::Null, |it| tagged(*it, arena))),
        other => {
            if let Some(elements) = values::elements(other, arena) {
                return of("list", elements.map(|it| tagged(it, arena)).collect());
            }
            if let Some(entries) = values::entries(other, arena) {
                return of("map", entries.map(|(key, it)| json!([tagged(key, arena), tagged(it, arena)])).collect());
            }
            of("other", other.to_json(arena))
        }
    }
}

/// Whether two tagged values are the same; the order of a map's members is not part of it.
fn same(a: &Json, b: &Json) -> bool {
    let double = |it: &Json| it["v"].as_str().and_then(|it| it.parse::<f64>().ok());
    match (a["t"].as_str(), b["t"].as_str()) {
        (Some("double"), Some("double")) => match (double(a), double(b)) {
            (Some(a), Some(b)) => a.to_bits() == b.to_bits() || (a.is_nan() && b.is_nan()),
            _ => false,
        },
        (Some("list"), Some("list")) => {
            let (a, b) = (a["v"].as_array().unwrap(), b["v"].as_array().unwrap());
            a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same(a, b))
        }
        (Some("map"), Some("map")) => {
            let (a, b) = (a["v"].as_array().unwrap(), b["v"].as_array().unwrap());
            let found = |it: &Json| b.iter().any(|other| same(&it[0], &other[0]) && same(&it[1], &other[1]));
            a.len() == b.len() && a.iter().all(found)
        }
        _ => a == b,
    }
}

/// The words of a type in protobuf's text form, without its punctuation.
fn words(text: &str) -> Vec<&str> {
    text.split_whitespace().map(|it| it.trim_matches([':', '"'])).collect()
}

/// A type of that form as the language prints it; `at` is moved behind it.
fn declared(words: &[&str], at: &mut usize) -> String {
    let mut next = || {
        *at += 1;
        words[*at - 1]
    };
    match next() {
        "primitive" => match next() {
            "INT64" => "int".to_owned(),
            "UINT64" => "uint".to_owned(),
            name => name.to_lowercase(),
        },
        "null" => next().split('_').next().unwrap_or_default().to_lowercase(),
        "well_known" => next().to_lowercase(),
        "dyn" => {
            *at += 2;
            "dyn".to_owned()
        }
        "list_type" => format!("list({})", parts(words, at)),
        "map_type" => format!("map({})", parts(words, at)),
        "type" => format!("type({})", parts(words, at)),
        "abstract_type" => format!("optional_type({})", parts(words, at)),
        other => panic!("a type of form {other}"),
    }
}

/// `{ name: … part { type } … }`
fn parts(words: &[&str], at: &mut usize) -> String {
    let mut out = Vec::new();
    *at += 1;
    while words[*at] != "}" {
        *at += 2;
        if words[*at - 2] != "name" {
            out.push(declared(words, at));
            *at += 1;
        }
    }
    *at += 1;
    out.join(", ")
}
