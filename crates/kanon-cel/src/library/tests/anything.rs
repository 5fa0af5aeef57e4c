//! Every function with any arguments: an error or a value, within the budget, never a panic.

use jiff::{SignedDuration, Timestamp};
use kanon_core::Object;
use kanon_lang::{Arena, Context, Limits, Type, Value};
use proptest::prelude::*;

use crate::{library, values};

/// Values at the edges of their types; what a seed picks.
fn value<'a>(of: &Type, seed: u64, arena: &'a Arena, object: &'a Object) -> Value<'a> {
    let pick = |len: usize| (seed >> 3) as usize % len;
    let inner =
        |of: &Type, salt: u64| value(of, seed.rotate_left(7).wrapping_mul(31).wrapping_add(salt), arena, object);
    // One in eight is of another type: callers that did not choose an overload must not crash it.
    let any = [Type::Null, Type::Bool, Type::Int, Type::UInt, Type::Double, Type::String, Type::Bytes, Type::Timestamp];
    let of = if seed.is_multiple_of(8) { &any[pick(any.len())] } else { of };
    match of {
        Type::Null => Value::Null,
        Type::Bool => Value::Bool(pick(2) == 0),
        Type::Int => Value::Int([0, 1, -1, 2, 7, 63, 64, i64::MIN, i64::MAX, 1 << 40][pick(10)]),
        Type::UInt => Value::UInt([0, 1, 2, u64::MAX, 1 << 63][pick(5)]),
        Type::Double => Value::Float([0.0, -0.0, 1.5, -2.5, f64::NAN, f64::INFINITY, f64::MIN, 1e300, 9.3e18][pick(9)]),
        Type::String => Value::Str(TEXTS[pick(TEXTS.len())]),
        Type::Bytes => Value::Bytes([&b""[..], b"abc", b"\xff\xfe", b"aGVsbG8="][pick(4)]),
        Type::Timestamp => Value::Time([Timestamp::UNIX_EPOCH, Timestamp::MIN, Timestamp::MAX][pick(3)]),
        Type::Duration => {
            Value::Duration(SignedDuration::from_nanos([0, 1, -1, i64::MIN, i64::MAX, 1_500_000_000][pick(6)]))
        }
        Type::List(element) => match pick(4) {
            0 => Value::List(&[]),
            1 => Value::NilList,
            2 => Value::from_node(object.root(), arena),
            _ => Value::List(arena.alloc_slice_copy(&[inner(element, 1), inner(element, 2), inner(element, 3)])),
        },
        Type::Map(key, element) => match pick(3) {
            0 => Value::Map(&[]),
            1 => Value::NilMap,
            _ => Value::Map(arena.alloc_slice_copy(&[(inner(key, 1), inner(element, 2))])),
        },
        Type::Optional(element) => Value::Optional((pick(2) == 0).then(|| &*arena.alloc(inner(element, 1)))),
        Type::Type(_) => Value::Type("int"),
        Type::Opaque(name) => opaque(name, pick(3), arena),
        Type::Dyn | Type::Param(_) | Type::Object(_) => {
            let lists = [Type::list(Type::Int), Type::list(Type::String), Type::map(Type::String, Type::Int)];
            match pick(12) {
                at @ 0..8 => inner(&any[at], 4),
                at => inner(&lists[at % 3], 5),
            }
        }
    }
}

const TEXTS: [&str; 24] = [
    "",
    "a",
    "é😀",
    "%",
    "%s%d%.3f%x",
    "%.99f",
    "(a+)+$",
    "[",
    "\\",
    "a{1000}",
    "1.5Gi",
    "-9E",
    "1e999",
    "1.2.3-a+b",
    "10.0.0.0/8",
    "::1",
    "https://[::1]:80/a%2Fb?c=d#e",
    "2024-02-29T23:59:59.999999999Z",
    "9999-12-31T23:59:59Z",
    "-1h2.5s",
    "Europe/Berlin",
    "+99:99",
    "{\"a\":[1,{\"b\":null}]}",
    "aGVsbG8=",
];

/// A value of a library's own type, made by the function that makes it.
fn opaque<'a>(name: &str, at: usize, arena: &'a Arena) -> Value<'a> {
    let (function, texts) = match name {
        "net.IP" => ("ip", ["1.2.3.4", "::1", "fe80::1"]),
        "net.CIDR" => ("cidr", ["0.0.0.0/0", "10.1.2.3/8", "::/128"]),
        "kubernetes.Quantity" => ("quantity", ["0", "-1.5Gi", "1e300"]),
        "kubernetes.Semver" => ("semver", ["0.0.0", "1.2.3-a", "18446744073709551615.0.0"]),
        "kubernetes.URL" => ("url", ["/", "https://a:1/b?c", "mailto:x"]),
        _ => ("format.uri", [""; 3]),
    };
    let limits = arena.alloc(Limits::default());
    let mut cx = Context::new(limits, arena);
    let args = [Value::Str(texts[at])];
    let args = if function == "format.uri" { &args[..0] } else { &args[..] };
    library::call(&mut cx, function, false, args).unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

    #[test]
    fn functions_take_any_arguments(seed in any::<u64>()) {
        let object = Object::parse(r#"["b", 1, 2.5, {"k": [null]}, true]"#).unwrap();
        let limits = Limits { steps: 20_000, memory: 20_000, time: None };
        for (at, function) in library::functions().iter().enumerate() {
            let arena = Arena::new();
            let mut cx = Context::new(&limits, &arena);
            let args: Vec<Value<'_>> = function
                .parameters
                .iter()
                .enumerate()
                .map(|(slot, of)| value(of, seed.wrapping_mul(at as u64 + 1).rotate_left(slot as u32 * 11), &arena, &object))
                .collect();
            let before = arena.allocated_bytes();
            if let Ok(result) = (function.body)(&mut cx, &args) {
                values::type_of(result);
                // Whatever came out can be compared.
                let _ = values::equal(&mut cx, result, result);
            } else {
                prop_assert!(!cx.error().message.is_empty());
            }
            prop_assert!(arena.allocated_bytes() - before < 4 << 20, "{function:?}");
        }
    }

    #[test]
    fn texts_are_read_or_refused(text in "\\PC{0,40}") {
        let arena = Arena::new();
        let limits = Limits::default();
        for name in ["int", "uint", "double", "bool", "timestamp", "duration", "ip", "cidr", "url", "quantity", "semver",
            "json.unmarshal", "base64.decode", "ip.isCanonical"] {
            let mut cx = Context::new(&limits, &arena);
            let _ = library::call(&mut cx, name, false, &[Value::Str(&text)]);
        }
        for name in ["matches", "find", "findAll", "split", "indexOf", "lastIndexOf"] {
            let mut cx = Context::new(&limits, &arena);
            let _ = library::call(&mut cx, name, true, &[Value::Str("some text"), Value::Str(&text)]);
        }
    }

    #[test]
    fn written_times_and_durations_read_back(nanos in any::<i64>(), seconds in -62_135_596_800i64..253_402_300_800) {
        let text = values::time::render_timestamp(i128::from(seconds) * 1_000_000_000 + i128::from(nanos.unsigned_abs() % 1_000_000_000));
        let read = values::time::parse_timestamp(&text).map(values::time::render_timestamp);
        prop_assert_eq!(read, Some(text));
        // Go writes durations as doubles: whole milliseconds survive.
        let duration = SignedDuration::from_millis(nanos / 1_000_000_000);
        let text = values::time::render_duration(duration);
        prop_assert_eq!(values::time::parse_duration(&text), i64::try_from(duration.as_nanos()).ok());
    }
}
