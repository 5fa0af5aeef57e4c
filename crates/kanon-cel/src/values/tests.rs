//! Values from objects and records beside those of the evaluation. Operators on literals are tested with the library.

use std::cmp::Ordering;

use kanon_core::Object;
use kanon_lang::{Arena, Context, Limits, Opaque, Record, Stop, Type, Value};

use super::*;

struct Facts(Option<&'static str>);

impl Record for Facts {
    fn get<'a>(&'a self, name: &str, _: &'a Arena) -> Option<Value<'a>> {
        (name == "a").then_some(Value::Int(1))
    }

    fn names(&self) -> &[&str] {
        &["a"]
    }

    fn problem(&self) -> Option<&str> {
        self.0
    }
}

/// Runs `test` with the object of a JSON text.
fn with<T>(json: &str, test: impl for<'a> FnOnce(&mut Context<'a>, Value<'a>) -> T) -> T {
    let object = Object::parse(json.to_owned()).unwrap();
    let arena = Arena::new();
    let limits = Limits::default();
    let mut cx = Context::new(&limits, &arena);
    let value = Value::from_node(object.root(), &arena);
    // The context's values live as long as the arena, which the object outlives.
    test(&mut cx, value)
}

#[test]
fn objects_are_lists_and_maps_like_any_other() {
    with(r#"{"a": [1, 2.5, 18446744073709551615], "é\n": {"b": null}}"#, |cx, object| {
        let list = member(cx, object, "a").unwrap();
        let same = Value::List(&[Value::UInt(1), Value::Float(2.5), Value::UInt(u64::MAX)]);
        assert!(equal(cx, list, same).unwrap());
        assert!(equal(cx, same, list).unwrap());
        assert_eq!(type_of(list), "list");
        assert_eq!(type_of(index(cx, list, Value::Int(2)).unwrap()), "uint");
        assert_eq!(length(object), Some(2));
        let keys: Vec<&str> = entries(object, cx.arena).unwrap().map(|(key, _)| type_of(key)).collect();
        assert_eq!(keys, ["string", "string"]);
        let inner = member(cx, object, "é\n").unwrap();
        assert!(has(cx, inner, "b").unwrap());
        assert!(!has(cx, inner, "c").unwrap());
        assert!(contains(cx, Value::Str("b"), inner).unwrap());
        assert!(contains(cx, Value::Float(2.5), list).unwrap());
        assert!(member(cx, inner, "x").is_err());
        assert_eq!(cx.error().message, "no such key: x");
        assert!(index(cx, list, Value::Int(3)).is_err());
        assert_eq!(cx.error().message, "index out of bounds: 3");
    });
}

#[test]
fn records_are_maps_until_they_have_a_problem() {
    let (good, bad) = (Facts(None), Facts(Some("no data yet")));
    let arena = Arena::new();
    let limits = Limits::default();
    let mut cx = Context::new(&limits, &arena);
    let cx = &mut cx;
    let map = Value::Map(&[(Value::Str("a"), Value::Float(1.0))]);
    assert!(equal(cx, Value::Record(&good), map).unwrap());
    assert!(equal(cx, map, Value::Record(&good)).unwrap());
    assert!(!has(cx, Value::Record(&good), "b").unwrap());
    for result in [
        member(cx, Value::Record(&bad), "a").map(|_| ()),
        has(cx, Value::Record(&bad), "a").map(|_| ()),
        equal(cx, Value::Record(&bad), map).map(|_| ()),
        contains(cx, Value::Str("a"), Value::Record(&bad)).map(|_| ()),
    ] {
        assert_eq!(result, Err(Stop));
    }
    assert_eq!(cx.error().message, "no data yet");
}

#[test]
fn what_is_nil_elsewhere_is_null_and_empty() {
    let arena = Arena::new();
    let limits = Limits::default();
    let mut cx = Context::new(&limits, &arena);
    let cx = &mut cx;
    assert!(equal(cx, Value::NilList, Value::Null).unwrap());
    assert!(equal(cx, Value::NilList, Value::List(&[])).unwrap());
    assert!(equal(cx, Value::NilMap, Value::Map(&[])).unwrap());
    assert!(!equal(cx, Value::NilMap, Value::NilList).unwrap());
    assert!(!equal(cx, Value::Null, Value::List(&[])).unwrap());
    assert!(!has(cx, Value::NilMap, "a").unwrap());
}

#[test]
fn parameters_take_what_fits() {
    with(r#"[1]"#, |_, list| {
        let cases = [
            (Type::list(Type::Int), list, true),
            (Type::list(Type::String), list, false),
            (Type::list(Type::String), Value::List(&[]), true),
            (Type::list(Type::Param("T")), list, true),
            (Type::map(Type::String, Type::Dyn), Value::Map(&[(Value::Int(1), Value::Null)]), false),
            (Type::map(Type::String, Type::Dyn), list, false),
            (Type::Int, Value::UInt(1), false),
            (Type::Double, Value::Int(1), false),
            (Type::Dyn, Value::Null, true),
            (Type::optional(Type::Int), Value::Optional(None), true),
            (Type::Opaque("net.IP"), Value::Int(1), false),
        ];
        for (of, value, want) in cases {
            assert_eq!(fits(&of, value), want, "{of} for {}", type_of(value));
        }
    });
}

#[test]
fn values_that_nest_without_end_are_refused() {
    let arena = Arena::new();
    let limits = Limits::default();
    let mut cx = Context::new(&limits, &arena);
    let mut value = Value::Null;
    for _ in 0..10_000 {
        value = Value::List(arena.alloc_slice_copy(&[value]));
    }
    assert!(equal(&mut cx, value, value).is_err());
}

#[test]
fn numbers_are_ordered_across_types() {
    let arena = Arena::new();
    let limits = Limits::default();
    let mut cx = Context::new(&limits, &arena);
    let cases = [
        (Value::Int(-1), Value::UInt(0), Ordering::Less),
        (Value::UInt(u64::MAX), Value::Float(1e30), Ordering::Less),
        (Value::Int(i64::MIN), Value::Float(-1e30), Ordering::Greater),
        (Value::UInt(5), Value::Float(-1.0), Ordering::Greater),
        (Value::Int(2), Value::Float(2.0), Ordering::Equal),
    ];
    for (a, b, want) in cases {
        assert_eq!(compare(&mut cx, a, b), Ok(want));
        assert_eq!(compare(&mut cx, b, a), Ok(want.reverse()));
    }
}

/// A number that is also text, has a member, and may not be there yet.
struct Metric(Option<&'static str>);

impl Opaque for Metric {
    fn type_name(&self) -> &'static str {
        "metric"
    }

    fn equals(&self, other: Value<'_>) -> Option<bool> {
        matches!(other, Value::Str("2.5")).then_some(true)
    }

    fn compare(&self, other: Value<'_>) -> Option<Ordering> {
        Num::of(other).and_then(|it| Num::Float(2.5).compare(it))
    }

    fn text(&self) -> std::borrow::Cow<'_, str> {
        "2.5".into()
    }

    fn member<'a>(&'a self, name: &str, _: &'a Arena) -> Option<Value<'a>> {
        (name == "age").then_some(Value::Int(1))
    }

    fn plain(&self) -> Option<Value<'_>> {
        Some(Value::Float(2.5))
    }

    fn problem(&self) -> Option<&str> {
        self.0
    }
}

#[test]
fn foreign_values_stand_for_plain_ones() {
    let (good, bad) = (Metric(None), Metric(Some("no data yet")));
    let arena = Arena::new();
    let limits = Limits::default();
    let mut cx = Context::new(&limits, &arena);
    let cx = &mut cx;
    let (good, bad) = (Value::Opaque(&good), Value::Opaque(&bad));
    assert!(matches!(arith(cx, Operator::Add, good, Value::Float(1.0)), Ok(Value::Float(3.5))));
    assert!(matches!(negate(cx, good), Ok(Value::Float(-2.5))));
    assert!(matches!(member(cx, good, "age"), Ok(Value::Int(1))));
    assert!(matches!(member(cx, bad, "age"), Ok(Value::Int(1))));
    assert!(equal(cx, good, Value::Str("2.5")).unwrap());
    assert!(!equal(cx, Value::Float(2.5), good).unwrap());
    assert_eq!(compare(cx, Value::Int(3), good), Ok(Ordering::Greater));
    for result in [
        arith(cx, Operator::Add, Value::Int(1), bad).map(|_| ()),
        equal(cx, bad, Value::Null).map(|_| ()),
        compare(cx, bad, Value::Int(1)).map(|_| ()),
        member(cx, bad, "other").map(|_| ()),
        crate::library::call(cx, "string", false, &[bad]).map(|_| ()),
    ] {
        assert_eq!(result, Err(Stop));
    }
    assert_eq!(cx.error().message, "no data yet");
}
