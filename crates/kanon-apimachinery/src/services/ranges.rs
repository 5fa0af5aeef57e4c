//! Ranges that numbers of services come from, as flags write them and with the bounds that kube-apiserver sets.

use std::{
    fmt,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    str::FromStr,
};

use super::{number_of, pool::Pool};

/// Addresses of a range at most, as bits (upstream): all that are held are known by number.
const BITS_MAX: u8 = 20;
/// Addresses of a range at least (upstream).
const ADDRESSES_MIN: u128 = 8;
/// Addresses of a range of IPv6 that are given (upstream).
const IPV6_GIVEN: u128 = 1 << 16;

/// A family of addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Family {
    V4,
    V6,
}

impl Family {
    pub(super) fn of(address: IpAddr) -> Family {
        if address.is_ipv4() { Family::V4 } else { Family::V6 }
    }

    /// As services write it.
    pub(super) fn name(self) -> &'static str {
        match self {
            Family::V4 => "IPv4",
            Family::V6 => "IPv6",
        }
    }

    fn bits(self) -> u8 {
        match self {
            Family::V4 => 32,
            Family::V6 => 128,
        }
    }
}

/// One range of cluster addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct AddressRange {
    pub(super) family: Family,
    network: u128,
    prefix: u8,
}

impl AddressRange {
    fn size(self) -> u128 {
        1 << (self.family.bits() - self.prefix)
    }

    /// An address of this family.
    pub(super) fn address(self, number: u128) -> IpAddr {
        match (self.family, u32::try_from(number)) {
            (Family::V4, Ok(bits)) => Ipv4Addr::from_bits(bits).into(),
            _ => Ipv6Addr::from_bits(number).into(),
        }
    }

    /// Its addresses without that of the network and, of IPv4, the last one, which is for all of it. Those at the beginning are given
    /// last, so that people can choose among them: a part of the range, within bounds (upstream).
    pub(super) fn pool(self) -> Pool {
        let given = match self.family {
            Family::V4 => self.size() - 2,
            Family::V6 => self.size().min(IPV6_GIVEN) - 1,
        };
        Pool::new(self.network + 1, given, reserved(self.size(), 16, 256))
    }
}

/// How many numbers at the beginning of a range are given last.
fn reserved(size: u128, step: u128, max: u128) -> u128 {
    const MIN: u128 = 16;
    if size < MIN { 0 } else { (size / step).clamp(MIN, max) }
}

impl fmt::Display for AddressRange {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}/{}", self.address(self.network), self.prefix)
    }
}

impl FromStr for AddressRange {
    type Err = String;

    fn from_str(text: &str) -> Result<AddressRange, String> {
        let no_network = || format!("`{text}` is no network such as `10.96.0.0/12` or `fd00:10:96::/108`");
        let (address, prefix) = text.split_once('/').ok_or_else(no_network)?;
        let address: IpAddr = address.parse().map_err(|_| no_network())?;
        let prefix: u8 = prefix.parse().map_err(|_| no_network())?;
        let family = Family::of(address);
        let bits = family.bits();
        let host = bits.checked_sub(prefix).ok_or_else(no_network)?;
        if host > BITS_MAX {
            let least = bits - BITS_MAX;
            return Err(format!("`{text}` is too large; for {bits}-bit addresses, the mask must be >= {least}"));
        }
        let range = AddressRange { family, network: number_of(address) >> host << host, prefix };
        if range.size() < ADDRESSES_MIN {
            return Err(format!("`{text}` is too small; the range must be at least {ADDRESSES_MIN} addresses"));
        }
        Ok(range)
    }
}

/// The ranges of cluster addresses: one, or one of each family, of which the first is the default. Written as
/// `10.96.0.0/12,fd00:10:96::/108`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AddressRanges(Vec<AddressRange>);

impl AddressRanges {
    pub(super) fn all(&self) -> &[AddressRange] {
        &self.0
    }

    /// The address of the API's own service: the first of the first range.
    pub fn api_address(&self) -> IpAddr {
        let first = self.0[0];
        first.address(first.network + 1)
    }
}

impl Default for AddressRanges {
    /// kubeadm's.
    fn default() -> AddressRanges {
        let network = Ipv4Addr::new(10, 96, 0, 0).to_bits().into();
        AddressRanges(vec![AddressRange { family: Family::V4, network, prefix: 12 }])
    }
}

impl FromStr for AddressRanges {
    type Err = String;

    fn from_str(text: &str) -> Result<AddressRanges, String> {
        let ranges: Vec<AddressRange> = text.split(',').map(str::parse).collect::<Result<_, _>>()?;
        match ranges.as_slice() {
            [_] => {}
            [first, second] if first.family != second.family => {}
            [_, _] => return Err("the two ranges must be of different IP family".to_owned()),
            _ => return Err("must not contain more than two entries".to_owned()),
        }
        Ok(AddressRanges(ranges))
    }
}

impl fmt::Display for AddressRanges {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ranges: Vec<String> = self.0.iter().map(ToString::to_string).collect();
        out.write_str(&ranges.join(","))
    }
}

/// The range of node ports, written as `30000-32767`, `30000+2767` or, a single one, `30000`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NodePorts {
    first: u16,
    last: u16,
}

impl NodePorts {
    /// A few at the beginning are given last, as of addresses.
    pub(super) fn pool(self) -> Pool {
        let size = u128::from(self.last - self.first) + 1;
        Pool::new(self.first.into(), size, reserved(size, 32, 128))
    }
}

impl Default for NodePorts {
    /// Upstream's.
    fn default() -> NodePorts {
        NodePorts { first: 30_000, last: 32_767 }
    }
}

impl FromStr for NodePorts {
    type Err = String;

    fn from_str(text: &str) -> Result<NodePorts, String> {
        let port = |it: &str| {
            let number: Option<u32> = it.trim().parse().ok();
            number.ok_or_else(|| format!("`{text}` is no range of ports such as `30000-32767`"))
        };
        let (first, last) = match (text.split_once('-'), text.split_once('+')) {
            (Some((first, last)), _) => (port(first)?, port(last)?),
            (None, Some((first, more))) => (port(first)?, port(first)?.saturating_add(port(more)?)),
            (None, None) => (port(text)?, port(text)?),
        };
        if last < first {
            return Err("end port cannot be less than start port".to_owned());
        }
        match (u16::try_from(first), u16::try_from(last)) {
            (Ok(first @ 1..), Ok(last)) => Ok(NodePorts { first, last }),
            (Ok(0), _) => Err("ports begin at 1".to_owned()),
            _ => Err("the port range cannot be greater than 65535".to_owned()),
        }
    }
}

impl fmt::Display for NodePorts {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}-{}", self.first, self.last)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_one_range_of_each_family_at_most() {
        let check = |text: &str, want: Result<&str, &str>| {
            let got = text.parse::<AddressRanges>().map(|it| format!("{it} {}", it.api_address()));
            assert_eq!(got.as_deref().map_err(String::as_str), want, "{text}");
        };
        check("10.96.0.0/12", Ok("10.96.0.0/12 10.96.0.1"));
        check("10.0.0.77/24", Ok("10.0.0.0/24 10.0.0.1"));
        check("fd00:10:96::/112,10.0.0.0/16", Ok("fd00:10:96::/112,10.0.0.0/16 fd00:10:96::1"));
        check("10.0.0.0/29", Ok("10.0.0.0/29 10.0.0.1"));
        check("10.0.0.0/30", Err("`10.0.0.0/30` is too small; the range must be at least 8 addresses"));
        check("10.0.0.0/11", Err("`10.0.0.0/11` is too large; for 32-bit addresses, the mask must be >= 12"));
        check("fd00::/64", Err("`fd00::/64` is too large; for 128-bit addresses, the mask must be >= 108"));
        check("10.0.0.0/16,10.1.0.0/16", Err("the two ranges must be of different IP family"));
        check("10.0.0.0/16,fd00::/112,10.1.0.0/16", Err("must not contain more than two entries"));
        for text in ["", "10.0.0.0", "10.0.0.0/33", "10.0.0.0/x", "x/16", "10.0.0.0/16,"] {
            let problem = text.parse::<AddressRanges>().expect_err(text);
            assert!(problem.ends_with("is no network such as `10.96.0.0/12` or `fd00:10:96::/108`"), "{problem}");
        }
        assert_eq!(AddressRanges::default().to_string(), "10.96.0.0/12");
    }

    #[test]
    fn ports_are_a_range_in_three_spellings() {
        let check = |text: &str, want: Result<&str, &str>| {
            let got = text.parse::<NodePorts>().map(|it| it.to_string());
            assert_eq!(got.as_deref().map_err(String::as_str), want, "{text}");
        };
        check("30000-32767", Ok("30000-32767"));
        check("30000+10", Ok("30000-30010"));
        check("80", Ok("80-80"));
        check("1-65535", Ok("1-65535"));
        check("9-8", Err("end port cannot be less than start port"));
        check("1-65536", Err("the port range cannot be greater than 65535"));
        check("1+4294967295", Err("the port range cannot be greater than 65535"));
        check("0-1", Err("ports begin at 1"));
        check("a-b", Err("`a-b` is no range of ports such as `30000-32767`"));
        assert_eq!(NodePorts::default().to_string(), "30000-32767");
    }

    #[test]
    fn every_range_gives_all_it_has() {
        for (text, want) in [("10.0.0.0/29", 6), ("10.0.0.0/28", 14), ("fd00::/125", 7), ("10.0.0.0/24", 254)] {
            let ranges: AddressRanges = text.parse().expect(text);
            let mut pool = ranges.all()[0].pool();
            let mut given = 0;
            while let Some(number) = pool.pick(text) {
                pool.take(number);
                given += 1;
            }
            assert_eq!(given, want, "{text}");
        }
        assert_eq!("80".parse::<NodePorts>().map(|it| it.pool().pick("a")), Ok(Some(80)));
    }
}
