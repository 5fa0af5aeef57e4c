//! Semantic versions.

use std::{borrow::Cow, cmp::Ordering};

use ::semver::Version;
use kanon_lang::{Context, Function, Native, Stop, Type, Value, kubernetes::Semver};

use crate::{library::arguments as arg, values::no_overload};

const SEMVER: Type = Semver::TYPE;

pub(in crate::library) fn functions() -> Vec<Function> {
    use Type::{Bool, Int, String as Text};
    let mut out = vec![
        Function::free("semver", [Text], SEMVER, make),
        Function::free("semver", [Text, Bool], SEMVER, make),
        Function::free("isSemver", [Text], Bool, is),
        Function::free("isSemver", [Text, Bool], Bool, is),
        Function::method("compareTo", [SEMVER, SEMVER], Int, |cx, args| Ok(Value::Int(order(cx, args)? as i64))),
        Function::method("isGreaterThan", [SEMVER, SEMVER], Bool, |cx, args| Ok(Value::Bool(order(cx, args)?.is_gt()))),
        Function::method("isLessThan", [SEMVER, SEMVER], Bool, |cx, args| Ok(Value::Bool(order(cx, args)?.is_lt()))),
    ];
    let parts: [(&'static str, Native); 3] = [
        ("major", |cx, args| part(cx, args, |it| it.major)),
        ("minor", |cx, args| part(cx, args, |it| it.minor)),
        ("patch", |cx, args| part(cx, args, |it| it.patch)),
    ];
    out.extend(parts.map(|(name, body)| Function::method(name, [SEMVER], Int, body)));
    out
}

fn read<'a>(cx: &mut Context<'a>, args: &[Value<'a>]) -> Result<Result<Cow<'a, str>, String>, Stop> {
    let text = arg::read(cx, args, 0)?;
    let lenient = args.len() > 1 && arg::bool(cx, args, 1)?;
    Ok(Semver::check(text, lenient))
}

fn make<'a>(cx: &mut Context<'a>, args: &[Value<'a>]) -> Result<Value<'a>, Stop> {
    match read(cx, args)? {
        Ok(Cow::Borrowed(text)) => arg::make(cx, Semver::checked(text)),
        Ok(Cow::Owned(text)) => {
            cx.grow(text.len())?;
            let text = cx.arena.alloc_str(&text);
            arg::make(cx, Semver::checked(text))
        }
        Err(problem) => cx.fail(problem),
    }
}

fn is<'a>(cx: &mut Context<'a>, args: &[Value<'a>]) -> Result<Value<'a>, Stop> {
    Ok(Value::Bool(read(cx, args)?.is_ok()))
}

fn version<'a>(cx: &mut Context<'a>, args: &[Value<'a>], at: usize) -> Result<Version, Stop> {
    match args.get(at).and_then(|it| Semver::of(*it)) {
        Some(version) => Ok(version),
        None => no_overload(cx),
    }
}

fn order<'a>(cx: &mut Context<'a>, args: &[Value<'a>]) -> Result<Ordering, Stop> {
    Ok(version(cx, args, 0)?.cmp_precedence(&version(cx, args, 1)?))
}

fn part<'a>(cx: &mut Context<'a>, args: &[Value<'a>], read: fn(Version) -> u64) -> Result<Value<'a>, Stop> {
    // Wraps beyond 63 bits, as the conversion in Kubernetes does.
    Ok(Value::Int(read(version(cx, args, 0)?) as i64))
}
