//! Functions by data: `expression => value`, read by a small calculator that knows literals, operators and calls. Expectations come
//! from the documentation and tests of cel-go, Kubernetes and kro.

mod anything;
mod calculator;
mod corpus;
mod extensions;
mod kubernetes;
mod standard;

use kanon_lang::{Arena, Context, Limits};

use self::calculator::{evaluate, render};

/// One case a line: `expression => value`, or `expression => error: part of the message`.
pub(super) fn check(cases: &str) {
    for case in cases.lines().map(str::trim).filter(|it| !it.is_empty()) {
        let (expression, want) = case.rsplit_once(" => ").unwrap_or_else(|| panic!("`{case}` has no ` => `"));
        let arena = Arena::new();
        let limits = Limits::default();
        let mut cx = Context::new(&limits, &arena);
        let result =
            evaluate(&mut cx, expression).unwrap_or_else(|at| panic!("`{expression}` is not understood at {at}"));
        let got = match result {
            Ok(value) => render(value, &arena),
            Err(_) => format!("error: {}", cx.error()),
        };
        match want.strip_prefix("error: ") {
            Some(part) => {
                assert!(got.starts_with("error: ") && got.contains(part), "{expression}\n got {got}\nwant {want}")
            }
            None => assert_eq!(got, want, "{expression}"),
        }
    }
}

#[test]
fn every_function_has_a_name_that_the_grammar_or_a_macro_can_call() {
    for function in super::functions() {
        let name = function.name.trim_start_matches('@');
        assert!(name.split('.').all(|it| it.chars().all(|it| it.is_ascii_alphanumeric())), "{}", function.name);
        assert!(!function.method || !function.name.contains('.'), "{}", function.name);
        assert!(!function.method || !function.parameters.is_empty(), "{}", function.name);
    }
}

#[test]
fn no_signature_is_there_twice() {
    let mut seen = std::collections::BTreeSet::new();
    for function in super::functions() {
        let parameters: Vec<String> = function.parameters.iter().map(ToString::to_string).collect();
        assert!(seen.insert((function.name, function.method, parameters)), "{function:?}");
    }
}

#[test]
fn work_without_bound_ends_with_the_budget() {
    let cases = [
        "lists.range(1000000000)",
        "lists.range(900).distinct()",
        "'a'.replace('', 'x', 100000)",
        "sets.contains(lists.range(2000), lists.range(2000).reverse())",
        "lists.range(2000).distinct()",
        "random.seededString(100000000, 'a')",
        "'%.1000f%.1000f%.1000f'.format([1, 2, 3])",
    ];
    for case in cases {
        let arena = Arena::new();
        let limits = Limits { steps: 100_000, memory: 2_000, time: None };
        let mut cx = Context::new(&limits, &arena);
        // What is within the budget has a value, what is not an error; nothing takes long.
        if let Ok(Err(_)) = evaluate(&mut cx, case) {
            assert!(cx.error().message.contains("budget"), "{case}");
        }
        assert!(arena.allocated_bytes() < 1 << 20, "{case}");
    }
}
