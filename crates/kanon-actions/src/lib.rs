//! The actions that policies may name: one file each, one line in [`all`]. They render effects that shells already know.

mod alertmanager;
mod cordon;
mod event;
mod evict;
mod metadata;
mod network_policy;
mod quarantine;
mod report;
mod revoke;
mod scale;
#[cfg(test)]
mod tests;
mod webhook;

use std::sync::Arc;

use kanon_plane::{Action, Actions};

/// Every action of this version.
pub fn all() -> Actions {
    let all: [Arc<dyn Action>; 12] = [
        Arc::new(alertmanager::Alertmanager),
        Arc::new(cordon::Cordon),
        Arc::new(event::Event),
        Arc::new(evict::Evict),
        Arc::new(metadata::LABEL),
        Arc::new(metadata::ANNOTATE),
        Arc::new(network_policy::PatchNetworkPolicy),
        Arc::new(quarantine::Quarantine),
        Arc::new(report::ReportGc),
        Arc::new(revoke::RevokeToken),
        Arc::new(scale::Scale),
        Arc::new(webhook::Webhook),
    ];
    let revoke: Arc<dyn Action> = Arc::new(revoke::RevokeToken);
    // The name under which the reference wired it, where its documentation says `revoke-sa-token`.
    all.into_iter().map(|it| (it.id(), it)).chain([("revoketoken", revoke)]).collect()
}
