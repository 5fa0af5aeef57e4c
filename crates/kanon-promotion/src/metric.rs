//! MetricChecks as gates see them (spec/promotion-gates 1.6, 2.4.6).

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use kanon_core::Object;

use crate::{
    api::{MetricCheckSpec, MetricStatus, label},
    duration,
    facts::read,
};

/// Default of `spec.interval`.
const INTERVAL: SignedDuration = SignedDuration::from_mins(1);
/// However short the interval: what is younger than this is not stale.
const STALE_MIN: SignedDuration = SignedDuration::from_mins(5);

/// A metric.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Metric {
    /// The last value, if it is a finite number.
    pub value: Option<f64>,
    /// The last value as it was written.
    pub text: String,
    /// `Pass`, `Fail`, or empty.
    pub result: String,
    /// When it was measured, if that is known.
    pub measured_at: Option<Timestamp>,
    /// From when on it is too old to be used.
    pub stale_at: Option<Timestamp>,
    /// The environment it is about; empty for all.
    pub environment: String,
    /// Whether other namespaces may read it.
    pub shared: bool,
}

impl Metric {
    /// A metric with a value, as tests and simulations give it.
    pub fn given(text: &str, result: &str) -> Metric {
        let value = text.parse::<f64>().ok().filter(|it| it.is_finite());
        Metric { value, text: text.to_owned(), result: result.to_owned(), ..Metric::default() }
    }

    /// Reads a MetricCheck; what makes no sense counts as absent.
    pub fn of(object: &Object) -> Metric {
        let spec: MetricCheckSpec = read(object, "spec").unwrap_or_default();
        let status: MetricStatus = read(object, "status").unwrap_or_default();
        let labels: BTreeMap<String, String> = object
            .at(&["metadata", "labels"])
            .map(|it| {
                it.members().map(|(k, v)| (k.into_owned(), v.as_str().unwrap_or_default().into_owned())).collect()
            })
            .unwrap_or_default();
        let measured_at = status.last_evaluated_at.parse::<Timestamp>().ok();
        let interval = duration::positive(&spec.interval, INTERVAL);
        let age_max = interval.checked_mul(3).unwrap_or(SignedDuration::MAX).max(STALE_MIN);
        let of_label = || labels.get(label::ENVIRONMENT).cloned().unwrap_or_default();
        Metric {
            stale_at: measured_at.and_then(|at| at.checked_add(age_max).ok()),
            measured_at,
            environment: if spec.environment.is_empty() { of_label() } else { spec.environment },
            shared: labels.get(label::SHARED).is_some_and(|it| it == "true"),
            ..Metric::given(&status.last_value, &status.result)
        }
    }

    /// Whether it is too old.
    pub fn is_stale(&self, now: Timestamp) -> bool {
        self.stale_at.is_some_and(|at| now > at)
    }
}
