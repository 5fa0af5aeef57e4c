//! The core/v1 Event of an effect. Pure.

use kanon_core::{Effect, EventType};
use serde_json::{Value, json};

/// The Event, and the namespace it goes to: the subject's, or `default` (as client-go's recorder does).
pub(super) fn render<'e>(
    effect: &'e Effect,
    event_type: EventType,
    reason: &str,
    message: &str,
    now: jiff::Timestamp,
) -> (&'e str, Value) {
    let subject = &effect.subject;
    let namespace = if subject.namespace.is_empty() { "default" } else { &subject.namespace };
    // Kubernetes refuses messages beyond 1 KiB.
    let cut = (0..=message.len().min(1000)).rev().find(|at| message.is_char_boundary(*at)).unwrap_or(0);
    let time = now.strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
    let event = json!({
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {"name": format!("{}.{}", subject.name, effect.id), "namespace": namespace},
        "involvedObject": {
            "apiVersion": subject.gvk.api_version(), "kind": subject.gvk.kind, "name": subject.name,
            "namespace": subject.namespace, "uid": subject.uid,
        },
        "type": event_type, "reason": reason, "message": &message[..cut], "count": 1,
        "firstTimestamp": time, "lastTimestamp": time,
        "source": {"component": "kanon"}, "reportingComponent": "kanon", "reportingInstance": "",
    });
    (namespace, event)
}
