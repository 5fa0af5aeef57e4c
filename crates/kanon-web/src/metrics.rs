//! Prometheus metrics under the names of spec/rules 9.3, in OpenMetrics text.

use std::{
    fmt,
    sync::{Arc, Mutex},
    time::Duration,
};

use kanon_core::{Figure, FigureKind, Figures, Series, Spread, Spreads};
use prometheus_client::{
    collector::Collector,
    encoding::{DescriptorEncoder, EncodeLabelSet, MetricEncoder, NoLabelSet, text::encode},
    metrics::{MetricType, counter::Counter, family::Family, histogram::Histogram},
    registry::Registry,
};

use crate::health::Health;

/// The decision of a request that failed by our fault.
pub(crate) const ERROR: &str = "error";

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Decision {
    decision: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Namespace {
    namespace: String,
}

/// A figure that is read when it is asked for.
pub struct Gauge {
    /// What it is.
    pub figure: Figure,
    /// Reads it.
    pub read: Box<dyn Fn() -> Series + Send + Sync>,
}

impl Gauge {
    /// One number.
    pub fn number(name: &'static str, help: &'static str, read: impl Fn() -> i64 + Send + Sync + 'static) -> Gauge {
        let figure = Figure { name, kind: FigureKind::Gauge, help, labels: &[] };
        Gauge { figure, read: Box::new(move || Series::from([(Vec::new(), read())])) }
    }
}

/// All metrics of the process.
pub struct Metrics {
    registry: Mutex<Registry>,
    requests: Family<Decision, Counter>,
    bypasses: Family<Namespace, Counter>,
    latency: Histogram,
    health: Health,
}

impl Metrics {
    /// Metrics with these gauges and the families' figures besides the built-in ones.
    pub fn new(gauges: Vec<Gauge>, figures: Arc<Figures>) -> Metrics {
        let mut registry = Registry::default();
        let requests = Family::<Decision, Counter>::default();
        let bypasses = Family::<Namespace, Counter>::default();
        let latency = Histogram::new([0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0]);
        registry.register("portal_admission_requests", "Admission decisions", requests.clone());
        registry.register("portal_admission_bypass", "Honoured bypass annotations", bypasses.clone());
        registry.register("portal_admission_latency_seconds", "Time to answer a review", latency.clone());
        registry.register_collector(Box::new(Gauges(gauges)));
        registry.register_collector(Box::new(OfFamilies(figures)));
        Metrics { registry: Mutex::new(registry), requests, bypasses, latency, health: Health::default() }
    }

    /// Counts one decision.
    pub fn decided(&self, decision: &'static str, took: Duration) {
        self.requests.get_or_create(&Decision { decision }).inc();
        self.latency.observe(took.as_secs_f64());
        self.health.note(decision == ERROR);
    }

    /// Whether admission fails by its own fault.
    pub fn is_failing(&self) -> bool {
        self.health.is_failing()
    }

    /// Counts one honoured bypass.
    pub fn bypassed(&self, namespace: &str) {
        self.bypasses.get_or_create(&Namespace { namespace: namespace.to_owned() }).inc();
    }

    /// The exposition text.
    pub fn render(&self) -> String {
        let mut text = String::new();
        // Encoding into a String cannot fail; a poisoned lock means that an encoder panicked before.
        if let Ok(registry) = self.registry.lock() {
            let _ = encode(&mut text, &registry);
        }
        text
    }
}

struct Gauges(Vec<Gauge>);

impl fmt::Debug for Gauges {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_list().entries(self.0.iter().map(|it| it.figure.name)).finish()
    }
}

impl Collector for Gauges {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        self.0.iter().try_for_each(|it| write_series(it.figure, &(it.read)(), &mut encoder))
    }
}

/// What the families count.
#[derive(Debug)]
struct OfFamilies(Arc<Figures>);

impl Collector for OfFamilies {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        self.0.read().into_iter().try_for_each(|(figure, series)| write_series(figure, &series, &mut encoder))?;
        self.0.read_times().into_iter().try_for_each(|(times, series)| write_times(times, &series, &mut encoder))
    }
}

fn write_series(figure: Figure, series: &Series, encoder: &mut DescriptorEncoder<'_>) -> fmt::Result {
    let Figure { name, kind, help, labels } = figure;
    // OpenMetrics puts `_total` behind the name of a counter. One that is documented without it is of no stated type.
    let counter = name.strip_suffix("_total").filter(|_| kind == FigureKind::Counter);
    let metric_type = match (counter, kind) {
        (Some(_), _) => MetricType::Counter,
        (None, FigureKind::Counter) => MetricType::Unknown,
        (None, FigureKind::Gauge) => MetricType::Gauge,
    };
    let mut metric = encoder.encode_descriptor(counter.unwrap_or(name), help, None, metric_type)?;
    if labels.is_empty() {
        return series.values().try_for_each(|it| write(counter.is_some(), *it, &mut metric));
    }
    for (values, value) in series {
        let set: Vec<_> = labels.iter().copied().zip(values.iter().map(String::as_str)).collect();
        write(counter.is_some(), *value, &mut metric.encode_family(&set)?)?;
    }
    Ok(())
}

fn write_times(times: kanon_core::Histogram, series: &Spreads, encoder: &mut DescriptorEncoder<'_>) -> fmt::Result {
    let mut metric = encoder.encode_descriptor(times.name, times.help, None, MetricType::Histogram)?;
    for (values, Spread { counts, sum }) in series {
        let set: Vec<_> = times.labels.iter().copied().zip(values.iter().map(String::as_str)).collect();
        // The encoder adds the buckets up.
        let bounds = times.bounds.iter().map(Duration::as_secs_f64).chain([f64::INFINITY]);
        let buckets: Vec<_> = bounds.zip(counts.iter().copied()).collect();
        let mut metric = metric.encode_family(&set)?;
        metric.encode_histogram::<NoLabelSet>(sum.as_secs_f64(), counts.iter().sum(), &buckets, None)?;
    }
    Ok(())
}

fn write(is_counter: bool, value: i64, metric: &mut MetricEncoder<'_>) -> fmt::Result {
    if is_counter {
        metric.encode_counter::<NoLabelSet, u64, u64>(&value.unsigned_abs(), None)
    } else {
        metric.encode_gauge(&value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_the_documented_ones() {
        let gauge = Gauge::number("kanon_decision_records", "Records", || 7);
        let figures = Arc::new(Figures::default());
        let counter = FigureKind::Counter;
        let labels: &[&str] = &["action", "result"];
        let actions = Figure { name: "portal_actions_total", kind: counter, help: "Actions", labels };
        figures.add(actions, &["evict", "ok"], 2);
        let violations =
            Figure { name: "portal_audit_violations", kind: counter, help: "Violations", labels: &["rule"] };
        figures.add(violations, &["say \"no\""], 3);
        figures.set(Figure { name: "portal_leader", kind: FigureKind::Gauge, help: "Leads", labels: &[] }, &[], 1);
        const BOUNDS: &[Duration] = &[Duration::from_micros(1), Duration::from_millis(1)];
        let (name, labels) = ("portal_rule_eval_seconds", &["rule", "mode"]);
        let times = kanon_core::Histogram { name, help: "Times", labels, bounds: BOUNDS };
        for micros in [1, 2, 2_000_000] {
            figures.observe(times, &["r", "audit"], Duration::from_micros(micros));
        }
        let metrics = Metrics::new(vec![gauge], figures);
        metrics.decided("deny", Duration::from_millis(1));
        metrics.bypassed("shop");
        let text = metrics.render();
        for line in [
            r#"portal_admission_requests_total{decision="deny"} 1"#,
            r#"portal_admission_bypass_total{namespace="shop"} 1"#,
            r#"portal_admission_latency_seconds_bucket{le="0.005"} 1"#,
            "kanon_decision_records 7",
            r#"portal_actions_total{action="evict",result="ok"} 2"#,
            "# TYPE portal_audit_violations unknown",
            r#"portal_audit_violations{rule="say \"no\""} 3"#,
            "portal_leader 1",
            "# TYPE portal_rule_eval_seconds histogram",
            r#"portal_rule_eval_seconds_sum{rule="r",mode="audit"} 2.000003"#,
            r#"portal_rule_eval_seconds_count{rule="r",mode="audit"} 3"#,
            r#"portal_rule_eval_seconds_bucket{le="0.000001",rule="r",mode="audit"} 1"#,
            r#"portal_rule_eval_seconds_bucket{le="0.001",rule="r",mode="audit"} 2"#,
            r#"portal_rule_eval_seconds_bucket{le="+Inf",rule="r",mode="audit"} 3"#,
        ] {
            assert!(text.contains(line), "{line} in\n{text}");
        }
    }
}
