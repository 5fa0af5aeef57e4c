//! Carries effects out. In order for one subject, in parallel across subjects; safe to repeat, so retried on trouble.
//!
//! What an effect does is in a file of its own: objects' metadata and pods (`objects`), their isolation (`quarantine`), tokens
//! (`tokens`), accounts (`accounts`), Events (`event`);
//! `policy` tells whether a NetworkPolicy would let more through, `denied` which right is missing. Effects for receivers outside of Kubernetes are not for here.

mod accounts;
mod denied;
mod event;
mod kinds;
mod objects;
mod policy;
mod quarantine;
mod tokens;

use std::{
    hash::{DefaultHasher, Hash, Hasher},
    sync::Arc,
    time::Duration,
};

use http::Method;
use kanon_core::{Action, Delivery, Done, Effect, Failure, Input, Kind, ObjectRef, Scope};
use serde_json::json;
use tokio::{
    sync::{Mutex, mpsc},
    task::JoinSet,
};

use crate::client::{Api, Error};
use accounts::Home;
use kinds::Kinds;

/// Subjects are spread over this many workers; each sends one request at a time (design §8: in order per subject).
const WORKERS: usize = 8;
/// Attempts before an effect is given up.
const ATTEMPTS: u32 = 6;
/// First pause between attempts; doubled each time (200 ms … 6.4 s).
const PAUSE: Duration = Duration::from_millis(200);

/// Carries out what comes over `effects` until it closes and all is done, and reports each end through `send`. `namespace` is the one
/// we run in, `user` who we are to the server.
pub async fn run_effects(
    api: Api,
    (namespace, user): (String, Option<String>),
    mut effects: mpsc::Receiver<Effect>,
    now: fn() -> jiff::Timestamp,
    send: mpsc::Sender<Input>,
) {
    let kinds = Arc::new(Kinds::default());
    let home = Arc::new(Mutex::new(Home { namespace, user }));
    let (mut queues, mut workers) = (Vec::new(), JoinSet::new());
    for _ in 0..WORKERS {
        let (queue, mut work) = mpsc::channel::<Effect>(64);
        let worker = Worker { api: api.clone(), kinds: Arc::clone(&kinds), home: Arc::clone(&home), now };
        let send = send.clone();
        workers.spawn(async move {
            while let Some(effect) = work.recv().await {
                let _ = send.send(Input::Delivered(worker.deliver(effect).await)).await;
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
    drop(queues);
    while workers.join_next().await.is_some() {}
}

struct Worker {
    api: Api,
    kinds: Arc<Kinds>,
    /// One account is made again at a time.
    home: Arc<Mutex<Home>>,
    now: fn() -> jiff::Timestamp,
}

/// Why an effect was not carried out.
#[derive(Debug, thiserror::Error)]
enum Trouble {
    /// A call failed.
    #[error(transparent)]
    Call(#[from] Error),
    /// The server asks to try again later, not at once.
    #[error("{0}")]
    Later(String),
    /// It must not, or cannot, be carried out.
    #[error("{0}")]
    Refused(String),
}

impl Worker {
    async fn deliver(&self, effect: Effect) -> Delivery {
        let begun = (self.now)();
        let mut pause = PAUSE;
        let mut attempt = 1;
        let result = loop {
            match self.carry_out(&effect).await {
                Ok(done) => break Ok(done),
                Err(Trouble::Call(error)) if error.is_retryable() && attempt < ATTEMPTS => {
                    tokio::time::sleep(pause).await;
                    pause *= 2;
                    attempt += 1;
                }
                Err(Trouble::Later(message)) => break Err(Failure::later(message)),
                Err(error) => {
                    tracing::warn!(effect = %effect.id, subject = %effect.subject, %error, "effect given up");
                    let lacks = if let Trouble::Call(error) = &error { denied::missing_right(error) } else { None };
                    break Err(Failure { lacks, ..Failure::given_up(error.to_string()) });
                }
            }
        };
        log(&effect, &result, (self.now)().duration_since(begun).unsigned_abs());
        Delivery { effect: effect.id, family: effect.family, subject: effect.subject, result }
    }

    async fn carry_out(&self, effect: &Effect) -> Result<Done, Trouble> {
        if effect.cause.as_ref().is_some_and(|it| it.dry_run) {
            return Ok(Done::Done);
        }
        let subject = &effect.subject;
        match &effect.action {
            Action::Status { kind, status } => {
                // The UID guards against writing to a successor of the same name; 409 then, and the effect is moot.
                let mut patch = json!({"status": status});
                if !subject.uid.is_empty() {
                    patch["metadata"] = json!({"uid": subject.uid});
                }
                moot(self.api.merge(&format!("{}/status", path(kind, subject)), &patch).await)
            }
            Action::Apply { kind, manifest } => {
                self.api.apply(&path(kind, subject), manifest).await?;
                Ok(Done::Done)
            }
            Action::Event { event_type, reason, message } => {
                let (namespace, event) = event::render(effect, *event_type, reason, message, (self.now)());
                let path = format!("/api/v1/namespaces/{namespace}/events");
                let body = ("application/json", event.to_string().into_bytes());
                // The name is made from the effect's id: a repeat finds it there.
                moot(self.api.call(Method::POST, &path, Some(body)).await)
            }
            Action::Patch { patch, guard, create } => {
                let Some(kind) = self.kinds.find(&self.api, &subject.gvk).await? else {
                    return Err(Trouble::Refused(format!("the server serves no {}", subject.gvk)));
                };
                let path = path(&kind, subject);
                match (objects::patch(&self.api, &path, subject, patch, *guard).await?, create) {
                    (Done::Absent, Some(manifest)) => objects::create(&self.api, &path, manifest).await,
                    (done, _) => Ok(done),
                }
            }
            Action::Quarantine { release } => quarantine::carry_out(&self.api, subject, *release).await,
            Action::Cordon => objects::cordon(&self.api, subject).await,
            Action::Evict { grace_period_sec } => objects::evict(&self.api, subject, *grace_period_sec).await,
            Action::RevokeTokens => tokens::revoke(&self.api, subject).await,
            Action::RecreateAccount { since } => {
                self.home.lock().await.recreate(&self.api, subject, *since, (self.now)()).await
            }
            Action::RestoreAccounts => self.home.lock().await.restore_all(&self.api, (self.now)()).await,
            Action::Send { .. } => Err(Trouble::Refused("no sink is configured for it".to_owned())),
        }
    }
}

/// One line for each end of a policy's action (spec/rules 8.1).
fn log(effect: &Effect, result: &Result<Done, Failure>, took: Duration) {
    let Some(cause) = &effect.cause else { return };
    let ObjectRef { gvk, namespace, name, .. } = &effect.subject;
    let params = serde_json::Value::Object(cause.params.clone());
    let (mode, event_id, duration_ms) = (cause.occasion, &cause.event_id, took.as_millis() as u64);
    let (action, rule) = (cause.action, &cause.policy.name);
    let count = if let Ok(Done::Count(count)) = result { Some(*count) } else { None };
    let message = if cause.dry_run { "action not executed: dry run" } else { "action executed" };
    match result {
        Err(Failure { message: error, later: false, .. }) => tracing::error!(
            action, rule, %gvk, ns = namespace, name, %params, mode, event_id, duration_ms, result = "error", error,
            "{message}"
        ),
        result => {
            let result = match result {
                Ok(Done::Done | Done::Count(_)) => "ok",
                Ok(Done::Absent | Done::Replaced) => "skipped",
                Err(_) => "retrying",
            };
            tracing::info!(
                action, rule, %gvk, ns = namespace, name, %params, mode, event_id, duration_ms, result, count,
                "{message}"
            );
        }
    }
}

/// An object that is gone or replaced needs nothing any more.
fn moot(result: Result<kanon_core::Object, Error>) -> Result<Done, Trouble> {
    match result {
        Ok(_) => Ok(Done::Done),
        Err(Error::Status { code: 404, .. }) => Ok(Done::Absent),
        Err(Error::Status { code: 409, .. }) => Ok(Done::Replaced),
        Err(error) => Err(error.into()),
    }
}

fn path(kind: &Kind, subject: &ObjectRef) -> String {
    let namespace = if kind.scope == Scope::Namespaced { subject.namespace.as_str() } else { "" };
    format!("{}/{}", kind.path(namespace), subject.name)
}
