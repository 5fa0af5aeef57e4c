use super::*;
use crate::crd;

/// Gates in two versions, of which the first is stored, and their webhook.
fn gates(reviews: &[&str]) -> std::sync::Arc<Resource> {
    let mut crd = crate::testing::established();
    let mut second = crd["spec"]["versions"][0].clone();
    second["name"] = json!("v2");
    second["storage"] = json!(false);
    crd["spec"]["versions"].as_array_mut().expect("versions").push(second);
    crd["spec"]["conversion"] = json!({"strategy": "Webhook", "webhook": {"conversionReviewVersions": reviews,
        "clientConfig": {"service": {"namespace": "shop", "name": "hook", "path": "convert"}, "caBundle": "UEVN"}}});
    crd::resources(&crd, None).into_iter().find(|it| it.gvk.version == "v2").expect("served")
}

fn stored(name: &str) -> Value {
    json!({"apiVersion": "policy.example.io/v1", "kind": "Gate",
        "metadata": {"name": name, "namespace": "shop", "uid": format!("uid-{name}"), "labels": {"a": "b"}, "resourceVersion": "7"},
        "spec": {"expr": "true"}})
}

fn converted(name: &str) -> Value {
    let mut object = stored(name);
    object["apiVersion"] = json!("policy.example.io/v2");
    object["metadata"] = json!({"name": name, "namespace": "shop", "uid": format!("uid-{name}")});
    object
}

/// What becomes of objects when the webhook answers with this response.
fn finish(names: &[&str], response: Value) -> std::result::Result<Vec<Value>, String> {
    answer(
        names,
        json!({"apiVersion": "apiextensions.k8s.io/v1", "kind": "ConversionReview", "response": response}).to_string(),
    )
}

fn answer(names: &[&str], text: String) -> std::result::Result<Vec<Value>, String> {
    let resource = gates(&["v3", "v1"]);
    let objects = names.iter().map(|it| stored(it)).collect();
    let review = Review::new(&resource, "policy.example.io/v2", objects, "u".to_owned()).expect("a review");
    review.finish(Ok(text.into())).map_err(|error| {
        assert_eq!((error.code, error.reason.as_ref()), (500, ""));
        error.message
    })
}

fn success(objects: Value) -> Value {
    json!({"uid": "u", "result": {"status": "Success"}, "convertedObjects": objects})
}

const WHAT: &str = "conversion webhook for policy.example.io/v1, Kind=Gate";

#[test]
fn a_definition_with_a_webhook_has_one_and_its_resource_takes_objects_as_they_come() {
    let resource = gates(&["v1"]);
    let converter = resource.custom().and_then(|it| it.converter.clone()).expect("a webhook");
    assert_eq!(converter.url(), "https://hook.shop.svc:443/convert?timeout=30s");
    assert_eq!(converter.ca_bundle().map(|it| &it[..]), Some(b"PEM".as_slice()));
    assert!(resource.serves_stored_form());
    assert_eq!(resource.storage_api_version(), "policy.example.io/v1");
    let mut object = stored("a");
    resource.to_stored(&mut object);
    resource.to_served(&mut object);
    assert_eq!(object["apiVersion"], "policy.example.io/v1");
}

#[test]
fn the_webhook_is_sent_what_is_to_be_converted() {
    let resource = gates(&["v3", "v1beta1", "v1"]);
    let review = Review::new(&resource, "policy.example.io/v2", vec![stored("a")], "u".to_owned()).expect("a review");
    let body: Value = serde_json::from_slice(&review.body()).expect("JSON");
    assert_eq!(
        body,
        json!({"apiVersion": "apiextensions.k8s.io/v1beta1", "kind": "ConversionReview",
            "request": {"uid": "u", "desiredAPIVersion": "policy.example.io/v2", "objects": [stored("a")]}})
    );
    let unknown = gates(&["v3"]);
    let error = Review::new(&unknown, "policy.example.io/v2", Vec::new(), String::new()).expect_err("refused");
    assert_eq!(error.message, "no supported conversion review versions");
}

#[test]
fn converted_objects_keep_their_metadata_but_for_labels_and_annotations_and_get_defaults() {
    let mut other = converted("b");
    other["metadata"]["annotations"] = json!({"from": "v1"});
    other["metadata"]["generation"] = json!(99);
    other["spec"]["unknown"] = json!(1);
    let got = finish(&["a", "b"], success(json!([converted("a"), other]))).expect("converted");
    assert_eq!(got[0]["metadata"], json!({"name": "a", "namespace": "shop", "uid": "uid-a", "resourceVersion": "7"}));
    assert_eq!(got[0]["spec"], json!({"expr": "true", "weight": 5}));
    assert_eq!(got[1]["metadata"]["annotations"], json!({"from": "v1"}));
    assert_eq!((&got[1]["metadata"]["generation"], &got[1]["spec"]["unknown"]), (&Value::Null, &Value::Null));
}

#[test]
fn answers_that_are_not_right_fail_in_words() {
    let check = |names: &[&str], response: Value, want: &str| {
        assert_eq!(finish(names, response).expect_err(want), format!("{WHAT} {want}"));
    };
    check(&["a"], Value::Null, "failed: no response provided");
    check(&["a"], json!({"uid": "other"}), r#"failed: expected response.uid="u", got "other""#);
    check(&["a"], json!({"uid": "u", "result": {"status": "Failure", "message": "no way"}}), "failed: no way");
    check(&["a"], json!({"uid": "u"}), "failed: response.result.status was '', not 'Success'");
    check(&["a"], success(json!([])), "returned 0 objects, expected 1");
    let with = |member: &str, value: Value| {
        let mut object = converted("a");
        *object.pointer_mut(member).expect("there") = value;
        success(json!([object]))
    };
    check(
        &["a"],
        with("/apiVersion", json!("policy.example.io/v3")),
        "returned invalid object at index 0: invalid groupVersion (expected policy.example.io/v2, received policy.example.io/v3)",
    );
    check(
        &["a"],
        with("/kind", json!("Door")),
        "returned invalid object at index 0: invalid kind (expected Gate, received Door)",
    );
    check(&["a"], with("/metadata/name", json!("b")), "returned invalid object: must have the same name: a != b");
    check(&["a"], with("/metadata/uid", json!("x")), "returned invalid object: must have the same UID: uid-a != x");
    let labels = |labels: Value| {
        let mut object = converted("a");
        object["metadata"]["labels"] = labels;
        success(json!([object]))
    };
    check(
        &["a"],
        labels(json!({"a": 1})),
        "returned invalid metadata: metadata.labels[a] must be a string in converted object",
    );
    check(&["a"], labels(json!([])), "returned invalid metadata: invalid metadata.labels in converted object");
    let bad = finish(&["a"], labels(json!({"a": "-"}))).expect_err("a bad label");
    assert!(
        bad.starts_with(&format!("{WHAT} returned invalid metadata: metadata.labels: Invalid value: \"-\": ")),
        "{bad}"
    );
    check(
        &["a", "b"],
        success(json!([converted("a"), converted("x")])),
        "returned invalid converted object at index 1: must have the same name: b != x",
    );
    let other = json!({"apiVersion": "v1", "kind": "Other", "response": success(json!([]))}).to_string();
    assert_eq!(
        answer(&["a"], other).expect_err("another kind"),
        format!(
            "{WHAT} failed: expected webhook response of apiextensions.k8s.io/v1, Kind=ConversionReview, got /v1, Kind=Other"
        )
    );
    assert!(answer(&["a"], "hello".to_owned()).expect_err("no JSON").starts_with(&format!("{WHAT} failed: ")));
}
