//! Network policies.

use std::net::IpAddr;

use super::{
    field::{Errors, Field},
    selector,
};

pub(super) fn policy(spec: &Field<'_>, errors: &mut Errors) {
    selector::validate(&spec.get("podSelector"), errors);
    for (direction, side) in [("ingress", "from"), ("egress", "to")] {
        spec.get(direction).each(|rule| {
            rule.get("ports").each(|port| policy_port(port, errors));
            rule.get(side).each(|it| peer(it, errors));
        });
    }
    let types = spec.get("policyTypes");
    if types.len() > 2 {
        types.invalid(errors, "may not specify more than two policyTypes");
    } else {
        types.each(|it| it.one_of(errors, &["Ingress", "Egress"]));
    }
}

fn policy_port(port: &Field<'_>, errors: &mut Errors) {
    let (first, last) = (port.get("port"), port.get("endPort"));
    if !first.is_absent() {
        first.port(errors);
    }
    if last.is_absent() {
        return;
    }
    match first.int() {
        None if first.is_absent() => last.invalid(errors, "may not be specified when `port` is not specified"),
        None => last.invalid(errors, "may not be specified when `port` is non-numeric"),
        Some(from) => {
            if last.int().is_some_and(|to| to < from) {
                last.invalid(errors, "must be greater than or equal to `port`");
            }
            last.port_number(errors);
        }
    }
}

fn peer(peer: &Field<'_>, errors: &mut Errors) {
    let block = peer.get("ipBlock");
    let mut given = 0;
    for member in ["podSelector", "namespaceSelector"] {
        let at = peer.get(member);
        if !at.is_absent() {
            given += 1;
            selector::validate(&at, errors);
        }
    }
    if block.is_absent() {
        if given == 0 {
            peer.required(errors, "must specify a peer");
        }
        return;
    }
    if given > 0 {
        peer.forbidden(errors, "may not specify both ipBlock and another peer");
    }
    let outer = block.get("cidr");
    if outer.present(errors, "") {
        cidr(&outer, errors);
    }
    block.get("except").each(|it| {
        cidr(it, errors);
        if let (Some(outer), Some(inner)) = (range(outer.text()), range(it.text()))
            && !is_within(inner, outer)
        {
            it.invalid(errors, "must be a strict subset of `cidr`");
        }
    });
}

fn cidr(at: &Field<'_>, errors: &mut Errors) {
    if range(at.text()).is_none() {
        at.invalid(errors, "must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)");
    }
}

/// An address and how many of its bits count.
fn range(text: &str) -> Option<(IpAddr, u8)> {
    let (address, bits) = text.split_once('/')?;
    let (address, bits): (IpAddr, u8) = (address.parse().ok()?, bits.parse().ok()?);
    let most = if address.is_ipv4() { 32 } else { 128 };
    (bits <= most).then_some((address, bits))
}

/// Whether all of `inner` is in `outer`, and some of that is not in `inner`.
fn is_within(inner: (IpAddr, u8), outer: (IpAddr, u8)) -> bool {
    let bits = |address: IpAddr| match address {
        IpAddr::V4(it) => u128::from(it.to_bits()) << 96,
        IpAddr::V6(it) => it.to_bits(),
    };
    let differ = bits(inner.0) ^ bits(outer.0);
    inner.0.is_ipv4() == outer.0.is_ipv4() && inner.1 > outer.1 && differ.leading_zeros() >= u32::from(outer.1)
}
