//! Services, network policies, ingresses.

use std::{collections::BTreeSet, net::IpAddr};

use super::{
    field::{Errors, Field},
    selector,
};
use crate::names::{label_problems, subdomain_problems};

pub(super) fn service(spec: &Field<'_>, errors: &mut Errors) {
    let kind = spec.get("type");
    let headless = spec.get("clusterIP").text() == "None";
    let ports = spec.get("ports");
    if ports.is_empty() && !headless && kind.text() != "ExternalName" {
        ports.required(errors, "");
    }
    if kind.text() == "ExternalName" {
        let name = spec.get("externalName");
        let host = name.text().trim_end_matches('.');
        if host.is_empty() {
            name.required(errors, "");
        }
        if !host.is_empty() {
            name.problems(errors, subdomain_problems(host));
        }
        let address = spec.get("clusterIP");
        if !address.is_empty() {
            address.forbidden(errors, "may not be set when `type` is ExternalName");
        }
    } else if headless && matches!(kind.text(), "NodePort" | "LoadBalancer") {
        spec.get("clusterIPs").index(0).invalid_value(
            errors,
            "None",
            format!("may not be set to 'None' for {} services", kind.text()),
        );
    }
    super::metadata::labels(&spec.get("selector"), errors);
    service_ports(&ports, errors);
    if !spec.get("clusterIP").is_empty() && !headless {
        address(&spec.get("clusterIP"), errors);
    }
    spec.get("externalIPs").each(|it| address(it, errors));
    let timeout = spec.get("sessionAffinityConfig");
    timeout.get("clientIP").get("timeoutSeconds").within(errors, 1, 86_400);
}

fn service_ports(ports: &Field<'_>, errors: &mut Errors) {
    let mut names = BTreeSet::new();
    let mut numbers = BTreeSet::new();
    ports.each(|port| {
        let name = port.get("name");
        if name.is_empty() {
            if ports.len() > 1 {
                name.required(errors, "");
            }
        } else {
            name.problems(errors, label_problems(name.text()));
            if !names.insert(name.text().to_owned()) {
                name.duplicate(errors);
            }
        }
        let number = port.get("port");
        if number.is_absent() || number.int() == Some(0) {
            number.invalid_value(errors, 0, "must be between 1 and 65535, inclusive");
        } else {
            number.port_number(errors);
        }
        port.get("targetPort").port(errors);
        port.get("nodePort").within(errors, 0, 65_535);
        if !numbers.insert((number.int(), port.get("protocol").text().to_owned())) {
            port.duplicate(errors);
        }
    });
}

fn address(at: &Field<'_>, errors: &mut Errors) {
    if at.text().parse::<IpAddr>().is_err() {
        at.invalid(errors, "must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)");
    }
}

/// A service keeps its address.
pub(super) fn service_update(spec: &Field<'_>, old: &Field<'_>, errors: &mut Errors) {
    let external = |at: &Field<'_>| at.get("type").text() == "ExternalName";
    if external(spec) || external(old) {
        return;
    }
    let before = old.get("clusterIP");
    if !before.is_empty() && spec.get("clusterIP").value() != before.value() {
        let addresses = spec.get("clusterIPs");
        let given = serde_json::json!([spec.get("clusterIP").text()]);
        addresses.index(0).invalid_value(errors, given, "may not change once set");
    }
}

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
