//! Prometheus metrics under the names of spec/rules 9.3, in OpenMetrics text.

use std::{
    fmt,
    sync::{Arc, Mutex},
    time::Duration,
};

use kanon_core::{Figure, FigureKind, Figures};
use prometheus_client::{
    collector::Collector,
    encoding::{DescriptorEncoder, EncodeLabelSet, NoLabelSet, text::encode},
    metrics::{MetricType, counter::Counter, family::Family, histogram::Histogram},
    registry::Registry,
};

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
    /// Metric name.
    pub name: &'static str,
    /// One line of help.
    pub help: &'static str,
    /// Reads it.
    pub read: Box<dyn Fn() -> i64 + Send + Sync>,
}

/// All metrics of the process.
pub struct Metrics {
    registry: Mutex<Registry>,
    requests: Family<Decision, Counter>,
    bypasses: Family<Namespace, Counter>,
    latency: Histogram,
}

impl Metrics {
    /// Metrics with these besides the built-in ones: gauges and counters that are read, and the figures that families keep.
    pub fn new(gauges: Vec<Gauge>, counters: Vec<Gauge>, figures: Arc<Figures>) -> Metrics {
        let mut registry = Registry::default();
        let requests = Family::<Decision, Counter>::default();
        let bypasses = Family::<Namespace, Counter>::default();
        let latency = Histogram::new([0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0]);
        registry.register("portal_admission_requests", "Admission decisions", requests.clone());
        registry.register("portal_admission_bypass", "Honoured bypass annotations", bypasses.clone());
        registry.register("portal_admission_latency_seconds", "Time to answer a review", latency.clone());
        registry.register_collector(Box::new(Read { gauges, counters }));
        registry.register_collector(Box::new(Kept(figures)));
        Metrics { registry: Mutex::new(registry), requests, bypasses, latency }
    }

    /// Counts one decision.
    pub fn decided(&self, decision: &'static str, took: Duration) {
        self.requests.get_or_create(&Decision { decision }).inc();
        self.latency.observe(took.as_secs_f64());
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

struct Read {
    gauges: Vec<Gauge>,
    counters: Vec<Gauge>,
}

impl fmt::Debug for Read {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_list().entries(self.gauges.iter().chain(&self.counters).map(|it| it.name)).finish()
    }
}

impl Collector for Read {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        for Gauge { name, help, read } in &self.gauges {
            figure(&mut encoder, name, help, FigureKind::Gauge, [(Vec::new(), read())])?;
        }
        for Gauge { name, help, read } in &self.counters {
            figure(&mut encoder, name, help, FigureKind::Counter, [(Vec::new(), read())])?;
        }
        Ok(())
    }
}

#[derive(Debug)]
struct Kept(Arc<Figures>);

impl Collector for Kept {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        for (Figure { name, kind, help, labels }, series) in self.0.read() {
            let series = series.iter().map(|(values, value)| (labels.iter().copied().zip(values).collect(), *value));
            figure(&mut encoder, name, help, kind, series)?;
        }
        Ok(())
    }
}

/// Labels of one series.
type Labels<'f> = Vec<(&'f str, &'f String)>;

/// Writes one figure under its whole name. OpenMetrics knows counters by `_total` alone: two documented names lack it
/// (spec/rules 9.3), and are of unknown type.
fn figure<'f>(
    encoder: &mut DescriptorEncoder<'_>,
    name: &str,
    help: &str,
    kind: FigureKind,
    series: impl IntoIterator<Item = (Labels<'f>, i64)>,
) -> fmt::Result {
    let counter = name.strip_suffix("_total").filter(|_| kind == FigureKind::Counter);
    let of_type = match (counter, kind) {
        (Some(_), _) => MetricType::Counter,
        (None, FigureKind::Counter) => MetricType::Unknown,
        (None, FigureKind::Gauge) => MetricType::Gauge,
    };
    let mut metric = encoder.encode_descriptor(counter.unwrap_or(name), help, None, of_type)?;
    for (labels, value) in series {
        let mut one = metric.encode_family(&labels)?;
        match counter {
            Some(_) => one.encode_counter::<NoLabelSet, u64, u64>(&value.unsigned_abs(), None)?,
            None => one.encode_gauge(&value)?,
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_the_documented_ones() {
        let gauge = Gauge { name: "kanon_decision_records", help: "Records", read: Box::new(|| 7) };
        let figures = Arc::<Figures>::default();
        let violations = Figure {
            name: "portal_audit_violations",
            kind: FigureKind::Counter,
            help: "Violations",
            labels: &["rule", "gvk"],
        };
        figures.add(violations, &["a\"b", "/v1, Kind=Pod"], 2);
        let counter = Gauge { name: "portal_audit_watch_reconnects_total", help: "Lost", read: Box::new(|| 3) };
        let metrics = Metrics::new(vec![gauge], vec![counter], figures);
        metrics.decided("deny", Duration::from_millis(1));
        metrics.bypassed("shop");
        let text = metrics.render();
        for line in [
            r#"portal_admission_requests_total{decision="deny"} 1"#,
            r#"portal_admission_bypass_total{namespace="shop"} 1"#,
            r#"portal_admission_latency_seconds_bucket{le="0.005"} 1"#,
            "kanon_decision_records 7",
            "# TYPE portal_audit_violations unknown",
            r#"portal_audit_violations{rule="a\"b",gvk="/v1, Kind=Pod"} 2"#,
            "portal_audit_watch_reconnects_total 3",
        ] {
            assert!(text.contains(line), "{line} in\n{text}");
        }
    }
}
