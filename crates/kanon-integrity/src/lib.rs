//! The run family: `PandoCorePolicy` objects as seed 000 and `spec/runtime-integrity.md` describe them.
//!
//! Flow: policy object → [`api`] (wire) → [`validate`] (what is usable, what is wrong) → [`mod@resolve`] (policy over
//! environment over built-in, each value with its source) → status, records, and the view that `explain` reads.
//!
//! Nothing here knows a cluster, a clock or another family. The environment comes in as a map ([`Env`]).

pub mod api;
mod env;
mod family;
pub mod resolve;
pub mod secret;
mod status;
pub mod validate;
pub mod view;
pub mod warning;

pub use env::Env;
pub use family::IntegrityFamily;
pub use resolve::{Defaults, Effective, Source, Sourced, resolve};
pub use view::IntegrityView;
