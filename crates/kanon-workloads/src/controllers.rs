//! The controllers, one file each: what the object whose turn it is wants changed. Each reads the present state alone and wants
//! nothing where the state is settled.

mod budget;
mod claim;
mod claims;
mod cron_job;
mod daemon_set;
mod deployment;
pub(crate) mod endpoints;
mod job;
pub(crate) mod node;
mod replicas;
mod revisions;
mod schedule;
mod stateful_set;
mod template;

use crate::{Kind, step::Step};

/// Decides about an object of any kind but a pod.
pub(crate) fn plan(step: &mut Step<'_>) {
    match step.item.kind {
        Kind::Node => node::plan(step),
        Kind::Service => endpoints::plan(step),
        Kind::Endpoints => endpoints::forget(step),
        Kind::Claim => claims::plan(step),
        Kind::ReplicationController | Kind::ReplicaSet => replicas::plan(step),
        Kind::Deployment => deployment::plan(step),
        Kind::StatefulSet => stateful_set::plan(step),
        Kind::DaemonSet => daemon_set::plan(step),
        Kind::Job => job::plan(step),
        Kind::CronJob => cron_job::plan(step),
        Kind::Budget => budget::plan(step),
        // They have no turns of their own, or another place.
        Kind::Lease | Kind::Pod | Kind::EndpointSlice | Kind::Event | Kind::ControllerRevision => {}
    }
}
