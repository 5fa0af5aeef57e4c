//! What Kubernetes means by quantities, versions, addresses, image references, selectors and pods: values and readings that
//! several languages offer under names of their own. Expr has them as the functions `k8s.…` ([`functions()`], spec/rules 2.8),
//! CEL as the libraries of Kubernetes.
//!
//! Texts and values in, values out; nothing here knows a language's grammar, a rule or a cluster.

mod functions;
mod image;
mod network;
mod pods;
mod quantity;
mod selector;
mod semver;

pub use functions::functions;
pub use image::{Image, parse_image};
pub use network::{Address, Range};
pub use pods::{CONTAINER_LISTS, containers, pod_spec};
pub use quantity::Quantity;
pub use selector::{selector_of_node, selector_of_value};
pub use semver::Semver;
