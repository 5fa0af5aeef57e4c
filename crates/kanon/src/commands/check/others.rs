//! What lookups find when manifests are checked: the manifests themselves, fixtures, and a cluster's objects where one is asked.

use kanon_core::{Change, GroupVersionKind, Object, Review};
use kanon_kube::Api;
use kanon_plane::{Lookups, ObjectStore, Plane};

use super::request::kind_of;
use crate::{cli::policy::ClusterArgs, commands::explain, exit::Failure, paths::DataDir, runtime};

/// The objects that are known.
#[derive(Default)]
pub(crate) struct Others {
    store: ObjectStore,
    /// Whether there may be more than is known: then only what was listed is complete.
    is_partial: bool,
}

impl Others {
    /// Those of a cluster, of the kinds that the plane's policies look up.
    pub(crate) fn of_cluster(args: &ClusterArgs, plane: &mut Plane) -> Result<Others, Failure> {
        let data_dir = DataDir::resolve(args.data_dir.clone())?;
        let source = explain::source(args.kubeconfig.clone(), &data_dir);
        runtime()?.block_on(async {
            let api = Api::connect(&source).await?;
            explain::with_facts(&api, plane).await
        })?;
        Ok(Others { store: plane.objects().clone(), is_partial: true })
    }

    /// Those of a store in which every kind of interest was listed.
    pub(crate) fn listed(store: ObjectStore) -> Others {
        Others { store, is_partial: true }
    }

    /// One more.
    pub(crate) fn add_object(&mut self, object: &Object) {
        self.store.apply(&kind_of(object), Change::Applied, object);
    }

    /// One more: what a request would store.
    pub(crate) fn add(&mut self, review: &Review) {
        if let Some(object) = review.subject_object() {
            self.store.apply(&review.kind, Change::Applied, object);
        }
    }
}

impl Lookups for Others {
    fn get(&self, kind: &GroupVersionKind, namespace: &str, name: &str) -> Option<&Object> {
        self.store.get(kind, namespace, name)
    }

    fn list(&self, kind: &GroupVersionKind, namespace: &str) -> Vec<&Object> {
        self.store.list(kind, namespace)
    }

    fn is_synced(&self, kind: &GroupVersionKind) -> bool {
        !self.is_partial || self.store.is_synced(kind)
    }
}
