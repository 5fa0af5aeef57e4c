//! One audit event: what is known of a request at one stage, and its JSON.
//!
//! Making an event copies no body; [`Event::render`] reads bodies, and belongs to where nobody waits for it.

use std::{collections::BTreeMap, sync::Arc};

use bytes::Bytes;
use jiff::Timestamp;
use kanon_core::UserInfo;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Decision, Level, PATCH_PREFIX, Stage, TRUNCATED};
use crate::{
    decode,
    negotiate::{self, BodyType},
    request::{RequestInfo, Target, Verb},
    status::Details,
};

/// What is known of a request from its beginning.
#[derive(Clone, Debug)]
pub struct Head {
    /// `Audit-Id`.
    pub id: String,
    /// Path and query as sent.
    pub uri: String,
    /// Verb of the resource, or the method in lower case.
    pub verb: String,
    /// Whoever was authenticated.
    pub user: UserInfo,
    /// Where the request came from: proxies' claims first, the peer last.
    pub source_ips: Vec<String>,
    /// `User-Agent`.
    pub user_agent: String,
    /// What it is about, if it is a resource.
    pub object: Option<ObjectReference>,
    /// When it arrived.
    pub received: Timestamp,
}

/// Which object or collection a request is about.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ObjectReference {
    /// Plural.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub resource: String,
    /// Namespace.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub namespace: String,
    /// Name.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub name: String,
    /// Uid, where the body of the request has one.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub uid: String,
    /// API group.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub api_group: String,
    /// API version.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub api_version: String,
    /// The version that the body of the request names.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub resource_version: String,
    /// Subresource.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub subresource: String,
}

/// The body of a request.
#[derive(Clone, Debug)]
pub struct Sent {
    /// Its media type.
    pub content_type: String,
    /// As sent.
    pub bytes: Bytes,
}

/// How a request ended, or began to end.
#[derive(Clone, Debug, Default)]
pub struct Outcome {
    /// HTTP status.
    pub code: u16,
    /// The answer, where it is a `Status`: its JSON.
    pub status: Option<Bytes>,
    /// The whole answer as JSON, in pieces; only for events that show it.
    pub body: Vec<Bytes>,
}

/// One stage of one request.
#[derive(Clone, Debug)]
pub struct Event {
    /// What it began with.
    pub head: Arc<Head>,
    /// How much is shown.
    pub decision: Decision,
    /// The stage.
    pub stage: Stage,
    /// When the stage was reached.
    pub at: Timestamp,
    /// As whom the request acts.
    pub impersonated: Option<UserInfo>,
    /// The body of the request.
    pub sent: Option<Sent>,
    /// The answer, once there is one.
    pub outcome: Option<Outcome>,
    /// What authorization and admission noted.
    pub annotations: BTreeMap<String, String>,
}

impl ObjectReference {
    /// What a request's path says.
    pub fn of(info: &RequestInfo) -> Option<ObjectReference> {
        let Target::Resource(_, address) = &info.target else { return None };
        Some(ObjectReference {
            resource: address.resource.clone(),
            namespace: address.namespace.clone(),
            name: address.name.clone(),
            api_group: address.group.clone(),
            api_version: address.version.clone(),
            subresource: address.subresource.clone(),
            ..ObjectReference::default()
        })
    }

    /// Fills in what only the body says.
    fn complete(&mut self, sent: &Sent) {
        #[derive(Default, Deserialize)]
        struct Named {
            #[serde(default)]
            metadata: Option<Metadata>,
        }
        #[derive(Default, Deserialize)]
        #[serde(rename_all = "camelCase", default)]
        struct Metadata {
            name: Option<String>,
            namespace: Option<String>,
            uid: Option<String>,
            resource_version: Option<String>,
        }
        let named: Option<Named> = match negotiate::body(&sent.content_type) {
            Ok(BodyType::Json) => serde_json::from_slice(&sent.bytes).ok(),
            _ => sent.value().and_then(|it| serde_json::from_value(it).ok()),
        };
        let Some(metadata) = named.and_then(|it| it.metadata) else { return };
        for (field, value) in [
            (&mut self.name, metadata.name),
            (&mut self.namespace, metadata.namespace),
            (&mut self.uid, metadata.uid),
            (&mut self.resource_version, metadata.resource_version),
        ] {
            if field.is_empty() {
                *field = value.unwrap_or_default();
            }
        }
    }
}

impl Sent {
    /// The body as a tree, if it can be read at all.
    fn value(&self) -> Option<Value> {
        let media = self.content_type.split(';').next().unwrap_or_default().trim();
        if media == "application/apply-patch+yaml" {
            return decode::yaml(&self.bytes, "").ok().map(|it| it.value);
        }
        if media.ends_with("+json") {
            return serde_json::from_slice(&self.bytes).ok();
        }
        decode::read(&self.content_type, &self.bytes, "").ok().map(|it| it.value)
    }
}

impl Event {
    /// The event as one line of JSON, without a line feed.
    pub fn render(&self) -> Bytes {
        self.rendered(true)
    }

    /// The event within `max` bytes: where bodies make it too large, it goes without them and says so. None where it is too large
    /// all the same.
    pub fn render_within(&self, whole: &Bytes, max: usize) -> Option<Bytes> {
        if whole.len() <= max || self.decision.level < Level::Request {
            return Some(whole.clone());
        }
        let mut short = self.clone();
        short.annotations.insert(TRUNCATED.to_owned(), "true".to_owned());
        Some(short.rendered(false)).filter(|it| it.len() <= max)
    }

    fn rendered(&self, with_bodies: bool) -> Bytes {
        let Event { head, decision, stage, at, impersonated, sent, outcome, annotations } = self;
        let level = decision.level;
        let mut reference = head.object.clone();
        let completes = [Verb::Create, Verb::Update].iter().any(|it| it.as_str() == head.verb);
        if let (Some(reference), Some(sent), true) = (&mut reference, sent, completes) {
            reference.complete(sent);
        }
        let shown = |value: Value| if decision.omit_managed_fields { without_managed_fields(value) } else { value };
        let request = sent.as_ref().filter(|_| with_bodies && level >= Level::Request).and_then(Sent::value).map(shown);
        let answer =
            outcome.as_ref().filter(|it| with_bodies && level >= Level::RequestResponse && !it.body.is_empty());
        let answer = answer.and_then(|it| serde_json::from_slice(&it.body.concat()).ok()).map(shown);
        let annotations: BTreeMap<&str, &str> = annotations
            .iter()
            .filter(|(key, _)| level >= Level::Request || !key.starts_with(PATCH_PREFIX))
            .map(|(key, value)| (key.as_str(), value.as_str()))
            .collect();
        let wire = Wire {
            kind: "Event",
            api_version: "audit.k8s.io/v1",
            level: level.as_str(),
            audit_id: &head.id,
            stage: stage.as_str(),
            request_uri: &head.uri,
            verb: &head.verb,
            user: &head.user,
            impersonated_user: impersonated.as_ref(),
            source_ips: &head.source_ips,
            user_agent: &head.user_agent,
            object_ref: reference,
            response_status: outcome.as_ref().map(Status::of),
            request_object: request,
            response_object: answer,
            request_received_timestamp: micros(head.received),
            stage_timestamp: micros(*at),
            annotations,
        };
        serde_json::to_vec(&wire).map_or_else(|_| Bytes::new(), Bytes::from)
    }
}

/// Several events as an `EventList`: what webhooks are sent.
pub fn list(events: &[Bytes]) -> Bytes {
    let mut text = br#"{"kind":"EventList","apiVersion":"audit.k8s.io/v1","metadata":{},"items":["#.to_vec();
    for (at, event) in events.iter().enumerate() {
        if at > 0 {
            text.push(b',');
        }
        text.extend_from_slice(event);
    }
    text.extend_from_slice(b"]}");
    text.into()
}

/// Fields in the order of upstream's.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Wire<'a> {
    kind: &'a str,
    api_version: &'a str,
    level: &'a str,
    #[serde(rename = "auditID")]
    audit_id: &'a str,
    stage: &'a str,
    #[serde(rename = "requestURI")]
    request_uri: &'a str,
    verb: &'a str,
    user: &'a UserInfo,
    #[serde(skip_serializing_if = "Option::is_none")]
    impersonated_user: Option<&'a UserInfo>,
    #[serde(rename = "sourceIPs", skip_serializing_if = "<[String]>::is_empty")]
    source_ips: &'a [String],
    #[serde(skip_serializing_if = "str::is_empty")]
    user_agent: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    object_ref: Option<ObjectReference>,
    #[serde(skip_serializing_if = "Option::is_none")]
    response_status: Option<Status>,
    #[serde(skip_serializing_if = "Option::is_none")]
    request_object: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    response_object: Option<Value>,
    request_received_timestamp: String,
    stage_timestamp: String,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    annotations: BTreeMap<&'a str, &'a str>,
}

/// The bounded part of a `Status`.
#[derive(Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Status {
    metadata: Empty,
    #[serde(skip_serializing_if = "String::is_empty")]
    status: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    message: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    reason: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    details: Option<Details>,
    code: u16,
}

#[derive(Default, Serialize, Deserialize)]
struct Empty {}

impl Status {
    fn of(outcome: &Outcome) -> Status {
        let told = outcome.status.as_ref().and_then(|it| serde_json::from_slice(it).ok());
        Status { code: outcome.code, ..told.unwrap_or_default() }
    }
}

/// `metav1.MicroTime`: always six digits.
fn micros(at: Timestamp) -> String {
    at.strftime("%Y-%m-%dT%H:%M:%S.%6fZ").to_string()
}

/// Leaves `metadata.managedFields` out of an object and of the items of a list.
fn without_managed_fields(mut value: Value) -> Value {
    let strip = |object: &mut Value| {
        if let Some(metadata) = object.get_mut("metadata").and_then(Value::as_object_mut) {
            metadata.remove("managedFields");
        }
    };
    strip(&mut value);
    if let Some(items) = value.get_mut("items").and_then(Value::as_array_mut) {
        items.iter_mut().for_each(strip);
    }
    value
}
