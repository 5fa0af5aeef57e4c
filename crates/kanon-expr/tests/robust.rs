//! No text panics or overflows the stack: random, mutated, deep, long.
#![allow(clippy::unwrap_used, reason = "tests fail by panicking")]

use kanon_core::Object;
use kanon_expr::Expr;
use kanon_lang::{Arena, Environment, Language, Limits, Options, Value};
use proptest::prelude::*;

const VALID: &[&str] = &[
    "any(object.spec.containers, .image startsWith 'docker.io/' || !(.image matches '^[a-z]+:'))",
    "let x = object?.a?.['b'][0:2] ?? [1, 2.5]; filter(x, # > 1) | map({k: #, (\"a\" + 'b'): #index}) | len() == 1",
    "if object.n > 0x1F { reduce(1..10, #acc + #, 0) } else { sum(groupBy([1,2], # % 2 == 0 ? 'a' : 'b').a) }",
    "$env[\"object\"].name not in ['a', `b`] and duration('1h') > duration('5m') // end",
    "sortBy([{a: 2}, {a: 1}], .a, 'desc')[-1].a ** 2 / 3 == toJSON(fromJSON('[1]')) ?: date('2020-01-01').Year()",
    "split(replace(object.s, 'a', \"\\u00e9\", 1), '')[1:][0] + repeat('x', 3) contains join(keys({b: nil}), ',')",
];

fn run(source: &str) {
    let object =
        Object::parse(r#"{"spec":{"containers":[{"image":"a\"b"},{"image":"é"}]},"n":3,"s":"aé","a":{"b":[1,2,3]}}"#)
            .unwrap();
    let env = Environment::new(["object"]);
    let arena = Arena::new();
    let values = [Value::from_node(object.root(), &arena)];
    let limits = Limits { steps: 50_000, memory: 50_000, time: None };
    for unchecked in [false, true] {
        match Expr::default().compile(source, &env, &Options { unchecked, ..Options::default() }) {
            Err(mistakes) => drop(mistakes.to_string()),
            Ok(program) => {
                if let Ok(value) = program.evaluate(&values, &limits, &arena) {
                    drop(value.to_json(&arena));
                }
                drop(program.explain(&values, &limits, &arena).values);
            }
        }
    }
}

#[test]
fn texts_of_any_depth_end_in_an_answer() {
    for times in [10, 100, 250, 300, 3_000, 200_000] {
        let repeat =
            |open: &str, core: &str, close: &str| format!("{}{core}{}", open.repeat(times), close.repeat(times));
        for text in [
            repeat("(", "1", ")"),
            repeat("[", "1", "]"),
            repeat("{a: ", "1", "}"),
            repeat("", "1", " + 1"),
            repeat("", "true", " && object.x"),
            repeat("", "object", ".a"),
            repeat("", "object", "?.a"),
            repeat("", "object", "?.a[0]"),
            repeat("", "object", "[1:]"),
            repeat("", "object", "(1)"),
            repeat("", "object", ".f(1)"),
            repeat("", "object", " | len()"),
            repeat("", "1", " < 2"),
            repeat("", "1", " ?? 2"),
            repeat("", "1", "; 2"),
            repeat("!", "true", ""),
            repeat("- ", "1", ""),
            repeat("2 ** ", "1", ""),
            repeat("true ? 1 : ", "1", ""),
            repeat("", "true", " ?: true"),
            repeat("len(", "1", ")"),
            repeat("object.f(", "1", ")"),
            repeat("object[", "1", "]"),
            repeat("map([1], ", "#", ")"),
            repeat("any([1], {", "true", "})"),
            repeat("let x = ", "1", "; x"),
            repeat("if true {", "1", "} else {2}"),
            repeat("if true {1} else ", "{1}", ""),
            repeat("1..", "2", ""),
            repeat("a not ", "in", ""),
            "9".repeat(times),
            "a".repeat(times),
            format!("'{}'", "\\u00e9".repeat(times)),
            format!("'a' matches '{}a{}'", "(".repeat(times), ")".repeat(times)),
            format!("'a' matches '(a{{1000}}){{{times}}}'"),
            format!(
                "let a = [1]; {} len(a)",
                (0..times.min(3_000)).map(|at| format!("let a{at} = [a, a];")).collect::<String>()
            ),
        ] {
            run(&text);
        }
    }
    // Values that nest deeper than their text: each turn wraps the one before.
    for use_of in ["string(#)", "toJSON(#)", "# == [#]", "flatten(#)", "len(#)"] {
        run(&format!("let deep = reduce(1..4000, [#acc], [1]); [deep] | map({use_of})"));
        // Small in memory, huge when written out.
        run(&format!("let wide = reduce(1..40, [#acc, #acc], [1]); [wide] | map({use_of})"));
    }
    run("reduce(1..40, {a: #acc, b: #acc}, {}) == reduce(1..40, {a: #acc, b: #acc}, {})");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(600))]

    #[test]
    fn random_text_never_panics(text in "\\PC{0,80}") {
        run(&text);
    }

    #[test]
    fn random_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..80)) {
        run(&String::from_utf8_lossy(&bytes));
    }

    #[test]
    fn mutated_programs_never_panic(
        base in prop::sample::select(VALID),
        cuts in prop::collection::vec((any::<prop::sample::Index>(), any::<prop::sample::Index>(), any::<prop::sample::Index>()), 1..6),
    ) {
        let mut chars: Vec<char> = base.chars().collect();
        for (from, len, to) in cuts {
            if chars.is_empty() {
                break;
            }
            let from = from.index(chars.len());
            let len = len.index(chars.len() - from) % 12;
            let piece: Vec<char> = chars.drain(from..from + len).collect();
            let to = to.index(chars.len() + 1);
            chars.splice(to..to, piece.iter().copied().chain(piece.iter().copied().take(len % 3)));
        }
        run(&chars.into_iter().collect::<String>());
    }
}
