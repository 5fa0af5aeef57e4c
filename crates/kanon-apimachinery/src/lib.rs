//! The embedded API server's brain: what a Kubernetes API server answers, request by request (spec/kubernetes-api.md), as
//! pure functions over `kanon-store`'s memory. Time, uids and random suffixes come in as arguments; sockets, threads and
//! the writer's loop are `kanon-apiserver`'s.
//!
//! A request's way: [`request`] reads its head, [`rbac`] says who may, [`request::RequestInfo::resolve`] finds the
//! [`resource`]; reads end in [`list`], [`watch`] or [`table`], writes go through [`decode`] and the stages of [`write`](mod@write)
//! with [`admission`] in between. Every failure is a [`status::ApiError`].

pub mod admission;
mod amounts;
pub mod audit;
mod autoscalers;
pub mod conversion;
pub mod crd;
pub mod decode;
pub mod discovery;
mod events;
pub mod lifecycle;
pub mod limits;
pub mod list;
mod meta;
pub mod negotiate;
pub mod openapi;
pub mod pod_security;
pub mod pods;
pub mod protobuf;
pub mod quota;
pub mod rbac;
pub mod request;
pub mod resource;
pub mod reviews;
pub mod selector;
pub mod services;
mod shape;
pub mod status;
pub mod table;
pub mod version;
pub mod watch;
pub mod write;

#[cfg(test)]
mod robust;
#[cfg(test)]
mod testing;
