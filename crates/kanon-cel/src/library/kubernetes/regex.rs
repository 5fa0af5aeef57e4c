//! Regular expressions: `find`, `findAll`.

use kanon_lang::{Context, Function, Stop, Type, Value};

use crate::library::{arguments as arg, pattern};

pub(in crate::library) fn functions() -> Vec<Function> {
    use Type::{Int, String as Text};
    vec![
        Function::method("find", [Text, Text], Text, |cx, args| {
            let (text, pattern) = (arg::text(cx, args, 0)?, arg::text(cx, args, 1)?);
            let regex = pattern::compiled(cx, pattern, text)?;
            Ok(Value::Str(regex.find(text).map_or("", |it| it.as_str())))
        }),
        Function::method("findAll", [Text, Text], Type::list(Text), find_all),
        Function::method("findAll", [Text, Text, Int], Type::list(Text), find_all),
    ]
}

fn find_all<'a>(cx: &mut Context<'a>, args: &[Value<'a>]) -> Result<Value<'a>, Stop> {
    let (text, pattern) = (arg::text(cx, args, 0)?, arg::text(cx, args, 1)?);
    let count = if args.len() > 2 { arg::int(cx, args, 2)? } else { -1 };
    let regex = pattern::compiled(cx, pattern, text)?;
    let mut out = Vec::new();
    for found in regex.find_iter(text).take(usize::try_from(count).unwrap_or(usize::MAX)) {
        cx.spend(2)?;
        cx.grow(1)?;
        out.push(Value::Str(found.as_str()));
    }
    Ok(Value::List(cx.arena.alloc_slice_copy(&out)))
}
