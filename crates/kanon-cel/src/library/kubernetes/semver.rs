//! Semantic versions.

use std::{borrow::Cow, cmp::Ordering};

use ::semver::Version;
use kanon_lang::{Context, Function, Native, Opaque, Stop, Type, Value};

use crate::{library::arguments as arg, values::no_overload};

const SEMVER: Type = Type::Opaque("kubernetes.Semver");

/// A version, by its text, which has been checked.
#[derive(Clone, Copy)]
struct Semver<'a>(&'a str);

impl Opaque for Semver<'_> {
    fn type_name(&self) -> &'static str {
        "kubernetes.Semver"
    }

    fn equals(&self, other: Value<'_>) -> Option<bool> {
        self.compare(other).map(Ordering::is_eq)
    }

    fn compare(&self, other: Value<'_>) -> Option<Ordering> {
        match other {
            Value::Opaque(other) if other.type_name() == self.type_name() => {
                let (a, b) = (Version::parse(self.0).ok()?, Version::parse(&other.text()).ok()?);
                // Build metadata has no say.
                Some(a.cmp_precedence(&b))
            }
            _ => None,
        }
    }

    fn text(&self) -> Cow<'_, str> {
        Cow::Borrowed(self.0)
    }
}

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
    let text = if args.len() > 1 && arg::bool(cx, args, 1)? { normalized(text) } else { Ok(Cow::Borrowed(text)) };
    Ok(text.and_then(|it| match Version::parse(&it) {
        Ok(_) => Ok(it),
        Err(error) => Err(format!("invalid semantic version {it:?}: {error}")),
    }))
}

fn make<'a>(cx: &mut Context<'a>, args: &[Value<'a>]) -> Result<Value<'a>, Stop> {
    match read(cx, args)? {
        Ok(Cow::Borrowed(text)) => arg::make(cx, Semver(text)),
        Ok(Cow::Owned(text)) => {
            cx.grow(text.len())?;
            let text = cx.arena.alloc_str(&text);
            arg::make(cx, Semver(text))
        }
        Err(problem) => cx.fail(problem),
    }
}

fn is<'a>(cx: &mut Context<'a>, args: &[Value<'a>]) -> Result<Value<'a>, Stop> {
    Ok(Value::Bool(read(cx, args)?.is_ok()))
}

/// Without a `v`, with three numbers, without zeros before them.
fn normalized(text: &str) -> Result<Cow<'_, str>, String> {
    let text = text.strip_prefix('v').unwrap_or(text);
    let mut parts: Vec<String> = text.splitn(3, '.').map(without_zeros).collect();
    if parts.len() < 3 {
        if parts.last().is_some_and(|it| it.contains(['+', '-'])) {
            return Err("short version cannot contain PreRelease/Build meta data".to_owned());
        }
        parts.resize(3, "0".to_owned());
    }
    Ok(Cow::Owned(parts.join(".")))
}

fn without_zeros(part: &str) -> String {
    if part.len() <= 1 {
        return part.to_owned();
    }
    let rest = part.trim_start_matches('0');
    if rest.starts_with(|it: char| it.is_ascii_digit()) { rest.to_owned() } else { format!("0{rest}") }
}

fn version<'a>(cx: &mut Context<'a>, args: &[Value<'a>], at: usize) -> Result<Version, Stop> {
    match args.get(at) {
        Some(Value::Opaque(opaque)) if opaque.type_name() == "kubernetes.Semver" => {
            Version::parse(&opaque.text()).or_else(|error| cx.fail(error.to_string()))
        }
        _ => no_overload(cx),
    }
}

fn order<'a>(cx: &mut Context<'a>, args: &[Value<'a>]) -> Result<Ordering, Stop> {
    Ok(version(cx, args, 0)?.cmp_precedence(&version(cx, args, 1)?))
}

fn part<'a>(cx: &mut Context<'a>, args: &[Value<'a>], read: fn(Version) -> u64) -> Result<Value<'a>, Stop> {
    // Wraps beyond 63 bits, as the conversion in Kubernetes does.
    Ok(Value::Int(read(version(cx, args, 0)?) as i64))
}
