//! The embedded API server's brain: what a Kubernetes API server answers, request by request (spec/kubernetes-api.md), as
//! pure functions over `kanon-store`'s memory. Time, uids and random suffixes come in as arguments; sockets, threads and
//! the writer's loop are `kanon-apiserver`'s.

pub mod admission;
pub mod crd;
pub mod decode;
mod events;
mod meta;
pub mod lifecycle;
pub mod negotiate;
pub mod rbac;
pub mod request;
pub mod resource;
pub mod reviews;
pub mod selector;
mod shape;
pub mod status;
pub mod version;
pub mod write;

// NOTE (remove when done): admission, rbac, reviews, lifecycle, version are being written by a second author; write all others.

#[cfg(test)]
mod testing;
