//! `Language::format`: the layout of `opa fmt`, comments where they were, the same tree, and no second opinion.
#![allow(
    clippy::disallowed_macros,
    clippy::disallowed_methods,
    reason = "tests find their data and print their figure"
)]
#![allow(clippy::unwrap_used, reason = "tests fail by panicking")]

use std::path::PathBuf;

use kanon_lang::Language;
use kanon_rego::Rego;
use proptest::prelude::*;
use serde_json::Value as Json;

/// A text and its layout. The layout is its own.
fn check(source: &str, want: &str) {
    let got = Rego.format(source).unwrap_or_else(|problem| panic!("{problem}"));
    assert_eq!(got, want, "\n--- got\n{got}\n--- want\n{want}");
    assert_eq!(Rego.format(want).unwrap(), want, "the layout has another layout");
}

/// The same for the rules of a module.
fn rules(source: &str, want: &str) {
    check(&format!("package p\n{source}"), &format!("package p\n\n{want}"));
}

#[test]
fn a_module_has_one_layout() {
    check(
        "# about\npackage   a.b  # here\n\n\n\nimport data.z\nimport data.b as c # why\n\nimport input.x\ndefault allow=false\nallow=true{input.x}\n"
            .replace("allow=true{input.x}", "allow if{input.x}")
            .as_str(),
        "# about\npackage a.b # here\n\nimport data.b as c # why\nimport data.z\n\nimport input.x\n\ndefault allow := false\n\nallow if input.x\n",
    );
}

#[test]
fn one_expression_on_the_line_of_the_head_needs_no_braces() {
    rules("a if { x }", "a if x\n");
    rules("a if {\n x\n}", "a if {\n\tx\n}\n");
    rules("a if\n  x", "a if {\n\tx\n}\n");
    rules("a if { x; y }", "a if {\n\tx\n\ty\n}\n");
    rules("a := true if { x }", "a if x\n");
    rules("a := {\n 1: 2 } if { x }", "a := {1: 2} if x\n".replace("{1: 2}", "{\n\t1: 2,\n}").as_str());
}

#[test]
fn what_begins_with_a_brace_keeps_the_braces_of_its_body() {
    rules("a if { {1} }", "a if {\n\t{1}\n}\n");
    rules("a if {1} == x", "a if {1} == x\n");
    rules("a if ({1} | x) == y", "a if {\n\t{1} | x == y\n}\n");
    rules("a if { {x | y[x]} }", "a if {\n\t{x | y[x]}\n}\n");
}

#[test]
fn rules_on_neighbouring_lines_stay_together() {
    rules("a := 1\nb if x\nc contains 1 if { y }\n\nd := 2", "a := 1\nb if x\nc contains 1 if y\n\nd := 2\n");
    rules("default a := 1\na := 2", "default a := 1\n\na := 2\n");
    rules("a := 1; b := 2 # c", "a := 1\n\nb := 2 # c\n");
    rules("a := 1\n# c\nb := 2", "a := 1\n\n# c\nb := 2\n");
}

#[test]
fn further_bodies_become_rules() {
    rules("a contains x if { x := 1 } { x := 2\n }", "a contains x if x := 1\n\na contains x if x := 2\n");
}

#[test]
fn else_stays_behind_its_brace_or_on_its_own_line() {
    rules(
        "a := 1 if {\n x\n} else:=2 if {\n y;z} else := 3",
        "a := 1 if {\n\tx\n} else := 2 if {\n\ty\n\tz\n} else := 3\n",
    );
    rules("a := 1 if { x }\nelse := 2", "a := 1 if x\n\nelse := 2\n");
    rules("a := 1 if {\n x\n}\n# c\nelse := true if { y }", "a := 1 if {\n\tx\n}\n\n# c\nelse if y\n");
    rules("a := 1 if {\n x\n} # b\nelse := 2 # c", "a := 1 if {\n\tx\n} # b\n\nelse := 2 # c\n");
}

#[test]
fn operators_inside_of_operators_have_parentheses() {
    rules("a if { x+1+2==y }", "a if (x + 1) + 2 == y\n");
    rules("a := x+1*2", "a := x + (1 * 2)\n");
    rules("a := ((x))", "a := x\n");
    rules("a if { 1+2 in [3] }", "a if (1 + 2) in [3]\n");
    rules("a := (k,v in xs)", "a := (k, v in xs)\n");
    rules("a if { k,v in xs }", "a if k, v in xs\n");
    rules("a := [(x|y), (x&y)]", "a := [(x | y), x & y]\n");
    rules("a if f((x|y), x|y)", "a if f((x | y), x | y)\n");
    rules("a if { not x==1 }", "a if not x == 1\n");
    rules("a if (x == y) == z", "a if x == y == z\n");
    rules("a if x == (y == z)", "a if x == (y == z)\n");
}

#[test]
fn collections_break_where_they_were_broken() {
    rules("a := [1,2,3 ]", "a := [1, 2, 3]\n");
    rules("a := [\n1,2,\n3]", "a := [\n\t1, 2,\n\t3,\n]\n");
    rules("a := [1,\n2]", "a := [\n\t1,\n\t2,\n]\n");
    rules("a := [1, 2\n]", "a := [1, 2]\n");
    rules("a := {\"k\": {\n\"l\":1}}", "a := {\"k\": {\n\t\"l\": 1,\n}}\n");
    rules("a := f(\n x,\n y)", "a := f(\n\tx,\n\ty,\n)\n");
    rules("f(x,\n y) := 1", "f(\n\tx,\n\ty,\n) := 1\n");
    rules("a := set(  )", "a := set()\n");
}

#[test]
fn comprehensions_break_with_their_bodies() {
    rules("a := [x|x:=1;true]", "a := [x | x := 1; true]\n");
    rules("a := {x |\n x := 1\n true}", "a := {x |\n\tx := 1\n\ttrue\n}\n");
    rules("a := {\n k: v |\n v := b[k]}", "a := {k: v |\n\tv := b[k]\n}\n");
    rules("a := [(x+1) | x := 1]", "a := [(x + 1) | x := 1]\n");
}

#[test]
fn expressions_have_their_forms() {
    rules("a if { some i,  j\n x[i][j] }", "a if {\n\tsome i, j\n\tx[i][j]\n}\n");
    rules("a if { some i, # c\n  j\n x }", "a if {\n\tsome i, # c\n\t\tj\n\tx\n}\n");
    rules("a if { some k,v in xs }", "a if some k, v in xs\n");
    rules("a if { every k,v in xs { k==v } }", "a if every k, v in xs { k == v }\n");
    rules("a if { every v in xs {\n v } }", "a if every v in xs {\n\tv\n}\n");
    rules("a if { x with input.a as 1  with input.b as 2 }", "a if x with input.a as 1 with input.b as 2\n");
    rules(
        "a if {\n x\n  with input.a as 1\n with input.b as [\n2]\n y }",
        "a if {\n\tx\n\t\twith input.a as 1\n\t\twith input.b as [\n\t\t\t2,\n\t\t]\n\ty\n}\n",
    );
    rules("a := x[\"b\"][\"c d\"].if[\"if\"][`e`]", "a := x.b[\"c d\"].if[\"if\"].e\n");
    rules("a[\"b\"].c := 1", "a[\"b\"].c := 1\n");
    rules("a := `r\n w` ", "a := `r\n w`\n");
    rules("a := ($\"x {y+1}\")", "a := $\"x {y+1}\"\n");
    rules("a := \"\\u0041\"", "a := \"\\u0041\"\n");
}

#[test]
fn comments_stay_at_what_they_are_about() {
    rules(
        "a if { # open\n # first\n\n x # at x\n # before y\n y\n # last\n} # close",
        "a if { # open\n\t# first\n\n\tx # at x\n\n\t# before y\n\ty\n\t# last\n} # close\n",
    );
    rules(
        "a := [ # open\n 1, # one\n # two\n 2 # after\n # last\n ] # close",
        "a := [ # open\n\t1, # one\n\t# two\n\t2, # after\n\t# last\n] # close\n",
    );
    rules("a := [x | # c\n x := 1 # d\n # e\n]", "a := [x | # c\n\tx := 1 # d\n\t# e\n]\n");
    rules("a if { x # c\n}", "a if {\n\tx # c\n}\n");
    rules("# c\n\na := 1\n# end\n\n# of it", "# c\n\na := 1\n\n# end\n\n# of it\n");
}

#[test]
fn a_comment_in_an_odd_place_keeps_its_surroundings_as_written() {
    rules("a if {\n  x ==   # c\n  y\n z==1 }", "a if {\n\tx ==   # c\n  y\n\tz == 1\n}\n");
    rules("a if {\n x > 1; -1 < y # c\n}", "a if {\n\tx > 1;\n\t-1 < y # c\n}\n");
    rules("a := [ #c\n b == # d\n c] if x\n{ y }", "a := [ #c\n\tb == # d\n c,\n] if x\n{\n\ty\n}\n");
    rules("a if { x } else := # c\n 1", "a if x\n\nelse := # c\n 1\n");
    rules("a   := # c\n   1", "a   := # c\n   1\n");
}

#[test]
fn queries_have_a_layout_too() {
    check("x:=1;x>0", "x := 1; x > 0\n");
    check("x:=1\nx>0 # c", "x := 1\nx > 0 # c\n");
}

#[test]
fn text_with_mistakes_has_no_layout() {
    assert!(Rego.format("package p\na { x }").is_err(), "v0");
    assert!(Rego.format("package p\na := ").is_err());
}

/// A text that parses has a layout, which is its own. That it reads back as the same tree, with the same comments, is what
/// `format` itself makes sure of.
fn has_a_layout(source: &str) -> bool {
    use kanon_lang::Options;
    if Rego.outline(source, &Options::default()).is_err() {
        return false;
    }
    let first = Rego.format(source).unwrap_or_else(|problem| panic!("{problem}\n{source}"));
    let second = Rego.format(&first).unwrap_or_else(|problem| panic!("{problem}\n{first}"));
    assert_eq!(first, second, "\n--- source\n{source}\n--- first\n{first}\n--- second\n{second}");
    true
}

#[test]
fn the_corpus_has_layouts() {
    let beside = || PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared/conformance");
    let folder = std::env::var("KANON_CONFORMANCE").map_or_else(|_| beside(), PathBuf::from).join("rego");
    let Ok(cases) = std::fs::read_to_string(folder.join("cases.jsonl")) else {
        println!("skipped: no conformance data (KANON_CONFORMANCE)");
        return;
    };
    let mut count = 0;
    for line in cases.lines() {
        let case: Json = serde_json::from_str(line).unwrap();
        for module in case["modules"].as_array().unwrap() {
            count += usize::from(has_a_layout(module.as_str().unwrap()));
        }
        let query = case["query"].as_str().unwrap();
        if let Ok(first) = Rego.format(query) {
            assert_eq!(Rego.format(&first).unwrap(), first);
        }
    }
    println!("{count} modules");
    assert!(count > 1000);
}

#[test]
fn the_policies_of_this_project_have_their_layout() {
    for name in ["classification", "approval"] {
        let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(format!("../kanon-signals/policies/{name}.rego"));
        let source = std::fs::read_to_string(path).unwrap();
        assert!(has_a_layout(&source));
    }
}

/// What texts are made of at random: comments and line breaks in every place.
const PIECES: [&str; 44] = [
    "a",
    "b",
    "input",
    ".x",
    "[0]",
    "[_]",
    "[\"k\"]",
    "(",
    ")",
    "[",
    "]",
    "{",
    "}",
    ",",
    ";",
    "\n",
    "\n\n",
    " ",
    " # c\n",
    "# d\n",
    ":=",
    "=",
    "==",
    "|",
    "&",
    "+",
    "-1",
    "2",
    "\"s\"",
    "`r`",
    " in ",
    " if ",
    " contains ",
    " else ",
    " not ",
    " some x in ",
    " every x in ",
    " with input as ",
    ": ",
    "set()",
    "f(",
    "[x | ",
    "{x | ",
    "default ",
];

/// Good texts; whatever is put into them at random either does not parse, or has a layout.
const SEEDS: [&str; 6] = [
    "package p\nimport data.b\nimport data.a\nallow if {\n\tsome x in input.xs\n\tx.a == 1 + 2\n\tnot x.b\n}\n",
    "package p\na contains {\"k\": v} if { v := [y | y := input.a[_]; y > 1] } else := 1\n",
    "package p\nf(x, y) := z if {\n  z := x[y] with input.a as {1, 2} with data.b as 3\n} else := {\n  \"a\": 1,\n  \"b\": [1, 2,\n 3] } if x == y\n",
    "package p\nx := {k: v | some k, v in input.o; every q in v { q > 1; q < 3 } }\ny := a | b & c - (d * 2)\n",
    "package p\ndefault a.b := [1, {\"c\": set()}]\na.b := $\"t {input.x + 1}\" if { some i, j; input.m[i][j] == (1, 2 in [2]) }\n",
    "package p\na if { x } { y }\nb := count({x | x := [1, 2][_]}) if { {1} | {2} == input.s; f(g(h([[1], [2]]))) }\n",
];

proptest! {
    #![proptest_config(ProptestConfig { cases: ProptestConfig::default().cases.max(4_000),
        failure_persistence: None,
        ..ProptestConfig::default() })]

    #[test]
    fn whatever_parses_has_one_layout(
        seed in 0..SEEDS.len(),
        edits in prop::collection::vec((0.0..1.0_f64, 0..PIECES.len(), any::<bool>()), 0..6),
    ) {
        let mut text = SEEDS[seed].to_owned();
        for (place, piece, replaces) in edits {
            let at = text.floor_char_boundary((place * text.len() as f64) as usize);
            let end = if replaces { text.ceil_char_boundary((at + 1).min(text.len())) } else { at };
            text.replace_range(at..end, PIECES[piece]);
        }
        has_a_layout(&text);
    }
}
