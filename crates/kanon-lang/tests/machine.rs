//! The machine, the builder's choices, and rule sets, on programs built by hand in a dialect with nothing of its own.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod plain;

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use kanon_core::{Mono, Name, Object, Stopwatch};
use kanon_lang::{
    Arena, Compiled, ErrorKind, Limits, Memo, Program, RuleSet, Span, TimeLimit, Value,
    ir::{Arithmetic, ArithmeticStep, Builder, Comparison, Loop, LoopKind, Op, OpId, Place, Step, TextTest},
};
use plain::{Plain, builder, path};

const OBJECT: &str = r#"{"kind":"Pod","spec":{"hostNetwork":true,"replicas":3,"items":[{"n":1},{"n":2},{"n":3}],
    "names":["a","b\n"],"empty":[]},"a.b":{"x\"y":"q"}}"#;

fn nowhere() -> Place {
    Place::default()
}

fn program<const A: bool>(make: impl FnOnce(&mut Builder<Plain<A>>) -> OpId) -> Arc<dyn Program> {
    let mut builder = builder::<A>();
    let root = make(&mut builder);
    Arc::new(Compiled::<Plain<A>>::new("source text", builder.finish(root).unwrap(), false))
}

/// The value as JSON, or the error's text.
fn run(program: &dyn Program) -> String {
    run_with(program, &Limits::default())
}

fn run_with(program: &dyn Program, limits: &Limits) -> String {
    let object = Object::parse(OBJECT).unwrap();
    let arena = Arena::new();
    let values = [Value::Node(object.root())];
    match program.evaluate(&values, limits, &arena) {
        Ok(value) => value.to_json(&arena).to_string(),
        Err(error) => format!("error: {error}"),
    }
}

fn object<const A: bool>(builder: &mut Builder<Plain<A>>) -> OpId {
    builder.push(Op::Variable(0), nowhere())
}

/// An operand that fails.
fn failing<const A: bool>(builder: &mut Builder<Plain<A>>, at: usize) -> OpId {
    let one = builder.push(Op::Int(1), nowhere());
    let zero = builder.push(Op::Int(0), nowhere());
    let place = Place::whole(Span::new(at, at + 1));
    let steps = [ArithmeticStep { op: Arithmetic::Divide, right: zero, place }];
    builder.push(Op::Arithmetic { first: one, steps: Box::new(steps) }, place)
}

#[test]
fn paths_read_the_object_and_its_escapes() {
    let text = program::<false>(|b| {
        let base = object(b);
        path(b, base, "kind")
    });
    assert_eq!(run(&*text), r#""Pod""#);
    let escaped = program::<false>(|b| {
        let base = object(b);
        let step = |name| Step::Member { name: Name::new(name), optional: false, place: Place::default() };
        b.path(base, vec![step("a.b"), step("x\"y")], nowhere())
    });
    assert_eq!(run(&*escaped), r#""q""#);
    let missing = program::<false>(|b| {
        let base = object(b);
        path(b, base, "spec.nothing")
    });
    assert_eq!(run(&*missing), "null");
    let of_text = program::<false>(|b| {
        let base = object(b);
        path(b, base, "kind.x")
    });
    assert_eq!(run(&*of_text), "error: no members: x");
}

#[test]
fn an_optional_step_ends_the_chain_and_no_more() {
    let chain = program::<false>(|b| {
        let base = object(b);
        let step = |name, optional| Step::Member { name: Name::new(name), optional, place: Place::default() };
        let steps = vec![step("nothing", false), step("x", true), step("y", false), Step::EndChain];
        let chain = b.path(base, steps, nowhere());
        let otherwise = b.push(Op::Int(7), nowhere());
        b.push(Op::Coalesce { left: chain, right: otherwise }, nowhere())
    });
    assert_eq!(run(&*chain), "7");
}

#[test]
fn a_deciding_operand_absorbs_errors_only_where_the_dialect_says_so() {
    fn or<const A: bool>(error_first: bool, decisive: bool) -> String {
        let it = program::<A>(|b| {
            let error = failing(b, 3);
            let other = b.push(Op::Bool(decisive), nowhere());
            if error_first { b.or(error, other, nowhere()) } else { b.or(other, error, nowhere()) }
        });
        run(&*it)
    }
    assert_eq!(or::<true>(true, true), "true");
    assert_eq!(or::<true>(false, true), "true");
    assert_eq!(or::<true>(true, false), "error: divide by zero");
    assert_eq!(or::<false>(true, true), "error: divide by zero");
    assert_eq!(or::<false>(false, true), "true");
}

#[test]
fn the_first_of_several_errors_is_told_with_its_place() {
    let it = program::<true>(|b| {
        // The costly one first in the source: evaluation begins with the other.
        let base = object(b);
        let list = path(b, base, "spec.items");
        let local = b.local();
        let body = failing(b, 2);
        let costly = b.each(Loop::new(LoopKind::All, list, local, Some(body)), nowhere());
        let cheap = failing(b, 9);
        b.and(costly, cheap, nowhere())
    });
    let (object, arena, limits) = (Object::parse(OBJECT).unwrap(), Arena::new(), Limits::default());
    let values = [Value::Node(object.root())];
    let error = it.evaluate(&values, &limits, &arena).err().unwrap();
    assert_eq!((error.message.as_str(), error.span), ("divide by zero", Some(Span::new(2, 3))));
}

#[test]
fn loops_give_what_their_names_say() {
    let cases = [
        (LoopKind::All, "false"),
        (LoopKind::Any, "true"),
        (LoopKind::None, "false"),
        (LoopKind::One, "false"),
        (LoopKind::Count, "2"),
        (LoopKind::Find, r#"{"n":2}"#),
        (LoopKind::FindIndex, "1"),
        (LoopKind::FindLast, r#"{"n":3}"#),
        (LoopKind::FindLastIndex, "2"),
        (LoopKind::Filter, r#"[{"n":2},{"n":3}]"#),
        (LoopKind::Map, "[false,true,true]"),
    ];
    for (kind, want) in cases {
        let it = program::<false>(|b| {
            let base = object(b);
            let list = path(b, base, "spec.items");
            let local = b.local();
            let element = b.push(Op::Local(local), nowhere());
            let left = path(b, element, "n");
            let right = b.push(Op::Int(2), nowhere());
            let body = b.compare(Comparison::GreaterEqual, left, right, nowhere());
            b.each(Loop::new(kind.clone(), list, local, Some(body)), nowhere())
        });
        assert_eq!(run(&*it), want, "{kind:?}");
    }
}

#[test]
fn reduce_begins_with_the_first_element_or_the_value_given() {
    fn sum(first: Option<i64>, list: &str) -> String {
        let it = program::<false>(|b| {
            let base = object(b);
            let list = path(b, base, list);
            let (element, accumulator) = (b.local(), b.local());
            let item = b.push(Op::Local(element), nowhere());
            let item = path(b, item, "n");
            let so_far = b.push(Op::Local(accumulator), nowhere());
            let steps = [ArithmeticStep { op: Arithmetic::Add, right: item, place: nowhere() }];
            let body = b.push(Op::Arithmetic { first: so_far, steps: Box::new(steps) }, nowhere());
            let mut it = Loop::new(LoopKind::Reduce { accumulator }, list, element, Some(body));
            it.extra = first.map(|first| b.push(Op::Int(first), nowhere()));
            b.each(it, nowhere())
        });
        run(&*it)
    }
    assert_eq!(sum(Some(10), "spec.items"), "16");
    assert_eq!(sum(None, "spec.items"), "error: no such operator");
    assert_eq!(sum(None, "spec.empty"), "error: reduce of empty array with no initial value");
}

#[test]
fn elements_that_cannot_be_read_are_errors_only_when_they_are_read() {
    fn count(reads: bool) -> String {
        let it = program::<false>(|b| {
            let base = b.push(Op::Null, nowhere());
            let local = b.local();
            let body = if reads { b.push(Op::Local(local), nowhere()) } else { b.push(Op::Bool(true), nowhere()) };
            b.each(Loop::new(LoopKind::Count, base, local, Some(body)), nowhere())
        });
        run(&*it)
    }
    assert_eq!(count(false), "2");
    assert_eq!(count(true), "error: cannot read the elements of a map by position");
}

#[test]
fn budgets_end_an_evaluation() {
    let it = program::<true>(|b| {
        let base = object(b);
        let list = path(b, base, "spec.items");
        let (outer, inner) = (b.local(), b.local());
        let body = b.push(Op::Bool(true), nowhere());
        let nested = b.each(Loop::new(LoopKind::All, list, inner, Some(body)), nowhere());
        b.each(Loop::new(LoopKind::All, list, outer, Some(nested)), nowhere())
    });
    assert_eq!(run(&*it), "true");
    let estimate = it.estimate(3).unwrap();
    let spent = |steps| run_with(&*it, &Limits { steps, ..Limits::default() });
    assert_eq!(spent(estimate.max), "true");
    assert_eq!(spent(estimate.min), "error: step budget exceeded");
}

/// A clock that goes on by so many milliseconds whenever somebody looks.
struct Ticks(u64, AtomicU64);

impl Stopwatch for Ticks {
    fn mono(&self) -> Mono {
        Mono(Duration::from_millis(self.1.fetch_add(self.0, Ordering::Relaxed)))
    }
}

#[test]
fn time_ends_an_evaluation_that_goes_on_for_long() {
    // All elements of a list, for all of them, and so on: three to the power of the depth.
    let nested = |depth: usize| {
        program::<true>(|b| {
            let base = object(b);
            let list = path(b, base, "spec.items");
            let mut body = b.push(Op::Bool(true), nowhere());
            for _ in 0..depth {
                let local = b.local();
                body = b.each(Loop::new(LoopKind::All, list, local, Some(body)), nowhere());
            }
            body
        })
    };
    let (small, large) = (nested(2), nested(10));
    let timed = |it: &dyn Program, tick: u64, each: u64, until: Option<u64>| {
        let clock = Arc::new(Ticks(tick, AtomicU64::new(0)));
        let time = TimeLimit {
            clock: clock.clone(),
            each: Duration::from_millis(each),
            until: until.map(|it| Mono(Duration::from_millis(it))),
        };
        let result = run_with(it, &Limits { time: Some(time), ..Limits::default() });
        (result, clock.1.load(Ordering::Relaxed) / tick)
    };
    // A small program does not even look at the clock.
    assert_eq!(timed(&*small, 1, 0, Some(0)), ("true".to_owned(), 0));
    let (result, looks) = timed(&*large, 1, 1_000, None);
    assert_eq!(result, "true");
    assert!(looks > 50, "{looks}");
    let over = "error: time budget exceeded".to_owned();
    assert_eq!(timed(&*large, 100, 250, None), (over.clone(), 4));
    assert_eq!(timed(&*large, 100, 10_000, Some(150)), (over.clone(), 3));
    assert_eq!(timed(&*large, 100, 10_000, Some(0)), (over, 1));
}

#[test]
fn constants_fold_and_failing_ones_stay() {
    let mut b = builder::<false>();
    let error = failing(&mut b, 0);
    assert_eq!(b.fold(error), error);
    let items = [b.push(Op::Str("a".into()), nowhere()), b.push(Op::Int(1), nowhere())];
    let list = b.push(Op::List(items.into()), nowhere());
    let folded = b.fold(list);
    assert!(matches!(b.op(folded), Op::Json(_)));
}

#[test]
fn nesting_without_end_is_refused() {
    let mut b = builder::<false>();
    let mut id = b.push(Op::Bool(true), nowhere());
    for _ in 0..1_000 {
        id = b.push(Op::Not(id), nowhere());
    }
    assert!(b.finish(id).is_err());
}

#[test]
fn reads_name_paths_once_and_loops_by_their_list() {
    let it = program::<false>(|b| {
        let base = object(b);
        let list = path(b, base, "spec.items");
        let local = b.local();
        let element = b.push(Op::Local(local), nowhere());
        let body = path(b, element, "ok");
        let all = b.each(Loop::new(LoopKind::All, list, local, Some(body)), nowhere());
        let kind = path(b, base, "kind");
        let pod = b.push(Op::Str("Pod".into()), nowhere());
        let same = b.equal(pod, kind, false, nowhere());
        b.and(same, all, nowhere())
    });
    assert_eq!(it.reads().paths, [vec!["object", "kind"], vec!["object", "spec", "items"]]);
    assert_eq!(it.reads().variables, [0]);
}

/// `object.kind == kind && (object.spec.replicas startsWith "x" | true)`
fn rule(kind: &str, fails: bool) -> Arc<dyn Program> {
    let mut b = builder::<false>();
    let base = object(&mut b);
    let left = path(&mut b, base, "kind");
    let right = b.push(Op::Str(kind.into()), nowhere());
    let guard = b.equal(left, right, false, nowhere());
    let rest = if fails {
        let left = path(&mut b, base, "spec.replicas");
        let right = b.push(Op::Str("x".into()), nowhere());
        b.push(Op::Text { op: TextTest::StartsWith, left, right }, nowhere())
    } else {
        path(&mut b, base, "spec.hostNetwork")
    };
    let root = b.and(guard, rest, nowhere());
    Arc::new(Compiled::<Plain<false>>::new("rule", b.finish(root).unwrap(), true))
}

#[test]
fn a_rule_set_answers_what_its_programs_answer() {
    let kinds = ["Node", "Pod", "Secret", "Pod", "Job"];
    let mut programs: Vec<Arc<dyn Program>> = kinds.iter().enumerate().map(|(at, kind)| rule(kind, at == 3)).collect();
    programs.push(program_true());
    let set = RuleSet::new(programs.clone());
    let mut memo = Memo::default();
    // With and without enough steps: what is shared is paid for all the same.
    for steps in [0, 1, 2, 3, 4, 5, 6, 8, 1_000] {
        let limits = Limits { steps, ..Limits::default() };
        memo = as_alone(&set, &programs, &limits, memo);
    }
}

fn as_alone(set: &RuleSet, programs: &[Arc<dyn Program>], limits: &Limits, mut memo: Memo<'static>) -> Memo<'static> {
    for text in [OBJECT, r#"{"kind":"Job","spec":{"hostNetwork":false}}"#, r#"{"kind":7}"#, "[]", "null"] {
        let (object, arena) = (Object::parse(text).unwrap(), Arena::new());
        let values = [Value::from_node(object.root(), &arena)];
        let mut of_set = vec![Ok(false); programs.len()];
        let mut fresh = std::mem::take(&mut memo).renew();
        set.decide(&values, limits, &arena, &mut fresh, |at, result| of_set[at] = result);
        for (at, program) in programs.iter().enumerate() {
            let alone = program.evaluate(&values, limits, &arena).map(|it| matches!(it, Value::Bool(true)));
            // A guard that says no settles the answer before the budget is asked.
            let is_settled = of_set[at] == Ok(false) && alone.as_ref().is_err_and(|it| it.kind == ErrorKind::Budget);
            assert!(of_set[at] == alone || is_settled, "program {at} on {text}, {} steps: {alone:?}", limits.steps);
        }
        memo = fresh.renew();
    }
    memo
}

fn program_true() -> Arc<dyn Program> {
    let mut b = builder::<false>();
    let root = b.push(Op::Bool(true), nowhere());
    Arc::new(Compiled::<Plain<false>>::new("true", b.finish(root).unwrap(), true))
}

#[test]
fn an_explanation_shows_values_cost_and_the_place_of_the_error() {
    let it = program::<true>(|b| {
        let base = object(b);
        let place = Place::whole(Span::new(0, 6));
        let step = Step::Member { name: Name::new("kind"), optional: false, place };
        let left = b.path(base, vec![step], place);
        let right = b.push(Op::Str("Pod".into()), nowhere());
        let same = b.equal(left, right, false, Place::whole(Span::new(0, 8)));
        let error = failing(b, 10);
        b.and(same, error, Place::whole(Span::new(0, 11)))
    });
    let (object, arena, limits) = (Object::parse(OBJECT).unwrap(), Arena::new(), Limits::default());
    let values = [Value::Node(object.root())];
    let explained = it.explain(&values, &limits, &arena);
    assert_eq!(explained.result.err().map(|it| it.kind), Some(ErrorKind::Value));
    let shown: Vec<(&str, String)> =
        explained.values.iter().map(|it| (it.text.as_str(), it.value.to_string())).collect();
    let error = r#"{"error":"divide by zero"}"#.to_owned();
    let want = [
        ("source text", error.clone()),
        ("source t", "true".to_owned()),
        ("source", r#""Pod""#.to_owned()),
        ("t", error),
    ];
    assert_eq!(shown, want);
    assert!(explained.spent.is_some_and(|it| it.steps > 0));
}
