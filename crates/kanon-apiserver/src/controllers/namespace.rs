//! What every namespace contains, and how one that is being deleted is emptied and let go. Looks at a namespace when it
//! changed or lost what it must contain, and at those that are ending whenever anything changed.

use std::{collections::BTreeSet, sync::Arc};

use kanon_apimachinery::{
    lifecycle::{self, ROOT_CA},
    status::Result,
};
use kanon_core::Object;
use kanon_store::{Entry, EventKind, Key, ListOptions, Memory, Revision};

use super::{GATHER, RETRY, carry_out, complain};
use crate::core::Core;

const NAMESPACES: &str = "core/namespaces/";

/// Looks at all namespaces once: what a new cluster's must contain is there when this returns.
///
/// # Errors
/// The disk failed.
pub(crate) async fn settle(core: &Core) -> Result<()> {
    let (_, all) = core.storage.read(all);
    look_at(core, &all).await.map(drop)
}

pub(super) async fn run(core: Arc<Core>) {
    let mut changes = core.storage.subscribe_all();
    let (mut seen, mut names) = core.storage.read(all);
    loop {
        match look_at(&core, &names).await {
            // Those that are ending are looked at again with the next change.
            Ok(ending) => names = ending,
            Err(error) => {
                complain(&core, NAMESPACES, &error);
                tokio::time::sleep(RETRY).await;
                if core.shutdown.is_cancelled() {
                    return;
                }
                (seen, names) = core.storage.read(all);
                continue;
            }
        }
        loop {
            tokio::select! {
                () = core.shutdown.cancelled() => return,
                changed = changes.changed() => if changed.is_err() { return },
            }
            tokio::time::sleep(GATHER).await;
            changes.mark_unchanged();
            let changed = core.storage.read(|memory| changed(memory, &mut seen));
            names.extend(changed);
            if !names.is_empty() {
                break;
            }
        }
    }
}

/// Decides about these, carries it out, and gives those that are ending.
async fn look_at(core: &Core, names: &BTreeSet<String>) -> Result<BTreeSet<String>> {
    let mut ending = BTreeSet::new();
    let mut intents = Vec::new();
    let registry = core.registry.load_full();
    let now = core.now().wall;
    for name in names {
        core.storage.read(|memory| {
            let Some(entry) = memory.get(&Key::new("core/namespaces", "", name)) else { return };
            intents.extend(lifecycle::namespace(&registry, memory, &entry, &core.authority_pem, now));
            if is_deleting(&entry.object) {
                ending.insert(name.clone());
            }
        });
    }
    carry_out(core, intents).await?;
    Ok(ending)
}

/// All namespaces, and the version that this belongs to.
fn all(memory: &Memory) -> (Revision, BTreeSet<String>) {
    let page = memory.list(NAMESPACES, ListOptions::default());
    let names = page.map(|it| it.entries.iter().map(|it| name_of(it)).collect()).unwrap_or_default();
    (memory.revision(), names)
}

/// The namespaces that changes since `seen` concern; moves `seen`.
fn changed(memory: &Memory, seen: &mut Revision) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for prefix in [NAMESPACES, "core/serviceaccounts/", "core/configmaps/"] {
        let Ok(events) = memory.events_since(prefix, *seen, usize::MAX) else {
            // Too far behind: look at everything.
            let (revision, all) = all(memory);
            *seen = revision;
            return all;
        };
        for event in events {
            let name = name_of(&event.entry);
            if prefix == NAMESPACES {
                names.insert(name);
            } else if event.kind != EventKind::Added && (name == "default" || name == ROOT_CA) {
                names.insert(event.entry.object.str_at(&["metadata", "namespace"]).to_owned());
            }
        }
    }
    *seen = memory.revision();
    names
}

fn name_of(entry: &Entry) -> String {
    entry.object.str_at(&["metadata", "name"]).to_owned()
}

pub(super) fn is_deleting(object: &Object) -> bool {
    object.at(&["metadata", "deletionTimestamp"]).is_some_and(|it| !it.is_null())
}
