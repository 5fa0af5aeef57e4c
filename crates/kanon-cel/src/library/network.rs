//! IP addresses and ranges of them: cel-go's network extension and Kubernetes' `ip` and `cidr` libraries, which are the same
//! functions.

use std::net::{IpAddr, Ipv4Addr};

use kanon_lang::{
    Context, Function, Native, Stop, Type, Value,
    kubernetes::{Address, Range},
};

use super::arguments as arg;

const IP: Type = Address::TYPE;
const CIDR: Type = Range::TYPE;

pub(super) fn functions() -> Vec<Function> {
    use Type::{Bool, Int, String as Text};
    let mut out = vec![
        Function::free("ip", [Text], IP, |cx, args| {
            let address = address(cx, args, 0)?;
            arg::make(cx, Address(address))
        }),
        Function::free("isIP", [Text], Bool, |cx, args| {
            Ok(Value::Bool(Address::parse(arg::text(cx, args, 0)?).is_ok()))
        }),
        Function::free("ip.isCanonical", [Text], Bool, |cx, args| {
            Ok(Value::Bool(address(cx, args, 0)?.to_string() == arg::text(cx, args, 0)?))
        }),
        Function::method("family", [IP], Int, |cx, args| {
            Ok(Value::Int(if arg::opaque::<Address>(cx, args, 0)?.0.is_ipv4() { 4 } else { 6 }))
        }),
        Function::free("cidr", [Text], CIDR, |cx, args| {
            let range = range(cx, args, 0)?;
            arg::make(cx, range)
        }),
        Function::free("isCIDR", [Text], Bool, |cx, args| {
            Ok(Value::Bool(Range::parse(arg::text(cx, args, 0)?).is_ok()))
        }),
        Function::method("ip", [CIDR], IP, |cx, args| {
            let range = *arg::opaque::<Range>(cx, args, 0)?;
            arg::make(cx, Address(range.address))
        }),
        Function::method("masked", [CIDR], CIDR, |cx, args| {
            let range = *arg::opaque::<Range>(cx, args, 0)?;
            arg::make(cx, range.masked())
        }),
        Function::method("prefixLength", [CIDR], Int, |cx, args| {
            Ok(Value::Int(i64::from(arg::opaque::<Range>(cx, args, 0)?.bits)))
        }),
        Function::method("containsIP", [CIDR, IP], Bool, |cx, args| {
            let (range, address) = (arg::opaque::<Range>(cx, args, 0)?, arg::opaque::<Address>(cx, args, 1)?);
            Ok(Value::Bool(range.contains(address.0)))
        }),
        Function::method("containsIP", [CIDR, Text], Bool, |cx, args| {
            Ok(Value::Bool(arg::opaque::<Range>(cx, args, 0)?.contains(address(cx, args, 1)?)))
        }),
        Function::method("containsCIDR", [CIDR, CIDR], Bool, |cx, args| {
            let (range, other) = (arg::opaque::<Range>(cx, args, 0)?, arg::opaque::<Range>(cx, args, 1)?);
            Ok(Value::Bool(range.contains_range(*other)))
        }),
        Function::method("containsCIDR", [CIDR, Text], Bool, |cx, args| {
            Ok(Value::Bool(arg::opaque::<Range>(cx, args, 0)?.contains_range(range(cx, args, 1)?)))
        }),
    ];
    let tests: [(&'static str, Native); 5] = [
        ("isUnspecified", |cx, args| tested(cx, args, |it| it.is_unspecified())),
        ("isLoopback", |cx, args| tested(cx, args, |it| it.is_loopback())),
        ("isLinkLocalMulticast", |cx, args| tested(cx, args, link_local_multicast)),
        ("isLinkLocalUnicast", |cx, args| tested(cx, args, link_local)),
        ("isGlobalUnicast", |cx, args| tested(cx, args, global_unicast)),
    ];
    out.extend(tests.map(|(name, body)| Function::method(name, [IP], Bool, body)));
    out
}

fn tested<'a>(cx: &mut Context<'a>, args: &[Value<'a>], test: fn(IpAddr) -> bool) -> Result<Value<'a>, Stop> {
    Ok(Value::Bool(test(arg::opaque::<Address>(cx, args, 0)?.0)))
}

fn link_local_multicast(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(it) => it.octets()[..3] == [224, 0, 0],
        IpAddr::V6(it) => it.octets()[0] == 0xff && it.octets()[1] & 0x0f == 0x02,
    }
}

fn link_local(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(it) => it.is_link_local(),
        IpAddr::V6(it) => it.segments()[0] & 0xffc0 == 0xfe80,
    }
}

/// As Go has it: private addresses too.
fn global_unicast(address: IpAddr) -> bool {
    let broadcast = address == IpAddr::V4(Ipv4Addr::BROADCAST);
    !(address.is_unspecified() || broadcast || address.is_loopback() || address.is_multicast() || link_local(address))
}

fn address<'a>(cx: &mut Context<'a>, args: &[Value<'a>], at: usize) -> Result<IpAddr, Stop> {
    let text = arg::text(cx, args, at)?;
    Address::parse(text).map(|it| it.0).or_else(|problem| cx.fail(problem))
}

fn range<'a>(cx: &mut Context<'a>, args: &[Value<'a>], at: usize) -> Result<Range, Stop> {
    let text = arg::text(cx, args, at)?;
    Range::parse(text).or_else(|problem| cx.fail(problem))
}
