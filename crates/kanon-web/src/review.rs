//! `admission.k8s.io/v1` AdmissionReview: bytes to [`Review`], [`Answer`] to bytes. Only the envelope is read; objects stay
//! slices of the body.

use bytes::Bytes;
use kanon_core::{GroupVersionKind, Node, Object, Operation, Resource, Review, UserInfo};
use kanon_plane::Answer;
use serde_json::json;

/// Why a body is no AdmissionReview: what to say in the 400.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReviewError {
    /// Not JSON.
    #[error("the body is no JSON: {0}")]
    Json(#[from] kanon_core::ParseError),
    /// Another kind or version.
    #[error("expected an AdmissionReview of admission.k8s.io/v1, got `{0}`")]
    Kind(String),
    /// A part is missing or of another type.
    #[error("`{field}` {problem}")]
    Field {
        /// Path of the part.
        field: &'static str,
        /// What is wrong with it.
        problem: &'static str,
    },
}

/// Reads the body of a webhook call.
///
/// # Errors
/// See [`ReviewError`].
pub fn parse_review(body: Bytes) -> Result<Review, ReviewError> {
    let whole = Object::parse(body)?;
    let (version, kind) = (whole.str_at(&["apiVersion"]), whole.str_at(&["kind"]));
    if (version, kind) != ("admission.k8s.io/v1", "AdmissionReview") {
        return Err(ReviewError::Kind(format!("{version} {kind}")));
    }
    let missing = |field| ReviewError::Field { field, problem: "is missing" };
    let request = whole.root().get("request").ok_or_else(|| missing("request"))?;
    let uid = text(request, "uid");
    if uid.is_empty() {
        return Err(missing("request.uid"));
    }
    let operation = match text(request, "operation").as_str() {
        "CREATE" => Operation::Create,
        "UPDATE" => Operation::Update,
        "DELETE" => Operation::Delete,
        "CONNECT" => Operation::Connect,
        _ => return Err(ReviewError::Field { field: "request.operation", problem: "is none of the four operations" }),
    };
    let part = |name| request.get(name).filter(|it| !it.is_null()).map(Node::to_object);
    let kind = request.get("kind").ok_or_else(|| missing("request.kind"))?;
    Ok(Review {
        uid,
        operation,
        kind: GroupVersionKind { group: text(kind, "group"), version: text(kind, "version"), kind: text(kind, "kind") },
        resource: request.get("resource").map(resource).unwrap_or_default(),
        sub_resource: text(request, "subResource"),
        namespace: text(request, "namespace"),
        name: text(request, "name"),
        user: request.get("userInfo").map(user).unwrap_or_default(),
        object: part("object"),
        old_object: part("oldObject"),
        options: part("options"),
        dry_run: request.get("dryRun").and_then(Node::as_bool).unwrap_or_default(),
    })
}

fn text(node: Node<'_>, name: &str) -> String {
    node.get(name).and_then(Node::as_str).unwrap_or_default().into_owned()
}

fn resource(node: Node<'_>) -> Resource {
    Resource { group: text(node, "group"), version: text(node, "version"), resource: text(node, "resource") }
}

fn user(node: Node<'_>) -> UserInfo {
    let texts = |it: Node<'_>| -> Vec<String> {
        it.elements().filter_map(Node::as_str).map(std::borrow::Cow::into_owned).collect()
    };
    UserInfo {
        username: text(node, "username"),
        uid: text(node, "uid"),
        groups: node.get("groups").map(texts).unwrap_or_default(),
        extra: node
            .get("extra")
            .map(|it| it.members().map(|(key, value)| (key.into_owned(), texts(value))).collect())
            .unwrap_or_default(),
    }
}

/// The answer's body (spec/rules 4.2): a denial is 403 Forbidden with every policy's text.
pub fn render_answer(uid: &str, answer: &Answer) -> Vec<u8> {
    let mut response = json!({"uid": uid, "allowed": answer.allowed});
    if !answer.allowed {
        response["status"] =
            json!({"status": "Failure", "code": 403, "reason": "Forbidden", "message": answer.message});
    }
    if !answer.warnings.is_empty() {
        response["warnings"] = json!(answer.warnings);
    }
    if !answer.annotations.is_empty() {
        response["auditAnnotations"] = json!(answer.annotations);
    }
    json!({"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "response": response})
        .to_string()
        .into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_envelope_is_read_and_objects_stay_bytes() {
        let body = r#"{"apiVersion":"admission.k8s.io/v1","kind":"AdmissionReview","request":{"uid":"u1","operation":"UPDATE",
            "kind":{"group":"apps","version":"v1","kind":"Deployment"},"namespace":"shop","name":"web","dryRun":true,
            "userInfo":{"username":"eve","groups":["a","b"],"extra":{"scopes":["x"]}},
            "object":{"metadata":{"name":"web"}},"oldObject":null}}"#;
        let review = parse_review(body.into()).unwrap();
        assert_eq!((review.operation, review.dry_run), (Operation::Update, true));
        assert_eq!(review.object.unwrap().text(), r#"{"metadata":{"name":"web"}}"#);
        assert!(review.old_object.is_none());
        assert_eq!(review.user.groups, ["a", "b"]);
        assert_eq!(review.user.extra["scopes"], ["x"]);
    }

    #[test]
    fn malformed_reviews_name_what_is_wrong() {
        let envelope =
            |request: &str| format!(r#"{{"apiVersion":"admission.k8s.io/v1","kind":"AdmissionReview"{request}}}"#);
        for (body, want) in [
            ("{".to_owned(), "the body is no JSON: invalid JSON at byte 1: the text ends inside a list or object"),
            ("{}".to_owned(), "expected an AdmissionReview of admission.k8s.io/v1, got ` `"),
            (envelope(""), "`request` is missing"),
            (envelope(r#","request":{}"#), "`request.uid` is missing"),
            (envelope(r#","request":{"uid":"u"}"#), "`request.operation` is none of the four operations"),
            (envelope(r#","request":{"uid":"u","operation":"CREATE"}"#), "`request.kind` is missing"),
        ] {
            assert_eq!(parse_review(body.into()).unwrap_err().to_string(), want);
        }
    }
}
