//! What is refused when a policy is loaded, with place and remedy; and what is not.
#![allow(clippy::unwrap_used, reason = "tests fail by panicking")]

use kanon_lang::{Environment, Language, ModuleOptions, Options, RuleKind};
use kanon_rego::{LoadOptions, Policy, Rego};

fn compile(source: &str, module: ModuleOptions) -> Result<(), Vec<String>> {
    let env = Environment::new(["input", "data"]);
    let options = Options { module, ..Options::default() };
    Rego.compile(source, &env, &options).map(|_| ()).map_err(|error| {
        let place = |it: &kanon_lang::Diagnostic| {
            let (line, column) = error.position(it.span);
            let help = it.help.as_deref().map(|help| format!("; {help}")).unwrap_or_default();
            format!("{line}:{column} {}{help}", it.message)
        };
        error.list.iter().map(place).collect()
    })
}

fn refused(body: &str, want: &[&str]) {
    let source = format!("package p\n{body}");
    let got = compile(&source, ModuleOptions::default()).expect_err(&source);
    for want in want {
        assert!(got.iter().any(|it| it.contains(want)), "{source}\nwant {want}\ngot {got:#?}");
    }
}

fn accepted(body: &str) {
    let source = format!("package p\n{body}");
    compile(&source, ModuleOptions::default()).unwrap_or_else(|error| panic!("{source}\n{error:#?}"));
}

#[test]
fn unknown_functions_and_wrong_calls_are_refused() {
    refused("a := lowr(input.x)", &["2:6 unknown function `lowr`; did you mean `lower`?"]);
    refused("a if { false; nothing.at_all(1) }", &["unknown function `nothing.at_all`"]);
    refused("f(x) := x\na := ff(1)", &["unknown function `ff`"]);
    refused("a := count(1, 2) + 1", &["2:6 `count` takes 1 argument, not 2"]);
    refused("f(x) := x\na := f(1, 2)", &["3:6 `data.p.f` takes 1 argument, not 2"]);
    refused("b := 1\na := b(1)", &["`data.p.b` is not a function"]);
    accepted("a := x if { count([1], x) }\nb if { print(1, 2, 3) }");
}

#[test]
fn functions_that_reach_out_are_refused() {
    for name in
        ["http.send({})", "net.lookup_ip_addr(\"a\")", "opa.runtime()", "rand.intn(\"a\", 2)", "uuid.rfc4122(\"a\")"]
    {
        refused(&format!("a := {name}"), &["cannot be called"]);
    }
    refused(
        "a := data.p.f(1)\nf(x) := http.send(x)",
        &["3:9 `http.send` cannot be called: policies do not use the network"],
    );
}

#[test]
fn unsafe_variables_are_refused() {
    refused("a := x", &["2:6 variable `x` is unsafe"]);
    refused("a if { not input.xs[_] == 1 }", &["variable `_` is unsafe"]);
    refused("a if { x > 1 }", &["variable `x` is unsafe"]);
    refused("a contains x if { y := 1 }", &["variable `x` is unsafe"]);
    refused("a if { every x in input.xs { x == y } }", &["variable `y` is unsafe"]);
    refused("a := [x | y := 1]", &["variable `x` is unsafe"]);
    refused("a if { x := y; y := x }", &["variable `x` is unsafe", "variable `y` is unsafe"]);
    refused("a if { x := 1; x := 2 }", &["variable `x` is declared twice"]);
    refused("a if { x > 1; x := 2 }", &["`x` used before definition"]);
    accepted("b[k] := v if { v := input[k] }\nc contains [i, j] if { input.m[i][j] }");
    accepted(
        "a if { [x, y] = [1, input.b]; x == y }\nb := {k: v | some k, v in input}\nc if { input.xs[i] == input.ys[i] }",
    );
    accepted("f(x, [y, _]) := x + y\na if { some i; input.xs[i] == f(1, [2, 3]) }");
}

#[test]
fn contradictions_are_refused() {
    refused("default a := 1\ndefault a := 2", &["3:1 rule `a` has more than one default"]);
    refused("default a := 1\na contains 2", &["2:1 rule `a` has a default and makes a set or object"]);
    refused("a := 1\na contains 2", &["rule `a` makes a set here and one value elsewhere"]);
    refused("f(x) := x\nf(x, y) := x + y", &["`f` takes 1 arguments elsewhere, 2 here"]);
    refused("a := 1\na.b := 2", &["rule `a` conflicts with rule `p.a.b`"]);
    refused("a := b\nb := c\nc := a", &["is recursive"]);
    refused("f(x) := f(x - 1)", &["rule `f` is recursive: f -> f"]);
    refused("a if { data[x]; x == 1 }", &["is recursive"]);
    refused("import data.x.y\nimport data.z.y\na := y", &["import of `y` hides the import of `data.x.y`"]);
    accepted("a := 1 if { input.x }\na := 2 if { input.y }\ndefault a := 3");
    accepted("a := data.other.thing\nb := data[1]");
}

#[test]
fn mistakes_of_syntax_are_collected() {
    let got = compile("package p\na := )\nb := [1\nc if { x == }\nd := 1", ModuleOptions::default()).unwrap_err();
    assert!(got.len() >= 2, "{got:#?}");
    refused("a { true }", &["2:3 `if` keyword is required before rule body"]);
    refused("a[x] { x := 1 }", &["`if` keyword is required"]);
    refused("default a = input.x", &["the value of a default must be constant"]);
    refused("kanon__.bounded(x) := x", &["names that begin with `kanon__` are reserved"]);
    refused("import x.y", &["cannot import `x.y`"]);
    refused("a := \"\\q\"", &["illegal escape in string"]);
    refused("a := upper(\"x\" if input.x else \"y\")", &["unexpected keyword `if`", "with `else` for the other case"]);
}

#[test]
fn what_the_caller_expects_is_checked() {
    let wanted = |package: &str, rules: &[&str]| ModuleOptions {
        package: Some(package.to_owned()),
        entrypoints: rules.iter().map(|it| (*it).to_owned()).collect(),
        ..ModuleOptions::default()
    };
    let source = "package signal.processing\nseverty := 1\n";
    assert!(compile(source, wanted("signal.processing", &["severty"])).is_ok());
    let got = compile(source, wanted("signal", &[])).unwrap_err();
    assert_eq!(got, ["1:9 package is `signal.processing`, not `signal`"]);
    let got = compile(source, wanted("signal.processing", &["severity"])).unwrap_err();
    assert_eq!(got, ["1:9 rule `severity` is missing; is `severty` misspelt?"]);
    assert!(compile("", wanted("a", &[])).is_err());
    assert!(compile("a := 1", wanted("a", &[])).is_err());
}

#[test]
fn an_outline_lists_rules() {
    let source = "package a.b\n\ndefault x := 1\nx := 2 if { true }\ns contains 1\no[k] := 1 if { k := 2 }\nf(x) := x\nd.e := 1\n";
    let outline = Rego.outline(source, &Options::default()).unwrap();
    let rules: Vec<_> = outline.rules.iter().map(|it| (it.name.as_str(), it.kind, it.is_default)).collect();
    assert_eq!(outline.package, "a.b");
    assert_eq!(
        rules,
        [
            ("x", RuleKind::Complete, true),
            ("x", RuleKind::Complete, false),
            ("s", RuleKind::Set, false),
            ("o", RuleKind::Object, false),
            ("f", RuleKind::Function, false),
            ("d.e", RuleKind::Complete, false),
        ]
    );
    assert!(outline.has("s") && outline.has_default("x") && !outline.has_default("s"));
}

#[test]
fn the_former_version_loads_behind_its_switch() {
    let source = "package p\n\nallow { input.x }\n\ndeny[msg] { msg := \"no\" }\n\nsizes[k] = v { v := input.sizes[k] }\n\n\
                  level = \"a\" { input.x } else = \"b\" { true }\n\nboth { input.x } { input.y }\n";
    assert!(compile(source, ModuleOptions::default()).is_err());
    compile(source, ModuleOptions { legacy: true, ..ModuleOptions::default() }).unwrap();
    let imports = "package p\n\nimport future.keywords.if\nimport future.keywords.in\n\nallow if \"a\" in input.xs\n";
    compile(imports, ModuleOptions { legacy: true, ..ModuleOptions::default() }).unwrap();
}

/// However many mistakes a text has, some twenty of a kind are told, and nothing is looked at behind them.
#[test]
fn a_text_of_mistakes_costs_no_more_than_its_first_part() {
    for line in ["p{} if nothing(1)", "p{} if count(1, 2, 3)", "p{} := x", "p := {}\ndefault p := {}\nq{}(x) := 1"] {
        let rules: String = (0..1600).map(|at| format!("{}\n", line.replace("{}", &at.to_string()))).collect();
        let text = format!("package a\n\n{rules}");
        let Err(mistakes) = Policy::load(&[text.as_str()], &LoadOptions::default()) else {
            panic!("{line} is no mistake");
        };
        assert!(mistakes.list.len() <= 45, "{line}: {}", mistakes.list.len());
        let last = mistakes.list.iter().map(|it| it.span.end as usize).max().unwrap();
        assert!(last <= 60 * (line.len() + 8), "{line}: {last}");
    }
}
