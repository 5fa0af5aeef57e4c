//! The actions that policies may name: one file each, one line in [`all`]. They render effects that shells already know.

mod event;

use std::sync::Arc;

use kanon_plane::{Action, Actions};

/// Every action of this version.
pub fn all() -> Actions {
    let all: [Arc<dyn Action>; 1] = [Arc::new(event::Event)];
    all.into_iter().map(|it| (it.id(), it)).collect()
}
