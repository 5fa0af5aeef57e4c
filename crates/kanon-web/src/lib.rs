//! What Kanon serves over HTTP besides the Kubernetes API: the admission webhook, the audit webhook, metrics and probes.
//!
//! The webhook answers from published views and posts what was decided back as an input; it never waits for a disk, a sink
//! or an action. It knows no policy family. Listeners and TLS are `kanon-net`'s; the binary wires the two.
#![allow(clippy::disallowed_methods, reason = "a shell: it measures how long an answer takes")]

mod audit;
mod decide;
mod health;
mod metrics;
mod probes;
mod review;
mod webhook;

pub use audit::{AuditEndpoint, Credentials};
pub use metrics::{Gauge, Metrics};
pub use probes::Probes;
pub use review::{ReviewError, parse_review, render_answer};
pub use webhook::{Own, Reading, Snapshot, Webhook};
