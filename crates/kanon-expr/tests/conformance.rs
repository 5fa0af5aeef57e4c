//! Agreement with expr-lang 1.17.8 on its own tests and fuzzing corpus.
//!
//! The data is not part of the project: set `KANON_CONFORMANCE` to the folder, or have it beside the checkout as
//! `../shared/conformance`; without it this test says so and passes. `KANON_TABLE=1`
//! prints the table by file of the original.
#![allow(
    clippy::disallowed_macros,
    clippy::disallowed_methods,
    reason = "tests find their data and print their figure"
)]

use std::{collections::BTreeMap, fmt::Write as _, path::PathBuf};

use kanon_core::Object;
use kanon_expr::Expr;
use kanon_lang::{Arena, Context, Environment, Function, Language, Limits, Native, Options, Stop, Type, Value};
use serde_json::Value as Json;

/// Why cases differ that are expected to: all others must agree.
const EXPECTED: &[(&str, &[&str])] = &[
    (
        "the original walks its maps in random order; here keys are sorted, and groups stand as they were found",
        &["keys(", "values(", "toPairs("],
    ),
    (
        "a nil chain of the original leaves the arguments of its calls on the stack, where what follows takes them",
        &["$env?.foobar?.greet(1.0)", "$env?.$env?.list(add, nil)", "$env?.[foobar?.String($env)]"],
    ),
    (
        "a predicate in a predicate of the original overwrites results that lie on the stack",
        &["array | map(array | findLast(true))"],
    ),
];

/// The reason for a difference that is expected.
fn reason(code: &str) -> Option<&'static str> {
    EXPECTED.iter().find(|(_, parts)| parts.iter().any(|part| code.contains(part))).map(|it| it.0)
}

fn folder() -> Option<PathBuf> {
    let beside = || PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared/conformance");
    let folder = std::env::var("KANON_CONFORMANCE").map_or_else(|_| beside(), PathBuf::from).join("expr");
    folder.join("cases.jsonl").exists().then_some(folder)
}

/// The two functions that the corpus was recorded with: they take anything, and look themselves.
fn functions() -> Vec<Function> {
    let of = |name, count, body| Function::free(name, vec![Type::Dyn; count], Type::Dyn, body);
    let mut functions = vec![of("add", 2, add as Native)];
    functions.extend([0, 1, 3, 4, 5].map(|count| of("add", count, too_many as Native)));
    functions.extend((0..4).map(|count| of("greet", count, greet as Native)));
    functions
}

fn add<'a>(cx: &mut Context<'a>, args: &[Value<'a>]) -> Result<Value<'a>, Stop> {
    match args {
        [Value::Int(a), Value::Int(b)] => Ok(Value::Int(a + b)),
        _ => cx.fail("ints"),
    }
}

fn too_many<'a>(cx: &mut Context<'a>, _: &[Value<'a>]) -> Result<Value<'a>, Stop> {
    cx.fail("two args")
}

fn greet<'a>(cx: &mut Context<'a>, args: &[Value<'a>]) -> Result<Value<'a>, Stop> {
    match args {
        [Value::Str(name)] => cx.text(&format!("Hello, {name}")),
        _ => cx.fail("string"),
    }
}

/// A recorded value, or one of ours, as comparable text. Maps are unordered.
fn recorded(value: &Json) -> String {
    let v = &value["v"];
    match value["t"].as_str().unwrap_or_default() {
        "list" => {
            let items: Vec<String> = v.as_array().map(|it| it.iter().map(recorded).collect()).unwrap_or_default();
            format!("[{}]", items.join(","))
        }
        "map" => {
            let members = v.as_array().cloned().unwrap_or_default();
            let members: BTreeMap<String, String> =
                members.iter().map(|pair| (recorded(&pair[0]), recorded(&pair[1]))).collect();
            format!("{members:?}")
        }
        "float" => format!("float {}", float(v.as_str().map_or_else(|| v.to_string(), str::to_owned).as_str())),
        "int" | "uint" => format!("int {}", v.as_str().map_or_else(|| v.to_string(), str::to_owned)),
        "nil" => "nil".to_owned(),
        kind => format!("{kind} {}", v.as_str().map_or_else(|| v.to_string(), str::to_owned)),
    }
}

fn float(text: &str) -> String {
    match text {
        "+Inf" => f64::INFINITY,
        "-Inf" => f64::NEG_INFINITY,
        _ => text.parse().unwrap_or(f64::NAN),
    }
    .to_string()
}

fn ours<'a>(value: Value<'a>, arena: &'a Arena) -> String {
    match value {
        Value::Null => "nil".to_owned(),
        // The recorder wrote nil lists and maps as empty ones.
        Value::NilList => "[]".to_owned(),
        Value::NilMap => "{}".to_owned(),
        Value::Bool(bool) => format!("bool {bool}"),
        Value::Int(int) => format!("int {int}"),
        Value::UInt(int) => format!("int {int}"),
        Value::Float(float) => format!("float {float}"),
        Value::Str(text) => format!("str {text}"),
        Value::Bytes(bytes) => bytes.iter().fold("bytes ".to_owned(), |mut out, byte| {
            let _ = write!(out, "{byte:02x}");
            out
        }),
        // The recorder's nanoseconds are 64-bit numbers, and wrap.
        Value::Time(time) => format!("time {}", time.as_nanosecond() as i64),
        Value::Duration(duration) => format!("dur {}", duration.as_nanos()),
        Value::List(items) => {
            let items: Vec<String> = items.iter().map(|item| ours(*item, arena)).collect();
            format!("[{}]", items.join(","))
        }
        Value::Map(members) => {
            let members: BTreeMap<String, String> =
                members.iter().map(|(key, value)| (ours(*key, arena), ours(*value, arena))).collect();
            format!("{members:?}")
        }
        Value::Node(node) if node.kind() == kanon_core::NodeKind::List => {
            let items: Vec<String> = node.elements().map(|item| ours(Value::from_node(item, arena), arena)).collect();
            format!("[{}]", items.join(","))
        }
        Value::Node(node) => {
            let member = |(key, item): (std::borrow::Cow<'_, str>, _)| {
                (format!("str {key}"), ours(Value::from_node(item, arena), arena))
            };
            format!("{:?}", node.members().map(member).collect::<BTreeMap<String, String>>())
        }
        // A time in a zone, in the text of JSON.
        Value::Opaque(time) => {
            let time = time.text().parse::<jiff::Timestamp>();
            time.map_or("no time".to_owned(), |time| format!("time {}", time.as_nanosecond()))
        }
        Value::Record(_) | Value::Optional(_) | Value::Type(_) => "not of this language".to_owned(),
    }
}

#[test]
fn agrees_with_the_original() {
    let Some(folder) = folder() else {
        println!("skipped: no conformance data (KANON_CONFORMANCE)");
        return;
    };
    // The results were recorded with doubles here, which JSON text does not show where they are whole.
    let variables = std::fs::read_to_string(folder.join("env.json")).unwrap();
    let variables =
        variables.replace("\"Float\": 0,", "\"Float\": 0.0,").replace("\"Float32\": 0,", "\"Float32\": 0.0,");
    let variables = Object::parse(variables).unwrap();
    let names: Vec<String> = variables.root().members().map(|(name, _)| name.into_owned()).collect();
    let env = Environment::new(names.iter().map(String::as_str)).with_functions(functions());
    let language = Expr::default();
    let cases = std::fs::read_to_string(folder.join("cases.jsonl")).unwrap();
    let (mut total, mut agreed) = (0, 0);
    // By file of the original: passed, failed, out of scope.
    let mut table: BTreeMap<String, [usize; 3]> = BTreeMap::new();
    let mut expected: BTreeMap<&str, usize> = BTreeMap::new();
    let mut classes: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for line in cases.lines() {
        let case: Json = serde_json::from_str(line).unwrap();
        let code = case["code"].as_str().unwrap();
        let row = table.entry(case["src"].as_str().unwrap().to_owned()).or_default();
        // Times that depend on the clock cannot agree.
        if code.contains("now(") {
            row[2] += 1;
            continue;
        }
        total += 1;
        let want = match case["stage"].as_str() {
            Some(stage) => stage.to_owned(),
            None => recorded(&case["val"]),
        };
        // The canonical layout reads the same, and is its own.
        if let Ok(text) = language.format(code) {
            assert_eq!(language.format(&text).as_deref(), Ok(&*text), "{code}");
        }
        let arena = Arena::new();
        let values: Vec<Value<'_>> =
            variables.root().members().map(|(_, node)| Value::from_node(node, &arena)).collect();
        let (got, detail) = match language.compile(code, &env, &Options::default()) {
            Err(error) => ("compile".to_owned(), error.to_string()),
            Ok(program) => match program.evaluate(&values, &Limits::default(), &arena) {
                Err(error) => ("run".to_owned(), error.to_string()),
                Ok(value) => (ours(value, &arena), String::new()),
            },
        };
        if got == want {
            agreed += 1;
            row[0] += 1;
            continue;
        }
        row[1] += 1;
        if let Some(reason) = reason(code) {
            *expected.entry(reason).or_default() += 1;
            continue;
        }
        let kind = |text: &str| text.split([' ', '[', '{']).next().unwrap_or_default().to_owned();
        let message = case["err"].as_str().unwrap_or_default().lines().next().unwrap_or_default();
        let class = format!("{} -> {}", kind(&want), kind(&got));
        let shown = format!(
            "{code:?}\n    want {want} {message}\n    got  {got} {}",
            detail.lines().next().unwrap_or_default()
        );
        classes.entry(class).or_default().push(shown);
    }
    let mut sizes: Vec<(usize, &String)> = classes.iter().map(|(class, cases)| (cases.len(), class)).collect();
    sizes.sort_unstable();
    let show = std::env::var("SHOW").ok().and_then(|it| it.parse().ok()).unwrap_or(3);
    for (size, class) in sizes.iter().rev() {
        println!("{size:6}  {class}");
        for case in classes[*class].iter().take(show) {
            println!("  {case}");
        }
    }
    println!("expr conformance: {agreed} of {total} agree ({:.2} %)", agreed as f64 * 100.0 / total as f64);
    if std::env::var("KANON_TABLE").is_ok() {
        for (file, [passed, failed, out]) in &table {
            println!("| {file} | {passed} | {failed} | {out} |");
        }
    }
    for (reason, count) in expected {
        println!("- {count} cases: {reason}");
    }
    assert!(classes.is_empty(), "some cases differ without a known reason");
    // Reasons excuse few: what they cover must not grow unseen.
    assert!(agreed * 1000 >= total * 996, "too many cases differ");
}

/// The rules of the admission comparison: all compile, and none fails on its pods.
#[test]
fn admission_rules_compile_and_evaluate() {
    let beside = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data/admission/rules");
    let Ok(rules) = std::fs::read_dir(beside) else {
        println!("skipped: no admission data");
        return;
    };
    let pod =
        r#"{"metadata":{"name":"a","labels":{"env":"x"}},"spec":{"hostNetwork":true,"containers":[{"name":"c"}]}}"#;
    let pod = Object::parse(pod).unwrap();
    let container = Object::parse(
        r#"{"name":"c","image":"docker.io/x:latest",
            "securityContext":{"privileged":true,"capabilities":{"add":null,"drop":["ALL"]}}}"#,
    );
    let container = container.unwrap();
    let env = Environment::new(["object", "container", "spec", "securityContext", "metadata", "request"]);
    let mut count = 0;
    for file in rules {
        let text = std::fs::read_to_string(file.unwrap().path()).unwrap();
        let rule = text.lines().find_map(|line| line.strip_prefix("rule: ")).unwrap();
        let rule: String = serde_json::from_str(rule).unwrap();
        let options = Options { boolean: true, ..Options::default() };
        let program = Expr::default().compile(&rule, &env, &options).unwrap_or_else(|error| panic!("{error}"));
        let arena = Arena::new();
        let object = Value::from_node(pod.root(), &arena);
        let spec = Value::from_option(pod.at(&["spec"]), &arena);
        let metadata = Value::from_option(pod.at(&["metadata"]), &arena);
        let values = [object, Value::from_node(container.root(), &arena), spec, Value::NilMap, metadata, Value::Null];
        let limits = Limits::default();
        let result = program.evaluate(&values, &limits, &arena);
        count += 1;
        assert!(matches!(result, Ok(Value::Bool(_))), "{rule}: {:?}", result.err());
    }
    assert!(count >= 20, "{count} rules");
}
