//! A pod's service account made anew (spec/rules 8.4, `recreate-sa`): its new UID makes every token of the old one invalid.
//!
//! Between deletion and creation nobody but us knows what the account was. So it is noted first, whole, in a ConfigMap of the
//! namespace Kanon runs in, and the note goes when the account is there again. Whoever finds a note of before (the next attempt, the
//! next process, the next leader) creates what is absent, and leaves alone what somebody else made meanwhile. Nothing is ever deleted
//! because of a note.

use std::{collections::BTreeMap, time::Duration};

use http::Method;
use jiff::Timestamp;
use kanon_core::{ACCOUNTS_MAP, Digest, Done, Guard, Node, Object, ObjectRef};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::{Trouble, objects, tokens::account_of};
use crate::client::{Api, Error};

/// When an account was made again: so that whoever was found before that leaves it alone.
const RECREATED: &str = "kanon.dev/recreated-at";
/// The largest account that is made again, as JSON: several fit into the ConfigMap.
const ACCOUNT_LEN_MAX: usize = 64 << 10;
/// How long a note whose account was not deleted is kept: somebody may be about to.
const UNBEGUN_MAX: Duration = Duration::from_mins(10);
/// How often an account that changes meanwhile is looked at again.
const ATTEMPTS: usize = 3;
/// The account that a cluster makes by itself where it is missing.
const DEFAULT: &str = "default";

/// What we are, and must not take away from ourselves.
pub(super) struct Home {
    /// The namespace we run in.
    pub(super) namespace: String,
    /// The user that the API server knows us as, if it says so.
    pub(super) user: Option<String>,
}

/// What is noted of an account.
#[derive(Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
struct Note {
    /// Its UID before.
    was: String,
    /// When it was noted.
    at: Timestamp,
    /// Pods that ran as it.
    credentials: u32,
    /// What is to be created.
    account: Value,
}

/// How an account stands to its note.
#[derive(Debug, PartialEq, Eq)]
enum State {
    /// It was not deleted.
    Unbegun,
    /// It is there again, or not to be made: its namespace is gone.
    Made,
}

impl Home {
    /// Makes the account of a pod anew, unless that was done after `since`; counts the pods that ran as it.
    pub(super) async fn recreate(
        &self,
        api: &Api,
        subject: &ObjectRef,
        since: Timestamp,
        now: Timestamp,
    ) -> Result<Done, Trouble> {
        let Some(name) = account_of(api, subject).await? else { return Ok(Done::Replaced) };
        let namespace = &subject.namespace;
        self.must_not_be_ours(namespace, &name)?;
        let key = key(namespace, &name);
        let path = path(namespace, &name);
        if let Some(text) = self.noted(api).await?.get(&key) {
            let note = read(&key, text)?;
            if restore(api, &note).await? == State::Made {
                self.forget(api, &key).await?;
                return Ok(Done::Count(note.credentials));
            }
        }
        for _ in 0..ATTEMPTS {
            let Some(account) = api.get(&path).await? else {
                return Err(Trouble::Refused(format!("there is no service account {namespace}/{name}")));
            };
            if recreated_at(&account).is_some_and(|it| it >= since) {
                return Ok(Done::Count(0));
            }
            let manifest = manifest(&account, now).map_err(Trouble::Refused)?;
            let credentials = pods_of(api, namespace, &name).await?;
            let uid = account.str_at(&["metadata", "uid"]);
            let note = Note { was: uid.to_owned(), at: now, credentials, account: manifest };
            self.note(api, &key, &note).await?;
            // What is noted is what is deleted.
            let version = account.str_at(&["metadata", "resourceVersion"]);
            let options = json!({"apiVersion": "v1", "kind": "DeleteOptions", "propagationPolicy": "Background",
                "preconditions": {"uid": uid, "resourceVersion": version}});
            let body = Some(("application/json", options.to_string().into_bytes()));
            match api.call(Method::DELETE, &path, body).await {
                Ok(_) => {}
                // Changed since it was read.
                Err(Error::Status { code: 409, .. }) => continue,
                // Somebody else deleted it, and means it.
                Err(Error::Status { code: 404, .. }) => {
                    self.forget(api, &key).await?;
                    return Ok(Done::Absent);
                }
                Err(error) => {
                    // Nothing happened where the server says no; otherwise nobody knows, and the note stays.
                    if error.code().is_some_and(|it| it < 500) {
                        self.forget(api, &key).await?;
                    }
                    return Err(error.into());
                }
            }
            restore(api, &note).await?;
            self.forget(api, &key).await?;
            return Ok(Done::Count(note.credentials));
        }
        self.forget(api, &key).await?;
        Err(Trouble::Later(format!("the service account {namespace}/{name} changes all the time")))
    }

    /// Makes what is noted and absent, and counts the notes that are done with.
    pub(super) async fn restore_all(&self, api: &Api, now: Timestamp) -> Result<Done, Trouble> {
        let (mut done, mut unbegun, mut last) = (0, 0, None);
        for (key, text) in self.noted(api).await? {
            let finished = async {
                let note = read(&key, &text)?;
                let state = restore(api, &note).await?;
                if state == State::Unbegun && now.duration_since(note.at).unsigned_abs() < UNBEGUN_MAX {
                    return Ok(false);
                }
                if state == State::Made {
                    let name = |it: &str| note.account["metadata"][it].as_str().unwrap_or_default().to_owned();
                    tracing::info!(ns = name("namespace"), name = name("name"), "service account is there again");
                }
                self.forget(api, &key).await?;
                Ok::<_, Trouble>(true)
            };
            match finished.await {
                Ok(true) => done += 1,
                Ok(false) => unbegun += 1,
                Err(error) => last = Some(error),
            }
        }
        match last {
            Some(error) => Err(error),
            None if unbegun > 0 => Err(Trouble::Later(format!("{unbegun} noted accounts are not deleted yet"))),
            None => Ok(Done::Count(done)),
        }
    }

    /// Refuses what would take our own right to go on away from us.
    fn must_not_be_ours(&self, namespace: &str, name: &str) -> Result<(), Trouble> {
        let user = format!("system:serviceaccount:{namespace}:{name}");
        if namespace == self.namespace || self.user.as_deref() == Some(&user) {
            return Err(Trouble::Refused(format!(
                "{namespace}/{name} may be the account that Kanon runs as: accounts of its own namespace are left alone"
            )));
        }
        Ok(())
    }

    fn map(&self) -> String {
        format!("/api/v1/namespaces/{}/configmaps/{ACCOUNTS_MAP}", self.namespace)
    }

    /// All notes by their keys.
    async fn noted(&self, api: &Api) -> Result<BTreeMap<String, String>, Trouble> {
        let Some(map) = api.get(&self.map()).await? else { return Ok(BTreeMap::new()) };
        let members = map.at(&["data"]).into_iter().flat_map(|it| it.members().collect::<Vec<_>>());
        Ok(members.map(|(key, text)| ((*key).to_owned(), text.as_str().unwrap_or_default().into_owned())).collect())
    }

    async fn note(&self, api: &Api, key: &str, note: &Note) -> Result<(), Trouble> {
        let text = serde_json::to_string(note).map_err(|error| Trouble::Refused(error.to_string()))?;
        let data = json!({ key: text });
        match api.merge(&self.map(), &json!({"data": data})).await {
            Err(Error::Status { code: 404, .. }) => {}
            result => return Ok(result.map(|_| ())?),
        }
        let manifest = json!({"apiVersion": "v1", "kind": "ConfigMap", "data": data,
            "metadata": {"name": ACCOUNTS_MAP, "namespace": self.namespace}});
        if objects::create(api, &self.map(), &manifest).await? == Done::Absent {
            // A control plane beside an embedded server runs in a namespace that need not be there.
            let namespace = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": self.namespace}});
            api.apply(&format!("/api/v1/namespaces/{}", self.namespace), &namespace).await?;
            objects::create(api, &self.map(), &manifest).await?;
        }
        // Another may have created it first, without this note.
        api.merge(&self.map(), &json!({"data": data})).await?;
        Ok(())
    }

    async fn forget(&self, api: &Api, key: &str) -> Result<(), Trouble> {
        match api.merge(&self.map(), &json!({"data": {key: null}})).await {
            Ok(_) | Err(Error::Status { code: 404, .. }) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }
}

/// Creates the account of a note where there is none.
async fn restore(api: &Api, note: &Note) -> Result<State, Trouble> {
    let name = |it: &str| note.account["metadata"][it].as_str().unwrap_or_default();
    let path = path(name("namespace"), name("name"));
    let found = match api.get(&path).await? {
        Some(found) => found,
        None => {
            objects::create(api, &path, &note.account).await?;
            // Another of that name may have been faster.
            match api.get(&path).await? {
                Some(found) => found,
                None => return Ok(State::Made),
            }
        }
    };
    if found.str_at(&["metadata", "uid"]) == note.was {
        if found.at(&["metadata", "deletionTimestamp"]).is_some() {
            return Err(Trouble::Later(format!("{path} is being deleted, and not gone yet")));
        }
        return Ok(State::Unbegun);
    }
    if name("name") == DEFAULT
        && let Some(patch) = lacking(&found, &note.account)
    {
        let uid = found.str_at(&["metadata", "uid"]).to_owned();
        objects::patch(api, &path, &ObjectRef { uid, ..ObjectRef::default() }, &patch, Guard::Free).await?;
    }
    Ok(State::Made)
}

/// The account as it is to be created: as it was, without what the server says of it. Pure.
fn manifest(account: &Object, now: Timestamp) -> Result<Value, String> {
    let mut manifest = account.to_value();
    let name = |it: &str| account.str_at(&["metadata", it]);
    let place = format!("{}/{}", name("namespace"), name("name"));
    let metadata = manifest["metadata"].as_object_mut().ok_or("the account has no metadata")?;
    let ends = metadata.contains_key("deletionTimestamp");
    if ends || metadata.get("finalizers").and_then(Value::as_array).is_some_and(|it| !it.is_empty()) {
        return Err(format!("{place} has finalizers: it would stay, deleted by half, until others have finished"));
    }
    for theirs in ["uid", "resourceVersion", "managedFields", "creationTimestamp", "generation", "selfLink"] {
        metadata.remove(theirs);
    }
    let annotations = metadata.entry("annotations").or_insert_with(|| json!({}));
    annotations[RECREATED] = json!(now.to_string());
    manifest["apiVersion"] = json!("v1");
    manifest["kind"] = json!("ServiceAccount");
    let len = manifest.to_string().len();
    if len > ACCOUNT_LEN_MAX {
        let most = ACCOUNT_LEN_MAX >> 10;
        return Err(format!("{place} has {len} bytes: nothing beyond {most} KiB is deleted to be made again"));
    }
    Ok(manifest)
}

/// What an account that the cluster made by itself lacks of what it was. Pure.
fn lacking(found: &Object, was: &Value) -> Option<Value> {
    let found = found.to_value();
    let mut patch = Map::new();
    for field in ["secrets", "imagePullSecrets", "automountServiceAccountToken"] {
        if found.get(field).is_none()
            && let Some(value) = was.get(field)
        {
            patch.insert(field.to_owned(), value.clone());
        }
    }
    for field in ["labels", "annotations"] {
        let missing = was["metadata"][field].as_object().into_iter().flatten();
        let missing = missing.filter(|it| found["metadata"][field].get(it.0).is_none());
        let missing: Map<_, _> = missing.map(|(key, value)| (key.clone(), value.clone())).collect();
        if !missing.is_empty() {
            let metadata = patch.entry("metadata").or_insert_with(|| json!({}));
            metadata[field] = Value::Object(missing);
        }
    }
    (!patch.is_empty()).then_some(Value::Object(patch))
}

/// When the account was made again by us.
fn recreated_at(account: &Object) -> Option<Timestamp> {
    account.at(&["metadata", "annotations", RECREATED]).and_then(Node::as_plain_str)?.parse().ok()
}

/// How many pods run as the account: each has a token of it.
async fn pods_of(api: &Api, namespace: &str, account: &str) -> Result<u32, Trouble> {
    let selector = format!("fieldSelector=spec.serviceAccountName%3D{account}");
    let Some(list) = api.get(&format!("/api/v1/namespaces/{namespace}/pods?{selector}")).await? else { return Ok(0) };
    let has_ended = |it: &Node<'_>| {
        let phase = it.at(&["status", "phase"]).and_then(Node::as_plain_str);
        matches!(phase, Some("Succeeded" | "Failed"))
    };
    let items = list.root().get("items").into_iter().flat_map(Node::elements);
    Ok(u32::try_from(items.filter(|it| !has_ended(it)).count()).unwrap_or(u32::MAX))
}

fn read(key: &str, text: &str) -> Result<Note, Trouble> {
    serde_json::from_str(text).map_err(|error| {
        Trouble::Refused(format!(
            "the note `{key}` of ConfigMap {ACCOUNTS_MAP} cannot be read: {error}; mend or remove it"
        ))
    })
}

fn path(namespace: &str, name: &str) -> String {
    format!("/api/v1/namespaces/{namespace}/serviceaccounts/{name}")
}

/// A key of the ConfigMap: names may be longer than keys.
fn key(namespace: &str, name: &str) -> String {
    Digest::of(&[namespace.as_bytes(), b"/", name.as_bytes()]).short()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn manifest_of(account: Value) -> Result<Value, String> {
        manifest(&Object::from_value(&account), "2026-11-27T09:00:00.5Z".parse().unwrap())
    }

    #[test]
    fn an_account_is_made_again_as_it_was_but_for_what_the_server_says() {
        let account = json!({
            "metadata": {"name": "robot", "namespace": "shop", "uid": "u", "resourceVersion": "7", "generation": 2,
                "creationTimestamp": "2026-01-01T00:00:00Z", "managedFields": [{"manager": "kubectl"}],
                "labels": {"team": "a"}, "annotations": {"why": "b"},
                "ownerReferences": [{"apiVersion": "v1", "kind": "ConfigMap", "name": "o", "uid": "v"}]},
            "secrets": [{"name": "s"}], "imagePullSecrets": [{"name": "p"}], "automountServiceAccountToken": false,
        });
        let want = json!({
            "apiVersion": "v1", "kind": "ServiceAccount",
            "metadata": {"name": "robot", "namespace": "shop", "labels": {"team": "a"},
                "annotations": {"why": "b", RECREATED: "2026-11-27T09:00:00.5Z"},
                "ownerReferences": [{"apiVersion": "v1", "kind": "ConfigMap", "name": "o", "uid": "v"}]},
            "secrets": [{"name": "s"}], "imagePullSecrets": [{"name": "p"}], "automountServiceAccountToken": false,
        });
        assert_eq!(manifest_of(account), Ok(want.clone()));
        assert_eq!(recreated_at(&Object::from_value(&want)), Some("2026-11-27T09:00:00.5Z".parse().unwrap()));
    }

    #[test]
    fn what_could_not_be_made_again_is_not_deleted() {
        for (more, problem) in [
            (json!({"finalizers": ["a.b/c"]}), "a/b has finalizers: it would stay"),
            (json!({"deletionTimestamp": "2026-01-01T00:00:00Z"}), "a/b has finalizers: it would stay"),
            (json!({"annotations": {"long": "x".repeat(64 << 10)}}), "nothing beyond 64 KiB is deleted"),
        ] {
            let mut account = json!({"metadata": {"name": "b", "namespace": "a"}});
            account["metadata"].as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            let said = manifest_of(account).unwrap_err();
            assert!(said.contains(problem), "{said}");
        }
    }

    #[test]
    fn the_clusters_own_default_gets_what_it_lacks() {
        let was = json!({"metadata": {"labels": {"team": "a", "x": "1"}}, "imagePullSecrets": [{"name": "p"}]});
        for (found, want) in [
            (
                json!({"metadata": {}}),
                Some(json!({"metadata": {"labels": {"team": "a", "x": "1"}}, "imagePullSecrets": [{"name": "p"}]})),
            ),
            (
                json!({"metadata": {"labels": {"team": "b"}}, "imagePullSecrets": []}),
                Some(json!({"metadata": {"labels": {"x": "1"}}})),
            ),
            (json!({"metadata": {"labels": {"team": "b", "x": "2"}}, "imagePullSecrets": []}), None),
        ] {
            assert_eq!(lacking(&Object::from_value(&found), &was), want, "{found}");
        }
    }
}
