//! Reads of the API server for one decision. The names come out of expressions, so nothing of them reaches the path as it is.

use std::fmt::Write as _;

use http::Method;
use kanon_plane::{Access, LiveAnswer, LiveRead};
use serde_json::{Value, json};

use crate::{client::Api, watch::list_at};

/// Objects that one read may give: a decision that needs more is not made within a request.
const OBJECTS_MAX: usize = 5000;

const ACCESS_REVIEWS: &str = "/apis/authorization.k8s.io/v1/subjectaccessreviews";

/// Makes a read.
pub async fn read_live(api: &Api, read: &LiveRead) -> LiveAnswer {
    let found = match read {
        LiveRead::Named { name, .. } if matches!(name.as_str(), "" | "." | "..") => return Ok(Vec::new()),
        LiveRead::Named { kind, namespace, name } => {
            let path = format!("{}/{}", kind.path(&encoded(namespace)), encoded(name));
            let found = api.get(&path).await;
            found.map(|it| it.iter().map(|it| it.without(&["metadata", "managedFields"])).collect())
        }
        LiveRead::Listed { kind, namespace, selector } => {
            let selector = if selector.is_empty() {
                String::new()
            } else {
                format!("&labelSelector={}", encoded(&selector.to_string()))
            };
            list_at(api, &kind.path(&encoded(namespace)), &selector, OBJECTS_MAX).await
        }
        LiveRead::Access(access) => {
            let body = access_review(access).to_string().into_bytes();
            api.call(Method::POST, ACCESS_REVIEWS, Some(("application/json", body))).await.map(|it| vec![it])
        }
    };
    found.map_err(|error| error.to_string())
}

fn access_review(access: &Access) -> Value {
    let Access { user, right, namespace } = access;
    let attributes = json!({"namespace": namespace, "verb": right.verb, "group": right.group, "resource": right.resource,
        "subresource": right.part});
    json!({
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SubjectAccessReview",
        "spec": {"user": user.username, "uid": user.uid, "groups": user.groups, "extra": user.extra,
            "resourceAttributes": attributes},
    })
}

/// Percent-encoded for one segment of a path or one value of a query. A segment of dots stays what it is to the server.
pub(crate) fn encoded(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'~' => out.push(char::from(byte)),
            b'.' if text != "." && text != ".." => out.push('.'),
            _ => {
                let _ = write!(out, "%{byte:02X}");
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_leads_out_of_its_place_in_the_path() {
        assert_eq!(encoded("web-1.example"), "web-1.example");
        assert_eq!(encoded("../../secrets/key?x=1#y"), "..%2F..%2Fsecrets%2Fkey%3Fx%3D1%23y");
        assert_eq!(encoded(".."), "%2E%2E");
        assert_eq!(encoded("app in (web,é)"), "app%20in%20%28web%2C%C3%A9%29");
    }
}
