//! Functions that are no built-ins: those of the environment and `k8s.…`. Which there are, and which overload a call means.

use kanon_core::NodeKind;
use kanon_lang::{Context, Environment, Function, Stop, Type, Value, kubernetes};

use crate::value::type_name;

/// Every function that a program can call besides the built-ins and `regexMatch`.
pub(crate) fn all(env: &Environment) -> impl Iterator<Item = &Function> {
    env.functions.iter().chain(kubernetes::functions())
}

/// The functions called `name`.
pub(crate) fn overloads<'e>(env: &'e Environment, name: &'e str, method: bool) -> impl Iterator<Item = &'e Function> {
    all(env).filter(move |it| it.name == name && it.method == method)
}

/// Whether names of functions begin with `space` and a point.
pub(crate) fn is_namespace(env: &Environment, space: &str) -> bool {
    all(env).any(|it| !it.method && it.name.split_once('.').is_some_and(|(first, _)| first == space))
}

/// Calls the first of `overloads` whose parameters fit.
#[cfg(test)]
pub(crate) fn call<'a>(cx: &mut Context<'a>, overloads: &[Function], args: &[Value<'a>]) -> Result<Value<'a>, Stop> {
    let takes = |it: &&Function| it.parameters.iter().zip(args).all(|(of, arg)| fits(of, *arg));
    let overloads = overloads.iter().filter(|it| it.parameters.len() == args.len());
    match overloads.clone().find(takes) {
        Some(function) => (function.body)(cx, args),
        None if overloads.count() == 0 => cx.fail("invalid operation: cannot call nil"),
        None => no_overload(cx, args),
    }
}

/// What is said when no overload takes the arguments.
pub(crate) fn no_overload<'a>(cx: &mut Context<'a>, args: &[Value<'a>]) -> Result<Value<'a>, Stop> {
    let types: Vec<&str> = args.iter().map(|arg| type_name(*arg)).collect();
    cx.fail(format!("the function does not take ({})", types.join(", ")))
}

/// Whether a value is of a type. Elements of lists and maps are the function's own affair.
pub(crate) fn fits(of: &Type, value: Value<'_>) -> bool {
    match (of, value) {
        (Type::Dyn | Type::Param(_), _) => true,
        (Type::Null, value) => value.is_nil(),
        (Type::Bool, Value::Bool(_))
        | (Type::Int, Value::Int(_))
        | (Type::UInt, Value::UInt(_))
        | (Type::Double, Value::Float(_))
        | (Type::String, Value::Str(_))
        | (Type::Bytes, Value::Bytes(_))
        | (Type::Timestamp, Value::Time(_))
        | (Type::Duration, Value::Duration(_))
        | (Type::List(_), Value::List(_) | Value::NilList)
        | (Type::Map(..) | Type::Object(_), Value::Map(_) | Value::NilMap | Value::Record(_))
        | (Type::Optional(_), Value::Optional(_))
        | (Type::Type(_), Value::Type(_)) => true,
        (Type::List(_), Value::Node(node)) => node.kind() == NodeKind::List,
        (Type::Map(..) | Type::Object(_), Value::Node(node)) => node.kind() == NodeKind::Object,
        (Type::Opaque(name), Value::Opaque(opaque)) => opaque.type_name() == *name,
        _ => false,
    }
}
