//! libFuzzer on the cel language: parse, lay out, lint, compile, evaluate, explain.
#![no_main]

#[allow(dead_code, reason = "the checks of cost are for tests")]
#[path = "../../crates/kanon/tests/robust/check.rs"]
mod check;

libfuzzer_sys::fuzz_target!(|text: &str| {
    let language = kanon_cel::Cel::default();
    let checker = check::Checker::new(&language);
    checker.check(text, "a text of libFuzzer");
    assert_eq!(checker.failures(), 0, "see the failure above");
});
