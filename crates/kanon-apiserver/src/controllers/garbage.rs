//! Owner references: feeds every event to the graph of `kanon-apimachinery`, and carries out what it plans.

use std::sync::Arc;

use kanon_apimachinery::lifecycle::Graph;
use kanon_store::{Memory, Revision};

use super::{GATHER, RETRY, carry_out, complain};
use crate::core::Core;

pub(super) async fn run(core: Arc<Core>) {
    let mut changes = core.storage.subscribe_all();
    let (mut seen, mut graph) = core.storage.read(whole);
    loop {
        while graph.is_due() {
            let registry = core.registry.load_full();
            let intents = core.storage.read(|memory| graph.plan(&registry, memory));
            if let Err(error) = carry_out(&core, intents).await {
                complain(&core, "owner references", &error);
                tokio::time::sleep(RETRY).await;
                // What was due is forgotten by now: everything is looked at anew.
                (seen, graph) = core.storage.read(whole);
            }
            if core.shutdown.is_cancelled() {
                return;
            }
        }
        tokio::select! {
            () = core.shutdown.cancelled() => return,
            changed = changes.changed() => if changed.is_err() { return },
        }
        tokio::time::sleep(GATHER).await;
        changes.mark_unchanged();
        if !core.storage.read(|memory| feed(memory, &mut seen, &mut graph)) {
            (seen, graph) = core.storage.read(whole);
        }
    }
}

fn whole(memory: &Memory) -> (Revision, Graph) {
    (memory.revision(), Graph::new(memory))
}

/// Takes in what happened since `seen`. False when the history does not reach back.
fn feed(memory: &Memory, seen: &mut Revision, graph: &mut Graph) -> bool {
    let Ok(events) = memory.events_since("", *seen, usize::MAX) else { return false };
    events.iter().for_each(|event| graph.apply(event));
    *seen = memory.revision();
    true
}
