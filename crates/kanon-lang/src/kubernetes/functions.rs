//! The functions `k8s.…` of expr (spec/rules 2.8). They take and give what the other languages' libraries do, by the same code.

use std::{borrow::Cow, sync::OnceLock};

use kanon_core::{Node, NodeKind, Object};

use super::{
    Address, Quantity, Range, Semver, containers, image::parse_image, pod_spec as spec_of, selector::selector_of_value,
};
use crate::{Context, Function, Stop, Type, Value};

type Result<T> = std::result::Result<T, Stop>;

/// All of them.
pub fn functions() -> &'static [Function] {
    static FUNCTIONS: OnceLock<Vec<Function>> = OnceLock::new();
    FUNCTIONS.get_or_init(|| {
        use Type::{Bool, Double, Dyn, Int, String as Text};
        let map = || Type::map(Text, Dyn);
        vec![
            Function::free("k8s.quantity", [Text], Quantity::TYPE, quantity),
            // Manifests write `cpu: 2` and `cpu: 0.5`, too.
            Function::free("k8s.quantity", [Int], Quantity::TYPE, quantity),
            Function::free("k8s.quantity", [Double], Quantity::TYPE, quantity),
            Function::free("k8s.semver", [Text], Semver::TYPE, semver),
            Function::free("k8s.semver", [Text, Bool], Semver::TYPE, semver),
            Function::free("k8s.cidrContains", [Text, Text], Bool, cidr_contains),
            Function::free("k8s.selectorMatches", [Dyn, Dyn], Bool, selector_matches),
            Function::free("k8s.image", [Text], map(), image),
            Function::free("k8s.podSpec", [Dyn], Dyn, pod_spec),
            Function::free("k8s.containers", [Dyn], Type::list(map()), all_containers),
        ]
    })
}

fn quantity<'a>(cx: &mut Context<'a>, args: &[Value<'a>]) -> Result<Value<'a>> {
    let text: Cow<'_, str> = match args {
        [Value::Int(int)] => Cow::Owned(int.to_string()),
        [Value::Float(float)] => Cow::Owned(float.to_string()),
        _ => Cow::Borrowed(text(cx, args, 0)?),
    };
    match Quantity::parse(&text) {
        Ok(quantity) => {
            cx.grow(1)?;
            Ok(Value::Opaque(cx.arena.alloc(quantity)))
        }
        Err(problem) => cx.fail(format!("`{text}` is no quantity: {problem}")),
    }
}

fn semver<'a>(cx: &mut Context<'a>, args: &[Value<'a>]) -> Result<Value<'a>> {
    let text = text(cx, args, 0)?;
    match Semver::check(text, matches!(args.get(1), Some(Value::Bool(true)))) {
        Ok(checked) => {
            cx.grow(checked.len())?;
            let text = match checked {
                Cow::Borrowed(text) => text,
                Cow::Owned(text) => cx.arena.alloc_str(&text),
            };
            Ok(Value::Opaque(cx.arena.alloc(Semver::checked(text))))
        }
        Err(problem) => cx.fail(problem),
    }
}

/// The second is an address or a range.
fn cidr_contains<'a>(cx: &mut Context<'a>, args: &[Value<'a>]) -> Result<Value<'a>> {
    let (range, other) = (text(cx, args, 0)?, text(cx, args, 1)?);
    let contains = Range::parse(range).and_then(|range| match other.contains('/') {
        true => Range::parse(other).map(|it| range.contains_range(it)),
        false => Address::parse(other).map(|it| range.contains(it.0)),
    });
    match contains {
        Ok(contains) => Ok(Value::Bool(contains)),
        Err(problem) => cx.fail(problem),
    }
}

fn selector_matches<'a>(cx: &mut Context<'a>, args: &[Value<'a>]) -> Result<Value<'a>> {
    let (selector, labels) = (arg(args, 0), arg(args, 1));
    cx.spend(20)?;
    let selector = match selector_of_value(selector, cx.arena) {
        Ok(selector) => selector,
        Err(problem) => return cx.fail(format!("`k8s.selectorMatches`: {problem}")),
    };
    let matches = match labels {
        it if it.is_nil() => selector.matches_node(None),
        Value::Node(node) if node.kind() == NodeKind::Object => selector.matches_node(Some(node)),
        Value::Map(_) | Value::Record(_) => {
            selector.matches_node(Some(Object::from_value(&labels.to_json(cx.arena)).root()))
        }
        _ => return cx.fail("`k8s.selectorMatches` takes a selector and a map of labels"),
    };
    Ok(Value::Bool(matches))
}

fn image<'a>(cx: &mut Context<'a>, args: &[Value<'a>]) -> Result<Value<'a>> {
    let text = text(cx, args, 0)?;
    cx.grow(1)?;
    Ok(Value::Record(cx.arena.alloc(parse_image(text))))
}

fn pod_spec<'a>(cx: &mut Context<'a>, args: &[Value<'a>]) -> Result<Value<'a>> {
    let spec = object(cx, args, "k8s.podSpec")?.and_then(spec_of);
    Ok(Value::from_option(spec, cx.arena))
}

/// Every container as it is written, with `containerType`.
fn all_containers<'a>(cx: &mut Context<'a>, args: &[Value<'a>]) -> Result<Value<'a>> {
    let spec = object(cx, args, "k8s.containers")?.and_then(spec_of);
    let mut list = Vec::new();
    for (container, container_type) in containers(spec) {
        let mut members = Vec::new();
        for (name, value) in container.members() {
            let name = match name {
                Cow::Borrowed(name) => name,
                Cow::Owned(name) => &*cx.arena.alloc_str(&name),
            };
            if name != "containerType" {
                members.push((Value::Str(name), Value::from_node(value, cx.arena)));
            }
        }
        members.push((Value::Str("containerType"), Value::Str(container_type)));
        cx.spend(members.len() as u64)?;
        list.push(cx.map(&members)?);
    }
    cx.list(&list)
}

/// An object as it is stored; `None` for nil.
fn object<'a>(cx: &mut Context<'a>, args: &[Value<'a>], function: &str) -> Result<Option<Node<'a>>> {
    match arg(args, 0) {
        it if it.is_nil() => Ok(None),
        Value::Node(node) if node.kind() == NodeKind::Object => Ok(Some(node)),
        _ => cx.fail(format!("`{function}` takes an object as the cluster has it, such as `object`")),
    }
}

/// Text that is read through once: paid for.
fn text<'a>(cx: &mut Context<'a>, args: &[Value<'a>], at: usize) -> Result<&'a str> {
    match arg(args, at) {
        Value::Str(text) => {
            cx.spend(text.len() as u64 / 16)?;
            Ok(text)
        }
        // Overloads are chosen by type before a body runs.
        _ => cx.fail("the function takes text"),
    }
}

fn arg<'a>(args: &[Value<'a>], at: usize) -> Value<'a> {
    args.get(at).copied().unwrap_or(Value::Null)
}
