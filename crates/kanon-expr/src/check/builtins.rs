//! Types of built-ins: what they take, what they give.

use super::{Base, Nature, Verdict};
use crate::builtins::{Builtin, Takes};

/// The argument that a message about wrong types points at; `None` for messages about the whole call.
pub(super) fn wrong_argument(builtin: Builtin, args: &[Nature]) -> Option<usize> {
    let points = builtin.parameters().is_some() || !matches!(builtin.signature().2, Takes::Own(_) | Takes::Any);
    (0..args.len()).find(|at| points && argument(builtin, *at, args[*at]).is_err())
}

/// Checks a call, and gives its type.
pub(super) fn check(builtin: Builtin, args: &[Nature]) -> Verdict {
    if builtin.parameters().is_some() {
        return predicate(builtin, args);
    }
    if matches!(builtin, Builtin::Max | Builtin::Min | Builtin::Mean | Builtin::Median) {
        return aggregate(builtin, args);
    }
    let (least, most, takes) = builtin.signature();
    // A zone may come before what these two take.
    let zoned =
        matches!(builtin, Builtin::Now | Builtin::Date) && args.first().is_some_and(|it| it.base == Base::Location);
    let args = if zoned { &args[1..] } else { args };
    if builtin == Builtin::Date && args.len() > most {
        return Err(format!("invalid number of arguments (expected at most 3, got {})", args.len()));
    }
    if builtin == Builtin::Date && args.is_empty() && !zoned {
        return Err("invalid number of arguments (expected at least 1, got 0)".to_owned());
    }
    arity(builtin, args.len(), if zoned { 0 } else { least }, most, takes)?;
    for (at, nature) in args.iter().enumerate() {
        argument(builtin, at, *nature)?;
    }
    Ok(result(builtin, args))
}

/// The original stops looking at the first list or unknown; else the type is that of the first argument.
fn aggregate(builtin: Builtin, args: &[Nature]) -> Verdict {
    let Some(first) = args.first() else {
        return Err(format!("not enough arguments to call {}", builtin.name()));
    };
    for nature in args {
        match nature.base {
            Base::Unknown | Base::List => return Ok(Nature::UNKNOWN),
            Base::Int | Base::Float => {}
            _ => return Err(builtin.complaint(&nature.to_string())),
        }
    }
    Ok(*first)
}

fn arity(builtin: Builtin, count: usize, least: usize, most: usize, takes: Takes) -> Result<(), String> {
    if (least..=most).contains(&count) {
        return Ok(());
    }
    let typed = matches!(takes, Takes::Strings | Takes::Ints | Takes::StringInt);
    Err(match (count < least, typed || most == usize::MAX, least == most) {
        (true, true, _) => format!("not enough arguments to call {}", builtin.name()),
        (false, true, _) => format!("too many arguments to call {}", builtin.name()),
        (_, _, true) => format!("invalid number of arguments (expected {least}, got {count})"),
        _ => format!("invalid number of arguments (expected {least} or {most}, got {count})"),
    })
}

fn argument(builtin: Builtin, at: usize, nature: Nature) -> Result<(), String> {
    let name = builtin.name();
    let typed = |base: Base, shown: &str| match nature.may_be(&[base]) {
        true => Ok(()),
        false => Err(format!("cannot use {nature} as argument (type {shown}) to call {name} ")),
    };
    let shown = match nature.base {
        Base::Nil => "%!s(<nil>)".to_owned(),
        _ => nature.to_string(),
    };
    let own = |bases: &[Base]| match nature.may_be(bases) {
        true => Ok(()),
        false => Err(builtin.complaint(&shown)),
    };
    match builtin.signature().2 {
        Takes::Any => Ok(()),
        Takes::Strings => typed(Base::Str, "string"),
        Takes::Ints => typed(Base::Int, "int"),
        Takes::StringInt if at == 0 => typed(Base::Str, "string"),
        Takes::StringInt => typed(Base::Int, "int"),
        Takes::Joined if at == 0 => typed(Base::List, "[]interface {}"),
        Takes::Joined => typed(Base::Str, "string"),
        Takes::TextThenCount(texts) if at < texts => typed(Base::Str, "string"),
        Takes::TextThenCount(_) => typed(Base::Int, "int"),
        Takes::Sorted if at == 0 => typed(Base::List, "[]int"),
        Takes::Sorted => typed(Base::Str, "string"),
        Takes::Own(bases) if at == 0 || !builtin.first_only() => own(bases),
        Takes::Own(_) => Ok(()),
    }
}

#[expect(clippy::wildcard_enum_match_arm, reason = "only built-ins with predicates come here")]
fn predicate(builtin: Builtin, args: &[Nature]) -> Verdict {
    let name = builtin.name();
    let collection = args.first().copied().unwrap_or(Nature::UNKNOWN);
    if !collection.may_be(&[Base::List]) {
        return Err(format!("builtin {name} takes only array (got {collection})"));
    }
    let out = args.get(1).copied();
    if out.is_some_and(|out| out.base == Base::Nil) {
        return Err("predicate should has one input and one output param".to_owned());
    }
    let element = if collection.is_unknown() { Nature::UNKNOWN } else { collection.element() };
    let test = |result: Nature| match out {
        Some(out) if !out.may_be(&[Base::Bool]) => Err(format!("predicate should return boolean (got {out})")),
        _ => Ok(result),
    };
    let out = out.unwrap_or(element);
    match builtin {
        Builtin::All | Builtin::None | Builtin::Any | Builtin::One => test(Nature::new(Base::Bool)),
        Builtin::Filter => test(Nature::list(element)),
        Builtin::Find | Builtin::FindLast => test(element),
        Builtin::FindIndex | Builtin::FindLastIndex | Builtin::Count => test(Nature::new(Base::Int)),
        Builtin::Map => Ok(Nature::list(out)),
        Builtin::GroupBy => Ok(Nature::map(Nature::list(element))),
        Builtin::SortBy => Ok(collection),
        Builtin::Sum | Builtin::Reduce => Ok(out),
        _ => Ok(Nature::UNKNOWN),
    }
}

#[expect(clippy::wildcard_enum_match_arm, reason = "most built-ins give a value of unknown type")]
fn result(builtin: Builtin, args: &[Nature]) -> Nature {
    use Builtin as B;
    let strings = Nature::list(Nature::new(Base::Str));
    match builtin {
        B::Len | B::Int | B::IndexOf | B::LastIndexOf => Nature::new(Base::Int),
        B::BitAnd | B::BitOr | B::BitXor | B::BitNand | B::BitShl | B::BitShr | B::BitUshr | B::BitNot => {
            Nature::new(Base::Int)
        }
        B::Type | B::String | B::Trim | B::TrimPrefix | B::TrimSuffix | B::Upper | B::Lower => Nature::new(Base::Str),
        B::Replace | B::Repeat | B::Join | B::ToJson | B::ToBase64 | B::FromBase64 => Nature::new(Base::Str),
        B::Split | B::SplitAfter => strings,
        B::HasPrefix | B::HasSuffix => Nature::new(Base::Bool),
        B::Ceil | B::Floor | B::Round | B::Float => Nature::new(Base::Float),
        B::Abs => args.first().copied().unwrap_or(Nature::UNKNOWN),
        B::Now | B::Date => Nature::new(Base::Time),
        B::Duration => Nature::new(Base::Duration),
        B::Timezone => Nature::new(Base::Location),
        B::Keys | B::Values | B::Uniq | B::Concat | B::Flatten | B::Reverse | B::ToPairs => {
            Nature::list(Nature::UNKNOWN)
        }
        B::FromPairs => Nature::new(Base::Map),
        _ => Nature::UNKNOWN,
    }
}
