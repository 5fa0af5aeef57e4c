//! The embedded Kubernetes API server: HTTP, storage, watches, webhooks and controllers around `kanon-apimachinery`,
//! which decides what every request means (design §3).
#![allow(clippy::disallowed_methods, reason = "a shell: it reads clocks, starts threads and draws uids for the pure middle")]

mod storage;

pub use storage::{OpenError, Place, Storage, WriteError};
