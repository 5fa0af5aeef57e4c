//! CustomResourceDefinitions: names accepted, objects served, and all of them deleted with their definition.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
};

use kanon_apimachinery::{
    crd::{self, TakenNames},
    lifecycle,
    resource::{Registry, Resource},
    status::{ApiError, Result},
};
use kanon_store::{Change, Draft, Entry, Expect, ListOptions, Memory, Write};
use serde_json::{Value, json};

use super::{Next, carry_out, namespace::is_deleting};
use crate::{
    core::{Core, rfc3339},
    storage::WriteError,
};

pub(super) const DEFINITIONS: &str = "apiextensions.k8s.io/customresourcedefinitions/";

/// The resources of each definition as it was last seen: building them compiles schemas, so it is done once a change.
#[derive(Default)]
pub(crate) struct Served(Mutex<BTreeMap<String, Known>>);

/// A definition and what it gives.
type Known = (Value, Vec<Arc<Resource>>);

/// Brings status and registry to what the definitions say.
///
/// # Errors
/// The disk failed.
pub(crate) async fn reconcile(core: &Core) -> Result<Next> {
    loop {
        let entries = definitions(core);
        let values: Vec<Value> = entries.iter().map(|it| it.object.to_value()).collect();
        let mut writes = Vec::new();
        let mut shown = values.clone();
        let now = rfc3339(core.now().wall);
        for (at, (entry, value)) in entries.iter().zip(&values).enumerate() {
            if is_deleting(&entry.object) {
                continue;
            }
            let taken = taken(core, &shown, at);
            let Some(status) = crd::establish(value, &taken, &now) else { continue };
            let mut changed = value.clone();
            changed["status"] = status;
            let draft = Draft::new(&changed).map_err(ApiError::internal)?;
            let change = Change::Put(draft);
            writes.push(Write { key: entry.key.clone(), expect: Expect::At(entry.revision), change });
            shown[at] = changed;
        }
        // Served first: whoever reads that a definition is established may use it at once.
        publish(core, &entries, &shown);
        let mut moved = false;
        for outcome in core.storage.write_all(writes).await {
            match outcome {
                Ok(_) => {}
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
fn taken(core: &Core, values: &[Value], of: usize) -> TakenNames {
    let group = &values[of]["spec"]["group"];
    let mut taken = TakenNames::default();
    for builtin in core.builtin.resources().filter(|it| *group == it.gvk.group.as_str()) {
        let names = json!({"plural": builtin.plural, "singular": builtin.singular, "kind": builtin.gvk.kind,
            "listKind": builtin.list_kind, "shortNames": builtin.short_names});
        taken.add_names("builtin", &names);
    }
    for (at, value) in values.iter().enumerate() {
        if at != of && value["spec"]["group"] == *group {
            taken.add(value);
        }
    }
    taken
}

/// Puts the registry of these definitions in place.
fn publish(core: &Core, entries: &[Arc<Entry>], values: &[Value]) {
    let mut served = core.served.0.lock().unwrap_or_else(PoisonError::into_inner);
    let mut next = BTreeMap::new();
    for (entry, value) in entries.iter().zip(values) {
        let name = entry.object.str_at(&["metadata", "name"]).to_owned();
        // Resources follow from spec and status; metadata does not matter.
        let same = served
            .remove(&name)
            .filter(|(before, _)| before["spec"] == value["spec"] && before["status"] == value["status"]);
        let resources = same.map_or_else(|| crd::resources(value, Some(&*core.cel)), |(_, resources)| resources);
        next.insert(name, (value.clone(), resources));
    }
    *served = next;
    let all = served.values().flat_map(|(_, resources)| resources.iter().cloned());
    let registry: Registry = core.builtin.with_crds(all);
    core.registry.store(Arc::new(registry));
}
