//! The functions that gates have besides CEL's: methods of `changewindow`, other zones, literal windows.

use kanon_lang::{Context, Environment, Function, Stop, Type, Value};

use crate::{
    values::{Schedule, variables},
    window::{Weekly, zone},
};

/// What a gate's expression may use.
pub(crate) fn environment() -> Environment {
    let any = || Type::Dyn;
    let on_windows = |name, result, body| Function::method(name, [any(), Type::String], result, body);
    variables().with_functions([
        on_windows("isBlocked", Type::Bool, is_blocked),
        on_windows("isAllowed", Type::Bool, is_allowed),
        on_windows("reason", Type::String, reason),
        on_windows("opensAt", Type::Timestamp, opens_at),
        // `in` is a word of CEL's grammar; where its parser refuses it as a method's name, the other one does the same.
        Function::method("in", [any(), Type::String], any(), in_zone),
        Function::method("inZone", [any(), Type::String], any(), in_zone),
        Function::free("inWindow", [Type::String, Type::String], Type::Bool, in_window).with_clock(),
        Function::free("inWindow", [Type::String], Type::Bool, in_window).with_clock(),
        Function::free("now", [], Type::Timestamp, now).with_clock(),
    ])
}

fn is_blocked<'a>(cx: &mut Context<'a>, args: &[Value<'a>]) -> Result<Value<'a>, Stop> {
    windows(cx, "isBlocked", args)
}

fn is_allowed<'a>(cx: &mut Context<'a>, args: &[Value<'a>]) -> Result<Value<'a>, Stop> {
    windows(cx, "isAllowed", args)
}

fn reason<'a>(cx: &mut Context<'a>, args: &[Value<'a>]) -> Result<Value<'a>, Stop> {
    windows(cx, "reason", args)
}

fn opens_at<'a>(cx: &mut Context<'a>, args: &[Value<'a>]) -> Result<Value<'a>, Stop> {
    windows(cx, "opensAt", args)
}

/// A method of `changewindow`; no other value has it.
fn windows<'a>(cx: &mut Context<'a>, method: &'static str, args: &[Value<'a>]) -> Result<Value<'a>, Stop> {
    let answer = match args {
        [Value::Record(record), name] => record.call(&[Value::Str(method), plain(*name)], cx.arena),
        _ => None,
    };
    match answer {
        Some(Ok(value)) => Ok(value),
        Some(Err(error)) => cx.fail(error.message),
        None => cx.fail(format!("`{method}` takes a window's name, on `changewindow` only")),
    }
}

fn in_zone<'a>(cx: &mut Context<'a>, args: &[Value<'a>]) -> Result<Value<'a>, Stop> {
    let [Value::Record(record), name] = args else { return cx.fail("`inZone` is a method of `schedule`") };
    let (Some(Value::Time(now)), Value::Str(name)) = (record.get("now", cx.arena), plain(*name)) else {
        return cx.fail("`inZone` is a method of `schedule` and takes a zone's name");
    };
    match zone(name) {
        Ok(zone) => Ok(Value::Record(cx.arena.alloc(Schedule::elsewhere(now, &zone)))),
        Err(problem) => cx.fail(format!("the zone {problem}")),
    }
}

fn now<'a>(cx: &mut Context<'a>, _: &[Value<'a>]) -> Result<Value<'a>, Stop> {
    match cx.now {
        Some(now) => Ok(Value::Time(now)),
        None => cx.fail("`now` needs a clock"),
    }
}

fn in_window<'a>(cx: &mut Context<'a>, args: &[Value<'a>]) -> Result<Value<'a>, Stop> {
    let Some(now) = cx.now else { return cx.fail("`inWindow` needs a clock") };
    let mut texts = args.iter().map(|it| plain(*it));
    let (Some(Value::Str(window)), name) = (texts.next(), texts.next()) else {
        return cx.fail("`inWindow` takes a window such as `Mon-Fri 09:00-17:00`");
    };
    let name = match name {
        Some(Value::Str(name)) => name,
        _ => "",
    };
    match (Weekly::parse(window), zone(name)) {
        (Ok(window), Ok(zone)) => Ok(Value::Bool(window.contains(&now.to_zoned(zone)))),
        (Err(problem), _) => cx.fail(problem),
        (_, Err(problem)) => cx.fail(format!("the zone {problem}")),
    }
}

/// What a value stands for.
fn plain<'a>(value: Value<'a>) -> Value<'a> {
    match value {
        Value::Opaque(opaque) => opaque.plain().unwrap_or(value),
        other => other,
    }
}
