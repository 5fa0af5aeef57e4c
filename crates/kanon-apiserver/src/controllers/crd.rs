//! CustomResourceDefinitions: names accepted, objects served, and all of them deleted with their definition.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use kanon_apimachinery::{
    crd::{self, TakenNames},
    lifecycle,
    resource::{Registry, Resource},
    status::{ApiError, Result},
};
use kanon_core::rfc3339;
use kanon_store::{Change, Draft, Entry, Expect, Key, ListOptions, Memory, Revision, Write};
use serde_json::{Value, json};

use super::{Next, carry_out, namespace::is_deleting};
use crate::{core::Core, storage::WriteError};

pub(super) const DEFINITIONS: &str = "apiextensions.k8s.io/customresourcedefinitions/";

/// Each definition as it was last seen: its text is read and its schemas are compiled once a change.
#[derive(Default)]
pub(crate) struct Served(Mutex<BTreeMap<Key, Known>>);

/// A definition and what it gives.
struct Known {
    /// Of the stored object that `outline` is of; none where its status is not written yet.
    revision: Option<Revision>,
    outline: Arc<Value>,
    resources: Vec<Arc<Resource>>,
}

impl Served {
    fn lock(&self) -> MutexGuard<'_, BTreeMap<Key, Known>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The definitions in these entries.
    fn read(&self, entries: &[Arc<Entry>]) -> Vec<Shown> {
        let known = self.lock();
        let shown = |it: &Arc<Entry>| match known.get(&it.key) {
            Some(known) if known.revision == Some(it.revision) => {
                Shown { outline: Arc::clone(&known.outline), whole: None, is_stored: true }
            }
            _ => Shown::of(it.object.to_value(), true),
        };
        entries.iter().map(shown).collect()
    }

    /// A status that was shown is stored.
    fn stored(&self, entry: &Entry) {
        if let Some(known) = self.lock().get_mut(&entry.key) {
            known.revision = Some(entry.revision);
        }
    }
}

/// A definition as it is from now on.
struct Shown {
    /// Without its schemas, which are most of it: what others ask of it, kept as long as it is served.
    outline: Arc<Value>,
    /// All of it, where that was at hand.
    whole: Option<Value>,
    is_stored: bool,
}

impl Shown {
    fn of(whole: Value, is_stored: bool) -> Shown {
        Shown { outline: Arc::new(outline(&whole)), whole: Some(whole), is_stored }
    }
}

/// A definition without its schemas and without the bookkeeping of its fields.
fn outline(whole: &Value) -> Value {
    let without = |value: &Value, dropped: &str| match value {
        Value::Object(members) => {
            members.iter().filter(|(name, _)| *name != dropped).map(|(name, it)| (name.clone(), it.clone())).collect()
        }
        other => other.clone(),
    };
    let mut outline = json!({"metadata": without(&whole["metadata"], "managedFields"), "status": whole["status"]});
    outline["spec"] = without(&whole["spec"], "versions");
    let versions = whole["spec"]["versions"].as_array().into_iter().flatten();
    outline["spec"]["versions"] = versions.map(|it| without(it, "schema")).collect();
    outline
}

/// Brings status and registry to what the definitions say.
///
/// # Errors
/// The disk failed.
pub(crate) async fn reconcile(core: &Core) -> Result<Next> {
    loop {
        let entries = definitions(core);
        let mut shown = core.served.read(&entries);
        let mut writes = Vec::new();
        let now = rfc3339(core.now().wall);
        for (at, entry) in entries.iter().enumerate() {
            if is_deleting(&entry.object) {
                continue;
            }
            let taken = taken(core, &shown, at);
            let Some(status) = crd::establish(&shown[at].outline, &taken, &now) else { continue };
            let mut changed = shown[at].whole.take().unwrap_or_else(|| entry.object.to_value());
            changed["status"] = status;
            let draft = Draft::new(&changed).map_err(ApiError::internal)?;
            let change = Change::Put(draft);
            writes.push(Write { key: entry.key.clone(), expect: Expect::At(entry.revision), change });
            shown[at] = Shown::of(changed, false);
        }
        // Served first: whoever reads that a definition is established may use it at once.
        publish(core, &entries, shown);
        let mut moved = false;
        for outcome in core.storage.write_all(writes).await {
            match outcome {
                Ok(staged) => core.served.stored(&staged.entry),
                Err(WriteError::Rejected(_)) => moved = true,
                Err(error) => return Err(error.into()),
            }
        }
        if !moved {
            break;
        }
    }
    let ending: Vec<Arc<Entry>> = definitions(core).into_iter().filter(|it| is_deleting(&it.object)).collect();
    if ending.is_empty() {
        return Ok(Next::Own);
    }
    let registry = core.registry.load_full();
    let decide = |memory: &Memory| ending.iter().flat_map(|it| lifecycle::definition(&registry, memory, it)).collect();
    carry_out(core, core.storage.read(decide)).await?;
    Ok(Next::Anything)
}

fn definitions(core: &Core) -> Vec<Arc<Entry>> {
    let page = core.storage.read(|memory| memory.list(DEFINITIONS, ListOptions::default()));
    page.map(|it| it.entries).unwrap_or_default()
}

/// The names that others of its group have.
fn taken(core: &Core, shown: &[Shown], of: usize) -> TakenNames {
    let group = &shown[of].outline["spec"]["group"];
    let mut taken = TakenNames::default();
    for builtin in core.builtin.resources().filter(|it| *group == it.gvk.group.as_str()) {
        let names = json!({"plural": builtin.plural, "singular": builtin.singular, "kind": builtin.gvk.kind,
            "listKind": builtin.list_kind, "shortNames": builtin.short_names});
        taken.add_names("builtin", &names);
    }
    for (at, Shown { outline, .. }) in shown.iter().enumerate() {
        if at != of && outline["spec"]["group"] == *group {
            taken.add(outline);
        }
    }
    taken
}

/// Puts the registry of these definitions in place.
fn publish(core: &Core, entries: &[Arc<Entry>], shown: Vec<Shown>) {
    let mut served = core.served.lock();
    let mut next = BTreeMap::new();
    for (entry, Shown { outline, whole, is_stored }) in entries.iter().zip(shown) {
        let known = served.remove(&entry.key).filter(|it| gives_the_same(&it.outline, &outline));
        let compile = || crd::resources(&whole.unwrap_or_else(|| entry.object.to_value()), Some(&*core.cel));
        let resources = known.map_or_else(compile, |it| it.resources);
        let revision = is_stored.then_some(entry.revision);
        next.insert(entry.key.clone(), Known { revision, outline, resources });
    }
    *served = next;
    let all = served.values().flat_map(|it| it.resources.iter().cloned());
    let registry: Registry = core.builtin.with_crds(all);
    core.registry.store(Arc::new(registry));
}

/// Whether two states of a definition give the same resources. Those follow from spec and status; of the schemas, which an outline
/// lacks, the generation tells.
fn gives_the_same(before: &Arc<Value>, now: &Arc<Value>) -> bool {
    let same = |member: &str| before["metadata"][member] == now["metadata"][member];
    Arc::ptr_eq(before, now)
        || (before["spec"] == now["spec"] && before["status"] == now["status"] && same("generation") && same("uid"))
}
