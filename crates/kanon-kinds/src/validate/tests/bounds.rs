//! Quotas and limit ranges.

use serde_json::{Value, json};

use super::{check, check_update};

fn check_quota(spec: Value, want: &[&str]) {
    check("/v1/resourcequotas", json!({"spec": spec}), want);
}

#[test]
fn quotas_bound_what_is_known() {
    check_quota(
        json!({"hard": {"count/widgets.example.com": "3", "requests.nvidia.com/gpu": "1", "hugepages-2Mi": "1Gi",
            "gold.storageclass.storage.k8s.io/requests.storage": "5Gi", "services.nodeports": "0"}}),
        &[],
    );
    check_quota(
        json!({"hard": {"cats": "1"}}),
        &[
            "spec.hard[cats]: Invalid value: \"cats\": must be a standard resource type or fully qualified",
            "spec.hard[cats]: Invalid value: \"cats\": must be a standard resource for quota",
        ],
    );
    check_quota(
        json!({"hard": {"storage": "1"}}),
        &["spec.hard[storage]: Invalid value: \"storage\": must be a standard resource for quota"],
    );
    check_quota(
        json!({"hard": {"cpu": "-1"}}),
        &["spec.hard[cpu]: Invalid value: \"-1\": must be greater than or equal to 0"],
    );
    check_quota(
        json!({"hard": {"pods": "500m"}}),
        &[
            "spec.hard[pods]: Invalid value: resource.Quantity{i:resource.int64Amount{value:500, scale:-3}, d:resource.infDecAmount{Dec:(*inf.Dec)(nil)}, s:\"\", Format:\"DecimalSI\"}: must be an integer",
        ],
    );
}

#[test]
fn scopes_fit_what_is_bounded() {
    check_quota(json!({"scopes": ["NotTerminating", "BestEffort"]}), &[]);
    check_quota(
        json!({"scopes": ["Sleeping"]}),
        &["spec.scopes: Invalid value: []core.ResourceQuotaScope{\"Sleeping\"}: unsupported scope"],
    );
    check_quota(
        json!({"scopes": ["BestEffort"], "hard": {"cpu": "1"}}),
        &[
            "spec.scopes: Invalid value: []core.ResourceQuotaScope{\"BestEffort\"}: unsupported scope applied to resource",
        ],
    );
    check_quota(
        json!({"scopes": ["Terminating", "NotTerminating"]}),
        &[
            "spec.scopes: Invalid value: []core.ResourceQuotaScope{\"Terminating\", \"NotTerminating\"}: conflicting scopes",
        ],
    );
    let selector = |it: Value| json!({"scopeSelector": {"matchExpressions": [it]}});
    check_quota(selector(json!({"scopeName": "PriorityClass", "operator": "In", "values": ["high"]})), &[]);
    check_quota(
        selector(json!({"scopeName": "PriorityClass", "operator": "In"})),
        &[
            "spec.scopeSelector.matchExpressions.values: Required value: must be at least one value when `operator` is 'In' or 'NotIn' for scope selector",
        ],
    );
    check_quota(
        selector(json!({"scopeName": "PriorityClass", "operator": "Near"})),
        &["spec.scopeSelector.matchExpressions.operator: Invalid value: \"Near\": not a valid selector operator"],
    );
    check_quota(
        selector(json!({"scopeName": "BestEffort", "operator": "DoesNotExist"})),
        &[
            "spec.scopeSelector.matchExpressions.operator: Invalid value: \"DoesNotExist\": must be 'Exist' when scope is any of ResourceQuotaScopeTerminating, ResourceQuotaScopeNotTerminating, ResourceQuotaScopeBestEffort, ResourceQuotaScopeNotBestEffort or ResourceQuotaScopeCrossNamespacePodAffinity",
        ],
    );
    check_update(
        "/v1/resourcequotas",
        json!({"spec": {"scopes": ["BestEffort"]}}),
        &["spec.scopes: Invalid value: []core.ResourceQuotaScope{\"BestEffort\"}: field is immutable"],
    );
}

fn check_limits(item: Value, want: &[&str]) {
    check("/v1/limitranges", json!({"spec": {"limits": [item]}}), want);
}

#[test]
fn limits_agree_with_each_other() {
    let quantity = |value: &str, scale: &str, text: &str| {
        format!(
            "resource.Quantity{{i:resource.int64Amount{{value:{value}, scale:{scale}}}, d:resource.infDecAmount{{Dec:(*inf.Dec)(nil)}}, s:\"{text}\", Format:\"DecimalSI\"}}"
        )
    };
    check_limits(json!({"type": "Pod", "max": {"cpu": "2"}, "maxLimitRequestRatio": {"memory": "2"}}), &[]);
    check_limits(json!({"type": "PersistentVolumeClaim", "min": {"storage": "1Gi"}}), &[]);
    check_limits(
        json!({"type": "Cat"}),
        &["spec.limits[0].type: Invalid value: \"Cat\": must be a standard limit type or fully qualified"],
    );
    check_limits(
        json!({"type": "Container", "max": {"storage": "1"}}),
        &["max", "default", "defaultRequest"]
            .map(|it| {
                format!("spec.limits[0].{it}[storage]: Invalid value: \"storage\": must be a standard resource for containers")
            })
            .each_ref()
            .map(String::as_str),
    );
    check_limits(
        json!({"type": "Pod", "default": {"cpu": "1"}}),
        &["spec.limits[0].default: Forbidden: may not be specified when `type` is 'Pod'"],
    );
    check_limits(
        json!({"type": "PersistentVolumeClaim"}),
        &[
            "spec.limits[0].limits: Required value: either minimum or maximum storage value is required, but neither was provided",
        ],
    );
    let shown = quantity("300", "-3", "300m");
    check_limits(
        json!({"type": "Pod", "min": {"cpu": "300m"}, "max": {"cpu": "200m"}}),
        &[&format!("spec.limits[0].min[cpu]: Invalid value: {shown}: min value 300m is greater than max value 200m")],
    );
    let shown = quantity("2", "0", "2");
    check_limits(
        json!({"type": "Container", "default": {"cpu": "1"}, "defaultRequest": {"cpu": "2"}}),
        &[&format!(
            "spec.limits[0].defaultRequest[cpu]: Invalid value: {shown}: default request value 2 is greater than default limit value 1"
        )],
    );
    let shown = quantity("5", "0", "5");
    check_limits(
        json!({"type": "Pod", "min": {"cpu": "1"}, "max": {"cpu": "4"}, "maxLimitRequestRatio": {"cpu": "5"}}),
        &[&format!(
            "spec.limits[0].maxLimitRequestRatio[cpu]: Invalid value: {shown}: ratio 5 is greater than max/min = 4.000000"
        )],
    );
    check(
        "/v1/limitranges",
        json!({"spec": {"limits": [{"type": "Pod"}, {"type": "Pod"}]}}),
        &["spec.limits[1].type: Duplicate value: \"Pod\""],
    );
}
