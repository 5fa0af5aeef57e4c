//! The schemas of Bundle, ChangeWindow, ScheduleClock and MetricCheck (1.2, 1.6 to 1.8).

use serde_json::{Value, json};

use super::schema::{
    boolean, conditions, duration, int, list, list_by, name, object, one_of, or, rule, text, time, whole,
};

/// Bundle: its `spec` never changes, and both spellings of the intent mean the same.
pub(super) fn bundle() -> Value {
    let image = object(&["repository"], [("repository", name()), ("tag", text()), ("digest", text())]);
    let provenance = object(
        &[],
        [
            ("commitSHA", text()),
            ("ciRunURL", text()),
            ("author", text()),
            ("timestamp", text()),
            ("rollbackOf", text()),
        ],
    );
    let mut intent = object(
        &[],
        [("target", text()), ("targetEnvironment", text()), ("skip", list(text())), ("skipEnvironments", list(text()))],
    );
    intent["x-kubernetes-validations"] = json!([rule(
        "!has(self.target) || !has(self.targetEnvironment) || self.target == self.targetEnvironment",
        "`target` and `targetEnvironment` are two spellings of one field and must agree",
    )]);
    let mut spec = object(
        &["type", "pipeline"],
        [
            ("type", one_of(&["image", "config", "mixed"])),
            ("pipeline", name()),
            ("images", list(image)),
            ("configRef", object(&[], [("gitRepo", text()), ("commitSHA", text())])),
            ("provenance", provenance),
            ("intent", intent),
        ],
    );
    spec["x-kubernetes-validations"] = json!([
        rule("self == oldSelf", "the spec of a Bundle does not change: create another Bundle"),
        rule("self.type == 'image' || has(self.configRef)", "a Bundle of this type needs `configRef`"),
    ]);
    whole(spec, bundle_status())
}

fn bundle_status() -> Value {
    let result = object(
        &["gateName"],
        [
            ("gateName", text()),
            ("gateNamespace", text()),
            ("result", one_of(&["pass", "block"])),
            ("reason", text()),
            ("evaluatedAt", time()),
            ("expression", text()),
            ("overridden", boolean()),
            ("overriddenBy", text()),
            ("overrideExpiresAt", time()),
        ],
    );
    let environment = object(
        &["name"],
        [
            ("name", name()),
            ("phase", text()),
            ("prURL", text()),
            ("prMergedAt", time()),
            ("mergedBy", text()),
            ("healthCheckedAt", time()),
            ("soakMinutes", int(None)),
            ("gateResults", list(result)),
        ],
    );
    let metrics = object(
        &[],
        [
            ("commitToProductionMinutes", int(None)),
            ("bakeResets", int(None)),
            ("autoRollbacks", int(None)),
            ("operatorInterventions", int(None)),
        ],
    );
    object(
        &[],
        [
            ("phase", one_of(&["Available", "Promoting", "Verified", "Failed", "Superseded", "SkipDenied"])),
            ("conditions", conditions()),
            ("environments", list_by("name", environment)),
            ("metrics", metrics),
            ("graphRef", text()),
            ("pipelineSpecHash", text()),
        ],
    )
}

/// ChangeWindow: a blackout has both bounds in order. What CEL cannot see (a zone's name) `status.reason` tells.
pub(super) fn window() -> Value {
    let schedule = object(
        &[],
        [
            ("timezone", text()),
            ("allowedDays", list(one_of(&["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"]))),
            (
                "allowedHours",
                json!({"type": "string", "pattern": "^$|^([01][0-9]|2[0-3]):[0-5][0-9]-(([01][0-9]|2[0-3]):[0-5][0-9]|24:00)$"}),
            ),
        ],
    );
    let mut spec = object(
        &["type"],
        [
            ("type", one_of(&["blackout", "recurring"])),
            ("start", time()),
            ("end", time()),
            ("reason", text()),
            ("schedule", schedule),
        ],
    );
    spec["x-kubernetes-validations"] = json!([
        rule("self.type != 'blackout' || (has(self.start) && has(self.end))", "a blackout needs `start` and `end`"),
        rule("!has(self.start) || !has(self.end) || self.start < self.end", "`end` must come after `start`"),
    ]);
    whole(spec, object(&[], [("active", boolean()), ("reason", text()), ("nextChangeAt", time())]))
}

/// ScheduleClock.
pub(super) fn clock() -> Value {
    let mut interval = duration();
    // One that is no duration behaves as the default (1.8).
    interval["pattern"] = json!("^[^\\n]*$");
    let spec = object(&[], [("interval", or(interval, json!("1m")))]);
    let status = object(&[], [("tick", text())]);
    object(&[], [("spec", or(spec, json!({}))), ("status", status)])
}

/// MetricCheck.
pub(super) fn metric() -> Value {
    let threshold = object(
        &["value", "operator"],
        [("value", json!({"type": "number"})), ("operator", one_of(&["lt", "gt", "lte", "gte", "eq"]))],
    );
    let spec = object(
        &["prometheusURL", "query", "threshold"],
        [
            ("provider", or(one_of(&["prometheus"]), json!("prometheus"))),
            ("prometheusURL", name()),
            ("query", name()),
            ("threshold", threshold),
            ("interval", or(duration(), json!("1m"))),
            ("environment", text()),
        ],
    );
    let status = object(
        &[],
        [("lastValue", text()), ("lastEvaluatedAt", time()), ("result", one_of(&["Pass", "Fail"])), ("reason", text())],
    );
    whole(spec, status)
}
