//! The plane: what all policy families share. It routes inputs to families, keeps their policies, paces their effects,
//! publishes their views and chains the decision records. It knows no family by name, and does no I/O.
//!
//! Flow: `Input` → [`Plane::handle`] → families → [`Step`]: records to write, effects to carry out, views to publish.

mod action;
mod answer;
mod family;
mod live;
mod lookups;
mod outbox;
mod plane;
mod policies;
mod record;
mod retention;
mod rights;
mod scan;

pub use action::{
    Action, Actions, AlertParams, ParamError, Params, Prepared, Reach, Refusal, Right, Wanted, bool_param, text_param,
};
pub use answer::{Answer, NAMESPACE_BYPASSED, TIMED_OUT, Views};
pub use family::{
    AdmissionRule, Explanation, Facts, Family, FileSummary, PolicySummary, Reviewed, Section, Target, View,
};
pub use live::{Access, Live, LiveAnswer, LiveAnswers, LiveLookups, LiveRead};
pub use lookups::{Lookups, NoLookups, ObjectStore};
pub use outbox::Outbox;
pub use plane::{Plane, Settings, Step};
pub use policies::{Applied, PolicyEntry, PolicyKey, PolicyStore};
pub use record::{Break, Chain, Line, Payload, Verifier};
pub use retention::{Retention, Segment, surplus};
pub use rights::{Need, Needs};
pub use scan::{Area, BrokenScan, ObjectName, Scan, Which, Work};
