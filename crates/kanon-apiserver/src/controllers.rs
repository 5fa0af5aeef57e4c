//! Controllers: small tasks that wake with the store and carry out what `kanon_apimachinery::lifecycle` decides. They write by
//! the same path as clients, as the server itself, and are safe to run twice.

pub(crate) mod crd;
mod events;
mod garbage;
pub(crate) mod namespace;
mod quotas;
mod roles;
mod told;
mod workloads;

use std::{future::Future, sync::Arc, time::Duration};

use futures_util::future::join_all;
use http::Method;
use jiff::Timestamp;
use kanon_apimachinery::{
    decode::Body,
    lifecycle::Intent,
    request::WriteOptions,
    status::{ApiError, Result},
    write::{Context, create, update},
};
use tokio::task::JoinHandle;
use told::Own;

use crate::{
    access,
    admission::Warnings,
    config::Config,
    core::Core,
    handlers::{delete, write::Refused},
};

/// How long a controller waits after a failure.
const RETRY: Duration = Duration::from_millis(500);
/// How long a controller lets changes gather that only may concern it.
const GATHER: Duration = Duration::from_millis(5);
/// Intents at work at a time: they share commits.
const AT_ONCE: usize = 64;
/// The manager of fields that controllers write.
const MANAGER: &str = "kanon-apiserver";

/// What a controller waits for after a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Next {
    /// A change of its own collection.
    Own,
    /// A change of anything: objects that it wants gone are still there.
    Anything,
}

/// Starts all of them; they end with the server's shutdown. Workloads move only where that was asked for.
pub(crate) fn start(core: &Arc<Core>, config: &Config) -> Vec<JoinHandle<()>> {
    let definitions = run(Arc::clone(core), crd::DEFINITIONS, |core| async move { crd::reconcile(&core).await });
    let roles = run(Arc::clone(core), roles::ROLES, |core| async move { roles::reconcile(&core).await });
    let mut tasks = vec![
        tokio::spawn(definitions),
        tokio::spawn(roles),
        tokio::spawn(namespace::run(Arc::clone(core))),
        tokio::spawn(garbage::run(Arc::clone(core))),
        tokio::spawn(quotas::run(Arc::clone(core))),
        tokio::spawn(events::run(Arc::clone(core), config.event_ttl)),
    ];
    if config.simulate_workloads {
        tasks.push(tokio::spawn(workloads::run(Arc::clone(core))));
    }
    tasks
}

/// Runs `step` at start and whenever the collection changed; again after a while when it failed.
async fn run<F, R>(core: Arc<Core>, prefix: &'static str, step: F)
where
    F: Fn(Arc<Core>) -> R,
    R: Future<Output = Result<Next>>,
{
    let mut own = core.storage.subscribe(prefix);
    let mut all = core.storage.subscribe_all();
    loop {
        own.mark_unchanged();
        all.mark_unchanged();
        let next = step(Arc::clone(&core)).await.inspect_err(|error| complain(&core, prefix, error));
        let again = async {
            match next {
                Ok(Next::Own) => std::future::pending().await,
                Ok(Next::Anything) => {
                    // An error means that the store is gone, and with it the server.
                    let _ = all.changed().await;
                    tokio::time::sleep(GATHER).await;
                }
                Err(_) => tokio::time::sleep(RETRY).await,
            }
        };
        tokio::select! {
            () = core.shutdown.cancelled() => return,
            changed = own.changed() => if changed.is_err() { return },
            () = again => {}
        }
    }
}

/// How long it is to a time; nothing when it is over.
fn until(now: Timestamp, at: Timestamp) -> Duration {
    Duration::try_from(at.duration_since(now)).unwrap_or_default()
}

fn complain(core: &Core, what: &str, error: &ApiError) {
    if !core.shutdown.is_cancelled() {
        tracing::warn!(%error, what, "a controller failed and tries again");
    }
}

/// Carries out what was decided, many at a time. What a newer state made void is fine: it will be decided on again.
///
/// # Errors
/// The first real failure; the others are carried out all the same.
async fn carry_out(core: &Core, intents: Vec<Intent>) -> Result<()> {
    let mut outcome = Ok(());
    let mut intents = intents.into_iter();
    loop {
        let some: Vec<Intent> = intents.by_ref().take(AT_ONCE).collect();
        if some.is_empty() {
            return outcome;
        }
        for done in join_all(some.iter().map(|it| one(core, it))).await {
            outcome = outcome.and(done);
        }
    }
}

async fn one(core: &Core, intent: &Intent) -> Result<()> {
    let target = intent.target();
    let (resource, address) = (&*target.resource, &target.address);
    let user = access::controller();
    let options = WriteOptions { field_manager: MANAGER.to_owned(), ..WriteOptions::default() };
    let ctx = Context { resource, address, options: &options, now: core.now().wall };
    // Nobody reads what controllers are warned of.
    let warnings = Warnings::default();
    let body = |value: &serde_json::Value| Body { value: value.clone(), duplicates: Vec::new() };
    let (method, sent) = match intent {
        Intent::Create(_, object) => (Method::POST, Some(object)),
        Intent::Update(_, object) => (Method::PUT, Some(object)),
        Intent::Delete(..) => (Method::DELETE, None),
    };
    let own = Own { user: &user, manager: MANAGER, method, address };
    let work = async {
        match intent {
            Intent::Create(_, object) => {
                let prepared = create::prepare(&ctx, body(object))?;
                core.carry_out(&user, &ctx, prepared, &warnings).await.map(told::carried)
            }
            Intent::Update(_, object) => {
                let key = resource.key(address.object_namespace(), &address.name);
                let current = core.current(resource, &key).await?;
                let body = Body { value: core.value_shown(resource, object.clone()).await?, duplicates: Vec::new() };
                let prepared = update::prepare(&ctx, body, current.as_ref())?;
                core.carry_out(&user, &ctx, prepared, &warnings).await.map(told::carried)
            }
            Intent::Delete(_, options) => {
                let deleted = delete::delete(core, &user, resource, address, options, &warnings).await?;
                Ok(told::deleted(deleted))
            }
        }
    };
    match told::told(core, own, sent, &warnings, work).await {
        Ok(()) | Err(Refused::Moved(_)) => Ok(()),
        // Gone, there already, newer, or its namespace is going.
        Err(Refused::Error(error)) if matches!(error.code, 404 | 409) || error.reason == "Forbidden" => Ok(()),
        Err(Refused::Error(error)) => Err(error),
    }
}
