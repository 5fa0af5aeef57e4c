//! Carries effects out. In order for one subject, in parallel across subjects; safe to repeat, so retried on trouble.

use std::{
    hash::{DefaultHasher, Hash, Hasher},
    time::Duration,
};

use http::Method;
use kanon_core::{Action, Delivery, Effect, Input, Kind, ObjectRef, Scope};
use serde_json::{Value, json};
use tokio::sync::mpsc;

use crate::client::{Api, Error};

/// Subjects are spread over this many workers; each sends one request at a time (design §8: in order per subject).
const WORKERS: usize = 8;
/// Attempts before an effect is given up.
const ATTEMPTS: u32 = 6;
/// First pause between attempts; doubled each time (200 ms … 6.4 s).
const PAUSE: Duration = Duration::from_millis(200);

/// Carries out what comes over `effects` until it closes, and reports each end through `send`.
pub async fn run_effects(
    api: Api,
    mut effects: mpsc::Receiver<Effect>,
    now: fn() -> jiff::Timestamp,
    send: mpsc::Sender<Input>,
) {
    let mut queues = Vec::new();
    for _ in 0..WORKERS {
        let (queue, mut work) = mpsc::channel::<Effect>(64);
        let (api, send) = (api.clone(), send.clone());
        tokio::spawn(async move {
            while let Some(effect) = work.recv().await {
                let _ = send.send(Input::Delivered(deliver(&api, effect, now).await)).await;
            }
        });
        queues.push(queue);
    }
    while let Some(effect) = effects.recv().await {
        let mut hash = DefaultHasher::new();
        effect.subject.hash(&mut hash);
        let worker = (hash.finish() % WORKERS as u64) as usize;
        let _ = queues[worker].send(effect).await;
    }
}

async fn deliver(api: &Api, effect: Effect, now: fn() -> jiff::Timestamp) -> Delivery {
    let mut pause = PAUSE;
    let mut attempt = 1;
    let result = loop {
        match carry_out(api, &effect, now()).await {
            Ok(()) => break Ok(()),
            Err(error) if error.is_retryable() && attempt < ATTEMPTS => {
                tokio::time::sleep(pause).await;
                pause *= 2;
                attempt += 1;
            }
            Err(error) => {
                tracing::warn!(effect = %effect.id, subject = %effect.subject, %error, "effect given up");
                break Err(error.to_string());
            }
        }
    };
    Delivery { effect: effect.id, family: effect.family, subject: effect.subject, result }
}

async fn carry_out(api: &Api, effect: &Effect, now: jiff::Timestamp) -> Result<(), Error> {
    let subject = &effect.subject;
    match &effect.action {
        Action::Status { kind, status } => {
            // The UID guards against writing to a successor of the same name; 409 then, and the effect is moot.
            let mut patch = json!({"status": status});
            if !subject.uid.is_empty() {
                patch["metadata"] = json!({"uid": subject.uid});
            }
            moot(api.merge(&format!("{}/status", path(kind, subject)), &patch).await)
        }
        Action::Apply { kind, manifest } => api.apply(&path(kind, subject), manifest).await.map(|_| ()),
        Action::Event { .. } => {
            let (namespace, event) = event(effect, now);
            let path = format!("/api/v1/namespaces/{namespace}/events");
            let body = ("application/json", event.to_string().into_bytes());
            // The name is made from the effect's id: a repeat finds it there.
            moot(api.call(Method::POST, &path, Some(body)).await)
        }
    }
}

/// An object that is gone or replaced needs nothing any more.
fn moot(result: Result<kanon_core::Object, Error>) -> Result<(), Error> {
    match result {
        Ok(_) | Err(Error::Status { code: 404 | 409, .. }) => Ok(()),
        Err(error) => Err(error),
    }
}

fn path(kind: &Kind, subject: &ObjectRef) -> String {
    let namespace = if kind.scope == Scope::Namespaced { subject.namespace.as_str() } else { "" };
    format!("{}/{}", kind.path(namespace), subject.name)
}

/// The core/v1 Event of an effect, and the namespace it goes to: the subject's, or `default` (as client-go's recorder does).
fn event(effect: &Effect, now: jiff::Timestamp) -> (&str, Value) {
    let subject = &effect.subject;
    let namespace = if subject.namespace.is_empty() { "default" } else { &subject.namespace };
    let (event_type, reason, message) = match &effect.action {
        Action::Event { event_type, reason, message } => (json!(event_type), reason.as_str(), message.as_str()),
        Action::Status { .. } | Action::Apply { .. } => (json!("Normal"), "", ""),
    };
    // Kubernetes refuses messages beyond 1 KiB.
    let cut = (0..=message.len().min(1000)).rev().find(|at| message.is_char_boundary(*at)).unwrap_or(0);
    let time = now.strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
    let event = json!({
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {"name": format!("{}.{}", subject.name, effect.id), "namespace": namespace},
        "involvedObject": {
            "apiVersion": subject.gvk.api_version(), "kind": subject.gvk.kind, "name": subject.name,
            "namespace": subject.namespace, "uid": subject.uid,
        },
        "type": event_type, "reason": reason, "message": &message[..cut], "count": 1,
        "firstTimestamp": time, "lastTimestamp": time,
        "source": {"component": "kanon"}, "reportingComponent": "kanon", "reportingInstance": "",
    });
    (namespace, event)
}
