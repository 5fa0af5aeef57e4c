//! What the machine calls as functions: operations of expr that are neither hot nor control what is evaluated.

use kanon_lang::{Context, Stop, Value};

use crate::{
    access,
    ast::BinaryOp,
    builtins::lists,
    operators,
    value::{self, type_name},
};

type Result<T> = std::result::Result<T, Stop>;

fn arg<'a>(args: &[Value<'a>], at: usize) -> Value<'a> {
    args.get(at).copied().unwrap_or(Value::Null)
}

/// `a matches b`
pub(crate) fn matches<'a>(cx: &mut Context<'a>, args: &[Value<'a>]) -> Result<Value<'a>> {
    operators::matches(cx, arg(args, 0), arg(args, 1))
}

/// `regexMatch(a, b)`
pub(crate) fn regex_match<'a>(cx: &mut Context<'a>, args: &[Value<'a>]) -> Result<Value<'a>> {
    operators::regex_match(cx, arg(args, 0), arg(args, 1))
}

/// The text of a `regexMatch` with a constant pattern.
pub(crate) fn regex_text<'a>(cx: &mut Context<'a>, args: &[Value<'a>]) -> Result<Value<'a>> {
    operators::regex_text(cx, arg(args, 0))
}

/// `a..b`
pub(crate) fn range<'a>(cx: &mut Context<'a>, args: &[Value<'a>]) -> Result<Value<'a>> {
    operators::range(cx, arg(args, 0), arg(args, 1))
}

/// `base[from:to]`, of base, to, from: the order in which they are evaluated.
pub(crate) fn slice_between<'a>(cx: &mut Context<'a>, args: &[Value<'a>]) -> Result<Value<'a>> {
    access::slice(cx, arg(args, 0), Some(arg(args, 2)), Some(arg(args, 1)))
}

/// `base[:to]`
pub(crate) fn slice_to<'a>(cx: &mut Context<'a>, args: &[Value<'a>]) -> Result<Value<'a>> {
    access::slice(cx, arg(args, 0), None, Some(arg(args, 1)))
}

/// `base[from:]`
pub(crate) fn slice_from<'a>(cx: &mut Context<'a>, args: &[Value<'a>]) -> Result<Value<'a>> {
    access::slice(cx, arg(args, 0), Some(arg(args, 1)), None)
}

/// `base[:]`
pub(crate) fn slice_all<'a>(cx: &mut Context<'a>, args: &[Value<'a>]) -> Result<Value<'a>> {
    access::slice(cx, arg(args, 0), None, None)
}

/// `sum([a, b, …])`, from the right.
pub(crate) fn sum_of<'a>(cx: &mut Context<'a>, args: &[Value<'a>]) -> Result<Value<'a>> {
    let Some((last, rest)) = args.split_last() else { return Ok(Value::Int(0)) };
    rest.iter().rev().try_fold(*last, |sum, item| operators::binary(cx, BinaryOp::Add, *item, sum))
}

/// `groupBy(…)[key]`
pub(crate) fn fetch_group<'a>(cx: &mut Context<'a>, args: &[Value<'a>]) -> Result<Value<'a>> {
    access::fetch_group(cx, arg(args, 0), arg(args, 1))
}

/// A key that `groupBy` can group by.
pub(crate) fn group_key<'a>(cx: &mut Context<'a>, args: &[Value<'a>]) -> Result<Value<'a>> {
    let key = arg(args, 0);
    if access::is_comparable(key) {
        return Ok(key);
    }
    cx.fail(format!("cannot use {} as a key for groupBy: type is not comparable", type_name(key)))
}

/// `groupBy`, of elements and keys.
pub(crate) fn group_by<'a>(cx: &mut Context<'a>, args: &[Value<'a>]) -> Result<Value<'a>> {
    let mut groups: Vec<(Value<'a>, Vec<Value<'a>>)> = Vec::new();
    for (element, key) in pairs(args) {
        cx.spend(groups.len() as u64)?;
        match groups.iter_mut().find(|(it, _)| value::identical(*it, key)) {
            Some(group) => group.1.push(element),
            None => groups.push((key, vec![element])),
        }
    }
    let mut members = Vec::with_capacity(groups.len());
    for (key, items) in groups {
        members.push((key, cx.list(&items)?));
    }
    cx.map(&members)
}

/// `sortBy`, of elements and keys.
pub(crate) fn sort_by<'a>(cx: &mut Context<'a>, args: &[Value<'a>]) -> Result<Value<'a>> {
    sort(cx, args, false)
}

/// `sortBy`, of elements, keys and order.
pub(crate) fn sort_by_order<'a>(cx: &mut Context<'a>, args: &[Value<'a>]) -> Result<Value<'a>> {
    let descending = lists::descending(cx, arg(args, 2))?;
    sort(cx, args, descending)
}

/// A list that `sortBy` can sort.
pub(crate) fn iterable<'a>(cx: &mut Context<'a>, args: &[Value<'a>]) -> Result<Value<'a>> {
    let list = arg(args, 0);
    if value::source(list).is_some() {
        return Ok(list);
    }
    cx.fail(format!("cannot iterate over {}", type_name(list)))
}

/// An order that `sortBy` knows.
pub(crate) fn sort_order<'a>(cx: &mut Context<'a>, args: &[Value<'a>]) -> Result<Value<'a>> {
    lists::descending(cx, arg(args, 0)).map(|_| arg(args, 0))
}

fn sort<'a>(cx: &mut Context<'a>, args: &[Value<'a>], descending: bool) -> Result<Value<'a>> {
    let mut keyed: Vec<_> = pairs(args).map(|(element, key)| (key, element)).collect();
    lists::sort_keyed(cx, &mut keyed, descending)?;
    let items: Vec<_> = keyed.into_iter().map(|it| it.1).collect();
    cx.list(&items)
}

/// The elements of a loop with what its body gave for each.
fn pairs<'a>(args: &[Value<'a>]) -> impl Iterator<Item = (Value<'a>, Value<'a>)> {
    let list = |value| match value {
        Value::List(items) => items,
        _ => &[],
    };
    list(arg(args, 0)).iter().copied().zip(list(arg(args, 1)).iter().copied())
}

/// `filter(…)[0]` without a hit.
pub(crate) fn no_hit<'a>(cx: &mut Context<'a>, _: &[Value<'a>]) -> Result<Value<'a>> {
    cx.fail("reflect: slice index out of range")
}
