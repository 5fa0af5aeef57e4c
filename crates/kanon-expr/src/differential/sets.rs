//! Rule sets against their programs: random rules of the forms that a set finds by what they ask for, among others, answer
//! together what each answers alone.

use kanon_core::Object;
use kanon_lang::{Arena, Environment, ErrorKind, Language, Memo, Options, RuleSet, Value};

use super::{
    CASES, LIMITS,
    generate::Generator,
    number,
    objects::{Random, TEXTS, object},
};
use crate::Expr;

const PARTS: &[&str] = &["a", "b", "name", "m.a", "m?.b", "m?.name", "xs", "['a']", "name?.a"];
const LISTS: &[&str] = &["o.xs", "o?.xs", "o.xs ?? []", "o.m?.xs ?? []", "o.name", "o", "o.xs ?? {}"];
const LOOPS: &[&str] = &["any", "any", "any", "one", "none", "not none", "not any", "all"];

/// A test of a part with a constant.
fn test(random: &mut Random, part: &str) -> String {
    let text = random.pick(TEXTS);
    match random.below(9) {
        0 => format!("{part} == {:?}", text),
        1 => format!("{part} in [{text:?}, \"a\"]"),
        2 => format!("{part} startsWith {text:?}"),
        3 => format!("{part} contains {text:?}"),
        4 => format!("{part} == nil"),
        5 => format!("{part} == true"),
        6 => format!("{part} == false"),
        7 => format!("{part} != {text:?}"),
        _ => format!("{part} endsWith {text:?} && {part} == \"a\""),
    }
}

fn rule(random: &mut Random) -> String {
    let part = random.pick(PARTS);
    let of = |base: &str| if part.starts_with('[') { format!("{base}{part}") } else { format!("{base}.{part}") };
    let first = match random.below(4) {
        0 => Generator::program(random),
        1 => test(random, &of("o")),
        _ => {
            let body = if random.one_in(6) { "#".to_owned() } else { of("#") };
            format!("{}({}, {{{}}})", random.pick(LOOPS), random.pick(LISTS), test(random, &body))
        }
    };
    match random.below(4) {
        0 => format!("({first}) && ({})", test(random, "o.name")),
        1 => format!("{first} && o.a == 1"),
        _ => first,
    }
}

#[test]
fn a_set_of_random_rules_answers_what_they_answer_alone() {
    let env = Environment::new(["o", "$now"]);
    let options = Options { boolean: true, ..Options::default() };
    let (mut not_run, mut memo) = (0, Memo::default());
    let sets = number("KANON_CASES").unwrap_or(CASES) / 200;
    for seed in 0..sets {
        let random = &mut Random::new(seed);
        let rules = (0..40).map(|_| rule(random)).filter_map(|it| Expr::default().compile(&it, &env, &options).ok());
        let programs: Vec<_> = rules.collect();
        let set = RuleSet::new(programs.clone());
        for _ in 0..10 {
            let (object, arena) = (Object::from_value(&object(random)), Arena::new());
            let values = [Value::from_node(object.root(), &arena), Value::Time(jiff::Timestamp::UNIX_EPOCH)];
            let mut answers = vec![None; programs.len()];
            let mut fresh = memo.renew();
            set.decide(&values, &LIMITS, &arena, &mut fresh, |at, answer| answers[at] = Some(answer));
            memo = fresh.renew();
            for (program, answer) in programs.iter().zip(answers) {
                let alone = program.evaluate(&values, &LIMITS, &arena).map(|it| matches!(it, Value::Bool(true)));
                not_run += usize::from(answer.is_none());
                // Whoever is not run spends nothing.
                let is_beyond = alone.as_ref().is_err_and(|it| it.kind == ErrorKind::Budget);
                let together = answer.unwrap_or(Ok(false));
                assert!(
                    together == alone || is_beyond,
                    "seed {seed}\n  program  {}\n  object   {}\n  alone    {alone:?}\n  together {together:?}",
                    program.source(),
                    object.to_value()
                );
            }
        }
    }
    assert!(not_run > sets as usize * 40, "sets run nearly all: {not_run} of {sets} sets");
}
