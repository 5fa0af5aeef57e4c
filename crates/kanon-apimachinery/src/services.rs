//! What a server gives services: families, cluster IPs and node ports. Between mutating admission and validation, as upstream does.
//!
//! What is given stands in the stored services and nowhere else: an [`Allocator`] is a cache over them, and over the claims of
//! writes that are on their way. One number goes to one service; what goes with a service is free again.

mod families;
mod pool;
mod ranges;

use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
};

use kanon_core::{GroupVersionKind, Object};
use kanon_schema::{FieldError, FieldPath};
use kanon_store::{EventKind, Key, ListOptions, Memory, Revision};
use serde_json::Value;

use crate::{
    meta,
    status::{ApiError, Result},
};
use pool::{Pool, Taken};
use ranges::{AddressRange, Family};
pub use ranges::{AddressRanges, NodePorts};

/// Where services are stored.
const PREFIX: &str = "core/services/";

/// Knows what is taken.
#[derive(Debug)]
pub struct Allocator {
    /// What services hold, by key.
    held: BTreeMap<Key, Numbers>,
    /// One of each family that is served, the default first.
    addresses: Vec<(AddressRange, Pool)>,
    served: Vec<Family>,
    node_ports: NodePorts,
    ports: Pool,
    /// Where the store stood that this was read from.
    seen: Option<Revision>,
}

/// Numbers of one service, or of one write.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Numbers {
    addresses: BTreeSet<IpAddr>,
    ports: BTreeSet<u128>,
}

/// What a write holds until its outcome stands in the store. Give it back to [`Allocator::release`] then, whatever the outcome.
#[derive(Debug, Default)]
#[must_use = "numbers that are not given back stay taken"]
pub struct Claim(Numbers);

impl Allocator {
    /// An allocator that knows of no service yet.
    pub fn new(addresses: &AddressRanges, node_ports: NodePorts) -> Allocator {
        Allocator {
            held: BTreeMap::new(),
            addresses: addresses.all().iter().map(|it| (*it, it.pool())).collect(),
            served: addresses.all().iter().map(|it| it.family).collect(),
            node_ports,
            ports: node_ports.pool(),
            seen: None,
        }
    }

    /// Completes a new service, or a changed one of which `old` is stored. `seed` (its uid) decides where the search for free
    /// numbers begins.
    ///
    /// # Errors
    /// 422 for families that are not served, and for numbers that are taken or out of range; 500 where none is left.
    pub fn complete(&mut self, memory: &Memory, service: &mut Value, old: Option<&Value>, seed: &str) -> Result<Claim> {
        self.catch_up(memory);
        if old.is_none() {
            families::align(service);
        }
        families::complete(service, old, &self.served).map_err(|errors| refused(service, errors))?;
        let mut claim = Claim::default();
        let given = self.give(service, old, seed, &mut claim.0);
        match given {
            Ok(()) => Ok(claim),
            Err(error) => {
                self.release(claim);
                Err(error)
            }
        }
    }

    /// Takes a claim back.
    pub fn release(&mut self, claim: Claim) {
        self.forget(&claim.0);
    }

    fn give(&mut self, service: &mut Value, old: Option<&Value>, seed: &str, claim: &mut Numbers) -> Result<()> {
        let before = old.map(numbers_of).unwrap_or_default();
        self.give_addresses(service, old, &before, seed, claim)?;
        if matches!(kind(service), "NodePort" | "LoadBalancer") {
            self.give_ports(service, &before, seed, claim)?;
        }
        if needs_health_port(service) {
            self.give_health_port(service, &before, seed, claim)?;
        }
        Ok(())
    }

    /// An address of each family. Once given, the first only goes with the service or its type, and the second with its family; that
    /// they may not be changed is said by validation.
    fn give_addresses(
        &mut self,
        service: &mut Value,
        old: Option<&Value>,
        before: &Numbers,
        seed: &str,
        claim: &mut Numbers,
    ) -> Result<()> {
        let wanted = |service: &Value, at: usize| text(&service["spec"]["clusterIPs"][at]).to_owned();
        if kind(service) == "ExternalName" || wanted(service, 0) == families::NONE {
            return Ok(());
        }
        let families = service["spec"]["ipFamilies"].as_array().cloned().unwrap_or_default();
        for (at, family) in families.iter().enumerate() {
            // A service may have been stored without an address, or with the first form of it alone.
            let is_kept = match at {
                0 => old.is_some_and(has_address),
                _ => before.addresses.len() > at,
            };
            if is_kept {
                continue;
            }
            let Some((range, pool)) = self.addresses.iter_mut().find(|(it, _)| it.family.name() == text(family)) else {
                continue;
            };
            let wanted = wanted(service, at);
            if wanted.is_empty() {
                let number = pool.pick(seed);
                let number =
                    number.ok_or_else(|| ApiError::internal("failed to allocate a serviceIP: range is full"))?;
                pool.take(number);
                let address = range.address(number);
                claim.addresses.insert(address);
                let mut list = service["spec"]["clusterIPs"].as_array().cloned().unwrap_or_default();
                list.truncate(at);
                list.push(address.to_string().into());
                service["spec"]["clusterIP"] = list[0].clone();
                service["spec"]["clusterIPs"] = list.into();
                continue;
            }
            let Ok(address) = wanted.parse::<IpAddr>() else { continue };
            let problem = match pool.claim(number_of(address)) {
                Taken::Now => {
                    claim.addresses.insert(address);
                    continue;
                }
                Taken::Before => "provided IP is already allocated".to_owned(),
                Taken::OutOfRange => {
                    format!("the provided IP ({address}) is not in the valid range. The range of valid IPs is {range}")
                }
            };
            let list = service["spec"]["clusterIPs"].clone();
            let shown = families::shown("[]string", &list);
            let detail = format!("failed to allocate IP {wanted}: {problem}");
            let error = FieldError::invalid(&FieldPath::of("spec.clusterIPs"), list, detail).showing(shown);
            return Err(refused(service, vec![error]));
        }
        Ok(())
    }

    /// A port of a service that has one number in several protocols has one node port, too.
    fn give_ports(&mut self, service: &mut Value, before: &Numbers, seed: &str, claim: &mut Numbers) -> Result<()> {
        let gives = service["spec"]["allocateLoadBalancerNodePorts"] != false || kind(service) != "LoadBalancer";
        let mut ports = service["spec"]["ports"].as_array().cloned().unwrap_or_default();
        let wanted: Vec<(i64, Option<i64>)> = ports.iter().map(|it| (number(it, "port"), node_port(it))).collect();
        let mut chosen: BTreeMap<i64, i64> = BTreeMap::new();
        for (port, given) in wanted.iter().filter_map(|(port, given)| Some((*port, (*given)?))) {
            chosen.entry(port).or_insert(given);
        }
        for (index, port) in ports.iter_mut().enumerate() {
            let given = match node_port(port) {
                Some(given) => given,
                None if !gives => continue,
                None => match chosen.get(&number(port, "port")) {
                    Some(given) => *given,
                    None => {
                        let free = self
                            .ports
                            .pick(seed)
                            .ok_or_else(|| ApiError::internal("failed to allocate a nodePort: range is full"))?;
                        self.ports.take(free);
                        claim.ports.insert(free);
                        chosen.insert(number(port, "port"), port_of(free));
                        port_of(free)
                    }
                },
            };
            if let Err(problem) = self.claim_port(given, before, claim) {
                let path = FieldPath::of("spec.ports");
                let (path, given) = (path.index(index), Value::from(given));
                let error = FieldError::invalid(&path.child("nodePort"), given, problem);
                return Err(refused(service, vec![error]));
            }
            if let Value::Object(port) = port {
                port.insert("nodePort".to_owned(), given.into());
            }
        }
        if !ports.is_empty() {
            service["spec"]["ports"] = ports.into();
        }
        Ok(())
    }

    fn give_health_port(
        &mut self,
        service: &mut Value,
        before: &Numbers,
        seed: &str,
        claim: &mut Numbers,
    ) -> Result<()> {
        let given = number(&service["spec"], "healthCheckNodePort");
        if given != 0 {
            return self.claim_port(given, before, claim).map_err(|problem| {
                ApiError::internal(format!("failed to allocate requested HealthCheck NodePort {given}: {problem}"))
            });
        }
        let free = self
            .ports
            .pick(seed)
            .ok_or_else(|| ApiError::internal("failed to allocate a HealthCheck NodePort 0: range is full"))?;
        self.ports.take(free);
        claim.ports.insert(free);
        service["spec"]["healthCheckNodePort"] = port_of(free).into();
        Ok(())
    }

    /// Takes a node port that was asked for, unless the service has it already.
    fn claim_port(&mut self, given: i64, before: &Numbers, claim: &mut Numbers) -> std::result::Result<(), String> {
        let number = u128::try_from(given).unwrap_or(u128::MAX);
        if before.ports.contains(&number) || claim.ports.contains(&number) {
            return Ok(());
        }
        match self.ports.claim(number) {
            Taken::Now => {
                claim.ports.insert(number);
                Ok(())
            }
            Taken::Before => Err("provided port is already allocated".to_owned()),
            Taken::OutOfRange => {
                let range = self.node_ports;
                Err(format!("provided port is not in the valid range. The range of valid ports is {range}"))
            }
        }
    }

    /// Takes in what happened to services.
    fn catch_up(&mut self, memory: &Memory) {
        if self.seen == Some(memory.revision()) {
            return;
        }
        let events = self.seen.and_then(|seen| memory.events_since(PREFIX, seen, usize::MAX).ok());
        match events {
            Some(events) => {
                for event in events {
                    let object = (event.kind != EventKind::Deleted).then_some(&event.entry.object);
                    self.note(&event.entry.key, object);
                }
            }
            None => {
                for key in self.held.keys().cloned().collect::<Vec<_>>() {
                    self.note(&key, None);
                }
                // The current state is never compacted away.
                let page = memory.list(PREFIX, ListOptions::default());
                for entry in page.map(|it| it.entries).unwrap_or_default() {
                    self.note(&entry.key, Some(&entry.object));
                }
            }
        }
        self.seen = Some(memory.revision());
    }

    fn note(&mut self, key: &Key, object: Option<&Object>) {
        if let Some(before) = self.held.remove(key) {
            self.forget(&before);
        }
        if let Some(object) = object {
            let numbers = numbers_of(&object.to_value());
            self.each_address(&numbers, Pool::take);
            numbers.ports.iter().for_each(|it| self.ports.take(*it));
            self.held.insert(key.clone(), numbers);
        }
    }

    fn forget(&mut self, numbers: &Numbers) {
        self.each_address(numbers, Pool::give_back);
        numbers.ports.iter().for_each(|it| self.ports.give_back(*it));
    }

    /// Addresses of a family that is not served are in no pool.
    fn each_address(&mut self, numbers: &Numbers, act: impl Fn(&mut Pool, u128)) {
        for address in &numbers.addresses {
            if let Some((_, pool)) = self.addresses.iter_mut().find(|(it, _)| it.family == Family::of(*address)) {
                act(pool, number_of(*address));
            }
        }
    }
}

/// What a service holds.
fn numbers_of(service: &Value) -> Numbers {
    let spec = &service["spec"];
    let all = spec["clusterIPs"].as_array().into_iter().flatten().chain([&spec["clusterIP"]]);
    let address = |it: &Value| it.as_str()?.parse::<IpAddr>().ok();
    let ports = spec["ports"].as_array().into_iter().flatten().filter_map(node_port);
    let health = Some(number(spec, "healthCheckNodePort")).filter(|it| *it != 0);
    Numbers {
        addresses: all.filter_map(address).collect(),
        ports: ports.chain(health).filter_map(|it| u128::try_from(it).ok()).collect(),
    }
}

fn number_of(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(it) => it.to_bits().into(),
        IpAddr::V6(it) => it.to_bits(),
    }
}

/// A number of the pool of ports.
fn port_of(number: u128) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

fn kind(service: &Value) -> &str {
    service["spec"]["type"].as_str().unwrap_or("ClusterIP")
}

fn has_address(service: &Value) -> bool {
    kind(service) != "ExternalName" && service["spec"]["clusterIP"].as_str().is_some_and(|it| !it.is_empty())
}

fn needs_health_port(service: &Value) -> bool {
    kind(service) == "LoadBalancer" && service["spec"]["externalTrafficPolicy"] == "Local"
}

fn number(object: &Value, member: &str) -> i64 {
    object[member].as_i64().unwrap_or_default()
}

fn node_port(port: &Value) -> Option<i64> {
    Some(number(port, "nodePort")).filter(|it| *it != 0)
}

fn refused(service: &Value, errors: Vec<FieldError>) -> ApiError {
    let gvk = GroupVersionKind::new("", "v1", "Service");
    ApiError::invalid(&gvk, meta::text(service, "name"), errors.into_iter().map(Into::into).collect())
}

#[cfg(test)]
mod tests;
