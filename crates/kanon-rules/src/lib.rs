//! Portal rules: the objects `PortalClusterRule` and `PortalRule` and folders of rule files, each an expr-lang expression
//! that is `true` for a violation.
//!
//! Flow: wire document ([`api`]) → checked rule (`validate`) → snapshot by kind ([`Rules`]) → facts of an object (`facts`)
//! → verdicts (`decide`) → status, Events (`plan`). [`Rules`] is the one place where a question is answered: admission,
//! offline checks and tests all ask it.
//!
//! A broken revision never replaces a good one: the last good revision stays in force and `status.parseError` says why; a
//! rule that never compiled is not evaluated. The kill switch works all the same: a revision with `enabled: false` parks
//! the rule even when the rest of it is broken. The last good revision is remembered by the running process; after a restart a
//! broken revision is all that the API holds, and the rule is not evaluated until it is mended.

mod alerts;
pub mod api;
mod audit;
mod breaker;
mod decide;
mod documents;
mod exceptions;
mod facts;
mod family;
mod index;
mod lint;
mod lookups;
mod message;
pub mod migrate;
mod narrow;
mod needs;
mod network;
mod offline;
mod plan;
mod reads;
mod report;
mod respond;
mod rule;
mod runtime;
mod share;
mod status;
mod validate;
mod vet;
mod view;

pub use decide::{RuleTally, Tally, Timing, Trace, timed_limits};
pub use facts::pod::PodShapes;
pub use family::RulesFamily;
pub use index::{EnforcementSwitch, RESYNC, Rules, Settings};
pub use lint::{Advice, advise};
pub use lookups::picture::{Picture, network_kinds};
pub use network::NetworkSettings;
pub use offline::{Problem, Sources};
pub use report::ReportApi;
pub use respond::{AlertScope, BRAKE_MAP, BUDGET, Responses};
pub use rule::{ActionSpec, Enforcement, Events, Matcher, Mode, OnError, Response, Rule, Severity, Work};
pub use status::{Condition, EvalFailure, RuleStatus};
pub use validate::Cases;
pub use vet::{VetSettings, Vetting};
pub use view::{RulesView, names_a_rule};

/// The family's name.
pub const FAMILY: kanon_core::FamilyId = kanon_core::FamilyId("rules");
