//! `Language::lint`: what loads but is likely a mistake.
#![allow(clippy::unwrap_used, reason = "tests fail by panicking")]

use kanon_lang::{Environment, Language, Options};
use kanon_rego::Rego;

/// The findings as `place: message`, the place being what is marked.
fn check(rules: &str, want: &[&str]) {
    let source = format!("package p\n\n{rules}\n");
    let env = Environment::new(["input", "data"]);
    if let Err(mistakes) = Rego.compile(&source, &env, &Options::default()) {
        panic!("{mistakes}");
    }
    let found = Rego.lint(&source, &env, &Options::default());
    let shown = |it: &kanon_lang::Diagnostic| {
        format!("{}: {}", &source[it.span.start as usize..it.span.end as usize], it.message)
    };
    assert_eq!(found.iter().map(shown).collect::<Vec<_>>(), want, "{rules}");
    assert!(found.iter().all(|it| it.help.is_some()), "{found:?}");
}

#[test]
fn imports_that_nothing_uses_are_named() {
    check("import data.a\na_ := 1", &["import data.a: import `a` is never used"]);
    check("import data.a as b\nx := b.c", &[]);
    check("import data.a\nx := a.f", &[]);
    check("import input.a\nx if every y in a { y }", &[]);
    check("import data.a\nx if { a := 1; a > 0 }", &["import data.a: import `a` is never used"]);
    check("import rego.v1\nimport future.keywords.not\nx := 1", &[]);
}

#[test]
fn variables_that_nothing_reads_are_named() {
    check("x if { y := input.a; input.b }", &["y: `y` is assigned and never read"]);
    check("x if { y := input.a; y }", &[]);
    check("x := y if { y := input.a }", &[]);
    check("x if { [a, b] := input.a; b }", &["a: `a` is assigned and never read"]);
    check("x if { {input.k: v} := input.a; v }", &[]);
    check("x if { some i; input.a[0] }", &["i: `i` is declared and never used"]);
    check("x if { some i; input.a[i] }", &[]);
    check("x if { some i, v in input.a }", &[]);
    check("x if { every k, v in input.a { v > 1 } }", &[]);
    check("x if { y := 1; z := [y | y := input.a[_]]; z }", &["y: `y` is assigned and never read"]);
    check("x if { y := 1; z := [y | input.a]; z }", &[]);
    check("x if { y := 1; input.a with input.b as y }", &[]);
    check("x := 1 if { input.a } else := y if { y := 2; z := 3 }", &["z: `z` is assigned and never read"]);
}

#[test]
fn arguments_that_nothing_reads_are_named() {
    check("f(x, y) := x", &["y: argument `y` is never used"]);
    check("f(x, _) := x", &[]);
    check("f(x, [y, 1]) := x", &["y: argument `y` is never used"]);
    check("f(x, y) := x if { false } else := y", &[]);
    check("f(x) := x\n\nf(\"a\") := \"a\"", &[]);
}

#[test]
fn functions_that_are_given_up_are_named() {
    check("x if any([true])", &["any: `any` is deprecated"]);
    check(
        "x if net.cidr_overlap(\"10.0.0.0/8\", \"10.0.0.1\")",
        &["net.cidr_overlap: `net.cidr_overlap` is deprecated"],
    );
}

#[test]
fn defaults_of_another_kind_are_named() {
    let message = "the default is no boolean, and all other values of the rule are";
    check("default allow := \"no\"\n\nallow if input.x", &[&format!("\"no\": {message}")]);
    check("default allow := false\n\nallow if input.x", &[]);
    check("default level := \"low\"\n\nlevel := \"high\" if input.x", &[]);
    check("default level := 1", &[]);
}

#[test]
fn the_policies_of_this_project_have_no_findings() {
    for name in ["classification", "approval"] {
        let path = format!("{}/../kanon-signals/policies/{name}.rego", env!("CARGO_MANIFEST_DIR"));
        let source = std::fs::read_to_string(path).unwrap();
        assert_eq!(Rego.lint(&source, &Environment::new(["input"]), &Options::default()), []);
    }
}
