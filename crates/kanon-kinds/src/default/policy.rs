//! Defaults of services, autoscalers, network policies, bindings, webhooks, CRDs and limit ranges.

use serde_json::{Map, Value, json};

use super::{absent, each, keep, with};

/// Group of roles, users and groups.
const RBAC: &str = "rbac.authorization.k8s.io";

pub(super) fn service(spec: &mut Map<String, Value>) {
    absent(spec, "type", "ClusterIP");
    absent(spec, "sessionAffinity", "None");
    let kind = spec["type"].as_str().unwrap_or_default().to_owned();
    if spec["sessionAffinity"] == "ClientIP" {
        keep(spec, "sessionAffinityConfig", json!({}));
        with(spec, "sessionAffinityConfig", |config| {
            keep(config, "clientIP", json!({}));
            // Three hours.
            with(config, "clientIP", |it| keep(it, "timeoutSeconds", 10_800));
        });
    }
    if let "ClusterIP" | "NodePort" | "LoadBalancer" = kind.as_str() {
        absent(spec, "internalTrafficPolicy", "Cluster");
    }
    let has_outside = spec.get("externalIPs").and_then(Value::as_array).is_some_and(|it| !it.is_empty());
    if matches!(kind.as_str(), "NodePort" | "LoadBalancer") || (kind == "ClusterIP" && has_outside) {
        absent(spec, "externalTrafficPolicy", "Cluster");
    }
    if kind == "LoadBalancer" {
        keep(spec, "allocateLoadBalancerNodePorts", true);
    }
    each(spec, "ports", |port| {
        absent(port, "protocol", "TCP");
        let number = port.get("port").cloned().unwrap_or_default();
        if port.get("targetPort") == Some(&json!(0)) {
            port.remove("targetPort");
        }
        absent(port, "targetPort", number);
    });
}

/// Ports are TCP; a policy isolates incoming traffic, and outgoing traffic where it has rules for it.
pub(super) fn network_policy(spec: &mut Map<String, Value>) {
    for direction in ["ingress", "egress"] {
        each(spec, direction, |rule| each(rule, "ports", |port| absent(port, "protocol", "TCP")));
    }
    if spec.get("policyTypes").and_then(Value::as_array).is_none_or(Vec::is_empty) {
        let egress = spec.get("egress").and_then(Value::as_array).is_some_and(|it| !it.is_empty());
        spec.insert("policyTypes".to_owned(), if egress { json!(["Ingress", "Egress"]) } else { json!(["Ingress"]) });
    }
}

pub(super) fn autoscaler(spec: &mut Map<String, Value>) {
    keep(spec, "minReplicas", 1);
    if spec.get("metrics").and_then(Value::as_array).is_none_or(Vec::is_empty) {
        let target = json!({"type": "Utilization", "averageUtilization": 80});
        spec.insert("metrics".to_owned(), json!([{"type": "Resource", "resource": {"name": "cpu", "target": target}}]));
    }
    with(spec, "behavior", |behavior| {
        let all = json!({"type": "Percent", "value": 100, "periodSeconds": 15});
        let four = json!({"type": "Pods", "value": 4, "periodSeconds": 15});
        keep(behavior, "scaleUp", json!({}));
        keep(behavior, "scaleDown", json!({}));
        with(behavior, "scaleUp", |it| {
            keep(it, "stabilizationWindowSeconds", 0);
            keep(it, "policies", json!([four, all]));
        });
        with(behavior, "scaleDown", |it| keep(it, "policies", json!([all])));
        for direction in ["scaleUp", "scaleDown"] {
            with(behavior, direction, |it| absent(it, "selectPolicy", "Max"));
        }
    });
}

pub(super) fn binding(members: &mut Map<String, Value>) {
    with(members, "roleRef", |it| absent(it, "apiGroup", RBAC));
    each(members, "subjects", |subject| {
        if let Some("User" | "Group") = subject.get("kind").and_then(Value::as_str) {
            absent(subject, "apiGroup", RBAC);
        }
    });
}

pub(super) fn webhook(mutating: bool, webhook: &mut Map<String, Value>) {
    absent(webhook, "failurePolicy", "Fail");
    absent(webhook, "matchPolicy", "Equivalent");
    keep(webhook, "namespaceSelector", json!({}));
    keep(webhook, "objectSelector", json!({}));
    keep(webhook, "timeoutSeconds", 10);
    if mutating {
        absent(webhook, "reinvocationPolicy", "Never");
    }
    each(webhook, "rules", |rule| absent(rule, "scope", "*"));
    with(webhook, "clientConfig", |config| with(config, "service", |it| keep(it, "port", 443)));
}

pub(super) fn crd(spec: &mut Map<String, Value>) {
    with(spec, "names", |names| {
        let kind = names.get("kind").and_then(Value::as_str).unwrap_or_default().to_owned();
        if !kind.is_empty() {
            absent(names, "singular", kind.to_lowercase());
            absent(names, "listKind", format!("{kind}List"));
        }
    });
    keep(spec, "conversion", json!({"strategy": "None"}));
    with(spec, "conversion", |conversion| {
        with(conversion, "webhook", |webhook| {
            with(webhook, "clientConfig", |config| with(config, "service", |it| keep(it, "port", 443)));
        });
    });
}

/// Per container: the default limit is the maximum, the default request is the default limit, else the minimum.
pub(super) fn limit_range(spec: &mut Map<String, Value>) {
    each(spec, "limits", |item| {
        if item.get("type").and_then(Value::as_str) != Some("Container") {
            return;
        }
        for (from, to) in [("max", "default"), ("default", "defaultRequest"), ("min", "defaultRequest")] {
            let Some(Value::Object(amounts)) = item.get(from).cloned() else { continue };
            if let Value::Object(known) = item.entry(to).or_insert_with(|| json!({})) {
                for (name, amount) in amounts {
                    known.entry(name).or_insert(amount);
                }
            }
        }
    });
}
