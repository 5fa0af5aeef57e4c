//! Address ranges: CIDR blocks of both families, and `ipBlock` with its exceptions.
//!
//! What expressions call a range (`kanon-lang`: `kubernetes/network`) is another thing: it is read as strictly as Kubernetes' CEL library
//! reads it, and keeps its bits behind the prefix. Objects that are stored already are read here as leniently as the API server took
//! them, as Go's `net.ParseCIDR` does: leading zeros of the prefix, IPv4 in IPv6. And neither crate may know the other.

use std::{fmt, net::IpAddr, str::FromStr};

/// A range of addresses, `10.0.0.0/8` or `fc00::/7`. Bits behind the prefix are cleared, as Go's `net.ParseCIDR` has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Cidr {
    v6: bool,
    first: u128,
    prefix: u8,
}

/// A text that is no range of addresses.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no CIDR such as `10.0.0.0/8`")]
pub struct CidrError(pub String);

impl FromStr for Cidr {
    type Err = CidrError;

    fn from_str(text: &str) -> Result<Cidr, CidrError> {
        let wrong = || CidrError(text.to_owned());
        let (address, prefix) = text.split_once('/').ok_or_else(wrong)?;
        let address: IpAddr = address.parse().map_err(|_| wrong())?;
        // A sign is no digit to Go.
        let prefix = Some(prefix).filter(|it| it.bytes().all(|it| it.is_ascii_digit())).and_then(|it| it.parse().ok());
        let prefix = prefix.ok_or_else(wrong)?;
        let v6 = address.is_ipv6();
        if prefix > width(v6) {
            return Err(wrong());
        }
        let cidr = Cidr { v6, first: 0, prefix };
        Ok(Cidr { first: number(address) & !cidr.rest(), ..cidr })
    }
}

fn width(v6: bool) -> u8 {
    if v6 { 128 } else { 32 }
}

fn number(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(it) => u128::from(u32::from(it)),
        IpAddr::V6(it) => u128::from(it),
    }
}

impl Cidr {
    /// A block that is known to be well-formed: 16-bit groups or bytes, most significant first.
    const fn known(v6: bool, head: u16, prefix: u8) -> Cidr {
        Cidr { v6, first: (head as u128) << if v6 { 112 } else { 16 }, prefix }
    }

    /// The bits behind the prefix.
    fn rest(self) -> u128 {
        let host = u32::from(width(self.v6) - self.prefix);
        1_u128.checked_shl(host).map_or(u128::MAX, |it| it - 1)
    }

    fn last(self) -> u128 {
        self.first | self.rest()
    }

    /// How many leading bits are fixed.
    pub fn prefix(self) -> u8 {
        self.prefix
    }

    /// Whether it is of IPv6.
    pub fn is_v6(self) -> bool {
        self.v6
    }

    /// Whether it is every address of its family.
    pub fn is_everything(self) -> bool {
        self.prefix == 0
    }

    /// Whether an address lies in it; addresses of the other family never do.
    pub fn contains(self, address: IpAddr) -> bool {
        address.is_ipv6() == self.v6 && (self.first..=self.last()).contains(&number(address))
    }
}

impl fmt::Display for Cidr {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let address = match u32::try_from(self.first) {
            Ok(it) if !self.v6 => IpAddr::V4(it.into()),
            _ => IpAddr::V6(self.first.into()),
        };
        write!(out, "{address}/{}", self.prefix)
    }
}

/// `ipBlock`: a range without its exceptions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IpBlock {
    /// The range.
    pub cidr: Cidr,
    /// What is taken out of it.
    pub except: Vec<Cidr>,
}

/// Addresses that lead nowhere on the internet, by family: RFC 1918; unique local and link-local addresses.
const PRIVATE: [&[Cidr]; 2] = [
    &[Cidr::known(false, 10 << 8, 8), Cidr::known(false, 172 << 8 | 16, 12), Cidr::known(false, 192 << 8 | 168, 16)],
    &[Cidr::known(true, 0xfc00, 7), Cidr::known(true, 0xfe80, 10)],
];

impl IpBlock {
    /// Whether an address is in the range and in no exception.
    pub fn contains(&self, address: IpAddr) -> bool {
        self.cidr.contains(address) && !self.except.iter().any(|it| it.contains(address))
    }

    /// Whether it is every address of its family.
    pub fn is_everything(&self) -> bool {
        self.cidr.is_everything() && self.except.is_empty()
    }

    /// Whether it opens a large part of the internet (spec/rules 6.3): a prefix of at most 8 bits (IPv6: 16), of which, without
    /// exceptions and private ranges, at least half of such a block is left.
    pub fn is_broad(&self) -> bool {
        let broad = if self.cidr.v6 { 16 } else { 8 };
        if self.cidr.prefix > broad {
            return false;
        }
        let enough = 1_u128 << (width(self.cidr.v6) - broad - 1);
        let mut taken: Vec<(u128, u128)> = self
            .except
            .iter()
            .chain(PRIVATE[usize::from(self.cidr.v6)])
            .filter(|it| it.v6 == self.cidr.v6)
            .map(|it| (it.first.max(self.cidr.first), it.last().min(self.cidr.last())))
            .filter(|(first, last)| first <= last)
            .collect();
        taken.sort_unstable();
        // What lies between two taken ranges is left. Sums stay below 2¹²⁸: the gaps are disjoint, and there is none where
        // nothing is taken but in `::/0`, whose private ranges always are.
        let (mut left, mut next) = (0_u128, Some(self.cidr.first));
        for (first, last) in taken {
            let Some(from) = next else { break };
            left = left.saturating_add(first.saturating_sub(from));
            next = last.checked_add(1).map(|it| it.max(from));
        }
        if let Some(from) = next.filter(|it| *it <= self.cidr.last()) {
            left = left.saturating_add(self.cidr.last() - from).saturating_add(1);
        }
        left >= enough
    }
}

impl fmt::Display for IpBlock {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.cidr.fmt(out)?;
        for (at, it) in self.except.iter().enumerate() {
            write!(out, "{} {it}", if at == 0 { " except" } else { "," })?;
        }
        Ok(())
    }
}
