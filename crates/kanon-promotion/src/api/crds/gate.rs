//! The schema of PolicyGate (1.3).

use serde_json::{Value, json};

use super::schema::{boolean, conditions, duration, int, list, map, name, object, one_of, or, rule, text, time, whole};

pub(super) fn schema() -> Value {
    whole(spec(), status())
}

fn spec() -> Value {
    let mut expression = name();
    // Not only white space.
    expression["pattern"] = json!("\\S");
    let mut overrides = list(exception());
    overrides["maxItems"] = json!(100);
    let mut spec = object(
        &["expression"],
        [
            ("expression", expression),
            ("message", text()),
            ("recheckInterval", or(duration_or_words(), json!("5m"))),
            ("when", or(one_of(&["pre-deploy", "post-deploy"]), json!("post-deploy"))),
            ("skipPermission", or(boolean(), json!(false))),
            ("appliesTo", list(name())),
            ("selector", selector()),
            ("overrides", overrides),
            ("timezone", text()),
            ("tests", list(json!({"type": "object", "x-kubernetes-preserve-unknown-fields": true}))),
            ("mode", one_of(&["Enforce", "Warn"])),
        ],
    );
    spec["x-kubernetes-validations"] = json!([rule(
        "!has(oldSelf.overrides) || (has(self.overrides) && self.overrides.size() >= oldSelf.overrides.size())",
        "overrides are a record: entries are appended and never removed",
    )]);
    spec
}

/// An interval that is no duration behaves as the default (1.3.1); the schema lets it in.
fn duration_or_words() -> Value {
    let mut schema = duration();
    schema["pattern"] = json!("^[^\\n]*$");
    schema
}

fn exception() -> Value {
    object(
        &["reason", "expiresAt"],
        [
            ("reason", name()),
            ("stage", text()),
            ("expiresAt", time()),
            ("createdAt", time()),
            ("createdBy", text()),
            ("pipeline", text()),
            ("bundle", text()),
            ("id", text()),
            ("revokedAt", time()),
            ("revokedBy", text()),
        ],
    )
}

fn selector() -> Value {
    let expression = object(
        &["key", "operator"],
        [("key", name()), ("operator", one_of(&["In", "NotIn", "Exists", "DoesNotExist"])), ("values", list(text()))],
    );
    object(&[], [("matchLabels", map()), ("matchExpressions", list(expression))])
}

fn status() -> Value {
    let target = object(
        &["environment"],
        [
            ("namespace", text()),
            ("pipeline", text()),
            ("environment", text()),
            ("bundle", text()),
            ("ready", boolean()),
            ("reason", text()),
        ],
    );
    object(
        &["ready"],
        [
            ("ready", or(boolean(), json!(false))),
            ("reason", text()),
            ("message", text()),
            ("lastEvaluatedAt", time()),
            ("nextEvaluationAt", time()),
            ("blockedSince", time()),
            ("observedGeneration", int(None)),
            ("observedInputs", map()),
            ("targets", list(target)),
            ("conditions", conditions()),
        ],
    )
}
