//! Services: ports, addresses and their families, and what each type may have.

use std::{collections::BTreeSet, net::IpAddr};

use kanon_schema::FieldError;
use serde_json::Value;

use super::{
    field::{Errors, Field},
    metadata,
};
use crate::names::{label_problems, qualified_name_problems, subdomain_problems};

/// The address of services that have none of their own.
const NONE: &str = "None";
/// What both of these are called in messages.
const FAMILIES: [&str; 2] = ["IPv4", "IPv6"];
const POLICIES: [&str; 3] = ["PreferDualStack", "RequireDualStack", "SingleStack"];
/// Families and addresses that one service may have.
const STACKS: usize = 2;
/// The port of kubelets.
const KUBELET: i64 = 10_250;

pub(super) fn service(spec: &Field<'_>, errors: &mut Errors) {
    let kind = spec.get("type").text();
    let ports = spec.get("ports");
    if ports.is_empty() && !is_headless(spec) && kind != "ExternalName" {
        ports.required(errors, "");
    }
    match kind {
        "ExternalName" => external_name(spec, errors),
        "NodePort" | "LoadBalancer" => {
            if is_headless(spec) {
                let problem = format!("may not be set to 'None' for {kind} services");
                spec.get("clusterIPs").index(0).invalid_value(errors, NONE, problem);
            }
            if kind == "LoadBalancer" {
                ports.each(|port| {
                    let number = port.get("port");
                    if number.int() == Some(KUBELET) {
                        number.invalid(errors, "may not expose port 10250 externally since it is used by kubelet");
                    }
                });
            }
        }
        _ => {}
    }
    metadata::labels(&spec.get("selector"), errors);
    service_ports(&ports, kind, errors);
    addresses(spec, errors);
    spec.get("externalIPs").each(|it| address(it, errors));
    let timeout = spec.get("sessionAffinityConfig");
    timeout.get("clientIP").get("timeoutSeconds").within(errors, 1, 86_400);
    balancer_class(spec, errors);
    traffic(spec, errors);
}

/// The addresses, families and policy of a service, which belong together: also asked before a server gives addresses.
pub fn service_address_problems(service: &Value) -> Vec<FieldError> {
    let mut errors = Errors::new();
    addresses(&Field::root(service).get("spec"), &mut errors);
    errors
}

fn is_headless(spec: &Field<'_>) -> bool {
    let addresses = spec.get("clusterIPs");
    (addresses.len() == 1 && addresses.index(0).text() == NONE)
        || (addresses.is_empty() && spec.get("clusterIP").text() == NONE)
}

fn external_name(spec: &Field<'_>, errors: &mut Errors) {
    for member in ["clusterIPs", "ipFamilies", "ipFamilyPolicy"] {
        let at = spec.get(member);
        if !at.is_empty() {
            at.forbidden(errors, "may not be set for ExternalName services");
        }
    }
    let name = spec.get("externalName");
    let host = name.text().strip_suffix('.').unwrap_or(name.text());
    if host.is_empty() {
        name.required(errors, "");
    } else {
        for problem in subdomain_problems(host) {
            name.invalid_value(errors, host, problem);
        }
    }
}

fn service_ports(ports: &Field<'_>, kind: &str, errors: &mut Errors) {
    let mut names = BTreeSet::new();
    let mut numbers = BTreeSet::new();
    let mut node_ports = BTreeSet::new();
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
        let protocol = port.get("protocol").text().to_owned();
        if !numbers.insert((number.int(), protocol.clone())) {
            let number = number.int().unwrap_or_default();
            port.duplicate_shown(
                errors,
                format!(
                    "core.ServicePort{{Name:\"\", Protocol:{protocol:?}, AppProtocol:(*string)(nil), Port:{number}, TargetPort:intstr.IntOrString{{Type:0, IntVal:0, StrVal:\"\"}}, NodePort:0}}"
                ),
            );
        }
        let node_port = port.get("nodePort");
        let Some(given) = node_port.int().filter(|it| *it != 0) else { return };
        if kind == "ClusterIP" {
            node_port.forbidden(errors, "may not be used when `type` is 'ClusterIP'");
        } else if !node_ports.insert((given, protocol)) {
            node_port.duplicate(errors);
        }
    });
}

fn addresses(spec: &Field<'_>, errors: &mut Errors) {
    if spec.get("type").text() == "ExternalName" {
        return;
    }
    let (one, all) = (spec.get("clusterIP"), spec.get("clusterIPs"));
    if one.is_empty() {
        if !all.is_empty() {
            all.invalid(errors, "must be empty when `clusterIP` is not specified");
        }
    } else if all.is_empty() {
        all.required(errors, "");
    } else if all.index(0).text() != one.text() {
        all.invalid(errors, "first value must match `clusterIP`");
    }
    families(spec, errors);
    let before = errors.len();
    for index in 0..all.len() {
        let it = all.index(index);
        if index == 0 && it.text() == NONE {
            if all.len() > 1 {
                all.invalid(errors, "'None' must be the first and only value");
            }
        } else {
            address(&it, errors);
        }
    }
    let has_bad = errors.len() > before;
    if all.len() > STACKS {
        all.invalid(errors, "may only hold up to 2 values");
    }
    if has_bad {
        return;
    }
    let kinds: BTreeSet<&str> = (0..all.len()).map(|it| family_of(all.index(it).text())).collect();
    if all.len() > 1 && kinds.len() != all.len() {
        all.invalid(errors, "may specify no more than one IP for each IP family");
    }
    let wanted = spec.get("ipFamilies");
    if is_headless(spec) {
        return;
    }
    for index in 0..all.len().min(wanted.len()) {
        let (given, wanted) = (all.index(index), wanted.index(index));
        if FAMILIES.contains(&wanted.text()) && family_of(given.text()) != wanted.text() {
            let family = wanted.text();
            given.invalid(errors, format!("expected an {family} value as indicated by `ipFamilies[{index}]`"));
        }
    }
}

fn families(spec: &Field<'_>, errors: &mut Errors) {
    let families = spec.get("ipFamilies");
    let mut seen = BTreeSet::new();
    families.each(|it| {
        it.one_of(errors, &FAMILIES);
        if !seen.insert(it.text().to_owned()) {
            it.duplicate(errors);
        }
    });
    let policy = spec.get("ipFamilyPolicy");
    if !policy.is_absent() {
        policy.one_of(errors, &POLICIES);
    }
}

/// The family of an address: whatever has a colon is IPv6.
fn family_of(address: &str) -> &'static str {
    if address.contains(':') { "IPv6" } else { "IPv4" }
}

pub(super) fn address(at: &Field<'_>, errors: &mut Errors) {
    if at.text().parse::<IpAddr>().is_err() {
        at.invalid(errors, "must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)");
    }
}

fn balancer_class(spec: &Field<'_>, errors: &mut Errors) {
    let class = spec.get("loadBalancerClass");
    if class.is_absent() {
        return;
    }
    if spec.get("type").text() == "LoadBalancer" {
        class.problems(errors, qualified_name_problems(class.text()));
    } else {
        class.forbidden(errors, "may only be used when `type` is 'LoadBalancer'");
    }
}

/// What is said about traffic from outside, where there is any.
fn traffic(spec: &Field<'_>, errors: &mut Errors) {
    let kind = spec.get("type").text();
    let is_reached =
        matches!(kind, "NodePort" | "LoadBalancer") || (kind == "ClusterIP" && !spec.get("externalIPs").is_empty());
    let policy = spec.get("externalTrafficPolicy");
    if !policy.is_empty() && !is_reached {
        policy.invalid(errors, "may only be set for externally-accessible services");
    }
    let health = spec.get("healthCheckNodePort");
    if health.int().is_some_and(|it| it != 0) && !(kind == "LoadBalancer" && policy.text() == "Local") {
        health.invalid(errors, "may only be set when `type` is 'LoadBalancer' and `externalTrafficPolicy` is 'Local'");
    }
}

/// A service keeps its first address and family, and its class of load balancers.
pub(super) fn update(spec: &Field<'_>, old: &Field<'_>, errors: &mut Errors) {
    let is_external = |at: &Field<'_>| at.get("type").text() == "ExternalName";
    if !is_external(spec) && !is_external(old) {
        kept_addresses(spec, old, errors);
        kept_families(spec, old, errors);
    }
    let is_balancer = |at: &Field<'_>| at.get("type").text() == "LoadBalancer";
    if is_balancer(spec) && is_balancer(old) {
        let class = spec.get("loadBalancerClass");
        if class.value() != old.get("loadBalancerClass").value() {
            class.invalid(errors, "may not change once set");
        }
    }
}

fn kept_addresses(spec: &Field<'_>, old: &Field<'_>, errors: &mut Errors) {
    if is_headless(spec) && is_headless(old) {
        return;
    }
    let (now, before) = (spec.get("clusterIPs"), old.get("clusterIPs"));
    // Services that were stored before they got addresses have none, or only the first form of it.
    let first = if before.is_empty() { old.get("clusterIP").text() } else { before.index(0).text() };
    if first.is_empty() {
        return;
    }
    let given = || now.value().clone();
    if now.is_empty() {
        now.index(0).invalid_shown(errors, "[]string(nil)".to_owned(), "primary clusterIP can not be unset");
    } else if now.index(0).text() != first {
        now.index(0).invalid_value(errors, given(), "may not change once set");
    }
    if now.len() == 2 && before.len() == 2 && now.index(1).value() != before.index(1).value() {
        now.index(1).invalid_value(errors, given(), "may not change once set");
    }
    if now.len() == 1 && before.len() == 2 {
        let policy = spec.get("ipFamilyPolicy");
        if policy.text() != "SingleStack" {
            policy.invalid(errors, "must be set to 'SingleStack' when releasing the secondary clusterIP");
        }
    }
}

fn kept_families(spec: &Field<'_>, old: &Field<'_>, errors: &mut Errors) {
    let (now, before) = (spec.get("ipFamilies"), old.get("ipFamilies"));
    if is_headless(spec) || is_headless(old) || now.is_empty() || before.is_empty() {
        return;
    }
    if now.index(0).value() != before.index(0).value() {
        let list: Vec<String> = (0..now.len()).map(|it| kanon_schema::quote(now.index(it).text())).collect();
        let shown = format!("[]core.IPFamily{{{}}}", list.join(", "));
        now.index(0).invalid_shown(errors, shown, "may not change once set");
    }
}
