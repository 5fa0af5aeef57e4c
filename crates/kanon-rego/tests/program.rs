//! Programs as families use them: several queries of one module, strictness, time, limits, evidence.
#![allow(clippy::unwrap_used, reason = "tests fail by panicking")]

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use kanon_core::{Mono, Object, Stopwatch};
use kanon_lang::{
    Arena, Environment, ErrorKind, EvalError, Language, Limits, ModuleOptions, Options, Program, TimeLimit, Type, Value,
};
use kanon_rego::Rego;
use serde_json::{Value as Json, json};

const POLICY: &str = r#"package signal

import rego.v1

default severity := "unknown"

severity := "high" if lower(input.severity) in {"sev1", "high"}

labels[key] contains value if {
	some key, value in input.labels
	not startswith(key, "system/")
}

conflict := input.severity

conflict := "other"

stamp := time.now_ns()

shouted := upper(input.severity)
"#;

fn program(query: Option<&str>, strict: bool) -> Arc<dyn Program> {
    let env = Environment::new(["input"]).with_variable(Environment::NOW, Type::Timestamp);
    let module = ModuleOptions {
        package: Some("signal".to_owned()),
        query: query.map(str::to_owned),
        strict,
        ..ModuleOptions::default()
    };
    Rego.compile(POLICY, &env, &Options { module, ..Options::default() }).unwrap_or_else(|error| panic!("{error}"))
}

/// The value as JSON; undefined is the text `undefined`.
fn run(query: &str, strict: bool, input: Json) -> Result<Json, EvalError> {
    let object = Object::from_value(&input);
    let arena = Arena::new();
    let now = Value::Time(jiff::Timestamp::from_second(1_700_000_000).unwrap());
    let values = [Value::from_node(object.root(), &arena), now];
    let program = program(Some(query), strict);
    let limits = Limits::default();
    let value = program.evaluate(&values, &limits, &arena)?;
    Ok(if matches!(value, Value::Optional(None)) { json!("undefined") } else { value.to_json(&arena) })
}

#[test]
fn each_query_has_its_value() {
    for (query, input, want) in [
        ("data.signal.severity", json!({"severity": "SEV1"}), json!("high")),
        ("data.signal.severity", json!({}), json!("unknown")),
        ("severity", json!({"severity": "High"}), json!("high")),
        ("data.signal.missing", json!({}), json!("undefined")),
        ("data.elsewhere", json!({}), json!("undefined")),
        (
            "data.signal.labels",
            json!({"labels": {"b": "2", "a": "1", "system/x": "3"}}),
            json!({"a": ["1"], "b": ["2"]}),
        ),
        ("data.signal.labels", json!({}), json!({})),
        ("data.signal.shouted", json!({"severity": "a"}), json!("A")),
        ("data.signal.shouted", json!({"severity": 1}), json!("undefined")),
        ("data.signal.stamp", json!({}), json!(1_700_000_000_000_000_000_i64)),
        ("input.none", json!({"none": null}), json!(null)),
        ("input.no", json!({"no": false}), json!(false)),
    ] {
        assert_eq!(run(query, false, input.clone()).unwrap(), want, "{query} on {input}");
    }
}

#[test]
fn strict_queries_fail_where_lenient_ones_are_undefined() {
    let error = run("data.signal.shouted", true, json!({"severity": 1})).unwrap_err();
    assert_eq!(error.kind, ErrorKind::Value);
    let place = error.span.unwrap();
    assert!(POLICY[place.start as usize..place.end as usize].contains("upper"), "{place:?}: {error}");
}

#[test]
fn contradicting_rules_are_an_error_with_its_place() {
    assert_eq!(run("data.signal.conflict", false, json!({"severity": "other"})).unwrap(), json!("other"));
    let error = run("data.signal.conflict", false, json!({"severity": "a"})).unwrap_err();
    let place = error.span.unwrap();
    assert!(POLICY[place.start as usize..].starts_with("conflict"), "{place:?}: {error}");
}

#[test]
fn instances_do_not_remember_earlier_evaluations() {
    let program = program(Some("data.signal.severity"), false);
    for (input, want) in [("sev1", "high"), ("x", "unknown"), ("high", "high"), ("", "unknown")].repeat(3) {
        let object = Object::from_value(&json!({"severity": input}));
        let arena = Arena::new();
        let values = [Value::from_node(object.root(), &arena)];
        let limits = Limits::default();
        assert_eq!(program.evaluate(&values, &limits, &arena).unwrap().to_json(&arena), json!(want));
    }
    let reads = program.reads();
    assert!(reads.clock && reads.variables == [0]);
    assert!(reads.paths.contains(&vec!["input".to_owned(), "severity".to_owned()]), "{:?}", reads.paths);
    assert!(!reads.paths.contains(&vec!["input".to_owned()]), "{:?}", reads.paths);
}

#[test]
fn an_explanation_shows_rules_and_what_they_read() {
    let program = program(Some("data.signal.severity"), false);
    let object = Object::from_value(&json!({"severity": "SEV1", "labels": {}}));
    let arena = Arena::new();
    let values = [Value::from_node(object.root(), &arena)];
    let limits = Limits::default();
    let explained = program.explain(&values, &limits, &arena);
    assert_eq!(explained.result.unwrap().to_json(&arena), json!("high"));
    let shown: Vec<(&str, &Json)> = explained.values.iter().map(|it| (it.text.as_str(), &it.value)).collect();
    assert!(shown.contains(&("severity := \"high\"", &json!("high"))), "{shown:?}");
    assert!(shown.contains(&("input.severity", &json!("SEV1"))), "{shown:?}");
    assert!(!shown.iter().any(|it| it.0.contains("labels")), "{shown:?}");
}

#[test]
fn limits_end_an_evaluation() {
    let slow =
        "package slow\n\nxs := numbers.range(1, 20000)\n\nn := count([1 | some x in xs; some y in xs; x + y == -1])\n";
    let env = Environment::new(["input"]);
    let program = Rego.compile(slow, &env, &Options::default()).unwrap();
    let arena = Arena::new();
    let limits = Limits { steps: 20_000, ..Limits::default() };
    let error = program.evaluate(&[], &limits, &arena).err().unwrap();
    assert_eq!((error.kind, error.message.as_str()), (ErrorKind::Budget, "step budget exceeded"));
    let limits = Limits { time: Some(time(1_000, Some(0))), ..Limits::default() };
    assert_eq!(program.evaluate(&[], &limits, &arena).err().unwrap().kind, ErrorKind::Budget);
}

/// A clock that goes on by a millisecond whenever somebody looks.
#[derive(Default)]
struct Ticks(AtomicU64);

impl Stopwatch for Ticks {
    fn mono(&self) -> Mono {
        Mono(Duration::from_millis(self.0.fetch_add(1, Ordering::Relaxed)))
    }
}

fn time(each: u64, until: Option<u64>) -> TimeLimit {
    TimeLimit {
        clock: Arc::new(Ticks::default()),
        each: Duration::from_millis(each),
        until: until.map(|it| Mono(Duration::from_millis(it))),
    }
}

/// Its time is over while the evaluation runs: it ends at the next call of one of our functions, long before its steps do.
#[test]
fn time_ends_an_evaluation_that_calls_functions() {
    let slow = "package slow\n\nxs := numbers.range(1, 20000)\n\n\
        n := count([1 | some x in xs; some y in xs; strings.count(sprintf(\"%d\", [x + y]), \"0\") < 0])\n";
    let program = Rego.compile(slow, &Environment::new(["input"]), &Options::default()).unwrap();
    let limits = Limits { steps: 60_000_000, time: Some(time(50, None)), ..Limits::default() };
    let arena = Arena::new();
    let ended = program.evaluate(&[], &limits, &arena).err();
    assert_eq!(ended.map(|it| (it.kind, it.message)), Some((ErrorKind::Budget, "time budget exceeded".to_owned())));
    // The instance that was ended works again.
    let limits = Limits { steps: 20_000, time: None, ..limits };
    let error = program.evaluate(&[], &limits, &arena).err().unwrap();
    assert_eq!(error.message, "step budget exceeded");
}
