//! The embedded Kubernetes API server: HTTP, storage, watches, webhooks and controllers around `kanon-apimachinery`,
//! which decides what every request means (design §3).
//!
//! - [`ApiServer::start`] opens the store, listens, and returns a [`Running`] server with its kubeconfig.
//! - [`ApiService`] is the same server without its socket, for clients in this process.
//! - [`TestServer`] is one line for tests.
//!
//! A write is answered after it is durable; resourceVersions never go back; a watch never skips, repeats or reorders.
#![allow(
    clippy::disallowed_methods,
    reason = "a shell: it reads clocks, starts threads and draws uids for the pure middle"
)]

mod access;
mod admission;
mod audit;
mod authorize;
pub mod backup;
mod body;
mod cached;
mod config;
mod controllers;
mod conversion;
mod core;
mod handlers;
mod history;
mod ids;
mod indent;
mod inflight;
mod kubeconfig;
mod metrics;
mod numbers;
mod pods;
mod quotas;
mod reply;
mod server;
mod service;
mod storage;
mod testing;
mod tokens;
mod yaml;

pub use audit::{
    AuditError, AuditEvents, AuditLog, AuditMode, AuditObserver, AuditOptions, AuditRecord, AuditThrottle,
    AuditTruncate, AuditWebhook,
};
pub use body::Body;
pub use config::Config;
pub use core::Clock;
pub use inflight::RequestLimits;
pub use kanon_apimachinery::audit::{Event as AuditEvent, Level as AuditLevel, Policy as AuditPolicy};
pub use kanon_apimachinery::services::{AddressRanges, NodePorts};
pub use server::{ApiServer, Running, StartError};
pub use service::ApiService;
pub use storage::{OpenError, Place, Storage, WriteError};
pub use testing::{TestServer, clock};

/// The examples of docs/test-server.md, so that they run.
#[cfg(all(doctest, feature = "client"))]
#[doc = include_str!("../../../docs/test-server.md")]
struct TestServerExamples;
