//! Networks: which contain which, and the fewest that cover the same addresses.

use std::{
    collections::BTreeSet,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
};

use regorus::Value;

use super::{State, operand, text, wrong};

/// Addresses that an expansion may have.
const MAX_EXPANDED: u128 = 65_536;

/// First and last address; IPv4 and IPv6 never overlap.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Range {
    v6: bool,
    first: u128,
    last: u128,
}

fn address(ip: IpAddr) -> (bool, u128) {
    match ip {
        IpAddr::V4(v4) => (false, u128::from(u32::from(v4))),
        IpAddr::V6(v6) => (true, u128::from(v6)),
    }
}

fn shown(v6: bool, address: u128) -> IpAddr {
    if v6 { IpAddr::V6(Ipv6Addr::from(address)) } else { IpAddr::V4(Ipv4Addr::from(address as u32)) }
}

impl Range {
    fn bits(v6: bool) -> u32 {
        if v6 { 128 } else { 32 }
    }

    fn network(ip: IpAddr, length: u32) -> Option<Range> {
        let (v6, address) = address(ip);
        let host = Range::bits(v6).checked_sub(length)?;
        let mask = if host >= 128 { u128::MAX } else { (1u128 << host) - 1 };
        Some(Range { v6, first: address & !mask, last: address | mask })
    }

    /// `10.0.0.0/8`; an address without a length where `single` allows it.
    fn parse(text: &str, single: bool) -> Result<Range, String> {
        let invalid = || format!("invalid CIDR address: {text}");
        let Some((ip, length)) = text.split_once('/') else {
            let ip: IpAddr = text.parse().map_err(|_| invalid())?;
            return if single {
                Range::network(ip, Range::bits(ip.is_ipv6())).ok_or_else(invalid)
            } else {
                Err(invalid())
            };
        };
        let digits = !length.is_empty() && length.len() <= 3 && length.bytes().all(|b| b.is_ascii_digit());
        let length = if digits { length.parse().map_err(|_| invalid())? } else { return Err(invalid()) };
        Range::network(ip.parse().map_err(|_| invalid())?, length).ok_or_else(invalid)
    }

    fn contains(self, other: Range) -> bool {
        self.v6 == other.v6 && self.first <= other.first && other.last <= self.last
    }

    fn intersects(self, other: Range) -> bool {
        self.v6 == other.v6 && self.first <= other.last && other.first <= self.last
    }

    /// The fewest networks that cover it.
    fn networks(self) -> Vec<String> {
        let mut out = Vec::new();
        let mut first = self.first;
        loop {
            let bits = Range::bits(self.v6);
            let mut host = first.trailing_zeros().min(bits);
            while host > 0 {
                let size = if host >= 128 { u128::MAX } else { (1u128 << host) - 1 };
                match first.checked_add(size) {
                    Some(last) if last <= self.last => break,
                    _ => host -= 1,
                }
            }
            out.push(format!("{}/{}", shown(self.v6, first), bits - host));
            let size = if host >= 128 { u128::MAX } else { (1u128 << host) - 1 };
            match first.checked_add(size).and_then(|last| last.checked_add(1)) {
                Some(next) if next <= self.last => first = next,
                _ => return out,
            }
        }
    }
}

pub(super) fn intersects(_: &State, args: &[Value]) -> Result<Value, String> {
    Ok(Range::parse(text(args, 0)?, false)?.intersects(Range::parse(text(args, 1)?, false)?).into())
}

/// The old name of `net.cidr_contains`.
pub(super) fn overlap(_: &State, args: &[Value]) -> Result<Value, String> {
    Ok(Range::parse(text(args, 0)?, false)?.contains(Range::parse(text(args, 1)?, true)?).into())
}

pub(super) fn expand(_: &State, args: &[Value]) -> Result<Value, String> {
    let range = Range::parse(text(args, 0)?, false)?;
    let count = range.last - range.first;
    if count >= MAX_EXPANDED {
        return Err(format!("the network has more than {MAX_EXPANDED} addresses"));
    }
    let items = (0..=count).map(|at| Value::from(shown(range.v6, range.first + at).to_string()));
    Ok(Value::from(items.collect::<BTreeSet<_>>()))
}

/// What an operand of `cidr_contains_matches` holds: how each is named in the result, and its range.
fn named(args: &[Value], at: usize) -> Result<Vec<(Value, Range)>, String> {
    let element = |value: &Value| -> Result<Range, String> {
        let text = match value {
            Value::String(text) => Some(text),
            Value::Array(parts) => match parts.first() {
                Some(Value::String(text)) => Some(text),
                _ => None,
            },
            _ => None,
        };
        let text = text.ok_or_else(|| format!("operand {}: element must be string or non-empty array", at + 1))?;
        Range::parse(text, true)
    };
    match operand(args, at) {
        Value::String(text) => Ok(vec![(Value::String(text.clone()), Range::parse(text, true)?)]),
        Value::Array(items) => {
            items.iter().enumerate().map(|(at, item)| Ok((Value::from(at as i64), element(item)?))).collect()
        }
        Value::Set(items) => items.iter().map(|item| Ok((item.clone(), element(item)?))).collect(),
        Value::Object(members) => members.iter_sorted().map(|(key, item)| Ok((key.clone(), element(item)?))).collect(),
        other => Err(wrong(at, "one of {string, array, set, object}", other)),
    }
}

pub(super) fn contains_matches(_: &State, args: &[Value]) -> Result<Value, String> {
    let (networks, others) = (named(args, 0)?, named(args, 1)?);
    let mut out = BTreeSet::new();
    for (key, network) in &networks {
        for (other_key, other) in &others {
            if network.contains(*other) {
                out.insert(Value::from(vec![key.clone(), other_key.clone()]));
            }
        }
    }
    Ok(Value::from(out))
}

pub(super) fn merge(_: &State, args: &[Value]) -> Result<Value, String> {
    let items: Vec<&Value> = match operand(args, 0) {
        Value::Array(items) => items.iter().collect(),
        Value::Set(items) => items.iter().collect(),
        other => return Err(wrong(0, "an array", other)),
    };
    let mut ranges = Vec::new();
    for item in items {
        let Value::String(text) = item else { return Err("operand 1 must be array of strings".to_owned()) };
        let range = match text.parse::<IpAddr>() {
            // A plain address stands for the network of its class.
            Ok(IpAddr::V4(v4)) => {
                let length = match v4.octets()[0] {
                    0..128 => 8,
                    128..192 => 16,
                    192..224 => 24,
                    _ => return Err(format!("IPv4 invalid: needs prefix length: {text}")),
                };
                Range::network(IpAddr::V4(v4), length).ok_or("IPv4 invalid")?
            }
            Ok(IpAddr::V6(_)) => return Err("IPv6 invalid: needs prefix length".to_owned()),
            Err(_) => Range::parse(text, false)?,
        };
        ranges.push(range);
    }
    ranges.sort_unstable();
    let mut merged: Vec<Range> = Vec::new();
    for range in ranges {
        match merged.last_mut() {
            Some(last) if last.v6 == range.v6 && range.first <= last.last.saturating_add(1) => {
                last.last = last.last.max(range.last);
            }
            _ => merged.push(range),
        }
    }
    Ok(Value::from(merged.into_iter().flat_map(Range::networks).map(Value::from).collect::<BTreeSet<_>>()))
}
