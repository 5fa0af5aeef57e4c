//! Revocation of a pod's service account tokens: those that stand in Secrets.

use http::Method;
use kanon_core::{Done, Node, ObjectRef};

use super::{Trouble, objects::is_subject};
use crate::client::{Api, Error};

/// The Secrets that hold tokens, and whose they are.
const TYPE: &str = "kubernetes.io/service-account-token";
const ACCOUNT: &str = "kubernetes.io/service-account.name";

/// Deletes them one by one, goes on past failures, and says how many went or the last failure.
pub(super) async fn revoke(api: &Api, subject: &ObjectRef) -> Result<Done, Trouble> {
    let Some(account) = account_of(api, subject).await? else { return Ok(Done::Replaced) };
    let secrets = format!("/api/v1/namespaces/{}/secrets", subject.namespace);
    let Some(list) = api.get(&format!("{secrets}?fieldSelector=type%3D{}", TYPE.replace('/', "%2F"))).await? else {
        return Ok(Done::Count(0));
    };
    let text =
        |it: Node<'_>, path: &[&str]| it.at(path).and_then(Node::as_plain_str).map(str::to_owned).unwrap_or_default();
    let items = list.root().get("items").into_iter().flat_map(Node::elements);
    let mine =
        items.filter(|it| text(*it, &["type"]) == TYPE && text(*it, &["metadata", "annotations", ACCOUNT]) == account);
    let mine: Vec<_> = mine.map(|it| (text(it, &["metadata", "name"]), text(it, &["metadata", "uid"]))).collect();
    let (mut count, mut last) = (0, None);
    for (name, uid) in mine {
        let options = serde_json::json!({"apiVersion": "v1", "kind": "DeleteOptions", "preconditions": {"uid": uid}});
        let body = Some(("application/json", options.to_string().into_bytes()));
        match api.call(Method::DELETE, &format!("{secrets}/{name}"), body).await {
            Ok(_) => count += 1,
            // Gone, or another one by now: not one of those that were listed.
            Err(Error::Status { code: 404 | 409, .. }) => {}
            Err(error) => last = Some(error),
        }
    }
    last.map_or(Ok(Done::Count(count)), |error| Err(error.into()))
}

/// The service account that a pod runs as; none where another pod has its name by now.
pub(super) async fn account_of(api: &Api, subject: &ObjectRef) -> Result<Option<String>, Trouble> {
    let ObjectRef { namespace, name, .. } = subject;
    let pod = api.get(&format!("/api/v1/namespaces/{namespace}/pods/{name}")).await?;
    let Some(pod) = pod else { return Err(Trouble::Refused("the pod is gone, and with it its account's name".into())) };
    let account = match pod.str_at(&["spec", "serviceAccountName"]) {
        "" => "default",
        account => account,
    };
    Ok(is_subject(&pod, subject).then(|| account.to_owned()))
}
