//! Bodies encoded by hand, as kubectl encodes them: every plain member of Go's structs is written, empty or not.

use proptest::prelude::*;
use serde_json::json;

use super::*;

fn varint(mut number: u64) -> Vec<u8> {
    let mut out = Vec::new();
    while number >= 0x80 {
        out.push((number as u8 & 0x7f) | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
    out
}

/// A length-delimited field.
fn bytes(number: u64, content: &[u8]) -> Vec<u8> {
    [varint(number << 3 | 2), varint(content.len() as u64), content.to_vec()].concat()
}

fn text(number: u64, content: &str) -> Vec<u8> {
    bytes(number, content.as_bytes())
}

fn int(number: u64, content: u64) -> Vec<u8> {
    [varint(number << 3), varint(content)].concat()
}

fn message(number: u64, fields: &[Vec<u8>]) -> Vec<u8> {
    bytes(number, &fields.concat())
}

fn body(api_version: &str, kind: &str, fields: &[Vec<u8>]) -> Vec<u8> {
    let meta = message(1, &[text(1, api_version), text(2, kind)]);
    [MAGIC.to_vec(), meta, message(2, fields), text(3, ""), text(4, "")].concat()
}

/// Metadata as Go writes it: unset members as empty fields.
fn metadata(name: &str) -> Vec<u8> {
    message(
        1,
        &[text(1, name), text(2, ""), text(3, ""), text(4, ""), text(5, ""), text(6, ""), int(7, 0), bytes(8, &[])],
    )
}

fn check(body: &[u8], want: &Value) {
    let (gvk, object) = decode_protobuf(body).unwrap();
    assert_eq!(
        gvk,
        GroupVersionKind::from_api_version(want["apiVersion"].as_str().unwrap(), want["kind"].as_str().unwrap())
    );
    assert_eq!(&object, want);
}

#[test]
fn namespace_as_in_the_specification() {
    // 0a 0f 0a 02 "v1" 12 09 "Namespace" 12 1b <Namespace> 1a 00 22 00
    let given = body("v1", "Namespace", &[metadata("abc"), bytes(2, &[]), message(3, &[text(1, "")])]);
    assert_eq!(&given[..10], b"k8s\0\x0a\x0f\x0a\x02v1");
    assert_eq!(&given[21..23], b"\x12\x1b");
    check(
        &given,
        &json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "abc"}, "spec": {}, "status": {}}),
    );
}

#[test]
fn deployment_as_kubectl_creates_it() {
    let labels = |number| message(number, &[text(1, "app"), text(2, "web")]);
    let metadata = message(1, &[text(1, "web"), text(2, ""), int(7, 0), bytes(8, &[]), labels(11)]);
    let container = message(
        2,
        &[
            text(1, "nginx"),
            text(2, "nginx:1"),
            text(5, ""),
            bytes(8, &[]),
            text(13, ""),
            text(14, ""),
            int(16, 0),
            int(17, 0),
            int(18, 0),
        ],
    );
    let pod_spec = message(2, &[container, text(3, ""), text(6, ""), int(11, 0), text(19, "")]);
    let template = message(3, &[message(1, &[labels(11), bytes(8, &[])]), pod_spec]);
    let spec =
        message(2, &[int(1, 1), message(2, &[labels(1)]), template, message(4, &[text(1, "")]), int(5, 0), int(7, 0)]);
    let status = message(3, &[int(1, 0), int(2, 0), int(3, 0)]);
    check(
        &body("apps/v1", "Deployment", &[metadata, spec, status]),
        &json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web", "labels": {"app": "web"}},
            "spec": {"replicas": 1, "selector": {"matchLabels": {"app": "web"}}, "strategy": {},
                "template": {"metadata": {"labels": {"app": "web"}},
                    "spec": {"containers": [{"name": "nginx", "image": "nginx:1", "resources": {}}]}}},
            "status": {}}),
    );
}

#[test]
fn values_of_every_type() {
    let secret = message(2, &[text(1, "key"), bytes(2, &[0, 255])]);
    check(
        &body("v1", "Secret", &[metadata("s"), secret, text(3, "Opaque"), int(5, 0)]),
        &json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s"}, "data": {"key": "AP8="}, "type": "Opaque", "immutable": false}),
    );
    let time = message(8, &[int(1, 1_700_000_000), int(2, 0)]);
    let budget = message(
        2,
        &[message(1, &[int(1, 1), int(2, 0), text(3, "50%")]), message(3, &[int(1, 0), int(2, 2), text(3, "")])],
    );
    check(
        &body("policy/v1", "PodDisruptionBudget", &[message(1, &[text(1, "p"), time]), budget]),
        &json!({"apiVersion": "policy/v1", "kind": "PodDisruptionBudget", "metadata": {"name": "p", "creationTimestamp": "2023-11-14T22:13:20Z"},
            "spec": {"minAvailable": "50%", "maxUnavailable": 2}}),
    );
    let lease = message(2, &[text(1, "me"), int(2, 15), message(4, &[int(1, 1_700_000_000), int(2, 1_500_000)])]);
    check(
        &body("coordination.k8s.io/v1", "Lease", &[metadata("l"), lease]),
        &json!({"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": {"name": "l"},
            "spec": {"holderIdentity": "me", "leaseDurationSeconds": 15, "renewTime": "2023-11-14T22:13:20.001500Z"}}),
    );
    let quota = message(2, &[message(1, &[text(1, "cpu"), message(2, &[text(1, "2")])])]);
    check(
        &body("v1", "ResourceQuota", &[metadata("q"), quota]),
        &json!({"apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": "q"}, "spec": {"hard": {"cpu": "2"}}}),
    );
    let class = [metadata("c"), int(2, (-5_i64) as u64), int(3, 0), text(4, "")];
    check(
        &body("scheduling.k8s.io/v1", "PriorityClass", &class),
        &json!({"apiVersion": "scheduling.k8s.io/v1", "kind": "PriorityClass", "metadata": {"name": "c"}, "value": -5}),
    );
}

#[test]
fn inlined_messages_and_lists_in_maps() {
    let volume = message(1, &[text(1, "data"), message(2, &[message(2, &[text(1, ""), bytes(2, &[])])])]);
    let pod = body("v1", "Pod", &[metadata("p"), message(2, &[volume])]);
    let (_, pod) = decode_protobuf(&pod).unwrap();
    assert_eq!(pod["spec"]["volumes"], json!([{"name": "data", "emptyDir": {"sizeLimit": "0"}}]));

    let extra = message(5, &[text(1, "scopes"), message(2, &[text(1, "a"), text(1, "b")])]);
    let review = body("authorization.k8s.io/v1", "SubjectAccessReview", &[message(2, &[text(3, "jane"), extra])]);
    let (_, review) = decode_protobuf(&review).unwrap();
    assert_eq!(review["spec"], json!({"user": "jane", "extra": {"scopes": ["a", "b"]}}));
}

#[test]
fn schemas_of_definitions() {
    let default = message(8, &[text(1, "3")]);
    let replicas = message(2, &[text(5, "integer"), default, message(30, &[int(1, 0)])]);
    let root = message(1, &[text(5, "object"), message(29, &[text(1, "replicas"), replicas])]);
    let version = message(7, &[text(1, "v1"), int(2, 1), int(3, 1), message(4, &[root])]);
    let given = body(
        "apiextensions.k8s.io/v1",
        "CustomResourceDefinition",
        &[metadata("a.b"), message(2, &[text(1, "b"), version])],
    );
    let (_, crd) = decode_protobuf(&given).unwrap();
    assert_eq!(
        crd["spec"]["versions"][0],
        json!({"name": "v1", "served": true, "storage": true, "schema": {"openAPIV3Schema": {"type": "object",
            "properties": {"replicas": {"type": "integer", "default": 3, "additionalProperties": false}}}}})
    );
}

#[test]
fn unknown_numbers_are_skipped() {
    let given = body(
        "v1",
        "ConfigMap",
        &[metadata("c"), text(900, "x"), int(901, 5), message(2, &[text(1, "a"), text(2, "")])],
    );
    check(&given, &json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c"}, "data": {"a": ""}}));
}

#[test]
fn delete_options_in_any_group() {
    check(
        &body("apps/v1", "DeleteOptions", &[int(1, 0), text(4, "Background")]),
        &json!({"apiVersion": "apps/v1", "kind": "DeleteOptions", "gracePeriodSeconds": 0, "propagationPolicy": "Background"}),
    );
}

#[test]
fn refusals_say_why() {
    let deep = (0..200).fold(text(5, "object"), |inner, _| message(28, &[inner]));
    let deep = message(2, &[message(7, &[message(4, &[message(1, &[deep])])])]);
    let json = [MAGIC, &message(1, &[text(1, "v1"), text(2, "Pod")]), &text(4, "application/json")].concat();
    for (given, want) in [
        (b"{}".to_vec(), "the body is not Kubernetes protobuf: it does not start with `k8s` and a zero byte"),
        (body("v1", "Pod", &[vec![0x0a, 0x7f]]), "the body ends in the middle of a field"),
        (body("v1", "Pod", &[vec![0x0b]]), "the body is not valid protobuf"),
        (body("v9", "Pod", &[]), "no kind `Pod` in version `v9` is registered"),
        (body("v1", "Pod", &[int(1, 3)]), "field `metadata` of `io.k8s.api.core.v1.Pod` is not text or a message"),
        (
            body("v1", "Pod", &[message(1, &[bytes(1, &[0xff])])]),
            "field `name` of `io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta` is not text in UTF-8",
        ),
        (body("apiextensions.k8s.io/v1", "CustomResourceDefinition", &[deep]), "messages are nested deeper than 64"),
        (json, "content of the envelope is `application/json`, not plain protobuf"),
    ] {
        assert_eq!(decode_protobuf(&given).unwrap_err().to_string(), want);
    }
}

proptest! {
    #[test]
    fn any_bytes_are_read_or_refused(noise in prop::collection::vec(any::<u8>(), 0..200), kind in 0..6_usize) {
        let kinds = [("v1", "Pod"), ("apps/v1", "Deployment"), ("v1", "Secret"), ("v1", "Event"),
            ("apiextensions.k8s.io/v1", "CustomResourceDefinition"), ("autoscaling/v2", "HorizontalPodAutoscaler")];
        let (api_version, kind) = kinds[kind];
        if let Ok((gvk, object)) = decode_protobuf(&body(api_version, kind, &[noise])) {
            prop_assert_eq!(gvk.kind, kind);
            prop_assert!(object.is_object());
        }
    }

    #[test]
    fn damaged_bodies_are_read_or_refused(at in 0..400_usize, byte in any::<u8>()) {
        let container = message(2, &[text(1, "c"), text(2, "i"), message(6, &[int(3, 80)])]);
        let mut given = body("v1", "Pod", &[metadata("p"), message(2, &[container])]);
        let length = given.len();
        given[at % length] = byte;
        let _ = decode_protobuf(&given);
        let _ = decode_protobuf(&given[..at % length]);
    }
}
