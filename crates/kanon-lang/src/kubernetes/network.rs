//! IP addresses and ranges of them.
//!
//! An IPv4 address written as an IPv6 address (`::ffff:1.2.3.4`) is refused, as is a zone. The same bits in groups of hex
//! digits are an IPv6 address, as the specification's suite of CEL has it; Kubernetes refuses those too.

use std::{
    any::Any,
    borrow::Cow,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
};

use crate::{Opaque, Type, Value};

const IP: &str = "net.IP";
const CIDR: &str = "net.CIDR";

/// An address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Address(pub IpAddr);

impl Address {
    /// Its name among types.
    pub const TYPE: Type = Type::Opaque(IP);

    /// Reads an address.
    ///
    /// # Errors
    /// Why it is none.
    pub fn parse(text: &str) -> Result<Address, String> {
        if let Some((before, _)) = text.split_once('%')
            && before.parse::<Ipv6Addr>().is_ok()
        {
            return Err(format!("IP address {text:?} with zone value is not allowed"));
        }
        match text.parse() {
            Ok(IpAddr::V6(it)) if it.to_ipv4_mapped().is_some() && text.contains('.') => {
                Err(format!("IPv4-mapped IPv6 address {text:?} is not allowed"))
            }
            Ok(address) => Ok(Address(address)),
            Err(_) => Err(format!("IP Address {text:?} parse error during conversion from string")),
        }
    }
}

impl Opaque for Address {
    fn type_name(&self) -> &'static str {
        IP
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
pub struct Range {
    /// As it was written; bits behind the prefix may be set.
    pub address: IpAddr,
    /// How many leading bits are fixed.
    pub bits: u8,
}

impl Opaque for Range {
    fn type_name(&self) -> &'static str {
        CIDR
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
    /// Its name among types.
    pub const TYPE: Type = Type::Opaque(CIDR);

    /// Reads a range.
    ///
    /// # Errors
    /// Why it is none.
    pub fn parse(text: &str) -> Result<Range, String> {
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

    /// The same range, written with its first address.
    #[must_use]
    pub fn masked(self) -> Range {
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

    /// Whether an address is in it.
    pub fn contains(self, address: IpAddr) -> bool {
        address.is_ipv4() == self.address.is_ipv4() && Range { address, bits: self.bits }.masked() == self.masked()
    }

    /// Whether all of another range is in it.
    pub fn contains_range(self, other: Range) -> bool {
        self.bits <= other.bits && self.contains(other.address)
    }
}

fn same<T: PartialEq + 'static>(this: &T, other: Value<'_>) -> Option<bool> {
    match other {
        Value::Opaque(other) => other.as_any()?.downcast_ref::<T>().map(|it| it == this),
        _ => None,
    }
}
