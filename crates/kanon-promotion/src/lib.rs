//! The promote family: gates in CEL over Pipelines, Bundles, change windows and metrics, as seed 003 and
//! `spec/promotion-gates.md` describe them. It lives on time: most of what it decides changes without anybody doing anything.
//!
//! Flow: objects ([`api`]) → what they mean ([`gate`], [`pipeline`], [`bundle`], [`window`], [`metric`]) → [`facts`] → which
//! gate is asked where ([`collect`]) → its [`inputs`] → one decision ([`decide`]) → status, Events, records (`family`) and the
//! view that `explain` reads. [`next`] asks the same decision about later instants, for deadlines and for people.
//!
//! Promotion itself is not here: nothing is deployed, no Bundle changes its phase, no repository is touched. A template is
//! asked for the Bundle that is on its way through a Pipeline it applies to; objects that carry `kardinal.io/bundle` are asked
//! for that Bundle.
//!
//! Nothing here knows a cluster, a clock, another family or a language.

pub mod api;
pub mod bundle;
pub mod bundles;
pub mod clock;
pub mod collect;
pub mod decide;
pub mod duration;
pub mod facts;
mod family;
mod functions;
pub mod gate;
pub mod inputs;
pub mod metric;
pub mod namespaced;
pub mod next;
pub mod offline;
pub mod pipeline;
pub mod references;
pub mod skip;
mod status;
mod values;
pub mod view;
pub mod window;

pub use facts::Settings;
pub use family::PromotionFamily;
pub use view::PromotionView;
