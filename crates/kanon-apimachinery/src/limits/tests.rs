//! What limit ranges fill in and refuse.

use kanon_core::Operation;
use serde_json::{Value, json};

use super::*;
use crate::{
    request::{Resolved, WriteOptions},
    testing::Cluster,
};

/// What becomes of a new object in a namespace with these limits: the object, or the words of the refusal.
fn made(plural: &str, limits: &[Value], mut object: Value) -> std::result::Result<Value, String> {
    let mut cluster = Cluster::new();
    for (at, limits) in limits.iter().enumerate() {
        let range = json!({"apiVersion": "v1", "kind": "LimitRange", "metadata": {"name": format!("l{at}")},
            "spec": {"limits": limits}});
        let (code, told) = cluster.post("/api/v1/namespaces/shop/limitranges", &range);
        assert_eq!(code, 201, "{told}");
    }
    let path = format!("/api/v1/namespaces/shop/{plural}");
    let info = Cluster::info("POST", &path, "application/json");
    let Resolved { resource, address, .. } = info.resolve(&cluster.registry).expect("served");
    let options = WriteOptions::default();
    let ctx = Context { resource: &resource, address: &address, options: &options, now: cluster.now };
    kanon_kinds::default(resource.builtin_kind().expect("built in"), &mut object);
    let prepared = Prepared {
        operation: Operation::Create,
        part: Part::Object,
        object: object.clone(),
        old_object: None,
        old: None,
        warnings: Vec::new(),
        is_conditional: false,
        is_apply: false,
    };
    assert!(concern(&ctx, &prepared));
    let ranges = LimitRanges::of(&cluster.memory, &ctx);
    ranges.fill(&mut object, false);
    ranges.check(&ctx, &object).map_err(|it| it.message)?;
    Ok(object)
}

fn pod(resources: &Value) -> Value {
    json!({"metadata": {"name": "p"}, "spec": {"containers": [{"name": "c", "image": "i", "resources": resources}]}})
}

fn check_filled(limits: Value, resources: Value, want: &Value, note: Option<&str>) {
    let made = made("pods", &[limits], pod(&resources)).expect("it fits");
    assert_eq!(made["spec"]["containers"][0]["resources"], *want, "{resources}");
    assert_eq!(made["metadata"]["annotations"][ANNOTATION].as_str(), note, "{resources}");
}

#[test]
fn containers_get_what_they_do_not_say() {
    let defaults =
        || json!([{"type": "Container", "default": {"cpu": "1", "memory": "1Gi"}, "defaultRequest": {"cpu": "500m"}}]);
    let all = json!({"limits": {"cpu": "1", "memory": "1Gi"}, "requests": {"cpu": "500m", "memory": "1Gi"}});
    let note = "LimitRanger plugin set: cpu, memory request for container c; cpu, memory limit for container c";
    check_filled(defaults(), json!({}), &all, Some(note));
    check_filled(
        defaults(),
        json!({"limits": {"cpu": "800m"}, "requests": {"memory": "2Gi"}}),
        &json!({"limits": {"cpu": "800m", "memory": "1Gi"}, "requests": {"cpu": "800m", "memory": "2Gi"}}),
        Some("LimitRanger plugin set: memory limit for container c"),
    );
    check_filled(defaults(), all.clone(), &all, None);
    let only_min = json!([{"type": "Container", "min": {"cpu": "100m"}}]);
    check_filled(
        only_min,
        json!({}),
        &json!({"requests": {"cpu": "100m"}}),
        Some("LimitRanger plugin set: cpu request for container c"),
    );
    let init = json!({"metadata": {"name": "p"}, "spec": {"containers": [{"name": "c", "image": "i"}],
        "initContainers": [{"name": "first", "image": "i"}]}});
    let made = made("pods", &[json!([{"type": "Container", "defaultRequest": {"cpu": "1"}}])], init).expect("it fits");
    assert_eq!(
        made["metadata"]["annotations"][ANNOTATION],
        "LimitRanger plugin set: cpu request for container c; cpu request for init container first"
    );
}

fn check_refused(limits: &[Value], resources: Value, why: &str) {
    let told = made("pods", limits, pod(&resources)).expect_err("it does not fit");
    assert_eq!(told, format!("pods \"p\" is forbidden: {why}"), "{resources}");
}

#[test]
fn pods_out_of_range_are_refused_in_upstreams_words() {
    let of = |kind: &str, bounds: Value| {
        let mut item = bounds;
        item["type"] = kind.into();
        [json!([item])]
    };
    let cpu = |request: &str| json!({"requests": {"cpu": request}});
    let both = |request: &str, limit: &str| json!({"requests": {"cpu": request}, "limits": {"cpu": limit}});
    let min = || of("Container", json!({"min": {"cpu": "100m"}}));
    check_refused(&min(), cpu("50m"), "minimum cpu usage per Container is 100m, but request is 50m");
    check_refused(
        &of("Pod", json!({"min": {"cpu": "100m"}})),
        json!({}),
        "minimum cpu usage per Pod is 100m.  No request is specified",
    );
    check_refused(
        &of("Pod", json!({"max": {"cpu": "1"}})),
        cpu("500m"),
        "maximum cpu usage per Pod is 1.  No limit is specified",
    );
    let max = || of("Container", json!({"max": {"cpu": "1"}, "default": {"cpu": "1"}}));
    check_refused(&max(), both("1", "2"), "maximum cpu usage per Container is 1, but limit is 2");
    let ratio = || of("Pod", json!({"maxLimitRequestRatio": {"cpu": "2"}}));
    check_refused(
        &ratio(),
        both("300m", "1"),
        "cpu max limit to request ratio per Pod is 2, but provided ratio is 3.333333",
    );
    check_refused(
        &ratio(),
        cpu("1"),
        "cpu max limit to request ratio per Pod is 2, but no limit is specified or limit is 0",
    );
    check_refused(
        &ratio(),
        json!({}),
        "cpu max limit to request ratio per Pod is 2, but no request is specified or request is 0",
    );
    assert!(made("pods", &ratio(), pod(&both("300m", "600m"))).is_ok());
    check_refused(
        &[json!([{"type": "Container", "min": {"cpu": "1", "memory": "1Gi"}}])],
        json!({"requests": {"cpu": "500m", "memory": "1Mi"}}),
        "[minimum cpu usage per Container is 1, but request is 500m, minimum memory usage per Container is 1Gi, but request is 1Mi]",
    );
    // The first range that is broken has its say.
    let two = [json!([{"type": "Pod", "min": {"cpu": "2"}}]), json!([{"type": "Pod", "min": {"cpu": "3"}}])];
    check_refused(&two, cpu("1"), "minimum cpu usage per Pod is 2, but request is 1");
}

#[test]
fn claims_are_bounded_by_what_they_ask_for() {
    let claim = |size: &str| {
        json!({"metadata": {"name": "c"}, "spec": {"accessModes": ["ReadWriteOnce"],
            "resources": {"requests": {"storage": size}}}})
    };
    let limits = [json!([{"type": "PersistentVolumeClaim", "min": {"storage": "1Gi"}, "max": {"storage": "2Gi"}}])];
    assert!(made("persistentvolumeclaims", &limits, claim("1Gi")).is_ok());
    for (size, why) in [
        ("3Gi", "maximum storage usage per PersistentVolumeClaim is 2Gi, but request is 3Gi"),
        ("1Mi", "minimum storage usage per PersistentVolumeClaim is 1Gi, but request is 1Mi"),
    ] {
        let told = made("persistentvolumeclaims", &limits, claim(size)).expect_err("it does not fit");
        assert_eq!(told, format!("persistentvolumeclaims \"c\" is forbidden: {why}"));
    }
    // Nothing of pods is asked of claims, and the other way round.
    assert!(made("pods", &limits, pod(&json!({}))).is_ok());
    assert!(made("persistentvolumeclaims", &[json!([{"type": "Pod", "min": {"cpu": "2"}}])], claim("1Gi")).is_ok());
}

#[test]
fn what_webhooks_bring_is_filled_in_as_well() {
    let limits = json!([{"type": "Container", "default": {"cpu": "1"}, "defaultRequest": {"cpu": "500m"}}]);
    let mut pod = made("pods", std::slice::from_ref(&limits), pod(&json!({}))).expect("it fits");
    let sidecar = json!({"name": "s", "image": "i", "resources": {"limits": {"cpu": "2"}}});
    pod["spec"]["containers"].as_array_mut().expect("a list").push(sidecar);
    let mut cluster = Cluster::new();
    let range =
        json!({"apiVersion": "v1", "kind": "LimitRange", "metadata": {"name": "l"}, "spec": {"limits": limits}});
    cluster.post("/api/v1/namespaces/shop/limitranges", &range);
    let ranges = LimitRanges {
        ranges: cluster.memory.list("core/limitranges/shop/", ListOptions::default()).expect("listed").entries,
        kind: kanon_kinds::find("", "v1", "pods"),
    };
    ranges.fill(&mut pod, true);
    // Its limit is its request, as of every pod that is sent: the range has nothing to add.
    let want = json!({"limits": {"cpu": "2"}, "requests": {"cpu": "2"}});
    assert_eq!(pod["spec"]["containers"][1]["resources"], want);
    // What is no pod at all is left for others to refuse.
    for odd in [json!("pod"), json!([]), json!({"spec": 1}), json!({"spec": {"containers": [1, {"resources": "all"}]}})]
    {
        let mut made = odd.clone();
        ranges.fill(&mut made, true);
        assert_eq!(made["spec"]["containers"][0], odd["spec"]["containers"][0]);
    }
}
