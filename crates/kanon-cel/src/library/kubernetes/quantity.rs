//! Quantities: `1.5Gi`, `200m`, with the meaning of apimachinery's `resource.Quantity`.

use kanon_lang::{Context, Function, Native, Stop, Type, Value, kubernetes::Quantity};

use crate::library::arguments as arg;

const QUANTITY: Type = Quantity::TYPE;

pub(in crate::library) fn functions() -> Vec<Function> {
    use Type::{Bool, Double, Int, String as Text};
    let mut out = vec![
        Function::free("quantity", [Text], QUANTITY, |cx, args| {
            let text = arg::read(cx, args, 0)?;
            match Quantity::parse(text) {
                Ok(quantity) => arg::make(cx, quantity),
                Err(problem) => cx.fail(problem),
            }
        }),
        Function::free("isQuantity", [Text], Bool, |cx, args| {
            Ok(Value::Bool(Quantity::parse(arg::read(cx, args, 0)?).is_ok()))
        }),
        Function::free("sign", [QUANTITY], Int, sign),
        Function::method("sign", [QUANTITY], Int, sign),
        Function::method("isInteger", [QUANTITY], Bool, |cx, args| {
            Ok(Value::Bool(arg::opaque::<Quantity>(cx, args, 0)?.to_int().is_some()))
        }),
        Function::method("asInteger", [QUANTITY], Int, |cx, args| {
            match arg::opaque::<Quantity>(cx, args, 0)?.to_int() {
                Some(int) => Ok(Value::Int(int)),
                None => cx.fail("cannot convert value to integer"),
            }
        }),
        Function::method("asApproximateFloat", [QUANTITY], Double, |cx, args| {
            Ok(Value::Float(arg::opaque::<Quantity>(cx, args, 0)?.to_float()))
        }),
        Function::method("compareTo", [QUANTITY, QUANTITY], Int, |cx, args| Ok(Value::Int(order(cx, args)? as i64))),
        Function::method("isGreaterThan", [QUANTITY, QUANTITY], Bool, |cx, args| {
            Ok(Value::Bool(order(cx, args)?.is_gt()))
        }),
        Function::method("isLessThan", [QUANTITY, QUANTITY], Bool, |cx, args| {
            Ok(Value::Bool(order(cx, args)?.is_lt()))
        }),
    ];
    let sums: [(&'static str, Native); 2] =
        [("add", |cx, args| sum(cx, args, false)), ("sub", |cx, args| sum(cx, args, true))];
    for (name, body) in sums {
        out.push(Function::method(name, [QUANTITY, QUANTITY], QUANTITY, body));
        out.push(Function::method(name, [QUANTITY, Int], QUANTITY, body));
    }
    out
}

fn sign<'a>(cx: &mut Context<'a>, args: &[Value<'a>]) -> Result<Value<'a>, Stop> {
    Ok(Value::Int(arg::opaque::<Quantity>(cx, args, 0)?.sign()))
}

fn order<'a>(cx: &mut Context<'a>, args: &[Value<'a>]) -> Result<std::cmp::Ordering, Stop> {
    Ok(arg::opaque::<Quantity>(cx, args, 0)?.order(arg::opaque::<Quantity>(cx, args, 1)?))
}

fn sum<'a>(cx: &mut Context<'a>, args: &[Value<'a>], negated: bool) -> Result<Value<'a>, Stop> {
    let left = *arg::opaque::<Quantity>(cx, args, 0)?;
    let right = match args.get(1) {
        Some(Value::Int(int)) => Quantity::of_int(*int),
        _ => *arg::opaque::<Quantity>(cx, args, 1)?,
    };
    match left.plus(if negated { right.negated() } else { right }) {
        Some(sum) => arg::make(cx, sum),
        None => cx.fail("quantity out of range"),
    }
}
