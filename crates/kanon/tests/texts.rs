//! `kanon eval`, `fmt` and `lint` from outside: the real binary on texts, files and contexts, without any server.

use std::{
    io::Write,
    path::Path,
    process::{Command, Stdio},
};

use serde_json::{Value as Json, json};

/// What a command printed and how it ended.
#[derive(Debug)]
struct Ran {
    out: String,
    err: String,
    code: Option<i32>,
}

impl Ran {
    #[track_caller]
    fn ends(self, code: i32) -> Ran {
        assert_eq!(self.code, Some(code), "{self:#?}");
        self
    }

    #[track_caller]
    fn json(&self) -> Json {
        serde_json::from_str(&self.out).unwrap_or_else(|error| panic!("{error}: {self:#?}"))
    }
}

fn run(args: &[&str]) -> Ran {
    run_with(args, "")
}

fn run_with(args: &[&str], input: &str) -> Ran {
    let mut command = Command::new(env!("CARGO_BIN_EXE_kanon"));
    command.args(args).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("kanon starts");
    // A command that ends without reading its input closes the pipe.
    let _ = child.stdin.take().expect("a pipe").write_all(input.as_bytes());
    let output = child.wait_with_output().expect("kanon ends");
    let text = |bytes| String::from_utf8_lossy(bytes).into_owned();
    Ran { out: text(&output.stdout), err: text(&output.stderr), code: output.status.code() }
}

fn file(folder: &Path, name: &str, text: &str) -> String {
    let path = folder.join(name);
    std::fs::write(&path, text).expect("a file");
    path.display().to_string()
}

const GATE: &str = "{schedule: {isWeekend: false, hour: 14}, metrics: {successRate: 0.98}, names: [a, b]}";

#[test]
fn mistakes_are_shown_with_carets_and_help() {
    let scratch = tempfile::tempdir().expect("a folder");
    let context = file(scratch.path(), "gate.yaml", GATE);
    let error = run(&["eval", "--lang", "cel", "names == ["]).ends(1).err;
    assert!(error.starts_with("error: ") && error.contains("--> expression:1:"), "{error}");
    assert!(error.contains("1 | names == ["), "{error}");
    assert!(!error.contains('\u{1b}'), "no colour outside of a terminal: {error}");
    // A name that is nearly a variable's.
    let near = run(&["eval", "--lang", "cel", "--context", &context, "schedul.hour > 9"]).ends(1).err;
    assert!(near.contains("schedul"), "{near}");
    // Errors of the evaluation have a place too.
    let late = run(&["eval", "--lang", "expr", "--context", &context, "1 +\n names[7].x.y"]).ends(1).err;
    assert!(late.contains("--> expression:2:"), "{late}");
}

#[test]
fn explain_shows_every_part_and_marks_what_decided() {
    let scratch = tempfile::tempdir().expect("a folder");
    let context = file(scratch.path(), "gate.yaml", GATE);
    let gate = "!schedule.isWeekend && metrics.successRate >= 0.995";
    for lang in ["expr", "cel"] {
        let eval = |more: &[&str]| {
            let mut args = vec!["eval", "--lang", lang, "--context", &context, "--explain", gate];
            args.extend(more);
            run(&args).ends(0)
        };
        let out = eval(&[]).out;
        let decisive = out.lines().find(|it| it.contains("<--")).expect("a marked line");
        assert!(decisive.trim_start().starts_with("metrics.successRate >= 0.995"), "{out}");
        assert!(out.starts_with(gate) && out.ends_with("\nfalse\n"), "{out}");
        let data = eval(&["-o", "json"]).json();
        assert_eq!(data["result"], json!({"value": false}), "{lang}");
        let values = data["values"].as_array().expect("a list");
        assert!(values.iter().any(|it| it["text"] == "schedule.isWeekend" && it["value"] == json!(false)), "{data}");
    }
    let failed = run(&["eval", "--lang", "expr", "--explain", "-o", "json", "1 + [][7]"]).ends(1).json();
    assert!(failed["result"]["error"].is_string(), "{failed}");
}

#[test]
fn cost_and_reads_say_what_an_evaluation_needs() {
    let scratch = tempfile::tempdir().expect("a folder");
    let context = file(scratch.path(), "gate.yaml", GATE);
    let args = ["eval", "--lang", "expr", "--context", &context, "--reads", "--cost=7", "-o", "json"];
    let data = run(&[&args[..], &["all(names, # != 'c') && schedule.hour > 9"]].concat()).ends(0).json();
    let variables = data["reads"]["variables"].as_array().expect("a list");
    assert!(
        variables.len() == 2 && variables.contains(&json!("names")) && variables.contains(&json!("schedule")),
        "{data}"
    );
    assert!(data["reads"]["paths"].as_array().is_some_and(|it| it.contains(&json!(["schedule", "hour"]))), "{data}");
    assert_eq!(data["result"]["value"], true);
    assert_eq!(data["cost"]["limits"], json!({"steps": 1_000_000, "memory": 1_000_000}));
    // Only what is static: no value.
    let data = run(&[&args[..6], &["-o", "json", "schedule.hour / 0"]].concat()).ends(0).json();
    assert!(data.get("result").is_none() && data.get("cost").is_none(), "{data}");
    let table = run(&["eval", "--context", &context, "--cost", "names[0]"]).ends(0).out;
    assert!(table.contains("lists of 100") && table.ends_with("\"a\"\n"), "{table}");
}

#[test]
fn contexts_and_texts_that_cannot_be_read_are_named() {
    let scratch = tempfile::tempdir().expect("a folder");
    let list = file(scratch.path(), "list.json", "[1]");
    let broken = file(scratch.path(), "broken.json", "{\"a\": 1,\n  b: 2}");
    let bytes = scratch.path().join("bytes.json");
    std::fs::write(&bytes, b"{\"a\": \"\xff\"}").expect("a file");
    let bytes = bytes.display().to_string();
    let missing = scratch.path().join("missing.json").display().to_string();
    for (context, says) in [
        (&missing, "No such file"),
        (&list, "not an object"),
        (&broken, "broken.json"),
        (&bytes, "byte 8 is not UTF-8"),
    ] {
        let error = run(&["eval", "--context", context, "1"]).ends(1).err;
        assert!(error.starts_with(&format!("kanon: the context `{context}` cannot be read: ")), "{error}");
        assert!(error.contains(says), "{error}");
    }
    for (args, says) in [
        (&["eval"][..], "give an expression, or a file"),
        (&["eval", "--file", "-", "--context", "-", "--lang", "cel"], "standard input"),
        (&["eval", "--file", "text.txt"], "--lang"),
        (&["eval", "--file", "rule.yaml"], "give the expression itself"),
        (&["eval", "--lang", "lua", "1"], "expr, cel, rego"),
        (&["lint", "--variables", "a,a", "a"], "twice"),
    ] {
        let error = run(args).ends(2).err;
        assert!(error.contains(says), "{args:?}: {error}");
    }
    let text = file(scratch.path(), "text.cel", "size(names) + 1\n");
    let context = file(scratch.path(), "gate.yaml", GATE);
    assert_eq!(run(&["eval", "--file", &text, "--context", &context]).ends(0).out, "3\n");
    for command in ["eval", "lint"] {
        let error = run(&[command, &text]).ends(2).err;
        assert!(error.contains(&format!("`{text}` is a file: give it with --file")), "{error}");
    }
    assert_eq!(run_with(&["eval", "--context", "-", "n + 1"], "{\"n\": 1}").ends(0).out, "2\n");
}

#[test]
fn lint_ends_with_3_on_findings() {
    let scratch = tempfile::tempdir().expect("a folder");
    let good = run(&["lint", "--lang", "cel", "--variables", "object", "object.spec.replicas <= 3"]).ends(0).out;
    assert_eq!(good, "expression: 0 errors, 0 warnings\n");
    let bad = run(&["lint", "--lang", "cel", "--variables", "object", "object.spec.replicas <="]).ends(3);
    assert!(bad.out.starts_with("error: ") && bad.out.ends_with("\nexpression: 1 errors, 0 warnings\n"), "{bad:#?}");
    assert_eq!(bad.err, "");
    let text = file(scratch.path(), "text.expr", "a ==\n  == b\n");
    let data = run(&["lint", "--file", &text, "-o", "json"]).ends(3).json();
    assert_eq!((&data["text"], &data["findings"][0]["severity"]), (&json!(text), &json!("error")));
    assert_eq!(data["findings"][0]["line"], 2, "{data}");
}

#[test]
fn fmt_says_what_it_cannot_do() {
    let scratch = tempfile::tempdir().expect("a folder");
    let manifest = file(scratch.path(), "rule.yaml", "rule: a == b\n");
    assert!(run(&["fmt", &manifest]).ends(2).err.contains("give the expression itself"));
    let broken = file(scratch.path(), "broken.cel", "a ==\n");
    let error = run(&["fmt", &broken]).ends(1).err;
    assert!(error.contains("broken.cel"), "{error}");
    assert_eq!(std::fs::read_to_string(&broken).expect("the file"), "a ==\n", "a broken text is left as it is");
    assert_eq!(run(&["fmt", &scratch.path().join("missing.cel").display().to_string()]).ends(1).out, "");
}

#[test]
fn fmt_lays_out_the_texts_of_every_language() {
    let scratch = tempfile::tempdir().expect("a folder");
    let read = |path: &str| std::fs::read_to_string(path).expect("the file");
    let cel = file(scratch.path(), "a.cel", "a&&b");
    let rego = file(scratch.path(), "b.rego", "package p\nallow if{input.x} # why");
    let folder = scratch.path().display().to_string();
    assert_eq!(run(&["fmt", "--check", &folder]).ends(3).out, format!("{cel}\n{rego}\n"));
    assert_eq!(read(&cel), "a&&b", "--check writes nothing");
    run(&["fmt", &folder]).ends(0);
    assert_eq!((read(&cel), read(&rego)), ("a && b\n".into(), "package p\n\nallow if input.x # why\n".into()));
    assert_eq!(run(&["fmt", "--check", &folder]).ends(0).out, "");
    let piped = run_with(&["fmt", "--lang", "rego", "-"], "package p\nx=1").ends(0).out;
    assert_eq!(piped, "package p\n\nx := 1\n");
}

#[test]
fn every_help_text_has_examples() {
    for command in ["eval", "fmt", "lint"] {
        let help = run(&[command, "--help"]).ends(0).out;
        assert!(help.contains("Examples:\n  kanon ") && help.contains("Exit codes: 0 "), "{help}");
    }
}
