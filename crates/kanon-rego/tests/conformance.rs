//! Agreement with OPA on its own compliance cases (those of OPA 1.14.1).
//!
//! The data is not part of the project: set `KANON_CONFORMANCE` to the folder, or have it beside the checkout as
//! `../shared/conformance`; without it this test says so and passes. `KANON_TABLE=1` prints the table by folder and the
//! reasons of what does not pass, `SHOW=name` the cases of a folder that differ. Cases that call a function which is refused
//! (network, surroundings, chance, GraphQL, X.509, AWS, metadata) are out of scope.
#![allow(
    clippy::disallowed_macros,
    clippy::disallowed_methods,
    reason = "tests find their data and print their figure"
)]
#![allow(clippy::unwrap_used, reason = "tests fail by panicking")]

use std::{collections::BTreeMap, path::PathBuf, time::Duration};

use kanon_lang::{ErrorKind, RuleKind};
use kanon_rego::{Given, LoadOptions, Policy, Value};
use serde_json::Value as Json;

/// Of 1,000 cases in scope, how many must agree.
const FLOOR: usize = 993;

/// Why cases that fail do, by how their names begin.
const REASONS: [(&str, &str); 7] = [
    ("jwtencodesignraw/", "tokens are not signed with RSA keys"),
    ("reachable_paths/", "the interpreter takes another way through the graph"),
    ("refheads/", "the interpreter does not join a constant and a variable part of one reference below a set"),
    ("strings/sprintf: float too big", "the interpreter has no numbers beyond a double"),
    ("time/time caching", "`test.sleep` is a function of OPA's own tests"),
    ("withkeyword/builtin-builtin", "the interpreter puts no built-in in the place of another"),
    ("withkeyword/function: direct call, built-in", "the interpreter puts no built-in in the place of a function"),
];

fn file() -> Option<PathBuf> {
    let beside = || PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared/conformance");
    let folder = std::env::var("KANON_CONFORMANCE").map_or_else(|_| beside(), PathBuf::from).join("rego");
    Some(folder.join("cases.jsonl")).filter(|it| it.exists())
}

/// Numbers that are whole are the same, however they are written.
fn plain(json: &Json) -> Json {
    match json {
        Json::Number(number) => match number.as_f64() {
            Some(float) if float.fract() == 0.0 && float.abs() < 9e15 => Json::from(float as i64),
            _ => json.clone(),
        },
        Json::Array(items) => items.iter().map(plain).collect(),
        Json::Object(members) => Json::Object(members.iter().map(|(key, item)| (key.clone(), plain(item))).collect()),
        Json::Null | Json::Bool(_) | Json::String(_) => json.clone(),
    }
}

fn json(value: &Value) -> Json {
    plain(&serde_json::from_str(&value.to_json_str().unwrap()).unwrap())
}

/// A term of the language as a value.
fn term(text: &str) -> Option<Value> {
    let policy = Policy::load(&[], &LoadOptions::default()).ok()?;
    let query = policy.query(text, false).ok()?;
    policy.evaluate(&query, Given::default()).ok()?.list.into_iter().next().map(|it| it.value)
}

/// The bindings of all answers, or why there are none.
fn run(case: &Json) -> Result<Vec<Json>, String> {
    let sources: Vec<&str> = case["modules"].as_array().unwrap().iter().map(|it| it.as_str().unwrap()).collect();
    let policy = Policy::load(&sources, &LoadOptions::default()).map_err(|error| format!("load: {error}"))?;
    let query = policy.query(case["query"].as_str().unwrap(), false).map_err(|error| format!("query: {error}"))?;
    let input = match (&case["input_term"], &case["input"]) {
        (Json::String(text), _) => term(text),
        (_, Json::Null) => None,
        (_, input) => Some(Value::from(input.clone())),
    };
    let data = case.get("data").filter(|it| it.is_object()).map(|it| Value::from(it.clone()));
    let given = Given {
        input,
        data,
        now_ns: Some(1_700_000_000_000_000_000),
        strict: case["strict_error"].as_bool().unwrap_or(false),
        limit: Some(Duration::from_secs(5)),
        ..Given::default()
    };
    same_either_way(&policy, &given);
    let answers = policy.evaluate(&query, given).map_err(|error| format!("run: {error}"))?;
    Ok(answers.list.iter().map(|it| json(&it.bindings)).collect())
}

/// A rule's value is the same, asked for by name or by a query that has to be read.
fn same_either_way(policy: &Policy, given: &Given) {
    let outline = policy.outlines().first().map(|it| it.rules.clone()).unwrap_or_default();
    for rule in outline.iter().filter(|it| matches!(it.kind, RuleKind::Complete | RuleKind::Set)) {
        let parts = rule.name.split('.').map(|it| format!("[{}]", Json::from(it)));
        let path = format!("{}{}", policy.package_path(), parts.collect::<String>());
        let ask = |query: &str| {
            let query = policy.query(query, false).unwrap();
            let answers = policy.evaluate(&query, given.clone()).map_err(|it| (it.kind, it.message))?;
            Ok::<_, (ErrorKind, String)>(answers.list.into_iter().map(|it| it.value).collect::<Vec<_>>())
        };
        let by_name = ask(&path).map(|it| it.into_iter().map(|it| Value::from(vec![it])).collect());
        assert_eq!(by_name, ask(&format!("[{path}]")), "{path}");
    }
}

fn check(case: &Json) -> Result<(), String> {
    let got = run(case);
    if case.get("want_error_code").is_some() || case.get("want_error").is_some() {
        return match got {
            Err(_) => Ok(()),
            Ok(value) => Err(format!("want an error ({}), got {}", case["want_error"], Json::from(value))),
        };
    }
    let mut want: Vec<Json> =
        case["want_result"].as_array().map(|it| it.iter().map(plain).collect()).unwrap_or_default();
    let mut got = got?;
    // Sets of answers have no order of their own.
    want.sort_by_key(Json::to_string);
    got.sort_by_key(Json::to_string);
    if case["sort_bindings"] == Json::Bool(true) {
        let sorted = |list: &mut Vec<Json>| {
            for answer in list.iter_mut() {
                for value in answer.as_object_mut().into_iter().flat_map(|it| it.values_mut()) {
                    if let Json::Array(items) = value {
                        items.sort_by_key(Json::to_string);
                    }
                }
            }
        };
        sorted(&mut want);
        sorted(&mut got);
    }
    if want == got { Ok(()) } else { Err(format!("want {}\n    got  {}", Json::from(want), Json::from(got))) }
}

#[test]
fn agrees_with_the_original() {
    let Some(file) = file() else {
        println!("skipped: no conformance data (KANON_CONFORMANCE)");
        return;
    };
    let cases = std::fs::read_to_string(file).unwrap();
    let show = std::env::var("SHOW").ok();
    let mut table: BTreeMap<String, [usize; 3]> = BTreeMap::new();
    let mut notes = Vec::new();
    for line in cases.lines() {
        let case: Json = serde_json::from_str(line).unwrap();
        let (folder, note) = (case["folder"].as_str().unwrap(), case["note"].as_str().unwrap());
        let verdict = check(&case);
        let refused = verdict.as_ref().is_err_and(|problem| problem.contains("cannot be called: "));
        let row = table.entry(folder.to_owned()).or_default();
        row[if verdict.is_ok() { 0 } else { 1 + usize::from(refused) }] += 1;
        let Err(problem) = verdict else { continue };
        if !refused {
            let reason = REASONS.iter().find(|it| note.starts_with(it.0)).map_or("not looked into", |it| it.1);
            notes.push(format!("- {note}: {reason}"));
        }
        if show.as_deref().is_some_and(|it| it == "all" || it == folder) {
            println!("{note} | {}\n    {}", case["query"], problem.replace('\n', "\n    "));
        }
    }
    let sum = |at: usize| table.values().map(|row| row[at]).sum::<usize>();
    let (agreed, total) = (sum(0), sum(0) + sum(1));
    if std::env::var("KANON_TABLE").is_ok() {
        for (folder, [passed, failed, out]) in &table {
            println!("| {folder} | {passed} | {failed} | {out} |");
        }
        for note in &notes {
            println!("{note}");
        }
    }
    println!("rego conformance: {agreed} of {total} agree ({:.2} %)", agreed as f64 * 100.0 / total as f64);
    assert!(agreed * 1000 >= total * FLOOR, "agreement fell below the floor");
}
