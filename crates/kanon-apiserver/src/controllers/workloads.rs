//! Simulated workloads: feeds the store's events to `kanon_workloads::Cluster`, carries out what it plans as the users that do it
//! in a real cluster, and tells it what was refused. Runs only where it was asked for.

use std::{sync::Arc, time::Duration};

use futures_util::future::join_all;
use http::{Method, StatusCode};
use jiff::Timestamp;
use kanon_apimachinery::{
    decode::Body,
    request::{Address, DeleteOptions, WriteOptions},
    resource::Resource,
    status::{self, ApiError, Result},
    write::{Context, create, namespace, scale, served_value, update},
};
use kanon_core::UserInfo;
use kanon_store::{ListOptions, Memory, Revision};
use kanon_workloads::{Action, Ask, Cluster, Intent, Kind};
use serde_json::Value;

use super::{
    GATHER,
    told::{self, Own},
    until,
};
use crate::{
    admission::Warnings,
    core::Core,
    handlers::{delete, part, write::Refused},
};

/// Intents at work at a time: they share commits.
const AT_ONCE: usize = 512;
/// Intents of one task: others get their turn in between.
const OF_ONE_TASK: usize = 16;
/// The clock is looked at this often while something waits for it: it may be a held one, and jump.
const LOOK: Duration = Duration::from_millis(500);

pub(super) async fn run(core: Arc<Core>) {
    let mut changes = core.storage.subscribe_all();
    let (mut seen, mut cluster) = core.storage.read(whole);
    let nodes = cluster.bootstrap(core.now().wall);
    carry_out(&core, &mut cluster, nodes).await;
    let mut deadline: Option<Timestamp> = None;
    while !core.shutdown.is_cancelled() {
        changes.mark_unchanged();
        if !core.storage.read(|memory| feed(memory, &mut seen, &mut cluster)) {
            (seen, cluster) = core.storage.read(whole);
        }
        let now = core.now().wall;
        if cluster.is_due(now) {
            let plan = cluster.plan(now);
            deadline = plan.deadline;
            for ask in &plan.asks {
                let replicas = core.storage.read(|memory| replicas(&core, memory, ask));
                cluster.answer(ask, replicas);
            }
            carry_out(&core, &mut cluster, plan.intents).await;
            continue;
        }
        let look = async {
            match deadline {
                Some(deadline) => tokio::time::sleep(until(core.now().wall, deadline).min(LOOK)).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = core.shutdown.cancelled() => return,
            changed = changes.changed() => {
                if changed.is_err() {
                    return;
                }
                tokio::time::sleep(GATHER).await;
            }
            () = look => {}
        }
    }
}

fn whole(memory: &Memory) -> (Revision, Cluster) {
    let mut entries = Vec::new();
    for kind in read_kinds() {
        // The current state is never compacted away.
        let page = memory.list(&format!("{}/", kind.prefix()), ListOptions::default());
        entries.extend(page.map(|it| it.entries).unwrap_or_default());
    }
    (memory.revision(), Cluster::new(&entries))
}

/// Events are written and never read.
fn read_kinds() -> impl Iterator<Item = Kind> {
    Kind::ALL.into_iter().filter(|it| *it != Kind::Event)
}

/// What the `scale` of an object says that it wants.
fn replicas(core: &Core, memory: &Memory, ask: &Ask) -> Option<i64> {
    let registry = core.registry.load();
    let resource = registry.by_api_version(&ask.api_version, &ask.kind)?;
    resource.subresource("scale")?;
    let entry = memory.get(&resource.key(&ask.namespace, &ask.name))?;
    if entry.object.str_at(&["metadata", "uid"]) != ask.uid {
        return None;
    }
    let scale = scale::of(resource, &served_value(resource, &entry.object)).ok()?;
    Some(scale["spec"]["replicas"].as_i64().unwrap_or_default())
}

/// Takes in what happened since `seen`. False when the history does not reach back.
fn feed(memory: &Memory, seen: &mut Revision, cluster: &mut Cluster) -> bool {
    for kind in read_kinds() {
        let Ok(events) = memory.events_since(&format!("{}/", kind.prefix()), *seen, usize::MAX) else { return false };
        events.iter().for_each(|event| cluster.apply(event));
    }
    *seen = memory.revision();
    true
}

/// Carries out what was decided, then the notes about what was done.
async fn carry_out(core: &Arc<Core>, cluster: &mut Cluster, intents: Vec<Intent>) {
    let mut notes = Vec::new();
    for some in in_chunks(intents, AT_ONCE) {
        for (mut intent, outcome) in all(core, some).await {
            let now = core.now().wall;
            match outcome {
                Ok(()) => {
                    cluster.done(&intent, now);
                    let Intent { item, actor, notes: of_it, .. } = &mut intent;
                    notes.extend(of_it.drain(..).map(|event| Intent {
                        item: item.clone(),
                        actor: actor.clone(),
                        action: Action::Create(Kind::Event, event),
                        notes: Vec::new(),
                    }));
                }
                Err(Some(why)) => cluster.refused(&intent, &why, now),
                Err(None) => {}
            }
        }
        if core.shutdown.is_cancelled() {
            return;
        }
    }
    for some in in_chunks(notes, AT_ONCE) {
        // A note that is refused is missing, and nothing else.
        all(core, some).await;
    }
}

fn in_chunks(intents: Vec<Intent>, size: usize) -> impl Iterator<Item = Vec<Intent>> {
    let mut rest = intents.into_iter();
    std::iter::from_fn(move || {
        let some: Vec<Intent> = rest.by_ref().take(size).collect();
        (!some.is_empty()).then_some(some)
    })
}

/// What came of an intent: what a newer state made void is neither done nor refused.
type Outcome = Result<(), Option<String>>;

/// Carries out many at a time. Their objects are spent.
async fn all(core: &Arc<Core>, intents: Vec<Intent>) -> Vec<(Intent, Outcome)> {
    let tasks = in_chunks(intents, OF_ONE_TASK).map(|mut some| {
        let core = Arc::clone(core);
        tokio::spawn(async move {
            let outcomes = join_all(some.iter_mut().map(|it| one(&core, it))).await;
            some.into_iter().zip(outcomes).collect::<Vec<_>>()
        })
    });
    // A task that panicked told nothing; what it left undone is decided on again with the next change.
    join_all(tasks).await.into_iter().flatten().flatten().collect()
}

async fn one(core: &Core, intent: &mut Intent) -> Outcome {
    match attempt(core, intent).await {
        Ok(()) => Ok(()),
        Err(Refused::Moved(_)) => Err(None),
        // Gone, there already, newer; or its namespace is going.
        Err(Refused::Error(error)) if matches!(error.code, 404 | 409) || is_terminating(&error) => Err(None),
        Err(Refused::Error(error)) => Err(Some(error.message)),
    }
}

fn is_terminating(error: &ApiError) -> bool {
    error.details.iter().flat_map(|it| &it.causes).any(|it| it.reason == "NamespaceTerminating")
}

async fn attempt(core: &Core, intent: &mut Intent) -> Result<(), Refused> {
    let actor = &intent.actor;
    let groups = actor.groups().iter().map(|it| (*it).to_owned()).collect();
    let user = UserInfo { username: actor.user(), groups, ..UserInfo::default() };
    let options = WriteOptions { field_manager: actor.manager().to_owned(), ..WriteOptions::default() };
    // Nobody reads what controllers are warned of.
    let warnings = Warnings::default();
    let text = |object: &Value, name: &str| object["metadata"][name].as_str().unwrap_or_default().to_owned();
    let body = |object: &mut Value| Body { value: std::mem::take(object), duplicates: Vec::new() };
    let part = if matches!(intent.action, Action::Status(..)) { "status" } else { "" };
    let place = match &intent.action {
        Action::Create(kind, object) => Place::new(core, *kind, &text(object, "namespace"), "", "")?,
        Action::Update(kind, object) | Action::Status(kind, object) => {
            Place::new(core, *kind, &text(object, "namespace"), &text(object, "name"), part)?
        }
        Action::Bind { namespace, name, .. } => Place::new(core, Kind::Pod, namespace, name, "binding")?,
        Action::Delete { kind, namespace, name, .. } => Place::new(core, *kind, namespace, name, "")?,
    };
    let method = match &intent.action {
        Action::Create(..) | Action::Bind { .. } => Method::POST,
        Action::Update(..) | Action::Status(..) => Method::PUT,
        Action::Delete { .. } => Method::DELETE,
    };
    let own = Own { user: &user, manager: actor.manager(), method, address: &place.address };
    // Work spends the object; a log that shows it needs it first.
    let sent = match &intent.action {
        Action::Create(_, object) | Action::Update(_, object) | Action::Status(_, object) if core.audit.is_on() => {
            Some(object.clone())
        }
        _ => None,
    };
    let ctx = place.context(&options, core);
    let work = async {
        match &mut intent.action {
            Action::Create(_, object) => {
                let (namespace, name) = (place.address.object_namespace(), text(object, "name"));
                core.storage.read(|memory| namespace::check(memory, &place.resource, namespace, &name))?;
                let prepared = create::prepare(&ctx, body(object))?;
                core.carry_out(&user, &ctx, prepared, &warnings).await.map(told::carried)
            }
            Action::Update(_, object) | Action::Status(_, object) => {
                let key = place.resource.key(place.address.object_namespace(), &place.address.name);
                let prepared = update::prepare(&ctx, body(object), core.storage.get(&key).as_ref())?;
                core.carry_out(&user, &ctx, prepared, &warnings).await.map(told::carried)
            }
            Action::Bind { node, .. } => {
                let binding = part::Binding { user: &user, options: &options, warnings: &warnings, node };
                part::bind_to(core, &place.resource, &place.address, &binding).await?;
                Ok(status::success(None, StatusCode::CREATED.as_u16()))
            }
            Action::Delete { uid, grace, .. } => {
                let options =
                    DeleteOptions { uid: Some(uid.clone()), grace_period_seconds: *grace, ..DeleteOptions::default() };
                let (resource, address) = (&place.resource, &place.address);
                let deleted = delete::delete(core, &user, resource, address, &options, &warnings).await?;
                Ok(told::deleted(deleted))
            }
        }
    };
    told::told(core, own, sent.as_ref(), &warnings, work).await
}

/// Where an intent goes.
struct Place {
    resource: Arc<Resource>,
    address: Address,
}

impl Place {
    fn new(core: &Core, kind: Kind, namespace: &str, name: &str, part: &str) -> Result<Place> {
        let resource = core.builtin.preferred(kind.group(), kind.plural()).ok_or_else(ApiError::no_such_path)?;
        let mut address = Address::default();
        address.group.clone_from(&resource.gvk.group);
        address.version.clone_from(&resource.gvk.version);
        address.resource.clone_from(&resource.plural);
        namespace.clone_into(&mut address.namespace);
        name.clone_into(&mut address.name);
        part.clone_into(&mut address.subresource);
        Ok(Place { resource: Arc::clone(resource), address })
    }

    fn context<'a>(&'a self, options: &'a WriteOptions, core: &Core) -> Context<'a> {
        Context { resource: &self.resource, address: &self.address, options, now: core.now().wall }
    }
}
