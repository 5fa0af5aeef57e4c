//! What rule authors meet: the table of spec/rules 2.9 row by row, compile errors as `status.parseError` shows them, read
//! sets, explanations, budgets. Cases are in `tests/cases`.
#![allow(clippy::unwrap_used, reason = "tests fail by panicking")]

use kanon_core::Object;
use kanon_expr::Expr;
use kanon_lang::{Arena, Environment, ErrorKind, Language, Limits, Memo, Options, Program, RuleSet, Value};
use serde_json::{Value as Json, json};
use std::sync::Arc;

const VARIABLES: [&str; 5] = ["object", "container", "nilList", "nilMap", "$now"];

const OBJECT: &str = r#"{"kind":"Pod","metadata":{"name":"web","labels":{"env":"prod","team":"a"}},
    "spec":{"hostNetwork":true,"replicas":3,"containers":[
      {"name":"a","image":"docker.io/x:1","ports":[80,443],"securityContext":{"privileged":true}},
      {"name":"b","image":"ghcr.io/y:2","ports":[]}]},
    "n":null,"f":1.5,"s":"text","é":"ü","list":[3,1,2],"esc":"a\"b\n"}"#;

fn compile(source: &str, boolean: bool) -> Result<Arc<dyn Program>, String> {
    let env = Environment::new(VARIABLES);
    let options = Options { boolean, ..Options::default() };
    Expr::default().compile(source, &env, &options).map_err(|error| error.to_string())
}

/// Compiles and evaluates; JSON of the value, or the error after `compile: ` or `run: `.
fn run(source: &str, boolean: bool) -> Result<Json, String> {
    let program = compile(source, boolean).map_err(|error| format!("compile: {error}"))?;
    let object = Object::parse(OBJECT).unwrap();
    let arena = Arena::new();
    let now: kanon_lang::Value<'_> = Value::Time("2026-11-21T09:00:00Z".parse().unwrap());
    let values = [Value::from_node(object.root(), &arena), Value::Null, Value::NilList, Value::NilMap, now];
    let limits = Limits::default();
    let result = program.evaluate(&values, &limits, &arena);
    result.map(|value| value.to_json(&arena)).map_err(|error| format!("run: {error}"))
}

/// Cases are lines of `expression => JSON value`, `expression => run: text` or `expression => compile: text`, where the
/// text is a part of the message; `?` before the arrow asks for a rule's boolean.
fn check(cases: &str) {
    let mut failures = Vec::new();
    for line in cases.lines().filter(|line| !line.is_empty() && !line.starts_with("# ")) {
        let (source, want) = line.split_once(" => ").unwrap_or_else(|| panic!("no arrow in {line}"));
        let (source, boolean) = source.strip_suffix(" ?").map_or((source, false), |source| (source, true));
        let got = run(source, boolean);
        let fine = match (&got, want.split_once(": ")) {
            (Err(message), Some((stage @ ("run" | "compile"), part))) => {
                message.starts_with(stage) && message.contains(part)
            }
            (Ok(value), _) => *value == serde_json::from_str::<Json>(want).unwrap_or_else(|_| json!("not JSON")),
            (Err(_), _) => false,
        };
        if !fine {
            failures.push(format!("{line}\n    got {got:?}"));
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

#[test]
fn nil_and_type_rules_are_those_of_the_table() {
    check(include_str!("cases/table.txt"));
}

#[test]
fn language_forms_work() {
    check(include_str!("cases/language.txt"));
}

#[test]
fn builtins_work() {
    check(include_str!("cases/builtins.txt"));
}

#[test]
fn mistakes_are_shown_with_a_caret() {
    let error = compile("object.spec.x ==", false).err().unwrap();
    assert_eq!(error, "unexpected token EOF (1:16)\n | object.spec.x ==\n | ...............^");
    let error = compile("object.spec.x &&\n  \"3\" == 3", false).err().unwrap();
    assert_eq!(error, "invalid operation: == (mismatched types string and int) (2:7)\n |   \"3\" == 3\n | ......^");
}

#[test]
fn reads_are_paths_from_variables() {
    let reads = |source: &str| compile(source, false).unwrap().reads().clone();
    let paths = |source: &str| reads(source).paths.iter().map(|path| path.join(".")).collect::<Vec<_>>();
    assert_eq!(
        paths("object.spec?.hostNetwork == true && object.kind == 'Pod'"),
        ["object.kind", "object.spec.hostNetwork"]
    );
    assert_eq!(paths("any(object.spec.containers, .image startsWith 'x')"), ["object.spec.containers"]);
    assert_eq!(paths("object['spec']['a'][0].b"), ["object.spec.a"]);
    assert_eq!(paths("let o = object; o.x == 1"), ["object"]);
    assert_eq!(paths("container?.name ?? object.metadata.name"), ["container.name", "object.metadata.name"]);
    assert_eq!(paths("\"x\" in $env"), ["container", "nilList", "nilMap", "object"]);
    assert_eq!(paths("1 + 1"), [""; 0]);
    assert!(reads("now() > date('2020-01-01')").clock);
    assert!(!reads("object.x").clock);
}

#[test]
fn explanations_show_every_evaluated_part() {
    let program = compile("object.spec.hostNetwork == true && any(object.list, # > 2) || object.never", false).unwrap();
    let object = Object::parse(OBJECT).unwrap();
    let arena = Arena::new();
    let values = [Value::from_node(object.root(), &arena)];
    let limits = Limits::default();
    let explained = program.explain(&values, &limits, &arena);
    let parts: Vec<(&str, Json)> = explained.values.iter().map(|it| (it.text.as_str(), it.value.clone())).collect();
    assert!(parts.contains(&("object.spec.hostNetwork", json!(true))));
    assert!(parts.contains(&("object.spec.hostNetwork == true", json!(true))));
    assert!(parts.contains(&("any(object.list, # > 2)", json!(true))));
    assert!(parts.contains(&("# > 2", json!(true))));
    assert!(!parts.iter().any(|(text, _)| text.contains("never") && !text.contains("spec")), "{parts:?}");
    assert_eq!(parts[0].0, program.source());
    let program = compile("object.missing.field", false).unwrap();
    let limits = Limits::default();
    let explained = program.explain(&values, &limits, &arena);
    assert!(explained.result.is_err());
    assert!(explained.values.iter().any(|it| it.value["error"].is_string()));
}

/// The parts of an expression about [`OBJECT`] that are evidence, with their values, outer ones first.
fn evidence(source: &str) -> String {
    let program = compile(source, false).unwrap();
    let (object, arena, limits) = (Object::parse(OBJECT).unwrap(), Arena::new(), Limits::default());
    let values = [Value::from_node(object.root(), &arena)];
    let shown = program.explain(&values, &limits, &arena).values;
    shown.iter().map(|it| format!("{} = {}", it.text, it.value)).collect::<Vec<_>>().join("; ")
}

#[test]
fn evidence_is_what_paths_end_at_and_not_what_they_pass() {
    let check = |source: &str, want: &str| assert_eq!(evidence(source), want, "{source}");
    check("object.spec.hostNetwork", "object.spec.hostNetwork = true");
    check("!object.spec.hostNetwork", "!object.spec.hostNetwork = false; object.spec.hostNetwork = true");
    check("object.metadata.labels['env']", "object.metadata.labels['env'] = \"prod\"");
    check("object.list[object.n ?? 0]", "object.list[object.n ?? 0] = 3; object.n ?? 0 = 0; object.n = null");
    check("object.absent?.a.b", "object.absent?.a.b = null");
    check("len(object.list)", "len(object.list) = 3; object.list = [3,1,2]");
    check("any(object.list, # > 2)", "any(object.list, # > 2) = true; object.list = [3,1,2]; # > 2 = true; # = 3");
    check(
        "let m = object.metadata; m.labels.env",
        concat!(
            "let m = object.metadata; m.labels.env = \"prod\"; ",
            "object.metadata = {\"labels\":{\"env\":\"prod\",\"team\":\"a\"},\"name\":\"web\"}; m.labels.env = \"prod\"",
        ),
    );
    check(
        "object.absent.field",
        "object.absent.field = {\"error\":\"cannot fetch field from <nil>\"}; field = {\"error\":\"cannot fetch field from <nil>\"}",
    );
}

#[test]
fn boolean_rules_leave_the_arena_alone() {
    let object = Object::parse(OBJECT).unwrap();
    for source in [
        "object.spec?.hostNetwork == true",
        "any(object.list, # == 2) && all(object.spec.containers, .name != 'z')",
        "!(object.s startsWith 'registry/' || object.s matches '^t') || object.kind in ['Pod', 'Job']",
        "count(object.spec.containers, any(.ports ?? [], # > 400)) == 1",
    ] {
        let program = compile(source, true).unwrap();
        // Room for the variables of predicates, as a worker has it.
        let arena = Arena::with_capacity(512);
        let before = arena.allocated_bytes();
        let values = [Value::from_node(object.root(), &arena)];
        assert!(program.evaluate(&values, &Limits::default(), &arena).is_ok(), "{source}");
        assert_eq!(arena.allocated_bytes(), before, "{source}");
    }
}

#[test]
fn budgets_stop_evaluations() {
    for source in [
        "1..2000000",
        "repeat('abc', 1000000)",
        "len(map(1..2000, map(1..2000, #)))",
        "all(1..900000, any(1..900000, # < 0))",
        "reduce(1..900000, #acc + 'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa', 'a')",
        "reduce(1..30, concat(#acc, #acc), [1])",
    ] {
        let program = compile(source, false).unwrap();
        let arena = Arena::new();
        let error = program.evaluate(&[], &Limits::default(), &arena).err().unwrap();
        assert_eq!(error.kind, ErrorKind::Budget, "{source}: {error}");
    }
}

#[test]
fn diagnostics_suggest_what_was_meant() {
    let help = |source: &str| {
        let env = Environment::new(VARIABLES);
        Expr::default().compile(source, &env, &Options::default()).err().unwrap().list[0].help.clone()
    };
    assert_eq!(help("object.s startswith 'a'").as_deref(), Some("did you mean `startsWith`?"));
    assert_eq!(help("object.s contians 'a'").as_deref(), Some("did you mean `contains`?"));
    assert_eq!(help("reduce(object.list, #ac + 1)").as_deref(), Some("did you mean `#acc`?"));
    assert_eq!(help("object.s something 'a'"), None);
}

#[test]
fn likely_mistakes_are_noticed() {
    let lint = |source: &str| -> Vec<String> {
        let env = Environment::new(VARIABLES);
        let options = Options { boolean: true, ..Options::default() };
        let found = Expr::default().lint(source, &env, &options);
        found.into_iter().map(|it| format!("{}; {}", it.message, it.help.unwrap_or_default())).collect()
    };
    for (source, want) in [
        ("object.spec.hostNetwork == true", &[][..]),
        ("objct.kind == 'Pod'", &["unknown name `objct` is nil; did you mean `object`?"]),
        ("lenn(object.list) > 1", &["`lenn` is no function; calling it is an error; did you mean `len`?"]),
        ("object.a || object.b == true", &["testing a field that is absent is an error; write `… == true`"]),
        ("let x = 1; object.kind == 'Pod'", &["`x` is never read; "]),
        ("any(object.spec?.containers, .name == 'a')", &["`any` of nil is an error; write `(… ?? [])`"]),
        ("any(object.list, true)", &["the predicate is always true; "]),
        (
            "1 == 1 || object.x == 2",
            &["both sides are the same: this is true but for numbers that are none; ", "this is always true; "],
        ),
        ("object.x == object.x", &["both sides are the same: this is true but for numbers that are none; "]),
        ("object.x ==", &[]),
    ] {
        let mut found = lint(source);
        found.sort();
        assert_eq!(found, want, "{source}");
    }
}

#[test]
fn trees_are_shown_one_node_a_line() {
    let tree = Expr::default().tree("any(xs, .a == 1) && !b").unwrap();
    let want = "operator &&  any(xs, .a == 1) && !b
  built-in any  any(xs, .a == 1)
    name  xs
    predicate  .a == 1
      operator ==  .a == 1
        member  .a
          element
          string  a
        integer  1
  not  !b
    name  b
";
    assert_eq!(tree, want);
}

/// Programs that a rule set finds by what they ask of elements: each is about something else that may be absent, nil or of an
/// unexpected type.
const OF_ELEMENTS: [&str; 20] = [
    "any(object.list, .a == 'x')",
    "any(object.list, .a == 'y')",
    "any(object.list, {.a in ['x', 'z']})",
    "any(object.list, {.a?.b == true})",
    "any(object.list, {.a?.b == false && .c == nil})",
    "any(object.list, .a == nil)",
    "any(object.list, .c == nil) && object.name == 'n'",
    "any(object.list, .a startsWith 'x')",
    "any(object.list, .a contains 'y')",
    "any(object.list, .a endsWith 'z') && object.name == 'n'",
    "any(object.list ?? [], .a == 'x')",
    "any(object.list ?? [], {#?.a?.b startsWith 'x'})",
    "any(object?.list ?? [{'a': 'x'}], .a == 'x')",
    "one(object.list, .a == 'x')",
    "not none(object.list, .a == 'x')",
    "none(object.list, .a == 'x')",
    "any(object.list, # == 'x')",
    "any(object.list, # startsWith 'x') && object.name == 'n'",
    "any(object.list, {#['a'] == 'y'})",
    "all(object.list, .a == 'x')",
];

/// What a set says of an object and the programs' own answers beside it; `None` for programs that were not run.
fn together_and_alone(text: &str) -> Vec<[Option<Result<bool, String>>; 2]> {
    let programs: Vec<_> = OF_ELEMENTS.iter().map(|it| compile(it, true).unwrap()).collect();
    let object = Object::parse(text.replace('\'', "\"").replace("nil", "null")).unwrap();
    let (arena, limits, mut memo) = (Arena::new(), Limits::default(), Memo::default());
    let values = [Value::from_node(object.root(), &arena)];
    let alone = programs.iter().map(|it| it.evaluate(&values, &limits, &arena));
    let alone = alone.map(|it| it.map(|it| matches!(it, Value::Bool(true))).map_err(|error| error.to_string()));
    let mut answers: Vec<_> = alone.map(|it| [None, Some(it)]).collect();
    let set = RuleSet::new(programs.clone());
    set.decide(&values, &limits, &arena, &mut memo, |at, answer| {
        let before = answers[at][0].replace(answer.map_err(|error| error.to_string()));
        assert!(before.is_none(), "{} is asked twice about {text}", OF_ELEMENTS[at]);
    });
    answers
}

#[test]
fn rules_about_elements_say_together_what_they_say_alone() {
    let values = ["'x'", "'y'", "'xyz'", "nil", "true", "7", "{'b': true}", "{'b': 'xy'}", "{'b': nil}", "[]"];
    let elements = values.iter().map(|it| format!("{{'a': {it}}}"));
    let elements = elements.chain(["{'a': 'x', 'c': 1}", "{}", "'x'", "'xy'", "nil", "1"].map(str::to_owned));
    let elements: Vec<String> = elements.collect();
    let pairs = elements.iter().flat_map(|a| elements.iter().map(move |b| format!("[{a}, {b}]")));
    let lists = pairs.chain(["nil", "[]", "{'a': 'x'}", "'x'", "1"].map(str::to_owned));
    for text in lists.map(|it| format!("{{'name': 'n', 'list': {it}}}")).chain(["{'name': 'n'}".to_owned()]) {
        for (source, [together, alone]) in OF_ELEMENTS.iter().zip(together_and_alone(&text)) {
            assert_eq!(together.unwrap_or(Ok(false)), alone.unwrap(), "{source} on {text}");
        }
    }
}

#[test]
fn rules_about_elements_are_not_run_where_no_element_is_what_they_ask_for() {
    let answers = together_and_alone("{'name': 'n', 'list': [{'a': 'q', 'c': 1}, {'a': 'r', 'c': 2}]}");
    let run = OF_ELEMENTS.iter().zip(answers).filter(|it| it.1[0].is_some()).map(|it| *it.0);
    // These ask texts for members and elements for being texts, have a list of their own, or hold where nothing is found.
    let expected = [
        "any(object.list, {.a?.b == true})",
        "any(object.list, {.a?.b == false && .c == nil})",
        "any(object.list ?? [], {#?.a?.b startsWith 'x'})",
        "any(object?.list ?? [{'a': 'x'}], .a == 'x')",
        "none(object.list, .a == 'x')",
        "any(object.list, # == 'x')",
        "any(object.list, # startsWith 'x') && object.name == 'n'",
        "all(object.list, .a == 'x')",
    ];
    assert_eq!(run.collect::<Vec<_>>(), expected);
}
