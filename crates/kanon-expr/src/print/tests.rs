use kanon_lang::Environment;

use super::print;
use crate::{
    ast::Tree,
    differential::{generate::Generator, objects::Random},
    parser,
};

fn parse(source: &str) -> Tree {
    parser::parse(source, &Environment::default()).unwrap_or_else(|error| panic!("{source}\n{error}"))
}

/// Everything of a tree but where it stood.
fn shape(tree: &Tree) -> String {
    let kinds: Vec<String> = tree.nodes.iter().map(|node| format!("{:?}", node.kind)).collect();
    format!("{} {:?}", kinds.join("\n"), tree.locals)
}

/// Printing and reading again changes nothing; printing again neither.
fn check(source: &str) -> String {
    let tree = parse(source);
    let text = print(&tree);
    let again = parse(&text);
    assert_eq!(shape(&tree), shape(&again), "{source}\n{text}");
    assert_eq!(print(&again), text, "{source}");
    text
}

#[test]
fn texts_are_printed_canonically() {
    for (source, want) in [
        ("a  and(b)or c", "a && b || c"),
        ("(a or b) and c", "(a || b) && c"),
        ("xs|filter( #.a )|len( )", "len(filter(xs, .a))"),
        ("a [ 'b' ] . c ?. d ?. [ 'e' ] [ 0 ]", "a.b.c?.d?.[\"e\"][0]"),
        ("a?.b['c'].d", "a?.b[\"c\"].d"),
        ("not (x in y) and not(x)and x not in y", "x not in y && !x && x not in y"),
        ("1 < x <= 3 < 4", "1 < x <= 3 < 4"),
        ("(1 < x) < 3", "(1 < x) < 3"),
        ("(1 < x) and (x < 3)", "1 < x && x < 3"),
        ("- 2 ** 3 + (-2) ** 3 ** 4 + (2 ** 3) ** 4", "-(2 ** 3) + (-2) ** 3 ** 4 + (2 ** 3) ** 4"),
        ("!(a * b) + !a * b + (!a) * b", "!(a * b) + !(a * b) + (!a) * b"),
        ("(a ?? b) == (c ?? d) ", "(a ?? b) == (c ?? d)"),
        ("a ?? (b ?? c) ?? d", "a ?? (b ?? c) ?? d"),
        ("a ? b : c ? d : e", "a ? b : c ? d : e"),
        ("if a { b } else if c { d } else { let x = 1; x }", "a ? b : c ? d : (let x = 1; x)"),
        ("(a ? b : c) ? (let x = 1; x; 2) : c", "(a ? b : c) ? (let x = 1; x; 2) : c"),
        ("a?:b", "a ?: b"),
        ("any(xs, {let y = .a; y > 1}) ", "any(xs, {let y = .a; y > 1})"),
        ("map(xs, ({a: 1}.a))", "map(xs, {{a: 1}.a})"),
        ("{'a': 1, 'b c': 2, (a + b): 3, 4: 5, 'in': 6}", "{a: 1, \"b c\": 2, (a + b): 3, \"4\": 5, \"in\": 6}"),
        ("map(xs, 1..(.a))", "map(xs, 1..(.a))"),
        ("x[a:][:b][(a ? b : c):]", "x[a:][:b][(a ? b : c):]"),
        ("(1).a + 1.5 + 1e300 + 0x10 + 1_000", "(1).a + 1.5 + 1e300 + 16 + 1000"),
        ("'it\\'s \"x\"\\n\\u{7}' + `raw`", "\"it's \\\"x\\\"\\n\\u0007\" + \"raw\""),
        ("b'a\\xff\"'", "b\"a\\xff\\\"\""),
        ("f(1)(2)", ""),
        ("a.f(1).g(#)", ""),
        ("::f(1) + reduce(xs, #acc + #index + #, 0)", "f(1) + reduce(xs, #acc + #index + #, 0)"),
        ("a; b; let c = 1; c", "a; b; let c = 1; c"),
        ("(let c = 1; c); b", "(let c = 1; c); b"),
        ("(a; b) + 1", "(a; b) + 1"),
        ("- - a + !!b + -(+a)", "--a + !!b + -(+a)"),
    ] {
        if !want.is_empty() {
            assert_eq!(check(source), want);
        }
    }
}

#[test]
fn long_texts_are_broken() {
    let source = "object.spec?.hostNetwork == true and any(object.spec.containers, {let image = .image; \
                  image startsWith 'docker.io/' or image startsWith 'registry.example.com/and/so/on/with/a/long/name'})";
    let want = "object.spec?.hostNetwork == true
&& any(
  object.spec.containers,
  {
    let image = .image;
    image startsWith \"docker.io/\"
    || image startsWith \"registry.example.com/and/so/on/with/a/long/name\"
  }
)";
    assert_eq!(check(source), want);
}

#[test]
fn printing_and_reading_is_identity() {
    for seed in 0..4_000 {
        check(&Generator::program(&mut Random::new(seed)));
    }
}

#[test]
fn trees_of_any_depth_are_printed() {
    for source in [
        format!("1{}", " + 1".repeat(4_000)),
        format!("a{}", ".a".repeat(3_000)),
        format!("a{}", "?.a[0]".repeat(1_500)),
        format!("a{}", " | f(1)".repeat(200)),
        format!("a{}", " ?? a".repeat(4_000)),
        format!("a{}", " && a".repeat(4_000)),
        format!("{}a{}", "(".repeat(200), ")".repeat(200)),
    ] {
        check(&source);
    }
}

#[test]
fn formatting_keeps_what_it_cannot_lay_out() {
    use kanon_lang::Language;
    let format = |source: &str| crate::Expr::default().format(source).unwrap();
    assert_eq!(format("a  and b // why \n"), "a  and b // why");
    assert_eq!(format("a  and '//'"), "a && \"//\"");
    let pipe = format!("a{}", " | f(1)".repeat(3_000));
    assert_eq!(format(&pipe), pipe);
    assert!(crate::Expr::default().format("a and").is_err());
}
