//! The table of spec/kubernetes-api.md 4.1, row by row.

use kanon_core::GroupVersionKind;
use kanon_schema::{Conflict, Conflicts, Operation};
use serde_json::{Value, json};

use super::*;

fn check(error: &ApiError, code: u16, reason: &str, message: &str, details: Value) {
    let mut want = json!({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
        "message": message, "code": code});
    if !reason.is_empty() {
        want["reason"] = json!(reason);
    }
    if !details.is_null() {
        want["details"] = details;
    }
    assert_eq!(error.to_value(), want);
}

fn gates() -> GroupResource {
    GroupResource::new("policy.example.io", "gates")
}

fn gate() -> GroupVersionKind {
    GroupVersionKind::new("policy.example.io", "v1", "Gate")
}

#[test]
fn storage_failures_name_resource_and_object() {
    let details = json!({"name": "a", "group": "policy.example.io", "kind": "gates"});
    check(
        &ApiError::not_found(&gates(), "a"),
        404,
        "NotFound",
        r#"gates.policy.example.io "a" not found"#,
        details.clone(),
    );
    check(
        &ApiError::namespace_not_found("x"),
        404,
        "NotFound",
        r#"namespaces "x" not found"#,
        json!({"name": "x", "kind": "namespaces"}),
    );
    check(
        &ApiError::already_exists(&gates(), "a"),
        409,
        "AlreadyExists",
        r#"gates.policy.example.io "a" already exists"#,
        details.clone(),
    );
    check(
        &ApiError::conflict(&gates(), "a"),
        409,
        "Conflict",
        r#"Operation cannot be fulfilled on gates.policy.example.io "a": the object has been modified; please apply your changes to the latest version and try again"#,
        details,
    );
    check(
        &ApiError::precondition(&GroupResource::new("policy.example.io", "Gate"), "a", "UID", "u1", "u2"),
        409,
        "Conflict",
        r#"Operation cannot be fulfilled on Gate.policy.example.io "a": the UID in the precondition (u1) does not match the UID in record (u2). The object might have been deleted and then recreated"#,
        json!({"name": "a", "group": "policy.example.io", "kind": "Gate"}),
    );
    check(&ApiError::too_old(3, 9), 410, "Expired", "too old resource version: 3 (9)", Value::Null);
    check(
        &ApiError::future_revision(99, 7),
        504,
        "Timeout",
        "Timeout: Too large resource version: 99, current: 7",
        json!({"causes": [{"reason": "ResourceVersionTooLarge", "message": "Too large resource version"}], "retryAfterSeconds": 1}),
    );
}

#[test]
fn apply_conflicts_list_managers_and_fields() {
    let conflict = |path: &str| Conflict {
        manager: "kubectl".to_owned(),
        operation: Operation::Apply,
        api_version: "v1".to_owned(),
        subresource: String::new(),
        path: path.to_owned(),
    };
    check(
        &ApiError::apply_conflict(&Conflicts(vec![conflict(".spec.expr")])),
        409,
        "Conflict",
        r#"Apply failed with 1 conflict: conflict with "kubectl": .spec.expr"#,
        json!({"causes": [{"reason": "FieldManagerConflict", "message": "conflict with \"kubectl\"", "field": ".spec.expr"}]}),
    );
}

#[test]
fn rejected_bodies_say_why() {
    check(
        &ApiError::manager_required(),
        422,
        "Invalid",
        r#"PatchOptions.meta.k8s.io "" is invalid: fieldManager: Required value: is required for apply patch"#,
        json!({"group": "meta.k8s.io", "kind": "PatchOptions", "causes": [{"reason": "FieldValueRequired",
            "message": "Required value: is required for apply patch", "field": "fieldManager"}]}),
    );
    let version = Cause::new(
        "FieldValueInvalid",
        "metadata.resourceVersion",
        "Invalid value: 0x0: must be specified for an update",
    );
    let error = ApiError::invalid(&gate(), "a", vec![version.clone()]);
    assert_eq!(
        error.message,
        r#"Gate.policy.example.io "a" is invalid: metadata.resourceVersion: Invalid value: 0x0: must be specified for an update"#
    );
    let error = ApiError::invalid(
        &GroupVersionKind::new("", "v1", "Pod"),
        "a",
        vec![version.clone(), version, Cause::not_supported("spec.mode", "Nope", &["Audit", "Warn"])],
    );
    assert_eq!(
        error.message,
        r#"Pod "a" is invalid: [metadata.resourceVersion: Invalid value: 0x0: must be specified for an update, spec.mode: Unsupported value: "Nope": supported values: "Audit", "Warn"]"#
    );
    let findings = [r#"duplicate field "spec.a""#.to_owned(), r#"unknown field "spec.b""#.to_owned()];
    check(
        &ApiError::strict_decoding("Gate", "v1", &findings),
        400,
        "BadRequest",
        r#"Gate in version "v1" cannot be handled as a Gate: strict decoding error: duplicate field "spec.a", unknown field "spec.b""#,
        Value::Null,
    );
    check(
        &ApiError::patch_failed(),
        422,
        "Invalid",
        "the server rejected our request due to an error in our request",
        json!({}),
    );
    check(
        &ApiError::version_on_create(),
        500,
        "",
        "resourceVersion should not be set on objects to be created",
        Value::Null,
    );
    check(
        &ApiError::not_acceptable(&["application/json", "application/yaml"]),
        406,
        "NotAcceptable",
        "only the following media types are accepted: application/json, application/yaml",
        Value::Null,
    );
}

#[test]
fn refusals_name_what_is_refused() {
    check(&ApiError::unauthorized(), 401, "Unauthorized", "Unauthorized", Value::Null);
    check(
        &ApiError::forbidden(&gates(), "", "no"),
        403,
        "Forbidden",
        "gates.policy.example.io is forbidden: no",
        json!({"group": "policy.example.io", "kind": "gates"}),
    );
    check(
        &ApiError::namespace_terminating(&gates(), "a", "shop"),
        403,
        "Forbidden",
        r#"gates.policy.example.io "a" is forbidden: unable to create new content in namespace shop because it is being terminated"#,
        json!({"name": "a", "group": "policy.example.io", "kind": "gates", "causes": [{"reason": "NamespaceTerminating",
            "message": "namespace shop is being terminated", "field": "metadata.namespace"}]}),
    );
    check(
        &ApiError::namespace_may_not_be_deleted("default"),
        403,
        "Forbidden",
        r#"namespaces "default" is forbidden: this namespace may not be deleted"#,
        json!({"name": "default", "kind": "namespaces"}),
    );
    check(
        &ApiError::webhook_denied("w.example.io", 0, "", "too old", None),
        403,
        "Forbidden",
        r#"admission webhook "w.example.io" denied the request: too old"#,
        Value::Null,
    );
    check(
        &ApiError::webhook_denied("w", 422, "Invalid", "", None),
        422,
        "Invalid",
        r#"admission webhook "w" denied the request: Invalid"#,
        Value::Null,
    );
    let failed = ApiError::webhook_failed("w", r#"failed to call webhook: Post "https://h/v?timeout=5s": refused"#);
    assert_eq!(
        failed.message,
        r#"Internal error occurred: failed calling webhook "w": failed to call webhook: Post "https://h/v?timeout=5s": refused"#
    );
    assert_eq!((failed.code, failed.reason.as_ref()), (500, "InternalError"));
    check(
        &ApiError::disruption_budget("web", 2, 1),
        429,
        "TooManyRequests",
        "Cannot evict pod as it would violate the pod's disruption budget.",
        json!({"causes": [{"reason": "DisruptionBudget", "message": "The disruption budget web needs 2 healthy pods and has 1 currently"}]}),
    );
}

#[test]
fn success_says_what_was_deleted() {
    let body: Value = serde_json::from_slice(&deleted(&gates(), "a", "u")).unwrap();
    assert_eq!(
        body,
        json!({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success",
            "details": {"name": "a", "group": "policy.example.io", "kind": "gates", "uid": "u"}})
    );
    assert_eq!(
        success(None, 201),
        r#"{"kind":"Status","apiVersion":"v1","metadata":{},"status":"Success","code":201}"#.as_bytes()
    );
}
