//! The network as rules of mode `network` read it: namespaces with their pods and policies, made of looked-up objects when somebody
//! asks for them and kept for as long as the snapshot is. What is not asked for costs nothing.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::OnceLock,
};

use kanon_core::{GroupVersionKind, Object};
use kanon_network::{Kinds, Model, Namespace, facts::NamespaceFacts};
use kanon_plane::Lookups;

use crate::facts::pod::POD_SHAPED;

/// The kinds that the network is made of, for whoever decides what is watched.
pub fn network_kinds() -> Vec<GroupVersionKind> {
    Kinds::all().into_iter().map(|it| it.gvk).collect()
}

/// See the module.
pub struct Picture<'q> {
    lookups: &'q dyn Lookups,
    /// Kinds whose templates stand for pods.
    templates: Vec<GroupVersionKind>,
    scenes: BTreeMap<String, OnceLock<Scene>>,
}

/// One namespace of the picture.
pub(crate) struct Scene {
    name: String,
    /// Of this namespace alone.
    model: Model,
    facts: OnceLock<NamespaceFacts>,
}

impl<'q> Picture<'q> {
    /// The network of a cluster.
    pub fn of_cluster(lookups: &'q dyn Lookups) -> Picture<'q> {
        let names = lookups.list(&Kinds::namespace().gvk, "").into_iter();
        let names = names.map(|it| it.str_at(&["metadata", "name"]).to_owned());
        Picture { lookups, templates: Vec::new(), scenes: names.map(|it| (it, OnceLock::new())).collect() }
    }

    /// The network that manifests make: templates stand for the pods that are not among them.
    pub fn of_manifests(lookups: &'q dyn Lookups) -> Picture<'q> {
        let mut picture = Picture::of_cluster(lookups);
        picture.templates =
            POD_SHAPED.iter().map(|(group, version, kind)| GroupVersionKind::new(group, version, kind)).collect();
        let kinds = picture.templates.iter().cloned().chain([Kinds::policy().gvk]);
        let names: BTreeSet<String> = kinds
            .flat_map(|kind| lookups.list(&kind, ""))
            .map(|it| it.str_at(&["metadata", "namespace"]).to_owned())
            .collect();
        for name in names {
            picture.scenes.entry(name).or_default();
        }
        picture
    }

    /// A namespace; `None` where there is none of this name.
    pub(crate) fn scene(&self, name: &str) -> Option<&Scene> {
        Some(self.scenes.get(name)?.get_or_init(|| self.paint(name)))
    }

    fn paint(&self, name: &str) -> Scene {
        let mut objects: Vec<&Object> = Vec::new();
        objects.extend(self.lookups.get(&Kinds::namespace().gvk, "", name));
        for kind in [Kinds::pod(), Kinds::policy()] {
            objects.extend(self.lookups.list(&kind.gvk, name));
        }
        for kind in self.templates.iter().filter(|it| it.kind != "Pod") {
            objects.extend(self.lookups.list(kind, name));
        }
        Scene { name: name.to_owned(), model: Model::of_objects(objects.iter().copied(), name), facts: OnceLock::new() }
    }
}

impl Scene {
    /// The namespace with all that is in it.
    pub(crate) fn namespace(&self) -> Option<&Namespace> {
        self.model.namespace(&self.name)
    }

    /// Its facts, found once.
    pub(crate) fn facts(&self) -> Option<&NamespaceFacts> {
        let namespace = self.namespace()?;
        Some(self.facts.get_or_init(|| namespace.facts()))
    }

    /// The only namespace of this model is the scene's.
    pub(crate) fn model(&self) -> &Model {
        &self.model
    }
}
