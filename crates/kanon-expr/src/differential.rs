//! The machine against the reference: random programs over random objects give the same value, or the same error at the same
//! place. Every case follows from its seed, which a failure names.
//!
//! `KANON_CASES=10000000 cargo test --release -p kanon-expr differential` runs as many cases as asked; `KANON_SEED=n` runs one
//! seed and shows its program.

pub(crate) mod generate;
pub(crate) mod objects;
mod sets;

use std::fmt::Write as _;

use kanon_core::{NodeKind, Object};
use kanon_lang::{
    Arena, Context, Environment, ErrorKind, EvalError, Function, Language, Limits, Options, Record, Span, Stop, Type,
    Value,
};

use self::{
    generate::Generator,
    objects::{Random, object, scalar},
};
use crate::{Expr, program::analyse, reference};

/// Objects that one program is tried on: a case is a program with an object.
const OBJECTS: u64 = 8;

/// Cases where nobody asks for more.
const CASES: u64 = 16_000;

const LIMITS: Limits = Limits { steps: 200_000, memory: 100_000, time: None };

fn twice<'a>(cx: &mut Context<'a>, args: &[Value<'a>]) -> Result<Value<'a>, Stop> {
    match args {
        [Value::Int(int)] => Ok(Value::Int(int.wrapping_mul(2))),
        [Value::Str(text)] => cx.text(&text.repeat(2)),
        _ => cx.fail("nothing to double"),
    }
}

fn environment() -> Environment {
    Environment::new(["a", "b", "o", "xs", "r", "$now"]).with_functions([
        Function::free("twice", [Type::Int], Type::Int, twice),
        Function::free("twice", [Type::String], Type::String, twice),
        Function::free("k8s.twice", [Type::Dyn], Type::Dyn, twice),
        Function::method("doubled", [Type::Dyn], Type::Dyn, twice),
    ])
}

/// A record with a member of every kind, one of them a function.
struct Facts;

impl Record for Facts {
    fn get<'a>(&'a self, name: &str, _: &'a Arena) -> Option<Value<'a>> {
        Some(match name {
            "a" => Value::Int(1),
            "b" => Value::NilList,
            "name" => Value::Str("facts"),
            "f" => Value::Record(&Facts),
            _ => return None,
        })
    }

    fn names(&self) -> &[&str] {
        &["a", "b", "f", "name"]
    }

    fn call<'a>(&'a self, args: &[Value<'a>], _: &'a Arena) -> Option<Result<Value<'a>, EvalError>> {
        Some(match args {
            [] => Err(EvalError::value("facts of nothing", Span::default())),
            [first, ..] => Ok(*first),
        })
    }
}

/// A value with its type, so that two are the same exactly where the texts are.
fn show<'a>(out: &mut String, value: Value<'a>, arena: &'a Arena, depth: usize) {
    if depth > 40 || out.len() > 10_000 {
        out.push('…');
        return;
    }
    let _ = match value {
        Value::Null => write!(out, "nil"),
        Value::NilList => write!(out, "nil list"),
        Value::NilMap => write!(out, "nil map"),
        Value::Bool(bool) => write!(out, "{bool}"),
        Value::Int(int) => write!(out, "{int}"),
        Value::UInt(int) => write!(out, "{int}u"),
        // Which of the many that are no number says nothing.
        Value::Float(float) if float.is_nan() => write!(out, "NaN"),
        Value::Float(float) => write!(out, "{:x}f", float.to_bits()),
        Value::Str(text) => write!(out, "{text:?}"),
        Value::Bytes(bytes) => write!(out, "{bytes:?}b"),
        Value::Time(time) => write!(out, "{time}"),
        Value::Duration(duration) => write!(out, "{duration:?}"),
        Value::Record(record) => write!(out, "record {:?}", record.names()),
        Value::Node(node) if node.kind() == NodeKind::List => {
            out.push('[');
            for item in node.elements() {
                show(out, Value::from_node(item, arena), arena, depth + 1);
                out.push(',');
            }
            write!(out, "]")
        }
        Value::Node(node) => write!(out, "node {}", node.raw()),
        Value::List(items) => {
            out.push('[');
            for item in items {
                show(out, *item, arena, depth + 1);
                out.push(',');
            }
            write!(out, "]")
        }
        Value::Map(members) => {
            out.push('{');
            for (key, item) in members {
                show(out, *key, arena, depth + 1);
                out.push(':');
                show(out, *item, arena, depth + 1);
                out.push(',');
            }
            write!(out, "}}")
        }
        Value::Opaque(opaque) => write!(out, "{} {}", opaque.type_name(), opaque.text()),
        Value::Optional(_) | Value::Type(_) => write!(out, "not of this language"),
    };
}

fn outcome<'a>(result: Result<Value<'a>, EvalError>, arena: &'a Arena) -> Option<String> {
    match result {
        Ok(value) => {
            let mut out = String::new();
            show(&mut out, value, arena, 0);
            Some(out)
        }
        // Budgets are counted differently.
        Err(error) if error.kind == ErrorKind::Budget => None,
        Err(error) => Some(format!("error {:?} {}", error.span, error.message)),
    }
}

/// What became of one seed's program.
#[derive(Default)]
struct Tally {
    programs: u64,
    cases: u64,
    rejected: u64,
    values: u64,
    errors: u64,
    beyond: u64,
}

/// Tries one program; what differs is the error.
fn check(seed: u64, env: &Environment, tally: &mut Tally) -> Result<(), String> {
    let mut random = Random::new(seed);
    let source = Generator::program(&mut random);
    let options = Options { boolean: random.one_in(4), unchecked: random.one_in(8), ..Options::default() };
    let (Ok(program), Ok((tree, _))) =
        (Expr::default().compile(&source, env, &options), analyse(&source, env, &options))
    else {
        tally.rejected += 1;
        return Ok(());
    };
    let mut arena = Arena::new();
    for _ in 0..OBJECTS {
        let object = Object::from_value(&object(&mut random));
        let other = scalar(&mut random);
        arena.reset();
        let root = object.root();
        let of = |name| Value::from_option(root.get(name), &arena);
        let b = match random.below(6) {
            0 => Value::NilList,
            1 => Value::NilMap,
            2 => Value::Float(f64::NAN),
            3 => Value::Bytes(b"ab\xff"),
            _ => Value::from_node(root, &arena),
        };
        let now = Value::Time(jiff::Timestamp::UNIX_EPOCH);
        let other = Object::from_value(&serde_json::json!([other]));
        let a = Value::from_option(other.root().elements().next(), &arena);
        let values = [a, b, Value::from_node(root, &arena), of("xs"), Value::Record(&Facts), now];
        let machine = outcome(program.evaluate(&values, &LIMITS, &arena), &arena);
        let plain = outcome(reference::evaluate(&tree, env, &values, options.boolean, &LIMITS, &arena), &arena);
        tally.cases += 1;
        let (Some(machine), Some(plain)) = (machine, plain) else {
            tally.beyond += 1;
            continue;
        };
        if machine != plain {
            return Err(format!(
                "seed {seed} {options:?}\n  program   {source}\n  object    {}\n  machine   {machine}\n  reference {plain}",
                object.to_value()
            ));
        }
        if plain.starts_with("error") {
            tally.errors += 1;
        } else {
            tally.values += 1;
        }
    }
    Ok(())
}

fn number(name: &str) -> Option<u64> {
    #[expect(clippy::disallowed_methods, reason = "how long a test runs is asked for from outside")]
    std::env::var(name).ok()?.parse().ok()
}

/// Half of the seeds on each of two threads, since that is how many cores there are.
const THREADS: u64 = 2;

#[test]
fn differential_cases_agree() {
    let env = environment();
    if let Some(seed) = number("KANON_SEED") {
        let source = Generator::program(&mut Random::new(seed));
        let result = check(seed, &env, &mut Tally::default());
        panic!("{source}\n{result:?}");
    }
    let cases = number("KANON_CASES").unwrap_or(CASES);
    let run = |thread: u64| {
        let mut tally = Tally::default();
        let mut failures = Vec::new();
        for seed in (thread..).step_by(THREADS as usize) {
            if tally.cases * THREADS >= cases {
                break;
            }
            tally.programs += 1;
            if let Err(failure) = check(seed, &env, &mut tally) {
                failures.push(failure);
            }
            if failures.len() == 5 {
                break;
            }
        }
        (tally, failures)
    };
    let results: Vec<(Tally, Vec<String>)> = std::thread::scope(|scope| {
        let run = &run;
        let threads: Vec<_> = (0..THREADS).map(|thread| scope.spawn(move || run(thread))).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    let sum = |of: fn(&Tally) -> u64| results.iter().map(|it| of(&it.0)).sum::<u64>();
    let (programs, cases, rejected) = (sum(|it| it.programs), sum(|it| it.cases), sum(|it| it.rejected));
    let shown = format!(
        "{cases} cases of {programs} programs ({rejected} rejected): {} values, {} errors, {} beyond the budget",
        sum(|it| it.values),
        sum(|it| it.errors),
        sum(|it| it.beyond)
    );
    #[expect(clippy::disallowed_macros, reason = "a test prints its figure")]
    {
        println!("{shown}");
    }
    let failures: Vec<String> = results.into_iter().flat_map(|it| it.1).collect();
    assert!(failures.is_empty(), "{}\n{shown}", failures.join("\n"));
    assert!(rejected * 2 < programs, "the generator makes too many programs that do not compile: {shown}");
}
