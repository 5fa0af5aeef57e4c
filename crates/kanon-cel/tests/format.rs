//! The canonical text of expressions.
#![allow(clippy::unwrap_used, reason = "tests fail by panicking")]

use kanon_cel::Cel;
use kanon_lang::Language;
use proptest::prelude::*;

#[test]
fn expressions_have_one_canonical_form() {
    let cases = [
        ("a+b*c", "a + b * c"),
        ("(a+b)*c", "(a + b) * c"),
        ("((a)) - (b - c) - d", "a - (b - c) - d"),
        ("(a && b) && (c && d) || e", "a && b && c && d || e"),
        ("a && (b || c)", "a && (b || c)"),
        ("!(!a)", "!(!a)"),
        ("!!a", "a"),
        ("-(1)", "-(1)"),
        ("- 1", "-1"),
        ("a - -1", "a - -1"),
        ("-(-1)", "-(-1)"),
        ("-(1.a)", "-(1.a)"),
        ("(a?b:c)?d:e", "(a ? b : c) ? d : e"),
        ("a ? (b ? c : d) : (e ? f : g)", "a ? (b ? c : d) : e ? f : g"),
        ("(a + b).c[ 'd' ] . e()", "(a + b).c['d'].e()"),
        ("a.?b[?c].`d-e`", "a.?b[?c].`d-e`"),
        ("[1,?a,]", "[1, ?a]"),
        ("{'a':1 , ?b:2,}", "{'a': 1, ?b: 2}"),
        ("T{a:1,?`b-c`:2}", "T{a: 1, ?`b-c`: 2}"),
        (".a.b .c(.d)", ".a.b.c(.d)"),
        ("has(a.b)&&a.exists_one(x,x>0x1F)", "has(a.b) && a.exists_one(x, x > 0x1F)"),
        ("a.map(x,x>1,x*2).all(i,v,true)", "a.map(x, x > 1, x * 2).all(i, v, true)"),
        ("cel.bind(x,r'\\d',x)", "cel.bind(x, r'\\d', x)"),
        ("a in b == c", "a in b == c"),
        ("a\n  &&\n  b", "a && b"),
        ("a // why\n && b", "a // why\n && b"),
        ("'//' + a", "'//' + a"),
    ];
    for (source, want) in cases {
        let got = Cel::default().format(source).unwrap();
        assert_eq!(got, want, "{source}");
        assert_eq!(Cel::default().format(&got).unwrap(), want, "twice: {source}");
    }
}

/// Text with every form in it.
fn text() -> impl Strategy<Value = String> {
    let words: &'static [&'static str] = &[
        "1",
        "-1",
        "2u",
        "0x1f",
        "1.5",
        "-2e3",
        ".5",
        "'a'",
        "b'\\xff'",
        "r\"\\d\"",
        "true",
        "null",
        "a",
        ".b",
        "self.c",
        "a.`b-c`",
        "google.protobuf.Timestamp",
    ];
    prop::sample::select(words).prop_map(str::to_owned).prop_recursive(6, 60, 4, |inner| {
        let operator =
            prop::sample::select(vec!["+", "-", "*", "/", "%", "==", "!=", "<", "<=", ">", ">=", " in ", "&&", "||"]);
        let suffix = prop::sample::select(vec![".f", ".?f", ".f()", "[0]", "[?'k']", ".f(1, a)", ".`x/y`"]);
        let macros = prop::sample::select(vec![
            "all(x, ",
            "exists(x, ",
            "exists_one(x, ",
            "existsOne(i, v, ",
            "map(x, ",
            "map(x, true, ",
            "filter(x, ",
            "transformList(i, v, ",
            "transformMap(k, v, a, ",
            "transformMapEntry(k, v, ",
            "sortBy(x, ",
            "optMap(x, ",
            "optFlatMap(x, ",
        ]);
        prop_oneof![
            (inner.clone(), operator, inner.clone()).prop_map(|(a, sign, b)| format!("{a}{sign}{b}")),
            (inner.clone(), prop::sample::select(vec!["!", "-", "!!", "--", "!-", "-!"]))
                .prop_map(|(a, sign)| format!("{sign}{a}")),
            inner.clone().prop_map(|a| format!("({a})")),
            (inner.clone(), suffix).prop_map(|(a, suffix)| format!("({a}){suffix}")),
            (inner.clone(), inner.clone(), inner.clone()).prop_map(|(a, b, c)| format!("({a}) ? ({b}) : {c}")),
            (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("[{a}, ?{b}]")),
            (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("{{{a}: {b}, ?{b}: {a}}}")),
            inner.clone().prop_map(|a| format!("a.T{{f: {a}, ?`g-h`: {a}}}")),
            (inner.clone(), macros, inner.clone()).prop_map(|(a, name, b)| format!("({a}).{name}{b})")),
            (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("cel.bind(y, {a}, {b})")),
            inner.clone().prop_map(|a| format!("has(({a}).f)")),
            inner.prop_map(|a| format!("math.greatest({a}, .f({a}))")),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn canonical_text_means_the_same(source in text()) {
        let cel = Cel::default();
        let before = cel.tree(&source);
        prop_assert!(before.is_ok(), "{source}: {before:?}");
        let printed = cel.format(&source).unwrap();
        prop_assert_eq!(before.unwrap(), cel.tree(&printed).unwrap(), "{}", printed);
        prop_assert_eq!(&cel.format(&printed).unwrap(), &printed);
    }
}

#[test]
fn trees_show_how_a_text_is_read() {
    let want = "\
_&&_: a.b == 1 && c.exists(x, x in [.d, ?e])
  _==_: a.b == 1
    . b: a.b
      name: a
    literal: 1
  exists x: c.exists(x, x in [.d, ?e])
    name: c
    @in: x in [.d, ?e]
      name: x
      list-?: [.d, ?e]
        name: .d
        name: e
";
    assert_eq!(Cel::default().tree("a.b==1 && c.exists(x,x in [.d,?e])").unwrap(), want);
}
