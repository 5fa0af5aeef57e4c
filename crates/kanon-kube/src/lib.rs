//! The way to any Kubernetes API server, embedded or real: objects come in as bytes, effects go out.
//!
//! `kube` gives configuration, TLS and single calls; list and watch bodies are framed here and handed on as bytes, because a
//! typed watcher builds a tree of every object. It knows no policy family.

mod adopt;
mod budget;
mod certificates;
mod client;
mod discovery;
mod effects;
mod install;
mod lease;
mod live;
mod watch;

pub use adopt::{Adoption, adopt_webhook};
pub use budget::Budget;
pub use certificates::{Claim, SecretName, claim_material, read_material, renew_material};
pub use client::{Api, Error, FIELD_MANAGER, Source, USER_AGENT};
pub use discovery::discover;
pub use effects::run_effects;
pub use install::{Endpoint, Webhook, install_crds, install_webhook, resources, webhook_manifest};
pub use lease::{Candidate, lease_name, run_elections};
pub use live::read_live;
pub use watch::{Around, Corner, Span, list, may_list, run_watch};
