//! Where objects of a kind are found: discovery, asked once a kind.

use std::{
    collections::BTreeMap,
    sync::{Mutex, PoisonError},
};

use kanon_core::{GroupVersionKind, Kind, Node, Scope};

use crate::client::{Api, Error};

/// Kinds that the server serves, as far as they were asked for.
#[derive(Default)]
pub(super) struct Kinds(Mutex<BTreeMap<GroupVersionKind, Kind>>);

impl Kinds {
    /// The kind with its path; `None` when the server does not serve it now.
    pub(super) async fn find(&self, api: &Api, gvk: &GroupVersionKind) -> Result<Option<Kind>, Error> {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner).get(gvk).cloned();
        if known.is_some() {
            return Ok(known);
        }
        let root = if gvk.group.is_empty() { "/api" } else { "/apis" };
        let list = api.get(&format!("{root}/{}", gvk.api_version())).await?;
        let found = list.and_then(|it| {
            let resources = it.root().get("resources").into_iter().flat_map(Node::elements);
            resources.filter_map(|resource| kind(gvk, resource)).next()
        });
        if let Some(found) = &found {
            self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(gvk.clone(), found.clone());
        }
        Ok(found)
    }
}

/// An entry of a discovery document, if it is the kind's own and no subresource.
fn kind(gvk: &GroupVersionKind, resource: Node<'_>) -> Option<Kind> {
    let text = |key| resource.get(key).and_then(Node::as_plain_str).unwrap_or_default();
    let is_namespaced = resource.get("namespaced").is_some_and(|it| it.raw() == "true");
    (text("kind") == gvk.kind && !text("name").contains('/')).then(|| Kind {
        gvk: gvk.clone(),
        plural: text("name").to_owned(),
        scope: if is_namespaced { Scope::Namespaced } else { Scope::Cluster },
    })
}
