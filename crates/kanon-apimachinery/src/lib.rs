//! The embedded API server's brain: what a Kubernetes API server answers, request by request (spec/kubernetes-api.md), as
//! pure functions over `kanon-store`'s memory. Time, uids and random suffixes come in as arguments; sockets, threads and
//! the writer's loop are `kanon-apiserver`'s.

mod events;
pub mod request;
pub mod resource;
pub mod selector;
pub mod status;
