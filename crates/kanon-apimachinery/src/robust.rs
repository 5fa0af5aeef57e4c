//! No request, however malformed, panics or stores what the next request cannot read.

use http::{HeaderMap, Method};
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::{
    request::{RequestInfo, Target},
    resource::Registry,
    testing::{Cluster, GATES, gate, gates_crd},
};

/// Collections, and an object that each takes.
fn valid() -> Vec<(&'static str, Value)> {
    let pod = json!({"metadata": {"name": "a", "labels": {"b": "c"}, "ownerReferences": [{"apiVersion": "v1", "kind": "Pod", "name": "p", "uid": "u"}]},
        "spec": {"nodeName": "n", "containers": [{"name": "c", "image": "i", "ports": [{"containerPort": 80}]}]}});
    let deployment = json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "a", "finalizers": ["x.io/f"]},
        "spec": {"selector": {"matchLabels": {"a": "b"}}, "template": {"metadata": {"labels": {"a": "b"}}, "spec": pod["spec"]}}});
    let event = json!({"metadata": {"name": "a"}, "regarding": {"namespace": "shop", "name": "p"}, "reason": "R", "action": "x",
        "type": "Normal", "eventTime": "2026-11-21T09:00:00.000000Z", "reportingController": "x.io/c", "reportingInstance": "i"});
    vec![
        (GATES, gate("a")),
        ("/api/v1/namespaces/shop/pods", pod),
        ("/apis/apps/v1/namespaces/shop/deployments", deployment),
        ("/apis/events.k8s.io/v1/namespaces/shop/events", event),
        ("/api/v1/namespaces", json!({"metadata": {"name": "a"}, "spec": {"finalizers": ["x.io/f"]}})),
        ("/apis/apiextensions.k8s.io/v1/customresourcedefinitions", gates_crd()),
    ]
}

fn any_value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(json!(null)),
        any::<bool>().prop_map(Value::from),
        any::<i32>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        prop_oneof!["[a-z./%]{0,6}", Just(String::new()), Just("1".to_owned())].prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 12, 3, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..3).prop_map(Value::from),
            prop::collection::btree_map("[a-z]{1,5}|metadata|name|status|managedFields|type", inner, 0..3)
                .prop_map(|it| Value::Object(it.into_iter().collect())),
        ]
    })
}

/// All pointers into a value.
fn pointers(value: &Value, at: String, out: &mut Vec<String>) {
    out.push(at.clone());
    match value {
        Value::Object(members) => {
            for (name, member) in members {
                pointers(member, format!("{at}/{}", name.replace('~', "~0").replace('/', "~1")), out);
            }
        }
        Value::Array(list) => {
            list.iter().enumerate().for_each(|(index, it)| pointers(it, format!("{at}/{index}"), out))
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// Puts `new` in some place of `value`.
fn spoil(value: &mut Value, place: prop::sample::Index, new: Value) {
    let mut places = Vec::new();
    pointers(value, String::new(), &mut places);
    if let Some(spot) = value.pointer_mut(place.get::<String>(&places)) {
        *spot = new;
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn spoiled_objects_are_refused_or_stored(which: prop::sample::Index, place: prop::sample::Index, new in any_value(), again in any_value()) {
        let kinds = valid();
        let (collection, object) = which.get(&kinds);
        let mut cluster = Cluster::new();
        let mut body = object.clone();
        spoil(&mut body, place, new.clone());
        cluster.post(collection, &body);
        cluster.post(collection, object);
        let name = object["metadata"]["name"].as_str().unwrap();
        let uri = format!("{collection}/{name}");
        let (code, stored) = cluster.get(&uri);
        prop_assert_eq!(code, 200);
        let mut changed = stored.clone();
        spoil(&mut changed, place, again.clone());
        cluster.put(&uri, &changed);
        cluster.merge(&uri, &again);
        cluster.merge(&format!("{uri}/status"), &json!({"status": again}));
        cluster.apply(&format!("{uri}?fieldManager=m&force=true"), &body);
        cluster.ask("PATCH", &uri, "application/strategic-merge-patch+json", &body.to_string());
        let mut places = Vec::new();
        pointers(&stored, String::new(), &mut places);
        let patch = json!([{"op": "replace", "path": place.get::<String>(&places), "value": again}]);
        cluster.ask("PATCH", &uri, "application/json-patch+json", &patch.to_string());
        let (code, list) = cluster.get(collection);
        prop_assert_eq!(code, 200);
        prop_assert!(list["items"].is_array());
        cluster.delete(&uri, &json!({"gracePeriodSeconds": 0, "propagationPolicy": "Foreground"}).to_string());
        cluster.delete(&uri, &again.to_string());
    }

    #[test]
    fn any_path_and_query_is_understood_or_refused(
        path in "(/api|/apis|/openapi|)(/[a-z%0-9.]{0,6}){0,8}",
        query in "((limit|continue|watch|fieldSelector|labelSelector|resourceVersion|resourceVersionMatch|dryRun|sendInitialEvents|timeoutSeconds)=[a-zA-Z0-9%=,!() +.]{0,8}&){0,4}",
        method in prop::sample::select(vec![Method::GET, Method::POST, Method::PUT, Method::PATCH, Method::DELETE, Method::OPTIONS]),
    ) {
        let registry = Registry::builtin();
        let Ok(info) = RequestInfo::parse(&method, &path, Some(&query), &HeaderMap::new()) else { return Ok(()) };
        if let Target::Resource(verb, address) = &info.target {
            prop_assert!(!verb.as_str().is_empty() && !address.resource.is_empty());
        }
        let resolved = info.resolve(&registry);
        let pods = registry.resource("", "v1", "pods").unwrap();
        let resource = resolved.as_ref().map_or(pods, |it| &it.resource);
        for watch in [false, true] {
            if let Ok(options) = info.list_options(resource, watch) {
                let cluster_free = options.selection.is_empty();
                prop_assert!(cluster_free || !options.selection.labels.is_empty() || !options.selection.fields.is_empty());
            }
        }
        prop_assert!(info.write_options("CreateOptions").map_or_else(|it| it.code, |_| 422) == 422);
    }
}
