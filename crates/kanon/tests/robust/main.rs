//! What no text may do to any language of this binary: panic, hang, take unbounded memory, or give a mistake without a place.
//!
//! The same checks run on random bytes, on good programs with something wrong, and on texts made to be hard. They go through
//! the traits alone, so a language is under test as soon as it is listed. Every case is a seed: a failure prints it.
//!
//! `KANON_FUZZ_CASES` is how many random cases there are of each kind and language (default 400), `KANON_FUZZ_SEED` where
//! they begin: `KANON_FUZZ_CASES=1000000 cargo test --release -p kanon --test robust` searches for an hour.
#![allow(clippy::disallowed_methods, clippy::disallowed_macros, reason = "tests read their settings and print figures")]

mod check;
mod hostile;
mod mutate;
mod random;
mod seeds;
mod sets;

use std::sync::Arc;

use kanon_lang::Language;

use check::Checker;
use random::Random;

fn setting(name: &str, default: u64) -> u64 {
    std::env::var(name).ok().and_then(|it| it.parse().ok()).unwrap_or(default)
}

/// The languages with good programs of theirs.
fn languages() -> [(Arc<dyn Language>, &'static [&'static str]); 3] {
    [
        (Arc::new(kanon_expr::Expr::default()), seeds::EXPR),
        (Arc::new(kanon_cel::Cel::default()), seeds::CEL),
        (Arc::new(kanon_rego::Rego), seeds::REGO),
    ]
}

/// Runs random texts, each from a seed of its own.
fn search(make: impl Fn(&[&str], &mut Random) -> String) {
    let (first, cases) = (setting("KANON_FUZZ_SEED", 0), setting("KANON_FUZZ_CASES", 400));
    in_every_language(|checker, seeds| {
        for seed in first..first + cases {
            let text = make(seeds, &mut Random::new(seed));
            checker.check(&text, &format!("seed {seed}"));
        }
    });
}

/// Runs checks in one language after the other; what fails in one keeps none of the others from being looked at.
fn in_every_language(run: impl Fn(&Checker<'_>, &[&str])) {
    let run = |(language, seeds): (Arc<dyn Language>, &[&str])| {
        let checker = Checker::new(&*language);
        run(&checker, seeds);
        checker.failures()
    };
    assert_eq!(languages().into_iter().map(run).sum::<usize>(), 0, "see the failures above");
}

#[test]
fn random_bytes_end_in_an_answer() {
    search(|_, random| mutate::noise(random));
}

#[test]
fn nearly_good_programs_end_in_an_answer() {
    search(mutate::mutate);
}

#[test]
fn good_programs_are_good() {
    in_every_language(|checker, seeds| seeds.iter().for_each(|it| checker.check(it, "a good program")));
}

#[test]
fn texts_made_to_be_hard_end_in_an_answer_soon() {
    in_every_language(|checker, _| {
        for (name, text) in hostile::texts(checker.language()) {
            checker.check_cost(&text, &name);
        }
        checker.say_worst();
    });
}
