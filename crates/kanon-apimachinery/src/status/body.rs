//! Failures about what the client sent: bodies, media types, options.

use kanon_core::GroupVersionKind;

use super::{ApiError, Cause, Details, GroupResource, group_kind};

/// How much of a body failures show.
const SUMMARY_MAX: usize = 30;

impl ApiError {
    /// The object does not fit its kind's rules.
    pub fn invalid(gvk: &GroupVersionKind, name: &str, causes: Vec<Cause>) -> ApiError {
        let mut lines: Vec<String> = Vec::new();
        for cause in &causes {
            let line = cause.to_string();
            if !lines.contains(&line) {
                lines.push(line);
            }
        }
        let list = match lines.as_slice() {
            [] => String::new(),
            [one] => format!(": {one}"),
            more => format!(": [{}]", more.join(", ")),
        };
        let details = Details {
            name: name.to_owned(),
            group: gvk.group.clone(),
            kind: gvk.kind.clone(),
            causes,
            ..Details::default()
        };
        let message = format!("{} {name:?} is invalid{list}", group_kind(gvk));
        ApiError::new(422, "Invalid", message).with_details(details)
    }

    /// Options do not fit; `kind` is `ListOptions`, `PatchOptions`, ….
    pub fn invalid_options(kind: &str, causes: Vec<Cause>) -> ApiError {
        ApiError::invalid(&GroupVersionKind::new("meta.k8s.io", "v1", kind), "", causes)
    }

    /// An apply without a field manager.
    pub fn manager_required() -> ApiError {
        ApiError::invalid_options("PatchOptions", vec![Cause::required("fieldManager", "is required for apply patch")])
    }

    /// Any request that cannot be understood.
    pub fn bad_request(message: impl Into<String>) -> ApiError {
        ApiError::new(400, "BadRequest", message)
    }

    /// A body that is not of its kind: `problem` in the decoder's words.
    pub fn cannot_be_handled(kind: &str, version: &str, problem: &str) -> ApiError {
        ApiError::bad_request(format!("{kind} in version {version:?} cannot be handled as a {kind}: {problem}"))
    }

    /// Unknown or duplicate fields under `fieldValidation=Strict`; duplicates come first.
    pub fn strict_decoding(kind: &str, version: &str, findings: &[String]) -> ApiError {
        let problem = format!("strict decoding error: {}", findings.join(", "));
        ApiError::cannot_be_handled(kind, version, &problem)
    }

    /// A body that is not JSON or YAML of an object at all.
    pub fn unrecognized(kind: &str, problem: &str, body: &[u8]) -> ApiError {
        let summary = summary(body);
        ApiError::bad_request(format!(
            "the object provided is unrecognized (must be of type {kind}): {problem} ({summary})"
        ))
    }

    /// A body in a media type that is not read here.
    pub fn unsupported_media_type(accepted: &[&str]) -> ApiError {
        let list = accepted.join(", ");
        ApiError::new(
            415,
            "UnsupportedMediaType",
            format!("the body of the request was in an unknown format - accepted media types include: {list}"),
        )
    }

    /// The client takes none of the forms an answer can have.
    pub fn not_acceptable(accepted: &[&str]) -> ApiError {
        let list = accepted.join(", ");
        ApiError::new(406, "NotAcceptable", format!("only the following media types are accepted: {list}"))
    }

    /// The resource does not know this method.
    pub fn method_not_allowed() -> ApiError {
        ApiError::new(405, "MethodNotAllowed", "the server does not allow this method on the requested resource")
            .with_details(Details::default())
    }

    /// A part of a custom resource does not know this verb.
    pub fn verb_not_supported(verb: &str, what: &GroupResource) -> ApiError {
        let message = format!("{verb} is not supported on resources of kind {:?}", what.to_string());
        ApiError::about(405, "MethodNotAllowed", what, "", message)
    }

    /// A new object of a kind whose definition is being deleted.
    pub fn definition_terminating(verb: &str) -> ApiError {
        let message = format!("{verb} not allowed while custom resource definition is terminating");
        ApiError { message, ..ApiError::method_not_allowed() }
    }

    /// A body above the limit, in bytes.
    pub fn too_large(limit: usize) -> ApiError {
        ApiError::new(413, "RequestEntityTooLarge", format!("Request entity too large: limit is {limit}"))
    }

    /// A patch that does not apply: a failed test, a path that is not there. Upstream's answer tells no more.
    pub fn patch_failed() -> ApiError {
        ApiError::new(422, "Invalid", "the server rejected our request due to an error in our request")
            .with_details(Details::default())
    }

    /// A bug or a broken part of ours.
    pub fn internal(problem: impl std::fmt::Display) -> ApiError {
        let causes = vec![Cause { message: problem.to_string(), ..Cause::default() }];
        ApiError::new(500, "InternalError", format!("Internal error occurred: {problem}"))
            .with_details(Details { causes, ..Details::default() })
    }

    /// A failure that upstream reports without a reason.
    pub fn plain_500(message: impl Into<String>) -> ApiError {
        ApiError::new(500, "", message)
    }

    /// `resourceVersion` in a new object.
    pub fn version_on_create() -> ApiError {
        ApiError::plain_500("resourceVersion should not be set on objects to be created")
    }

    /// A part of the API that this server knows and does not have.
    pub fn not_implemented(message: impl Into<String>) -> ApiError {
        ApiError::new(501, "NotImplemented", message)
    }

    /// The server cannot answer now: while it starts, stops, or its disk is full.
    pub fn unavailable(message: impl Into<String>) -> ApiError {
        ApiError::new(503, "ServiceUnavailable", message)
    }
}

/// The beginning of a body: as it is where it looks like an object in JSON, else its bytes in hexadecimal.
fn summary(body: &[u8]) -> String {
    let head = &body[..body.len().min(SUMMARY_MAX)];
    let mut text = match head.first() {
        None => "<empty>".to_owned(),
        Some(b'{') => String::from_utf8_lossy(head).into_owned(),
        Some(_) => head.iter().map(|it| format!("{it:02x}")).collect(),
    };
    if body.len() > SUMMARY_MAX {
        text.push_str(" ...");
    }
    text
}
