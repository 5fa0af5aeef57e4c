//! Functions behind forms that are no functions in the language: optional selection and elements, and what macros end in. Each
//! looks at its arguments itself.

use kanon_lang::{Context, Stop, Value};

use crate::{library, values};

type Outcome<'a> = Result<Value<'a>, Stop>;

/// `base[?key]`, `base.?name`
pub(super) fn optional_index<'a>(cx: &mut Context<'a>, args: &[Value<'a>]) -> Outcome<'a> {
    match args {
        [base, key] => values::optional_index(cx, *base, *key),
        _ => values::no_overload(cx),
    }
}

/// An error with the message given.
pub(super) fn fail<'a>(cx: &mut Context<'a>, args: &[Value<'a>]) -> Outcome<'a> {
    match args {
        [Value::Str(message)] => cx.fail((*message).to_owned()),
        _ => values::no_overload(cx),
    }
}

/// A value as it is, or what is in it, if there is anything.
fn present<'a>(cx: &mut Context<'a>, optional: Value<'a>, value: Value<'a>) -> Result<Option<Value<'a>>, Stop> {
    match (optional, value) {
        (Value::Bool(true), Value::Optional(inner)) => Ok(inner.copied()),
        (Value::Bool(true), _) => values::no_overload(cx),
        _ => Ok(Some(value)),
    }
}

/// A list of elements, each after whether it is optional.
pub(super) fn list<'a>(cx: &mut Context<'a>, args: &[Value<'a>]) -> Outcome<'a> {
    let mut items = Vec::with_capacity(args.len() / 2);
    for pair in args.chunks_exact(2) {
        items.extend(present(cx, pair[0], pair[1])?);
    }
    cx.list(&items)
}

/// A map of keys and values, each after whether it is optional.
pub(super) fn map<'a>(cx: &mut Context<'a>, args: &[Value<'a>]) -> Outcome<'a> {
    let mut members = Vec::with_capacity(args.len() / 3);
    for part in args.chunks_exact(3) {
        members.extend(present(cx, part[0], part[2])?.map(|value| (part[1], value)));
    }
    values::map_literal(cx, &members)
}

/// Whether an optional holds something; an error for what is no optional.
pub(super) fn holds<'a>(cx: &mut Context<'a>, args: &[Value<'a>]) -> Outcome<'a> {
    match args {
        [Value::Optional(held)] => Ok(Value::Bool(held.is_some())),
        _ => values::no_overload(cx),
    }
}

/// What an optional holds.
pub(super) fn held<'a>(cx: &mut Context<'a>, args: &[Value<'a>]) -> Outcome<'a> {
    match args {
        [Value::Optional(Some(held))] => Ok(**held),
        _ => values::no_overload(cx),
    }
}

/// An optional that holds the value.
pub(super) fn of<'a>(cx: &mut Context<'a>, args: &[Value<'a>]) -> Outcome<'a> {
    match args {
        [value] => {
            cx.grow(1)?;
            Ok(Value::Optional(Some(cx.arena.alloc(*value))))
        }
        _ => values::no_overload(cx),
    }
}

/// An optional that holds nothing.
pub(super) fn none<'a>(_: &mut Context<'a>, _: &[Value<'a>]) -> Outcome<'a> {
    Ok(Value::Optional(None))
}

/// The optional itself; an error for what is none.
pub(super) fn optional<'a>(cx: &mut Context<'a>, args: &[Value<'a>]) -> Outcome<'a> {
    match args {
        [value @ Value::Optional(_)] => Ok(*value),
        _ => values::no_overload(cx),
    }
}

/// The end of `transformMap`: results under their keys or positions.
pub(super) fn keyed<'a>(cx: &mut Context<'a>, args: &[Value<'a>]) -> Outcome<'a> {
    let [_, Value::List(results), _, Value::List(keys)] = args else { return values::no_overload(cx) };
    let members: Vec<_> = keys.iter().copied().zip(results.iter().copied()).collect();
    values::map_literal(cx, &members)
}

/// The end of `transformMapEntry`: all results, which are maps, as one.
pub(super) fn merged<'a>(cx: &mut Context<'a>, args: &[Value<'a>]) -> Outcome<'a> {
    let [_, Value::List(results), ..] = args else { return values::no_overload(cx) };
    let mut members = Vec::with_capacity(results.len());
    for result in *results {
        match values::entries(*result, cx.arena) {
            Some(entries) => members.extend(entries),
            None => return values::no_overload(cx),
        }
    }
    values::map_literal(cx, &members)
}

/// The end of `sortBy`: elements in the order of the results.
pub(super) fn sorted<'a>(cx: &mut Context<'a>, args: &[Value<'a>]) -> Outcome<'a> {
    let [elements, keys, ..] = args else { return values::no_overload(cx) };
    library::call(cx, "@sortByAssociatedKeys", true, &[*elements, *keys])
}
