//! Types of functions that are no built-ins.

use kanon_lang::{
    Environment, Type,
    kubernetes::{Quantity, Semver},
};

use super::{Base, Nature, Verdict};
use crate::{builtins::Builtin, functions::overloads};

/// The type of a name that is no variable: nil, or a function named without a call.
pub(super) fn nature_of_name(env: &Environment, name: &str) -> Nature {
    if Builtin::parse(name).is_some() || is_known(env, name, false) {
        Nature::new(Base::Function)
    } else {
        Nature::UNKNOWN
    }
}

/// Whether there is such a function.
pub(super) fn is_known(env: &Environment, name: &str, method: bool) -> bool {
    (name == crate::REGEX_MATCH && !method) || overloads(env, name, method).next().is_some()
}

/// A call of a function by name.
pub(super) fn check(env: &Environment, name: &str, method: bool, args: &[Nature]) -> Verdict {
    if name == crate::REGEX_MATCH && !method {
        return overload(name, &[Base::Str, Base::Str], args).map(|()| Nature::new(Base::Bool));
    }
    let mut fitting = Vec::new();
    let mut wrong = None;
    for function in overloads(env, name, method) {
        let bases: Vec<Base> = function.parameters.iter().map(base).collect();
        match overload(name, &bases, args) {
            Ok(()) => fitting.push(Nature::new(base(&function.result))),
            // Of several complaints, one about a type says more than one about their number.
            Err(message) if bases.len() == args.len() => wrong = Some(message),
            Err(message) => wrong = wrong.or(Some(message)),
        }
    }
    match (fitting.split_first(), wrong) {
        (Some((first, rest)), _) => Ok(if rest.iter().all(|it| it == first) { *first } else { Nature::UNKNOWN }),
        (None, Some(message)) => Err(message),
        (None, None) => Ok(Nature::UNKNOWN),
    }
}

fn overload(name: &str, parameters: &[Base], args: &[Nature]) -> Result<(), String> {
    if parameters.len() != args.len() {
        let amount = if args.len() < parameters.len() { "not enough" } else { "too many" };
        return Err(format!("{amount} arguments to call {name}"));
    }
    match args.iter().zip(parameters).find(|(arg, base)| **base != Base::Unknown && !arg.may_be(&[**base])) {
        Some((arg, base)) => Err(format!("cannot use {arg} as argument (type {}) to call {name} ", Nature::new(*base))),
        None => Ok(()),
    }
}

/// What the check sees of a declared type.
fn base(of: &Type) -> Base {
    match of {
        Type::Null => Base::Nil,
        Type::Bool => Base::Bool,
        Type::Int => Base::Int,
        Type::Double => Base::Float,
        Type::String => Base::Str,
        Type::Bytes => Base::Bytes,
        Type::Timestamp => Base::Time,
        Type::Duration => Base::Duration,
        Type::List(_) => Base::List,
        Type::Map(..) | Type::Object(_) => Base::Map,
        it if *it == Quantity::TYPE => Base::Quantity,
        it if *it == Semver::TYPE => Base::Semver,
        Type::Dyn | Type::UInt | Type::Optional(_) | Type::Type(_) | Type::Opaque(_) | Type::Param(_) => Base::Unknown,
    }
}
