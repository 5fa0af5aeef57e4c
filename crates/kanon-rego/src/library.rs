//! Functions of the language that the interpreter lacks, or has in a form that is not wanted: they are given to it as
//! extensions. Pure, except for the clock's reading, which is given with each evaluation.

mod bounds;
mod cast;
mod crypto;
mod globs;
mod jwt;
mod keys;
mod net;
mod template;
mod text;

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicBool, AtomicI64, Ordering},
};

use kanon_lang::TimeLimit;
use regorus::Value;

use crate::rewrite::guard::{BOUNDED, LAYOUT};

/// What an evaluation gives to functions. One a runner; evaluations on a runner follow each other.
#[derive(Debug, Default)]
pub(crate) struct State {
    /// A function that fails is an error of the evaluation.
    pub(crate) strict: AtomicBool,
    /// Whether there is a clock.
    pub(crate) has_clock: AtomicBool,
    /// Its reading, in nanoseconds since the epoch.
    pub(crate) now: AtomicI64,
    /// Ends the evaluation once it is over.
    pub(crate) time: Mutex<Option<TimeLimit>>,
}

/// What an evaluation fails with whose time is over.
pub(crate) const OVERDUE: &str = "time budget exceeded";

impl State {
    fn is_overdue(&self) -> bool {
        let time = self.time.lock();
        time.is_ok_and(|it| it.as_ref().is_some_and(TimeLimit::is_over))
    }

    fn now(&self) -> Option<i64> {
        self.has_clock.load(Ordering::Relaxed).then(|| self.now.load(Ordering::Relaxed))
    }
}

/// A function: its arguments are defined; what it says when it fails names its operand.
type Body = fn(&State, &[Value]) -> Result<Value, String>;

const FUNCTIONS: &[(&str, u8, Body)] = &[
    ("all", 1, cast::all),
    ("any", 1, cast::any),
    ("array.flatten", 1, cast::flatten),
    ("bits.lsh", 2, bounds::shift_left),
    ("cast_array", 1, cast::array),
    ("cast_boolean", 1, cast::boolean),
    ("cast_null", 1, cast::null),
    ("cast_object", 1, cast::object),
    ("cast_set", 1, cast::set),
    ("cast_string", 1, cast::string),
    ("crypto.hmac.equal", 2, crypto::equal),
    ("crypto.hmac.md5", 2, crypto::hmac_md5),
    ("crypto.hmac.sha1", 2, crypto::hmac_sha1),
    ("crypto.hmac.sha256", 2, crypto::hmac_sha256),
    ("crypto.hmac.sha512", 2, crypto::hmac_sha512),
    ("crypto.md5", 1, crypto::md5),
    ("crypto.sha1", 1, crypto::sha1),
    ("crypto.sha256", 1, crypto::sha256),
    ("internal.template_string", 1, text::template_string),
    ("io.jwt.decode", 1, jwt::decode),
    ("io.jwt.decode_verify", 2, jwt::decode_verify),
    ("io.jwt.encode_sign", 3, jwt::encode_sign),
    ("io.jwt.encode_sign_raw", 3, jwt::encode_sign_raw),
    ("io.jwt.verify_eddsa", 2, |_, args| jwt::verify("EdDSA", args)),
    ("io.jwt.verify_es256", 2, |_, args| jwt::verify("ES256", args)),
    ("io.jwt.verify_es384", 2, |_, args| jwt::verify("ES384", args)),
    ("io.jwt.verify_hs256", 2, |_, args| jwt::verify("HS256", args)),
    ("io.jwt.verify_hs384", 2, |_, args| jwt::verify("HS384", args)),
    ("io.jwt.verify_hs512", 2, |_, args| jwt::verify("HS512", args)),
    ("io.jwt.verify_ps256", 2, |_, args| jwt::verify("PS256", args)),
    ("io.jwt.verify_ps384", 2, |_, args| jwt::verify("PS384", args)),
    ("io.jwt.verify_ps512", 2, |_, args| jwt::verify("PS512", args)),
    ("io.jwt.verify_rs256", 2, |_, args| jwt::verify("RS256", args)),
    ("io.jwt.verify_rs384", 2, |_, args| jwt::verify("RS384", args)),
    ("io.jwt.verify_rs512", 2, |_, args| jwt::verify("RS512", args)),
    ("json.is_valid", 1, text::json_is_valid),
    ("kanon__.template_string", 1, text::template_string),
    ("net.cidr_contains_matches", 2, net::contains_matches),
    ("net.cidr_expand", 1, net::expand),
    ("net.cidr_intersects", 2, net::intersects),
    ("net.cidr_merge", 1, net::merge),
    ("net.cidr_overlap", 2, net::overlap),
    ("numbers.range", 2, cast::range),
    ("numbers.range_step", 3, cast::range),
    ("regex.globs_match", 2, globs::globs_match),
    ("strings.count", 2, text::count),
    ("strings.render_template", 2, template::render),
    ("time.now_ns", 0, now_ns),
    ("uuid.parse", 1, text::uuid_parse),
    ("yaml.is_valid", 1, text::yaml_is_valid),
    ("yaml.marshal", 1, text::yaml_marshal),
    ("yaml.unmarshal", 1, text::yaml_unmarshal),
];

pub(crate) use bounds::{TOO_LARGE, is_bounded};

/// How a function failed, as the interpreter shows it.
#[derive(Debug, thiserror::Error)]
#[error("{name}: {message}")]
struct Failure {
    name: &'static str,
    message: String,
}

/// Gives all functions to an interpreter; what they need to know of an evaluation is in `state`.
pub(crate) fn install(engine: &mut regorus::Engine, state: &Arc<State>) -> Result<(), String> {
    let known = Arc::clone(state);
    let bounded = move |args: Vec<Value>| match known.is_overdue() {
        true => Err(Failure { name: "bound", message: OVERDUE.to_owned() }.into()),
        false => bounds::bounded(args).map_err(Into::into),
    };
    engine.add_extension(BOUNDED.join("."), 1, Box::new(bounded)).map_err(|error| error.to_string())?;
    let layout = |args: Vec<Value>| bounds::layout(args).map_err(Into::into);
    engine.add_extension(LAYOUT.join("."), 1, Box::new(layout)).map_err(|error| error.to_string())?;
    for (name, arity, body) in FUNCTIONS {
        let (name, body, state) = (*name, *body, Arc::clone(state));
        // A mistake of an extension ends the evaluation, strict or not.
        let function = move |args: Vec<Value>| match body(&state, &args) {
            _ if state.is_overdue() => Err(Failure { name, message: OVERDUE.to_owned() }.into()),
            Ok(value) => Ok(value),
            Err(message) if state.strict.load(Ordering::Relaxed) => Err(Failure { name, message }.into()),
            Err(_) => Ok(Value::Undefined),
        };
        engine.add_extension((*name).to_owned(), *arity, Box::new(function)).map_err(|error| error.to_string())?;
    }
    Ok(())
}

fn now_ns(state: &State, _: &[Value]) -> Result<Value, String> {
    state.now().map(Value::from).ok_or_else(|| "there is no clock here".to_owned())
}

fn operand(args: &[Value], at: usize) -> &Value {
    args.get(at).unwrap_or(&Value::Undefined)
}

/// The operand as text, or what is wrong with it.
fn text(args: &[Value], at: usize) -> Result<&str, String> {
    match operand(args, at) {
        Value::String(text) => Ok(text),
        other => Err(wrong(at, "string", other)),
    }
}

fn wrong(at: usize, wanted: &str, found: &Value) -> String {
    format!("operand {} must be {wanted} but got {}", at + 1, type_name(found))
}

fn type_name(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Set(_) => "set",
        Value::Object(_) => "object",
        Value::Undefined => "undefined",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::builtins::{Kind, find};

    #[test]
    fn functions_are_those_of_the_table() {
        for (name, arity, _) in FUNCTIONS {
            assert_eq!(find(name), Some((*arity, Kind::Ours)), "{name}");
        }
        let ours = crate::builtins::names().filter(|name| find(name).is_some_and(|it| it.1 == Kind::Ours));
        assert!(ours.into_iter().all(|name| FUNCTIONS.iter().any(|it| it.0 == name)));
    }
}
