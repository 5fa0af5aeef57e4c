//! Simulated workloads (design §3): what the controllers, the scheduler and the kubelets of a real cluster would do next, as pure
//! functions of the objects that are stored and a time. Nothing runs: pods only go through the statuses they would have.
//!
//! A shell feeds every [`kanon_store::Event`] to a [`Cluster`], asks it for a [`Plan`], carries the [`Intent`]s out, says which
//! were refused, answers what the plan [`Ask`]s, feeds what came of it, and asks again, until nothing is due before the plan's
//! deadline. The same objects at
//! the same times give the same intents: names, addresses and hashes are computed, never drawn.
//!
//! What a pod is to pretend is said by its annotation `kanon.dev/simulate` ([`Behaviour`]).

mod cluster;
mod controllers;
mod index;
mod intent;
mod kind;
mod names;
mod pods;
mod selector;
mod step;
mod value;

pub use cluster::{Cluster, Plan};
pub use intent::{Action, Actor, Ask, Intent};
pub use kind::Kind;
pub use pods::behaviour::{Behaviour, SIMULATE};
