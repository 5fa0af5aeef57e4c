//! NetworkPolicy as Kubernetes means it: a model of namespaces, pods and policies ([`Model`]), who may reach whom and which
//! rules decide ([`Model::can_reach`]), facts for rules of mode `network` ([`facts`]), the built-in checks ([`checks`]) and
//! the life of their findings ([`Findings`]).
//!
//! Flow: watched objects or manifests → [`Model::apply`] → answers, or [`Analyser`]: the namespaces touched are checked again
//! and what changed comes out as [`Event`]s. Declared policy only: what a network plugin makes of it is not known here. No
//! clock and no socket; snapshots are clones that share everything.
//!
//! Where Kubernetes leaves a choice to network plugins, the most common one is taken (network policies, "Pod isolation and
//! hostNetwork pods"): pods on the host network have the node's address; no policy applies to them and selectors do not see them.
//! `ipBlock` looks at addresses, those of pods too, as the upstream conformance tests demand.

mod analyser;
pub mod checks;
mod cidr;
pub mod facts;
mod findings;
mod model;
mod pod;
mod policy;
mod ports;
mod reach;

pub use analyser::{Analyser, Pass};
pub use checks::{Check, Finding, FindingKey, Options, Severity};
pub use cidr::{Cidr, CidrError, IpBlock};
pub use findings::{Event, Findings};
pub use model::{Kinds, Model, Namespace};
pub use pod::{NamedPort, Pod, keep, pod_template};
pub use policy::{Direction, NamespaceScope, Peer, Policy, Rule};
pub use ports::{PortMatch, PortRange, PortRef, Protocol, UnknownProtocol};
pub use reach::{Answer, Endpoint, Namespaces, ReachError, Reason, RuleRef, Side, can_reach};
