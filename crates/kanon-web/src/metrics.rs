//! Prometheus metrics under the names of spec/rules 9.3, in OpenMetrics text.

use std::{fmt, sync::Mutex, time::Duration};

use prometheus_client::{
    collector::Collector,
    encoding::{DescriptorEncoder, EncodeLabelSet, EncodeMetric, text::encode},
    metrics::{counter::Counter, family::Family, gauge::ConstGauge, histogram::Histogram},
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
    /// Metrics with these gauges besides the built-in ones.
    pub fn new(gauges: Vec<Gauge>) -> Metrics {
        let mut registry = Registry::default();
        let requests = Family::<Decision, Counter>::default();
        let bypasses = Family::<Namespace, Counter>::default();
        let latency = Histogram::new([0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0]);
        registry.register("portal_admission_requests", "Admission decisions", requests.clone());
        registry.register("portal_admission_bypass", "Honoured bypass annotations", bypasses.clone());
        registry.register("portal_admission_latency_seconds", "Time to answer a review", latency.clone());
        registry.register_collector(Box::new(Gauges(gauges)));
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

struct Gauges(Vec<Gauge>);

impl fmt::Debug for Gauges {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_list().entries(self.0.iter().map(|it| it.name)).finish()
    }
}

impl Collector for Gauges {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        for Gauge { name, help, read } in &self.0 {
            let gauge = ConstGauge::new(read());
            let metric = encoder.encode_descriptor(name, help, None, gauge.metric_type())?;
            gauge.encode(metric)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_the_documented_ones() {
        let gauge = Gauge { name: "kanon_decision_records", help: "Records", read: Box::new(|| 7) };
        let metrics = Metrics::new(vec![gauge]);
        metrics.decided("deny", Duration::from_millis(1));
        metrics.bypassed("shop");
        let text = metrics.render();
        for line in [
            r#"portal_admission_requests_total{decision="deny"} 1"#,
            r#"portal_admission_bypass_total{namespace="shop"} 1"#,
            r#"portal_admission_latency_seconds_bucket{le="0.005"} 1"#,
            "kanon_decision_records 7",
        ] {
            assert!(text.contains(line), "{line} in\n{text}");
        }
    }
}
