//! TLS once for all shells: the own certificate authority, rotation without restart, the listener, and the way out.
//!
//! - [`Authority`] issues server and client certificates; [`ServerCertificate`] swaps the leaf under a running listener.
//! - [`Material`] is what stands in a Secret or a folder; [`Renewal`] says when and how it gives way to new.
//! - [`tls_server_config`] and [`tls_client_config`] name the `ring` provider explicitly, so that no process-wide default
//!   is ever installed and no second crypto library gets in.
//! - [`serve()`] is the one accept loop: limits, timeouts, HTTP/1.1 and HTTP/2, graceful end, the [`Peer`] of every request.
//! - [`HttpsClient`] calls out: webhooks and the like, with connections reused.
//!
//! It knows nothing of Kubernetes, policies or admission.
#![allow(clippy::disallowed_methods, reason = "a shell: it sleeps, times out and starts tasks for the pure middle")]

mod authority;
mod client;
mod error;
mod leaf;
mod material;
mod peer;
mod pinned;
mod renewal;
mod rotation;
mod serve;
mod stall;
mod tls;

pub use authority::Authority;
pub use client::{CallError, HttpsClient, HttpsService, Resolve};
pub use error::Error;
pub use leaf::{Leaf, Validity};
pub use material::{AUTHORITIES, CERTIFICATE, KEY, Material, read_leaf};
pub use peer::{Identity, Peer};
pub use renewal::{Due, Renewal};
pub use rotation::ServerCertificate;
pub use serve::{Limits, bind, serve};
pub use tls::{Trust, tls_client_config, tls_server_config};
pub use tokio_util::sync::CancellationToken;
