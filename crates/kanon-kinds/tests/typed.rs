//! The tables against generated types of other hands: a sample with every member of a kind reads and writes as it was.

use k8s_openapi::{
    api::{
        admissionregistration::v1::MutatingWebhookConfiguration,
        apps::v1::{DaemonSet, Deployment, StatefulSet},
        autoscaling::v2::HorizontalPodAutoscaler,
        batch::v1::{CronJob, Job},
        coordination::v1::Lease,
        core::v1::{ConfigMap, Event, Namespace, Node, PersistentVolume, Pod, Secret, Service, ServiceAccount},
        discovery::v1::EndpointSlice,
        networking::v1::{Ingress, NetworkPolicy},
        policy::v1::PodDisruptionBudget,
        rbac::v1::{ClusterRole, RoleBinding},
    },
    apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition,
    serde::{Serialize, de::DeserializeOwned},
};
use kanon_kinds::BuiltinKind;
use kanon_schema::{Schema, Type};
use serde_json::{Map, Value, json};

/// A value with every member that a schema declares.
fn sample(name: &str, schema: &Schema) -> Value {
    if let Some(value) = schema.rules.one_of_values.first() {
        return value.clone();
    }
    match schema.kind {
        Type::Object if schema.preserve_unknown => json!({}),
        Type::Object => {
            let mut members: Map<String, Value> =
                schema.properties.iter().map(|(name, it)| (name.clone(), sample(name, it))).collect();
            if let Some(element) = &schema.additional {
                members.insert("key".to_owned(), sample("", element));
            }
            // The one object within another that says what it is.
            if schema.name.as_deref() == Some("io.k8s.api.core.v1.PersistentVolumeClaim") {
                members.insert("apiVersion".to_owned(), json!("v1"));
                members.insert("kind".to_owned(), json!("PersistentVolumeClaim"));
            }
            Value::Object(members)
        }
        Type::Array => json!([sample("", schema.items.as_deref().expect("a list says what it holds"))]),
        Type::String => text(name, &schema.format),
        Type::Integer | Type::IntOrString => json!(7),
        Type::Number => json!(1.5),
        Type::Boolean => json!(true),
        Type::Any => json!("1"),
    }
}

fn text(name: &str, format: &str) -> Value {
    match (format, name) {
        ("date-time", "eventTime" | "renewTime" | "acquireTime" | "lastObservedTime") => {
            json!("2026-01-02T03:04:05.000006Z")
        }
        ("date-time", _) => json!("2026-01-02T03:04:05Z"),
        ("byte", _) => json!("AAEC"),
        _ => json!("text"),
    }
}

fn check<T: Serialize + DeserializeOwned>(kind: &BuiltinKind) {
    let mut object = sample("", &kind.schema());
    object["apiVersion"] = json!(kind.gvk.api_version());
    object["kind"] = json!(kind.gvk.kind);
    let typed: T = serde_json::from_value(object.clone()).unwrap_or_else(|error| panic!("{}: {error}", kind.plural));
    let written = serde_json::to_value(&typed).expect("typed objects are JSON");
    let mut lost = Vec::new();
    compare("", &object, &written, &mut lost);
    assert!(lost.is_empty(), "{}: {}", kind.plural, lost.join(", "));
}

fn compare(path: &str, ours: &Value, theirs: &Value, lost: &mut Vec<String>) {
    match (ours, theirs) {
        (Value::Object(ours), Value::Object(theirs)) => {
            for (name, value) in ours {
                compare(&format!("{path}.{name}"), value, theirs.get(name).unwrap_or(&Value::Null), lost);
            }
        }
        (Value::Array(ours), Value::Array(theirs)) => {
            for (ours, theirs) in ours.iter().zip(theirs) {
                compare(&format!("{path}[]"), ours, theirs, lost);
            }
        }
        _ if ours == theirs => {}
        _ => lost.push(format!("{path}: {ours} became {theirs}")),
    }
}

#[test]
fn samples_of_every_member_survive_typed_reading() {
    let find = |group: &str, version: &str, plural: &str| kanon_kinds::find(group, version, plural).unwrap();
    let core = |plural: &str| find("", "v1", plural);
    check::<Namespace>(core("namespaces"));
    check::<Pod>(core("pods"));
    check::<ConfigMap>(core("configmaps"));
    check::<Secret>(core("secrets"));
    check::<Service>(core("services"));
    check::<ServiceAccount>(core("serviceaccounts"));
    check::<Event>(core("events"));
    check::<Node>(core("nodes"));
    check::<PersistentVolume>(core("persistentvolumes"));
    check::<Deployment>(find("apps", "v1", "deployments"));
    check::<StatefulSet>(find("apps", "v1", "statefulsets"));
    check::<DaemonSet>(find("apps", "v1", "daemonsets"));
    check::<Job>(find("batch", "v1", "jobs"));
    check::<CronJob>(find("batch", "v1", "cronjobs"));
    check::<NetworkPolicy>(find("networking.k8s.io", "v1", "networkpolicies"));
    check::<Ingress>(find("networking.k8s.io", "v1", "ingresses"));
    check::<PodDisruptionBudget>(find("policy", "v1", "poddisruptionbudgets"));
    check::<ClusterRole>(find("rbac.authorization.k8s.io", "v1", "clusterroles"));
    check::<RoleBinding>(find("rbac.authorization.k8s.io", "v1", "rolebindings"));
    check::<Lease>(find("coordination.k8s.io", "v1", "leases"));
    check::<EndpointSlice>(find("discovery.k8s.io", "v1", "endpointslices"));
    check::<HorizontalPodAutoscaler>(find("autoscaling", "v2", "horizontalpodautoscalers"));
    check::<MutatingWebhookConfiguration>(find("admissionregistration.k8s.io", "v1", "mutatingwebhookconfigurations"));
    check::<CustomResourceDefinition>(find("apiextensions.k8s.io", "v1", "customresourcedefinitions"));
}

/// Every kind, as a protobuf answer and as a protobuf request: what goes out is what comes in.
#[test]
fn samples_of_every_kind_survive_protobuf() {
    let mut lost = Vec::new();
    for kind in kanon_kinds::kinds() {
        let mut object = sample("", &kind.schema());
        object["apiVersion"] = json!(kind.gvk.api_version());
        object["kind"] = json!(kind.gvk.kind);
        let body = kanon_kinds::encode_protobuf(&object).unwrap_or_else(|error| panic!("{}: {error}", kind.plural));
        let (gvk, read) =
            kanon_kinds::decode_protobuf(&body).unwrap_or_else(|error| panic!("{}: {error}", kind.plural));
        assert_eq!(gvk, kind.gvk);
        compare(kind.plural, &object, &read, &mut lost);
        // What a member is by its place is not written.
        lost.retain(|it| {
            !it.contains("volumeClaimTemplates[].apiVersion") && !it.contains("volumeClaimTemplates[].kind")
        });
        let list = json!({"apiVersion": kind.gvk.api_version(), "kind": kind.list_kind, "metadata": {"resourceVersion": "7"},
            "items": [object]});
        let list = kanon_kinds::encode_protobuf(&list).unwrap_or_else(|error| panic!("{}: {error}", kind.plural));
        // The item is the object's own message, which the body of the object holds between its kind and two empty fields.
        let start = body.len() - 4 - message_length(&body);
        let message = &body[start..body.len() - 4];
        assert!(list.windows(message.len()).any(|it| it == message), "{}", kind.plural);
    }
    assert!(lost.is_empty(), "{}", lost.join("\n"));
}

/// Length of the object's message in a body: the field after the kind's.
fn message_length(body: &[u8]) -> usize {
    let kind = usize::from(body[5]);
    let length = &body[6 + kind + 1..];
    length
        .iter()
        .enumerate()
        .take_while(|(at, _)| *at == 0 || length[at - 1] & 0x80 != 0)
        .fold(0, |sum, (at, byte)| sum | usize::from(byte & 0x7f) << (7 * at))
}
