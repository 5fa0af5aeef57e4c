//! What a server gives services: families, cluster IPs and node ports. Between mutating admission and validation, as upstream does.
//!
//! What is given stands in the stored services and nowhere else: an [`Allocator`] is a cache over them, and over the claims of
//! writes that are on their way. One number goes to one service; what goes with a service is free again.

mod families;
mod pool;

use std::{
    collections::{BTreeMap, BTreeSet},
    net::Ipv4Addr,
};

use kanon_core::{GroupVersionKind, Object};
use kanon_schema::{FieldError, FieldPath};
use kanon_store::{EventKind, Key, ListOptions, Memory, Revision};
use serde_json::{Value, json};

use crate::{
    meta,
    status::{ApiError, Result},
};
use pool::{Pool, Taken};

/// Where services are stored.
const PREFIX: &str = "core/services/";
/// The range of cluster IPs (kubeadm's), without its first and last address: those of the network.
const RANGE: &str = "10.96.0.0/12";
const FIRST_ADDRESS: u32 = Ipv4Addr::new(10, 96, 0, 1).to_bits();
const ADDRESSES: u32 = (1 << 20) - 2;
/// The range of node ports (upstream's).
const FIRST_PORT: u32 = 30_000;
const PORTS: u32 = 2768;
/// Numbers at the beginning of a range that are given last, so that people can choose among them: a part of the range, within
/// bounds (upstream).
const RESERVED_ADDRESSES: u32 = 256;
const RESERVED_PORTS: u32 = PORTS / 32;

/// Knows what is taken.
#[derive(Debug)]
pub struct Allocator {
    /// What services hold, by key.
    held: BTreeMap<Key, Numbers>,
    addresses: Pool,
    ports: Pool,
    /// Where the store stood that this was read from.
    seen: Option<Revision>,
}

/// Numbers of one service, or of one write.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Numbers {
    addresses: BTreeSet<u32>,
    ports: BTreeSet<u32>,
}

/// What a write holds until its outcome stands in the store. Give it back to [`Allocator::release`] then, whatever the outcome.
#[derive(Debug, Default)]
#[must_use = "numbers that are not given back stay taken"]
pub struct Claim(Numbers);

impl Default for Allocator {
    fn default() -> Allocator {
        Allocator {
            held: BTreeMap::new(),
            addresses: Pool::new(FIRST_ADDRESS, ADDRESSES, RESERVED_ADDRESSES),
            ports: Pool::new(FIRST_PORT, PORTS, RESERVED_PORTS),
            seen: None,
        }
    }
}

impl Allocator {
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
        families::complete(service, old).map_err(|errors| refused(service, errors))?;
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
        if !old.is_some_and(has_address) {
            self.give_address(service, seed, claim)?;
        }
        if matches!(kind(service), "NodePort" | "LoadBalancer") {
            self.give_ports(service, &before, seed, claim)?;
        }
        if needs_health_port(service) {
            self.give_health_port(service, &before, seed, claim)?;
        }
        Ok(())
    }

    /// Once given, an address only goes with the service or its type; that it may not be changed is said by validation.
    fn give_address(&mut self, service: &mut Value, seed: &str, claim: &mut Numbers) -> Result<()> {
        let wanted = service["spec"]["clusterIPs"][0].as_str().unwrap_or_default().to_owned();
        if kind(service) == "ExternalName" || wanted == families::NONE {
            return Ok(());
        }
        if wanted.is_empty() {
            let number = self.addresses.pick(seed);
            let number = number.ok_or_else(|| ApiError::internal("failed to allocate a serviceIP: range is full"))?;
            self.addresses.take(number);
            claim.addresses.insert(number);
            let address = Ipv4Addr::from_bits(number).to_string();
            service["spec"]["clusterIPs"] = json!([address]);
            service["spec"]["clusterIP"] = address.into();
            return Ok(());
        }
        let Ok(address) = wanted.parse::<Ipv4Addr>() else { return Ok(()) };
        let number = address.to_bits();
        let problem = match self.addresses.claim(number) {
            Taken::Now => {
                claim.addresses.insert(number);
                return Ok(());
            }
            Taken::Before => "provided IP is already allocated".to_owned(),
            Taken::OutOfRange => {
                format!("the provided IP ({address}) is not in the valid range. The range of valid IPs is {RANGE}")
            }
        };
        let list = service["spec"]["clusterIPs"].clone();
        let shown = families::shown("[]string", &list);
        let detail = format!("failed to allocate IP {wanted}: {problem}");
        Err(refused(service, vec![FieldError::invalid(&FieldPath::of("spec.clusterIPs"), list, detail).showing(shown)]))
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
                        chosen.insert(number(port, "port"), free.into());
                        free.into()
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
        service["spec"]["healthCheckNodePort"] = free.into();
        Ok(())
    }

    /// Takes a node port that was asked for, unless the service has it already.
    fn claim_port(&mut self, given: i64, before: &Numbers, claim: &mut Numbers) -> std::result::Result<(), String> {
        let number = u32::try_from(given).unwrap_or(u32::MAX);
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
                let last = FIRST_PORT + PORTS - 1;
                Err(format!("provided port is not in the valid range. The range of valid ports is {FIRST_PORT}-{last}"))
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
            numbers.addresses.iter().for_each(|it| self.addresses.take(*it));
            numbers.ports.iter().for_each(|it| self.ports.take(*it));
            self.held.insert(key.clone(), numbers);
        }
    }

    fn forget(&mut self, numbers: &Numbers) {
        numbers.addresses.iter().for_each(|it| self.addresses.give_back(*it));
        numbers.ports.iter().for_each(|it| self.ports.give_back(*it));
    }
}

/// What a service holds.
fn numbers_of(service: &Value) -> Numbers {
    let spec = &service["spec"];
    let all = spec["clusterIPs"].as_array().into_iter().flatten().chain([&spec["clusterIP"]]);
    let address = |it: &Value| it.as_str()?.parse::<Ipv4Addr>().ok().map(Ipv4Addr::to_bits);
    let ports = spec["ports"].as_array().into_iter().flatten().filter_map(node_port);
    let health = Some(number(spec, "healthCheckNodePort")).filter(|it| *it != 0);
    Numbers {
        addresses: all.filter_map(address).collect(),
        ports: ports.chain(health).filter_map(|it| u32::try_from(it).ok()).collect(),
    }
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
