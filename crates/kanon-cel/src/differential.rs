//! The compiled form against the plain walk over the tree, on programs made at random: same value, or both an error.

use kanon_core::Object;
use kanon_lang::{Arena, Context, Environment, ErrorKind, Limits, Options, Value};
use proptest::{prelude::*, strategy::ValueTree};
use serde_json::Value as Json;

use crate::{Cel, reference::Walk};

const OBJECT: &str = r#"{"a":1,"b":-2.5,"s":"text","e":"","t":true,"n":null,"l":[1,2,3],"m":[{"k":"x","v":1},{"k":"y"},{"v":"z"}],
    "o":{"a":"q","deep":{"er":[true,false]}},"x":"esc\"aped","big":18446744073709551615,"mixed":[1,"a",null,2.0]}"#;

/// Expressions with every form in them, over the variables `o` (an object), `i` (an int) and `u` (declared a list of strings).
fn expression() -> impl Strategy<Value = String> {
    let words: &'static [&'static str] = &[
        "0",
        "1",
        "-1",
        "2u",
        "1.5",
        "0.0/0.0",
        "'a'",
        "'x'",
        "''",
        "b'a'",
        "true",
        "false",
        "null",
        "o",
        "o.a",
        "o.s",
        "o.t",
        "o.l",
        "o.m",
        "o.o",
        "o.nothing",
        "o.o.deep.er",
        "o.?o.?a",
        "o.x",
        "o.big",
        "o.mixed",
        "i",
        "u",
        "[]",
        "{}",
        "x",
        "y",
        "int",
        "optional.none()",
        "optional.of(1)",
        "duration('1h')",
        "timestamp('2026-01-01T00:00:00Z')",
        "1/0",
        "o['a']",
        "o.l[0]",
        "o.l[?7]",
        "o[?'s']",
    ];
    prop::sample::select(words).prop_map(str::to_owned).prop_recursive(5, 40, 3, |inner| {
        let operator = prop::sample::select(vec![
            "+", "-", "*", "/", "%", "==", "!=", "<", "<=", ">", ">=", " in ", "&&", "||", "&&", "||",
        ]);
        let suffix = prop::sample::select(vec![
            ".a",
            ".?a",
            ".k",
            "[0]",
            "[1u]",
            "[?'k']",
            ".size()",
            "['v']",
            ".hasValue()",
            ".value()",
            ".startsWith('t')",
            ".matches('^[a-z]*$')",
            ".contains('e')",
            ".join(',')",
            ".sort()",
            ".reverse()",
        ]);
        let function = prop::sample::select(vec![
            "size",
            "type",
            "string",
            "int",
            "double",
            "bool",
            "dyn",
            "uint",
            "optional.of",
            "!",
            "-",
            "math.greatest",
        ]);
        let form = prop::sample::select(vec![
            "all(x, ",
            "exists(x, ",
            "exists_one(x, ",
            "existsOne(i, x, ",
            "all(y, x, ",
            "exists(y, x, ",
            "map(x, ",
            "map(x, x != 1, ",
            "filter(x, ",
            "transformList(y, x, ",
            "transformMap(y, x, ",
            "transformMap(y, x, x != 2, ",
            "transformMapEntry(y, x, ",
            "sortBy(x, ",
            "optMap(x, ",
            "optFlatMap(x, ",
        ]);
        prop_oneof![
            (inner.clone(), operator, inner.clone()).prop_map(|(a, sign, b)| format!("({a}{sign}{b})")),
            (inner.clone(), suffix).prop_map(|(a, suffix)| format!("({a}){suffix}")),
            (function, inner.clone()).prop_map(|(name, a)| format!("{name}({a})")),
            (inner.clone(), form, inner.clone()).prop_map(|(a, form, b)| format!("({a}).{form}{b})")),
            (inner.clone(), inner.clone(), inner.clone()).prop_map(|(a, b, c)| format!("({a} ? {b} : {c})")),
            (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("[{a}, {b}]")),
            (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("[?{a}, {b}]")),
            (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("{{{a}: {b}}}")),
            (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("{{'k': {b}, ?'l': {a}}}")),
            (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("cel.bind(x, {a}, {b})")),
            (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("({a}).orValue({b})")),
            (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("({a}).or({b})")),
            (inner.clone(), inner.clone(), inner.clone()).prop_map(|(a, b, c)| format!("math.least({a}, {b}, {c})")),
            inner.prop_map(|a| format!("has(({a}).a)")),
        ]
    })
}

/// A boolean, an int, a text and a list of ints, which mostly have values; `x` is an int and `y` a text.
#[derive(Clone, Debug)]
struct Typed {
    b: String,
    i: String,
    s: String,
    l: String,
}

fn leaf() -> impl Strategy<Value = Typed> {
    let pick = |words: &'static [&'static str]| prop::sample::select(words);
    let booleans = pick(&[
        "true",
        "false",
        "o.t",
        "has(o.a)",
        "has(o.nothing)",
        "o.nothing",
        "x > 1",
        "o.s == 'text'",
        "o.n == null",
    ]);
    let ints = pick(&["0", "1", "7", "-1", "i", "o.a", "o['a']", "x", "x", "1/0", "o.l[1]", "size(u)", "int(o.b)"]);
    let texts = pick(&["'a'", "'k'", "y", "y", "o.s", "o.e", "o.x", "o.o.a", "o.o['a']", "u[0]"]);
    let lists = pick(&["o.l", "[1, 2]", "[]", "[i, 0]", "[x]", "[3, 1, 2]", "o.m.map(z, 1)"]);
    (booleans, ints, texts, lists).prop_map(|(b, i, s, l)| Typed { b: b.into(), i: i.into(), s: s.into(), l: l.into() })
}

/// The form with its marks replaced: `B`, `I`, `S`, `L` by the parts of `a`, and `b`, `j`, `t`, `m` between `<>` by those of `c`.
fn filled(form: &str, a: &Typed, c: &Typed) -> String {
    let parts = [
        ("<B>", &a.b),
        ("<I>", &a.i),
        ("<S>", &a.s),
        ("<L>", &a.l),
        ("<b>", &c.b),
        ("<i>", &c.i),
        ("<s>", &c.s),
        ("<l>", &c.l),
    ];
    parts.iter().fold(format!("({form})"), |text, (mark, part)| text.replace(mark, part))
}

fn typed() -> impl Strategy<Value = String> {
    let booleans: &[&str] = &[
        "<B> && <b>",
        "<B> || <b>",
        "!<B>",
        "<I> < <i>",
        "<I> >= <i>",
        "<I> == <i>",
        "<I> != <i>",
        "<S> == <s>",
        "<S> < <s>",
        "<S>.startsWith(<s>)",
        "<S>.contains('e')",
        "<S>.matches('^[a-z]+$')",
        "<I> in <L>",
        "<S> in ['a', 'k']",
        "<S> in o",
        "<L>.all(x, <b>)",
        "<L>.exists(x, <b>)",
        "<L>.exists_one(x, <b>)",
        "<L>.all(z, x, <b> && z < 9)",
        "<L> == <l>",
        "<B> ? <b> : <B>",
        "o.m.exists(z, z.k == <S>)",
        "o.m.all(z, has(z.k) && <B>)",
        "o.?s == optional.of(<S>)",
        "cel.bind(x, <I>, <b>)",
        "o.all(y, <b>)",
        "o.exists(y, x, x == <s>)",
        "{<S>: <I>} == {<s>: <i>}",
        "type(<I>) == int",
        "o[?<S>].hasValue()",
        "<I> == 1.0 || <b>",
        "dyn(<S>) == <i>",
        "has({<S>: 1}.k)",
    ];
    let ints: &[&str] = &[
        "<I> + <i>",
        "<I> - <i>",
        "<I> * <i>",
        "<I> / <i>",
        "<I> % <i>",
        "-<I>",
        "size(<L>)",
        "<S>.size()",
        "<B> ? <I> : <i>",
        "<L>[<I>]",
        "<L>[?<I>].orValue(<i>)",
        "math.least(<I>, <i>, 3)",
        "<L>.map(x, <i>).size()",
        "{<S>: <I>}[<s>]",
        "{<S>: <I>}.k",
        "int(string(<I>))",
        "optional.of(<I>).optMap(x, <i>).orValue(9)",
        "cel.bind(x, <I>, <i>)",
        "o.m.map(z, has(z.v), z.v).size()",
        "optional.none().or(optional.of(<I>)).value()",
        "o.m[<I>].v",
        "<I> + 1 - <i> * 2",
    ];
    let texts: &[&str] = &[
        "<S> + <s>",
        "string(<I>)",
        "<B> ? <S> : <s>",
        "<L>.map(x, <s>).join('-')",
        "<S>.upperAscii()",
        "cel.bind(y, <S>, <s>)",
        "{<S>: <s>}[<S>]",
        "<S>.replace('a', <s>)",
        "optional.of(<S>).optFlatMap(y, optional.of(<s>)).value()",
        "o.m[<I>].k",
    ];
    let lists: &[&str] = &[
        "[<I>, <i>]",
        "<L> + <l>",
        "<L>.filter(x, <b>)",
        "<L>.map(x, <i>)",
        "<L>.map(x, <b>, <i>)",
        "<L>.transformList(z, x, <b>, <i> + z)",
        "<L>.sortBy(x, <i>)",
        "<B> ? <L> : <l>",
        "{<S>: <I>, 'q': 1}.map(y, size(y))",
        "<L>.transformMap(z, x, <i>).map(x, x)",
        "[?optional.of(<I>), <i>]",
        "[?<L>[?<I>]]",
        "cel.bind(x, <I>, <l>)",
        "<L>.transformMapEntry(z, x, {x: <i>}).map(x, x)",
        "o.m.map(z, has(z.v), 1)",
    ];
    leaf()
        .prop_recursive(6, 80, 2, move |inner| {
            let pick = |forms: &[&'static str]| prop::sample::select(forms.to_vec());
            (inner.clone(), inner, pick(booleans), pick(ints), pick(texts), pick(lists)).prop_map(
                |(a, c, b, i, s, l)| Typed {
                    b: filled(b, &a, &c),
                    i: filled(i, &c, &a),
                    s: filled(s, &a, &c),
                    l: filled(l, &c, &a),
                },
            )
        })
        .prop_flat_map(|it| prop::sample::select(vec![it.b.clone(), it.b, it.i, it.s, it.l]))
        .prop_map(|text| format!("cel.bind(x, 3, cel.bind(y, 'k', {text}))"))
}

/// The value as its type and JSON.
fn shown<'a>(value: Value<'a>, arena: &'a Arena) -> (String, Json) {
    (crate::values::type_of(value).to_owned(), value.to_json(arena))
}

/// What the compiled program and the walk give; `None` where the text does not compile.
fn both(source: &str, unchecked: bool) -> Option<[Result<(String, Json), String>; 2]> {
    static CEL: std::sync::LazyLock<Cel> = std::sync::LazyLock::new(Cel::default);
    let cel = &*CEL;
    let env = Environment::new(["o"])
        .with_variable("i", kanon_lang::Type::Int)
        .with_variable("u", kanon_lang::Type::list(kanon_lang::Type::String));
    let options = Options { unchecked, ..Options::default() };
    let checked = cel.check(source, &env, &options).ok()?;
    let program = kanon_lang::Language::compile(cel, source, &env, &options).ok()?;
    let object = Object::parse(OBJECT).ok()?;
    let arena = Arena::new();
    let strings = [Value::Str("b"), Value::Str("a")];
    let values = [Value::from_node(object.root(), &arena), Value::Int(7), Value::List(&strings)];
    let limits = Limits::default();
    let compiled = program.evaluate(&values, &limits, &arena);
    let walked = Walk::new(&checked, &values, Context::new(&limits, &arena)).run();
    // A budget is spent differently.
    let is_budget = |it: &Result<Value<'_>, kanon_lang::EvalError>| {
        it.as_ref().err().is_some_and(|error| error.kind == ErrorKind::Budget)
    };
    if is_budget(&compiled) || is_budget(&walked) {
        return None;
    }
    Some([compiled, walked].map(|it| it.map(|it| shown(it, &arena)).map_err(|error| error.message)))
}

/// `PROPTEST_CASES` asks for more.
fn cases() -> ProptestConfig {
    let mut config = ProptestConfig::default();
    config.cases = config.cases.max(1500);
    config
}

fn agree(source: &str, unchecked: bool) -> Result<(), TestCaseError> {
    if let Some([compiled, walked]) = both(source, unchecked) {
        match (&compiled, &walked) {
            (Err(a), Err(b)) => prop_assert_eq!(a, b, "{}", source),
            _ => prop_assert_eq!(&compiled, &walked, "{}", source),
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(cases())]

    #[test]
    fn compiled_programs_mean_what_the_tree_means(source in typed()) {
        agree(&source, false)?;
    }

    #[test]
    fn so_do_programs_whose_types_do_not_fit(source in expression(), unchecked: bool) {
        agree(&source, unchecked)?;
    }
}

#[test]
fn random_programs_mostly_have_values() {
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let counts = (0..300).fold([0; 3], |mut counts, _| {
        let source = typed().new_tree(&mut runner).unwrap().current();
        match both(&source, false) {
            Some([Ok(_), _]) => counts[0] += 1,
            Some([Err(_), _]) => counts[1] += 1,
            None => counts[2] += 1,
        }
        counts
    });
    // Otherwise the comparison would compare little.
    assert!(counts[0] > 150, "{counts:?}");
}
