//! The kinds of the promote family as users write them (spec/promotion-gates 1): wire types and their
//! CustomResourceDefinitions. What is read here is not yet checked.

mod crds;
mod wire;

use kanon_core::{FamilyId, Kind};

pub use crds::crds;
pub use wire::{
    BundleSpec, BundleStatus, ChangeWindowSpec, ConfigRef, EnvironmentSpec, EnvironmentStatus, Image, Intent,
    LabelExpression, LabelSelector, MetricCheckSpec, MetricStatus, ObjectName, OverrideSpec, PipelineSpec,
    PolicyGateSpec, Provenance, ScheduleClockSpec, WindowSchedule,
};

/// The family's name.
pub const FAMILY: FamilyId = FamilyId("promotion");
/// API group of every kind.
pub const GROUP: &str = "kardinal.io";
/// API version of every kind.
pub const VERSION: &str = "v1alpha1";

/// A gate: kind, plural, singular, short name.
pub const GATE: Names = Names { kind: "PolicyGate", plural: "policygates", singular: "policygate", short: "pg" };
/// A pipeline.
pub const PIPELINE: Names = Names { kind: "Pipeline", plural: "pipelines", singular: "pipeline", short: "pipe" };
/// A bundle.
pub const BUNDLE: Names = Names { kind: "Bundle", plural: "bundles", singular: "bundle", short: "bnd" };
/// A change window.
pub const WINDOW: Names =
    Names { kind: "ChangeWindow", plural: "changewindows", singular: "changewindow", short: "cw" };
/// A clock.
pub const CLOCK: Names =
    Names { kind: "ScheduleClock", plural: "scheduleclocks", singular: "scheduleclock", short: "sc" };
/// A metric.
pub const METRIC: Names = Names { kind: "MetricCheck", plural: "metricchecks", singular: "metriccheck", short: "" };

/// What a kind is called.
#[derive(Clone, Copy, Debug)]
pub struct Names {
    /// CamelCase.
    pub kind: &'static str,
    /// Last part of the collection's path.
    pub plural: &'static str,
    /// Lower case.
    pub singular: &'static str,
    /// As kubectl abbreviates it; empty when it has none.
    pub short: &'static str,
}

impl Names {
    /// Whether a user's word means this kind.
    pub fn is_meant(&self, word: &str) -> bool {
        let words = [self.plural, self.singular, self.short];
        !word.is_empty() && words.iter().any(|it| it.eq_ignore_ascii_case(word))
    }
}

/// The kinds, in the order in which the family knows them: gates, Pipelines, Bundles, windows, clocks, metrics.
pub fn kinds() -> [Kind; 6] {
    let namespaced = |it: Names| Kind::namespaced(GROUP, VERSION, it.kind, it.plural);
    let window = Kind::cluster(GROUP, VERSION, WINDOW.kind, WINDOW.plural);
    [namespaced(GATE), namespaced(PIPELINE), namespaced(BUNDLE), window, namespaced(CLOCK), namespaced(METRIC)]
}

/// Labels and annotations (1.3.3, 1.15).
pub mod label {
    /// Environments that a gate applies to, comma separated; an annotation of this name counts too.
    pub const APPLIES_TO: &str = "kardinal.io/applies-to";
    /// `org` or `team`: for display.
    pub const SCOPE: &str = "kardinal.io/scope";
    /// `gate` or `skip-permission`.
    pub const TYPE: &str = "kardinal.io/type";
    /// `true` on a gate that pauses a Pipeline.
    pub const FREEZE: &str = "kardinal.io/freeze";
    /// On an instance: the Bundle it was made for.
    pub const BUNDLE: &str = "kardinal.io/bundle";
    /// On an instance: the Pipeline.
    pub const PIPELINE: &str = "kardinal.io/pipeline";
    /// On an instance, a PRStatus or a MetricCheck: the environment.
    pub const ENVIRONMENT: &str = "kardinal.io/environment";
    /// On an instance: its template.
    pub const GATE_TEMPLATE: &str = "kardinal.io/gate-template";
    /// On an instance: the namespace of its template.
    pub const GATE_TEMPLATE_NAMESPACE: &str = "kardinal.io/gate-template-namespace";
    /// `true` on a MetricCheck in a policy namespace that every namespace may read.
    pub const SHARED: &str = "kardinal.io/shared";
    /// The value of [`TYPE`] for a gate that permits skipping.
    pub const SKIP_PERMISSION: &str = "skip-permission";
}
