//! Rule sets: whatever programs share, each answers what it answers alone, errors and budgets included. The same for every
//! language whose programs can share.

use std::sync::Arc;

use kanon_core::Object;
use kanon_lang::{Arena, Environment, ErrorKind, Language, Limits, Memo, Options, Program, RuleSet, Value};

/// Conjuncts; some fail on some objects.
const EXPR: [&str; 12] = [
    "object.kind == \"Pod\"",
    "object.ns == \"a\"",
    "object.ns in [\"a\", \"b\"]",
    "object.n > 2",
    "object.on == true",
    "object.on",
    "any(object.list, .x > 1)",
    "all(object.list, #.x != 7)",
    "object.name startsWith \"web\"",
    "(object.n ?? 1) == 1",
    "object.list[0].x == 1",
    "count(object.list, {#.x == 1}) < 2",
];
/// The same in CEL.
const CEL: [&str; 12] = [
    "object.kind == 'Pod'",
    "object.ns == 'a'",
    "object.ns in ['a', 'b']",
    "object.n > 2",
    "object.on == true",
    "object.on",
    "object.list.exists(e, e.x > 1)",
    "object.list.all(e, e.x != 7)",
    "object.name.startsWith('web')",
    "has(object.n)",
    "object.list[0].x == 1",
    "object.list.filter(e, e.x == 1).size() < 2",
];
const OBJECTS: [&str; 7] = [
    r#"{"kind":"Pod","ns":"a","n":3,"list":[{"x":1},{"x":2}],"on":true,"name":"web-1"}"#,
    r#"{"kind":"Pod","ns":"b","n":30,"list":[{"x":5}],"on":false,"name":"db-1"}"#,
    r#"{"kind":"Node","ns":"a","n":"3","list":[],"on":null,"name":"web-2"}"#,
    r#"{"kind":"Job","n":1.5,"list":[1,2],"name":"x"}"#,
    r#"{"ns":"a","list":{"x":1},"on":"yes","name":7}"#,
    r#"{"kind":7,"ns":["a"],"n":null}"#,
    "{}",
];

/// Random conjunctions of `conjuncts`, each asked of every object in the set and alone, with budgets that last and that do not.
fn check(language: &dyn Language, conjuncts: &[&str]) {
    let environment = Environment::new(["object"]);
    let options = Options { boolean: true, ..Options::default() };
    // A fixed walk through all combinations, so that many programs begin alike and some are the same.
    let mut state = 1u64;
    let mut next = |below: usize| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as usize % below
    };
    let programs: Vec<Arc<dyn Program>> = (0..300)
        .map(|_| {
            let chosen: Vec<_> = (0..=next(3)).map(|_| conjuncts[next(conjuncts.len())]).collect();
            let text = chosen.join(" && ");
            language.compile(&text, &environment, &options).unwrap_or_else(|mistakes| panic!("{text}: {mistakes:?}"))
        })
        .collect();
    let set = RuleSet::new(programs.clone());
    let mut memo = Memo::default();
    let mut seen = [0; 3];
    for steps in [1, 2, 3, 5, 7, 9, 12, 20, 100_000] {
        let limits = Limits { steps, ..Limits::default() };
        for text in OBJECTS {
            let (object, arena) = (Object::parse(text).expect("an object"), Arena::new());
            let values = [Value::Node(object.root())];
            let mut of_set = vec![Ok(false); programs.len()];
            let mut fresh = std::mem::take(&mut memo).renew();
            set.decide(&values, &limits, &arena, &mut fresh, |at, result| of_set[at] = result);
            for (program, of_set) in programs.iter().zip(of_set) {
                let alone = program.evaluate(&values, &limits, &arena).map(|it| matches!(it, Value::Bool(true)));
                seen[alone.as_ref().map_or(2, |it| usize::from(*it))] += 1;
                // A guard that says no settles the answer before the budget is asked.
                let is_settled = of_set == Ok(false) && alone.as_ref().is_err_and(|it| it.kind == ErrorKind::Budget);
                assert!(of_set == alone || is_settled, "{} on {text}: {of_set:?}, alone {alone:?}", program.source());
            }
            memo = fresh.renew();
        }
    }
    assert!(seen.iter().all(|count| *count > 500), "{seen:?}");
}

#[test]
fn programs_of_expr_answer_in_a_set_as_they_do_alone() {
    check(&kanon_expr::Expr::default(), &EXPR);
}

#[test]
fn programs_of_cel_answer_in_a_set_as_they_do_alone() {
    check(&kanon_cel::Cel::default(), &CEL);
}
