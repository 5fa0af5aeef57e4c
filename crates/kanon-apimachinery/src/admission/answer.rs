//! What a webhook's answer means.

use std::collections::BTreeMap;

use base64::{Engine, engine::general_purpose::STANDARD};
use bytes::Bytes;
use json_patch::Patch;
use serde::Deserialize;
use serde_json::Value;

use super::{Call, Notes, OnFailure};
use crate::status::{ApiError, Details, Result};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Review {
    #[serde(default)]
    kind: Option<String>,
    #[serde(default)]
    api_version: Option<String>,
    #[serde(default)]
    response: Option<Response>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Response {
    #[serde(default)]
    uid: Option<String>,
    allowed: Option<bool>,
    #[serde(default)]
    status: Option<Status>,
    #[serde(default)]
    patch: Option<String>,
    #[serde(default)]
    patch_type: Option<String>,
    #[serde(default)]
    audit_annotations: Option<BTreeMap<String, String>>,
    #[serde(default)]
    warnings: Option<Vec<String>>,
}

#[derive(Default, Deserialize)]
struct Status {
    #[serde(default)]
    code: Option<i64>,
    #[serde(default)]
    message: Option<String>,
    #[serde(default)]
    reason: Option<String>,
    #[serde(default)]
    details: Option<Details>,
}

/// Judges what came of a call: the patch to apply, if the webhook agrees and has one.
///
/// # Errors
/// The webhook's refusal; 500 when it could not be asked or answered wrongly, unless its failurePolicy is Ignore: that is noted
/// as `failed_open`.
pub(super) fn judge(
    call: &Call,
    result: std::result::Result<Bytes, String>,
    failed_open: &str,
    notes: &mut Notes,
) -> Result<Option<Patch>> {
    let read = match result {
        Ok(body) => read(call, &body),
        Err(problem) => Err(format!("failed to call webhook: {problem}")),
    };
    let response = match (read, call.hook.on_failure) {
        (Ok(response), _) => response,
        (Err(_), OnFailure::Ignore) => {
            notes.audit_annotations.insert(failed_open.to_owned(), call.hook.name.clone());
            return Ok(None);
        }
        (Err(problem), OnFailure::Fail) => return Err(ApiError::webhook_failed(&call.hook.name, &problem)),
    };
    notes.warnings.extend(response.warnings.into_iter().flatten());
    for (key, value) in response.audit_annotations.into_iter().flatten() {
        let key = format!("{}/{key}", call.hook.name);
        // A key of another form cannot be recorded; of two with one name the first is.
        if key.matches('/').count() == 1 && kanon_kinds::qualified_name_problems(&key).is_empty() {
            notes.audit_annotations.entry(key).or_insert(value);
        }
    }
    if !response.allowed.unwrap_or_default() {
        return Err(denied(call, response.status.unwrap_or_default()));
    }
    match response.patch {
        Some(patch) if !patch.is_empty() => decode(&patch).map(Some),
        _ => Ok(None),
    }
}

fn denied(call: &Call, status: Status) -> ApiError {
    let code = status.code.and_then(|it| u16::try_from(it).ok()).unwrap_or_default();
    let text = |it: Option<String>| it.unwrap_or_default();
    ApiError::webhook_denied(&call.hook.name, code, &text(status.reason), &text(status.message), status.details)
}

/// The response, if it is one to this call. The problem is in upstream's words.
fn read(call: &Call, body: &[u8]) -> std::result::Result<Response, String> {
    let review: Review = serde_json::from_slice(body).map_err(|error| format!("failed to call webhook: {error}"))?;
    let wrong = |problem: String| format!("received invalid webhook response: {problem}");
    let response = review.response.ok_or_else(|| wrong("webhook response was absent".to_owned()))?;
    let uid = response.uid.as_deref().unwrap_or_default();
    // The older form asks neither for uid nor for kind.
    if call.hook.version == "v1" {
        if uid != call.uid {
            return Err(wrong(format!("expected response.uid={:?}, got {uid:?}", call.uid)));
        }
        let (api_version, kind) = (review.api_version.unwrap_or_default(), review.kind.unwrap_or_default());
        if (api_version.as_str(), kind.as_str()) != ("admission.k8s.io/v1", "AdmissionReview") {
            let wanted = "admission.k8s.io/v1, Kind=AdmissionReview";
            let found = kanon_core::GroupVersionKind::from_api_version(&api_version, &kind);
            return Err(wrong(format!("expected webhook response of {wanted}, got {found}")));
        }
        if let Some(problem) = patch_problem(call, &response) {
            return Err(wrong(problem));
        }
    }
    Ok(response)
}

/// Patch and patch type come together, and from mutating webhooks only.
fn patch_problem(call: &Call, response: &Response) -> Option<String> {
    let has_patch = response.patch.as_deref().is_some_and(|it| !it.is_empty());
    let kind = response.patch_type.as_deref();
    let problem = match (call.hook.is_mutating, has_patch, kind) {
        (false, true, _) => "validating webhook may not return response.patch",
        (false, false, Some(_)) => "validating webhook may not return response.patchType",
        (true, true, None) => "webhook returned response.patch but not response.patchType",
        (true, false, Some(_)) => "webhook returned response.patchType but not response.patch",
        (true, true, Some(kind)) if kind != "JSONPatch" => {
            return Some(format!("webhook returned invalid response.patchType of {kind:?}"));
        }
        _ => return None,
    };
    Some(problem.to_owned())
}

/// A broken patch fails the request whatever the failurePolicy: the webhook was asked, and wants a change nobody can make.
fn decode(patch: &str) -> Result<Patch> {
    let text = STANDARD.decode(patch).map_err(ApiError::internal)?;
    serde_json::from_slice(&text).map_err(ApiError::internal)
}

/// Applies a patch.
///
/// # Errors
/// 500 when it does not fit, or when there is no object to patch.
pub(super) fn apply(call: &Call, patch: &Patch, object: &mut Value) -> Result<()> {
    if patch.0.is_empty() {
        return Ok(());
    }
    if !object.is_object() {
        let name = &call.hook.name;
        return Err(ApiError::internal(format!(
            "admission webhook {name:?} attempted to modify the object, which is not supported for this operation"
        )));
    }
    json_patch::patch(object, patch).map_err(ApiError::internal)?;
    if object.is_object() {
        return Ok(());
    }
    Err(ApiError::internal(format!("the patch of admission webhook {:?} leaves no object", call.hook.name)))
}
