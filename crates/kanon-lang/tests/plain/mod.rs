//! A dialect with nothing of its own: every odd case is an error. `ABSORB` as [`Dialect::ABSORBS`].

use kanon_core::{Name, NodeKind};
use kanon_lang::{
    Callee, Context, Dialect, Environment, Source, Stop, Type, Value,
    ir::{Arithmetic, Builder, Comparison, OpId, Place, Step, TextTest},
};

pub(crate) struct Plain<const ABSORB: bool>;

impl<const ABSORB: bool> Dialect for Plain<ABSORB> {
    const ABSORBS: bool = ABSORB;

    fn missing<'a>(cx: &mut Context<'a>, _: Value<'a>, name: &'a str) -> Result<Value<'a>, Stop> {
        if ABSORB { cx.fail_named("no such key: ", name) } else { Ok(Value::Null) }
    }

    fn member<'a>(cx: &mut Context<'a>, _: Value<'a>, name: &'a str) -> Result<Value<'a>, Stop> {
        cx.fail_named("no members: ", name)
    }

    fn index<'a>(cx: &mut Context<'a>, base: Value<'a>, key: Value<'a>) -> Result<Value<'a>, Stop> {
        match (base, key) {
            (Value::Node(node), Value::Int(at)) if node.kind() == NodeKind::List => {
                let item = usize::try_from(at).ok().and_then(|at| node.elements().nth(at));
                match item {
                    Some(node) => Ok(Value::from_node(node, cx.arena)),
                    None => cx.fail("index out of range"),
                }
            }
            _ => cx.fail("no index"),
        }
    }

    fn has<'a>(cx: &mut Context<'a>, _: Value<'a>, name: &'a str) -> Result<bool, Stop> {
        cx.fail_named("no members: ", name)
    }

    fn equal<'a>(_: &mut Context<'a>, _: Value<'a>, _: Value<'a>) -> Result<bool, Stop> {
        Ok(false)
    }

    fn compare<'a>(cx: &mut Context<'a>, _: Comparison, _: Value<'a>, _: Value<'a>) -> Result<bool, Stop> {
        cx.fail("no order")
    }

    fn arithmetic<'a>(cx: &mut Context<'a>, op: Arithmetic, a: Value<'a>, b: Value<'a>) -> Result<Value<'a>, Stop> {
        match (op, a, b) {
            (Arithmetic::Add, Value::Int(a), Value::Int(b)) => Ok(Value::Int(a + b)),
            (Arithmetic::Divide, Value::Int(_), Value::Int(0)) => cx.fail("divide by zero"),
            (Arithmetic::Divide, Value::Int(a), Value::Int(b)) => Ok(Value::Int(a / b)),
            _ => cx.fail("no such operator"),
        }
    }

    fn negate<'a>(cx: &mut Context<'a>, _: Value<'a>) -> Result<Value<'a>, Stop> {
        cx.fail("no such operator")
    }

    fn contains<'a>(cx: &mut Context<'a>, _: Value<'a>, _: Value<'a>) -> Result<bool, Stop> {
        cx.fail("no elements")
    }

    fn text_test<'a>(cx: &mut Context<'a>, _: TextTest, _: Value<'a>, _: Value<'a>) -> Result<bool, Stop> {
        cx.fail("no text")
    }

    fn matches<'a>(cx: &mut Context<'a>, _: Value<'a>) -> Result<bool, Stop> {
        cx.fail("no text")
    }

    fn truth<'a>(cx: &mut Context<'a>, _: Value<'a>) -> Result<bool, Stop> {
        cx.fail("no boolean")
    }

    fn source<'a>(cx: &mut Context<'a>, value: Value<'a>) -> Result<Source<'a>, Stop> {
        match value {
            Value::List(items) => Ok(Source::Values(items.iter())),
            Value::Node(node) if node.kind() == NodeKind::Object => Ok(Source::Members(node.members())),
            Value::Null => Ok(Source::Opaque(2)),
            _ => cx.fail("no elements"),
        }
    }

    fn call<'a>(cx: &mut Context<'a>, _: Callee<'a>, _: &[Value<'a>]) -> Result<Value<'a>, Stop> {
        cx.fail("no function")
    }

    fn map<'a>(cx: &mut Context<'a>, parts: &[Value<'a>]) -> Result<Value<'a>, Stop> {
        let members: Vec<_> = parts.chunks_exact(2).map(|pair| (pair[0], pair[1])).collect();
        cx.map(&members)
    }

    fn fits(parameter: &Type, value: Value<'_>) -> bool {
        matches!((parameter, value), (Type::Dyn, _) | (Type::Int, Value::Int(_)) | (Type::String, Value::Str(_)))
    }

    fn no_overload<'a>(cx: &mut Context<'a>, _: &[Value<'a>]) -> Result<Value<'a>, Stop> {
        cx.fail("no such overload")
    }

    fn boolean<'a>(cx: &mut Context<'a>, _: Value<'a>) -> Result<bool, Stop> {
        cx.fail("expected a boolean")
    }
}

/// A builder over the variables `object` and `other`.
pub(crate) fn builder<const ABSORB: bool>() -> Builder<Plain<ABSORB>> {
    Builder::new(&Environment::new(["object", "other"]))
}

/// `variable.a.b`
pub(crate) fn path<const ABSORB: bool>(builder: &mut Builder<Plain<ABSORB>>, base: OpId, names: &str) -> OpId {
    let step = |name: &str| Step::Member { name: Name::new(name), optional: false, place: Place::default() };
    builder.path(base, names.split('.').map(step).collect(), Place::default())
}
