//! The two forms of an autoscaler: `autoscaling/v2`, which is stored, and `autoscaling/v1`, which knows CPU only. What v1 has
//! no member for it carries in annotations, so that a client of v1 that writes back what it read loses nothing.

use serde_json::{Map, Value, json};

/// The annotations of v1, and where they stand in v2; each holds that member as JSON.
const CARRIED: [(&str, [&str; 2]); 4] = [
    ("autoscaling.alpha.kubernetes.io/behavior", ["spec", "behavior"]),
    ("autoscaling.alpha.kubernetes.io/metrics", ["spec", "metrics"]),
    ("autoscaling.alpha.kubernetes.io/conditions", ["status", "conditions"]),
    ("autoscaling.alpha.kubernetes.io/current-metrics", ["status", "currentMetrics"]),
];

/// From the stored form to v1.
pub(crate) fn to_v1(autoscaler: &mut Value) {
    let target = autoscaler.pointer_mut("/spec/metrics").and_then(|it| take_cpu(it, "target"));
    let current = autoscaler.pointer_mut("/status/currentMetrics").and_then(|it| take_cpu(it, "current"));
    let mut annotations = Map::new();
    for (annotation, [part, member]) in CARRIED {
        let carried = members(autoscaler, part).and_then(|it| it.remove(member));
        if let Some(carried) = carried.filter(|it| !it.is_null() && *it != json!([])) {
            annotations.insert(annotation.to_owned(), carried.to_string().into());
        }
    }
    set(autoscaler, "spec", "targetCPUUtilizationPercentage", target);
    set(autoscaler, "status", "currentCPUUtilizationPercentage", current);
    if !annotations.is_empty()
        && let Some(metadata) = members(autoscaler, "metadata")
        && let Value::Object(all) = metadata.entry("annotations").or_insert_with(|| json!({}))
    {
        all.extend(annotations);
    }
}

/// From v1 to the stored form.
pub(crate) fn to_v2(autoscaler: &mut Value) {
    for (annotation, [part, member]) in CARRIED {
        let all = autoscaler.pointer_mut("/metadata/annotations").and_then(Value::as_object_mut);
        let text = all.and_then(|it| it.remove(annotation));
        let carried = text.as_ref().and_then(Value::as_str).and_then(|it| serde_json::from_str(it).ok());
        set(autoscaler, part, member, carried);
    }
    if autoscaler.pointer("/metadata/annotations") == Some(&json!({})) {
        members(autoscaler, "metadata").and_then(|it| it.remove("annotations"));
    }
    let cpu = [
        ("spec", "targetCPUUtilizationPercentage", "metrics", "target"),
        ("status", "currentCPUUtilizationPercentage", "currentMetrics", "current"),
    ];
    for (part, member, list, value) in cpu {
        let Some(percentage) = members(autoscaler, part).and_then(|it| it.remove(member)) else { continue };
        let mut figure = json!({"averageUtilization": percentage});
        if value == "target" {
            figure["type"] = json!("Utilization");
        }
        let metric = json!({"type": "Resource", "resource": {"name": "cpu", value: figure}});
        match autoscaler[part][list].as_array_mut() {
            Some(metrics) => metrics.insert(0, metric),
            None => set(autoscaler, part, list, Some(json!([metric]))),
        }
    }
}

fn members<'v>(value: &'v mut Value, part: &str) -> Option<&'v mut Map<String, Value>> {
    value.get_mut(part).and_then(Value::as_object_mut)
}

/// Takes the percentage of CPU out of a list of metrics.
fn take_cpu(metrics: &mut Value, value: &str) -> Option<Value> {
    let list = metrics.as_array_mut()?;
    let is_cpu =
        |it: &Value| it["resource"]["name"] == "cpu" && it["resource"][value]["averageUtilization"].is_number();
    let metric = list.remove(list.iter().position(is_cpu)?);
    Some(metric["resource"][value]["averageUtilization"].clone())
}

fn set(autoscaler: &mut Value, part: &str, member: &str, value: Option<Value>) {
    if let Some(value) = value {
        autoscaler[part][member] = value;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(v2: &Value, v1: &Value) {
        let mut value = v2.clone();
        to_v1(&mut value);
        assert_eq!(&value, v1);
        to_v2(&mut value);
        assert_eq!(&value, v2);
    }

    #[test]
    fn forms_turn_into_each_other_without_loss() {
        let cpu = |value: &str, figure: Value| json!({"type": "Resource", "resource": {"name": "cpu", value: figure}});
        let target = cpu("target", json!({"type": "Utilization", "averageUtilization": 80}));
        let current = cpu("current", json!({"averageUtilization": 40}));
        check(
            &json!({"metadata": {"name": "a"}, "spec": {"maxReplicas": 3, "metrics": [target]},
                "status": {"currentReplicas": 1, "currentMetrics": [current]}}),
            &json!({"metadata": {"name": "a"}, "spec": {"maxReplicas": 3, "targetCPUUtilizationPercentage": 80},
                "status": {"currentReplicas": 1, "currentCPUUtilizationPercentage": 40}}),
        );
        let memory =
            json!({"type": "Resource", "resource": {"name": "memory", "target": {"type": "Value", "value": "1Gi"}}});
        check(
            &json!({"metadata": {"annotations": {"a": "b"}}, "spec": {"metrics": [target, memory], "behavior": {"scaleUp": {}}},
                "status": {"conditions": [{"type": "AbleToScale"}]}}),
            &json!({"metadata": {"annotations": {"a": "b",
                    "autoscaling.alpha.kubernetes.io/behavior": r#"{"scaleUp":{}}"#,
                    "autoscaling.alpha.kubernetes.io/metrics": json!([memory]).to_string(),
                    "autoscaling.alpha.kubernetes.io/conditions": r#"[{"type":"AbleToScale"}]"#}},
                "spec": {"targetCPUUtilizationPercentage": 80}, "status": {}}),
        );
    }
}
