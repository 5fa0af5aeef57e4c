//! A NetworkPolicy, read once. What the API server would refuse admits nothing, and is named in [`Policy::problems`].

use std::fmt;

use kanon_core::{Node, Object, Selector};
use serde::Serialize;

use crate::{cidr::IpBlock, ports::PortMatch};

/// A direction of traffic, seen from the pods that a policy selects.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub enum Direction {
    /// To the pods.
    Ingress,
    /// From the pods.
    Egress,
}

impl Direction {
    /// As `policyTypes` has it.
    pub fn as_str(self) -> &'static str {
        match self {
            Direction::Ingress => "Ingress",
            Direction::Egress => "Egress",
        }
    }
}

impl fmt::Display for Direction {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.as_str())
    }
}

/// A NetworkPolicy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    /// Its namespace, where the pods are that it selects.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// Its UID; empty for manifests.
    pub uid: String,
    /// Which pods; `None` where the selector is none: no pod.
    pub selector: Option<Selector>,
    /// Whether it isolates its pods for ingress.
    pub ingress_effective: bool,
    /// Whether it isolates its pods for egress.
    pub egress_effective: bool,
    /// Whether `policyTypes` stands there.
    pub states_types: bool,
    /// What may come in.
    pub ingress: Vec<Rule>,
    /// What may go out.
    pub egress: Vec<Rule>,
    /// What of it cannot be read, each with its field path.
    pub problems: Vec<String>,
}

/// One rule of a direction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    /// Which other ends; `None` means every one (`from` or `to` is missing or empty).
    pub peers: Option<Vec<Peer>>,
    /// Which ports; `None` means every one (`ports` is missing or empty).
    pub ports: Option<Vec<PortMatch>>,
}

/// An entry of `from` or `to`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Peer {
    /// Pods by labels.
    Pods {
        /// Of which namespaces.
        namespaces: NamespaceScope,
        /// Which pods of them.
        pods: Selector,
    },
    /// Addresses; the `cidr` as written besides.
    Block(IpBlock, String),
    /// What the API server would refuse: nobody.
    Nobody,
}

/// Namespaces of a peer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NamespaceScope {
    /// The policy's own.
    Own,
    /// Those whose labels fit.
    Selected(Selector),
}

impl Policy {
    /// Reads a NetworkPolicy.
    pub fn of(object: &Object) -> Policy {
        let mut problems = Vec::new();
        let spec = object.at(&["spec"]);
        let get = |name: &str| spec.and_then(|it| it.get(name)).filter(|it| !it.is_null());
        let text = |name: &str| object.at(&["metadata", name]).and_then(Node::as_str).unwrap_or_default().into_owned();
        let selector = Selector::of(get("podSelector"));
        let selector = selector.map_err(|it| problems.push(format!("`spec.podSelector`: {it}"))).ok();
        let ingress = rules(get("ingress"), Direction::Ingress, &mut problems);
        let egress = rules(get("egress"), Direction::Egress, &mut problems);
        let types: Vec<_> = get("policyTypes").into_iter().flat_map(Node::elements).collect();
        for it in &types {
            if !matches!(it.as_plain_str(), Some("Ingress" | "Egress")) {
                problems.push(format!("`spec.policyTypes`: `{}` is not one of Ingress, Egress", it.raw()));
            }
        }
        let named = |direction: Direction| types.iter().any(|it| it.as_plain_str() == Some(direction.as_str()));
        let states_types = !types.is_empty();
        Policy {
            namespace: text("namespace"),
            name: text("name"),
            uid: text("uid"),
            selector,
            ingress_effective: !states_types || named(Direction::Ingress),
            egress_effective: if states_types { named(Direction::Egress) } else { !egress.is_empty() },
            states_types,
            ingress,
            egress,
            problems,
        }
    }

    /// Whether it isolates its pods in a direction (effective `policyTypes`).
    pub fn is_effective(&self, direction: Direction) -> bool {
        match direction {
            Direction::Ingress => self.ingress_effective,
            Direction::Egress => self.egress_effective,
        }
    }

    /// The rules of a direction, in order.
    pub fn rules(&self, direction: Direction) -> &[Rule] {
        match direction {
            Direction::Ingress => &self.ingress,
            Direction::Egress => &self.egress,
        }
    }

    /// Whether it selects every pod of its namespace.
    pub fn selects_all(&self) -> bool {
        self.selector.as_ref().is_some_and(Selector::is_empty)
    }

    /// Whether it isolates every pod of its namespace in a direction and admits nothing itself.
    pub fn is_default_deny(&self, direction: Direction) -> bool {
        self.selects_all() && self.is_effective(direction) && self.rules(direction).is_empty()
    }
}

impl Rule {
    /// Whether every other end is admitted, on some port at least.
    pub fn is_open_to_all(&self) -> bool {
        self.peers.as_ref().is_none_or(|it| it.iter().any(Peer::is_everyone))
    }
}

impl Peer {
    /// Whether it is every address of a family.
    pub fn is_everyone(&self) -> bool {
        matches!(self, Peer::Block(block, _) if block.is_everything())
    }

    /// Whether it is every pod of every namespace.
    pub fn is_every_pod(&self) -> bool {
        matches!(self, Peer::Pods { namespaces: NamespaceScope::Selected(it), pods } if it.is_empty() && pods.is_empty())
    }
}

/// What is between `from`/`to` and people.
impl fmt::Display for Peer {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Peer::Pods { namespaces: NamespaceScope::Own, pods } => write!(out, "pods {pods}"),
            Peer::Pods { namespaces: NamespaceScope::Selected(it), pods } => {
                write!(out, "namespaces {it}, pods {pods}")
            }
            Peer::Block(block, _) => block.fmt(out),
            Peer::Nobody => out.write_str("nobody"),
        }
    }
}

fn rules(list: Option<Node<'_>>, direction: Direction, problems: &mut Vec<String>) -> Vec<Rule> {
    let (field, peers) = match direction {
        Direction::Ingress => ("ingress", "from"),
        Direction::Egress => ("egress", "to"),
    };
    let mut rules = Vec::new();
    for (at, node) in list.into_iter().flat_map(Node::elements).enumerate() {
        let place = format!("spec.{field}[{at}]");
        let entries = |name: &str| {
            let entries: Vec<_> = node.get(name).into_iter().flat_map(Node::elements).collect();
            Some(entries).filter(|it| !it.is_empty())
        };
        let mut noted = |path: String, problem: String| problems.push(format!("`{path}`: {problem}"));
        let ports = entries("ports").map(|entries| {
            let read = |(at, it): (usize, &Node<'_>)| {
                PortMatch::of(*it).map_err(|problem| noted(format!("{place}.ports[{at}]"), problem)).ok()
            };
            entries.iter().enumerate().filter_map(read).collect()
        });
        let peers = entries(peers).map(|entries| {
            let read = |(at, it): (usize, &Node<'_>)| {
                peer(*it).unwrap_or_else(|problem| {
                    noted(format!("{place}.{peers}[{at}]"), problem);
                    Peer::Nobody
                })
            };
            entries.iter().enumerate().map(read).collect()
        });
        rules.push(Rule { peers, ports });
    }
    rules
}

fn peer(node: Node<'_>) -> Result<Peer, String> {
    let get = |name: &str| node.get(name).filter(|it| !it.is_null());
    match (get("ipBlock"), get("namespaceSelector"), get("podSelector")) {
        (Some(block), None, None) => {
            let text = |it: Node<'_>| it.as_str().unwrap_or_default().into_owned();
            let cidr = block.get("cidr").map(text).unwrap_or_default();
            let except = block.get("except").into_iter().flat_map(Node::elements).map(text);
            let except: Result<_, _> = except.map(|it| it.parse()).collect();
            let wrong = |it: crate::cidr::CidrError| format!("ipBlock: {it}");
            let block = IpBlock { cidr: cidr.parse().map_err(wrong)?, except: except.map_err(wrong)? };
            Ok(Peer::Block(block, cidr))
        }
        (Some(_), _, _) => Err("ipBlock stands alone: no selector may stand beside it".to_owned()),
        (None, None, None) => Err("names nobody: podSelector, namespaceSelector or ipBlock is required".to_owned()),
        (None, namespaces, pods) => {
            let selector = |node, field: &str| Selector::of(node).map_err(|it| format!("{field}: {it}"));
            let scope = match namespaces {
                None => NamespaceScope::Own,
                it => NamespaceScope::Selected(selector(it, "namespaceSelector")?),
            };
            Ok(Peer::Pods { namespaces: scope, pods: selector(pods, "podSelector")? })
        }
    }
}
