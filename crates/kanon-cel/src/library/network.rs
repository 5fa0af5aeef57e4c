//! IP addresses and ranges of them: cel-go's network extension and Kubernetes' `ip` and `cidr` libraries, which are the same
//! functions.
//!
//! An IPv4 address written as an IPv6 address (`::ffff:1.2.3.4`) is refused, as is a zone. The same bits in groups of hex
//! digits are an IPv6 address, as the specification's suite has it; Kubernetes refuses those too.

use std::{
    any::Any,
    borrow::Cow,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
};

use kanon_lang::{Context, Function, Native, Opaque, Stop, Type, Value};

use super::arguments as arg;

const IP: Type = Type::Opaque("net.IP");
const CIDR: Type = Type::Opaque("net.CIDR");

/// An address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Address(IpAddr);

impl Opaque for Address {
    fn type_name(&self) -> &'static str {
        "net.IP"
    }

    fn equals(&self, other: Value<'_>) -> Option<bool> {
        same(self, other)
    }

    fn text(&self) -> Cow<'_, str> {
        Cow::Owned(self.0.to_string())
    }

    fn as_any(&self) -> Option<&dyn Any> {
        Some(self)
    }
}

/// A range, which remembers the address it was written with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Range {
    address: IpAddr,
    bits: u8,
}

impl Opaque for Range {
    fn type_name(&self) -> &'static str {
        "net.CIDR"
    }

    fn equals(&self, other: Value<'_>) -> Option<bool> {
        same(self, other)
    }

    fn text(&self) -> Cow<'_, str> {
        Cow::Owned(format!("{}/{}", self.address, self.bits))
    }

    fn as_any(&self) -> Option<&dyn Any> {
        Some(self)
    }
}

impl Range {
    fn masked(self) -> Range {
        let address = match self.address {
            IpAddr::V4(it) => {
                let mask = u32::MAX.checked_shl(32 - u32::from(self.bits)).unwrap_or(0);
                IpAddr::V4(Ipv4Addr::from_bits(it.to_bits() & mask))
            }
            IpAddr::V6(it) => {
                let mask = u128::MAX.checked_shl(128 - u32::from(self.bits)).unwrap_or(0);
                IpAddr::V6(Ipv6Addr::from_bits(it.to_bits() & mask))
            }
        };
        Range { address, bits: self.bits }
    }

    fn contains(self, address: IpAddr) -> bool {
        address.is_ipv4() == self.address.is_ipv4() && Range { address, bits: self.bits }.masked() == self.masked()
    }

    fn contains_range(self, other: Range) -> bool {
        self.bits <= other.bits && self.contains(other.address)
    }
}

fn same<T: PartialEq + 'static>(this: &T, other: Value<'_>) -> Option<bool> {
    match other {
        Value::Opaque(other) => other.as_any()?.downcast_ref::<T>().map(|it| it == this),
        _ => None,
    }
}

pub(super) fn functions() -> Vec<Function> {
    use Type::{Bool, Int, String as Text};
    let mut out = vec![
        Function::free("ip", [Text], IP, |cx, args| {
            let address = address(cx, args, 0)?;
            arg::make(cx, Address(address))
        }),
        Function::free("isIP", [Text], Bool, |cx, args| Ok(Value::Bool(parse(arg::text(cx, args, 0)?).is_ok()))),
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
            Ok(Value::Bool(parse_range(arg::text(cx, args, 0)?).is_ok()))
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
    parse(text).or_else(|problem| cx.fail(problem))
}

fn range<'a>(cx: &mut Context<'a>, args: &[Value<'a>], at: usize) -> Result<Range, Stop> {
    let text = arg::text(cx, args, at)?;
    parse_range(text).or_else(|problem| cx.fail(problem))
}

fn parse(text: &str) -> Result<IpAddr, String> {
    if let Some((before, _)) = text.split_once('%')
        && before.parse::<Ipv6Addr>().is_ok()
    {
        return Err(format!("IP address {text:?} with zone value is not allowed"));
    }
    match text.parse() {
        Ok(IpAddr::V6(it)) if it.to_ipv4_mapped().is_some() && text.contains('.') => {
            Err(format!("IPv4-mapped IPv6 address {text:?} is not allowed"))
        }
        Ok(address) => Ok(address),
        Err(_) => Err(format!("IP Address {text:?} parse error during conversion from string")),
    }
}

fn parse_range(text: &str) -> Result<Range, String> {
    let malformed =
        || format!("network address parse error during conversion from string: invalid CIDR address: {text}");
    let (address, bits) = text.rsplit_once('/').ok_or_else(malformed)?;
    let plain = bits.bytes().all(|it| it.is_ascii_digit()) && (bits == "0" || !bits.starts_with('0'));
    let bits = bits.parse::<u8>().ok().filter(|_| plain).ok_or_else(malformed)?;
    if address.contains('%') {
        return Err(format!("CIDR {text:?} with zone value is not allowed"));
    }
    let address = match address.parse() {
        Ok(IpAddr::V6(it)) if it.to_ipv4_mapped().is_some() && text.contains('.') => {
            return Err(format!("IPv4-mapped IPv6 address {text:?} is not allowed"));
        }
        Ok(address) => address,
        Err(_) => return Err(malformed()),
    };
    let most = if address.is_ipv4() { 32 } else { 128 };
    if bits <= most { Ok(Range { address, bits }) } else { Err(malformed()) }
}
