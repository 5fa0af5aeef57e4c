//! What the server does by itself: the objects it begins with, and the decisions of its controllers (spec/kubernetes-api.md
//! 4.7, 4.8, 4.13). Each decision is a function of the present state; carrying out an [`Intent`] and asking again after the
//! next change is the shell's. A decision about a settled state is empty, so repeating one does no harm.

mod bootstrap;
mod definition;
mod expired;
mod garbage;
mod namespace;
mod quota;
mod roles;

use std::sync::Arc;

use kanon_store::{Entry, Memory};
use serde_json::Value;

use crate::{
    request::{Address, DeleteOptions},
    resource::{Registry, Resource},
    write::served_value,
};

pub use bootstrap::{Service, bootstrap};
pub use definition::definition;
pub use expired::expired_events;
pub use garbage::Graph;
pub use namespace::{ROOT_CA, namespace};
pub use quota::quota_status;
pub use roles::aggregate;

/// One thing that a controller wants done, by the same path as a client's request.
#[derive(Clone, Debug)]
pub enum Intent {
    /// POST; that the object is there already is fine.
    Create(Target, Value),
    /// PUT of an object that carries the resourceVersion it was decided on; a conflict means that a newer state will be
    /// decided on anyway.
    Update(Target, Value),
    /// DELETE, with the uid as precondition; that the object is gone is fine.
    Delete(Target, DeleteOptions),
}

/// Where an intent goes.
#[derive(Clone, Debug)]
pub struct Target {
    /// The resource, in a version that is served (of a terminating definition: was served).
    pub resource: Arc<Resource>,
    /// The collection for a creation, else the object, with its subresource.
    pub address: Address,
}

impl Intent {
    /// Where it goes.
    pub fn target(&self) -> &Target {
        match self {
            Intent::Create(target, _) | Intent::Update(target, _) | Intent::Delete(target, _) => target,
        }
    }

    fn create(resource: &Arc<Resource>, namespace: &str, object: Value) -> Intent {
        Intent::Create(Target::new(resource, namespace, "", ""), object)
    }

    fn update(resource: &Arc<Resource>, subresource: &str, object: Value) -> Intent {
        let text = |name: &str| object["metadata"][name].as_str().unwrap_or_default();
        let target = Target::new(resource, text("namespace"), text("name"), subresource);
        Intent::Update(target, object)
    }

    /// The deletion of this very object.
    fn delete(resource: &Arc<Resource>, entry: &Entry, options: DeleteOptions) -> Intent {
        let text = |name: &str| entry.object.str_at(&["metadata", name]);
        let target = Target::new(resource, text("namespace"), text("name"), "");
        Intent::Delete(target, DeleteOptions { uid: Some(text("uid").to_owned()), ..options })
    }
}

impl Target {
    fn new(resource: &Arc<Resource>, namespace: &str, name: &str, subresource: &str) -> Target {
        let mut address = Address::default();
        address.group.clone_from(&resource.gvk.group);
        address.version.clone_from(&resource.gvk.version);
        address.resource.clone_from(&resource.plural);
        name.clone_into(&mut address.name);
        // A namespace is in itself, as paths have it (`Address::namespace`).
        let namespace = if resource.is_core("Namespace") { name } else { namespace };
        namespace.clone_into(&mut address.namespace);
        subresource.clone_into(&mut address.subresource);
        Target { resource: Arc::clone(resource), address }
    }
}

/// Everything under a prefix, by key.
fn entries(memory: &Memory, prefix: &str) -> Vec<Arc<Entry>> {
    // The current state is never compacted away.
    memory.list(prefix, kanon_store::ListOptions::default()).map(|page| page.entries).unwrap_or_default()
}

/// A built-in resource that every registry has.
fn builtin<'r>(registry: &'r Registry, group: &str, plural: &str) -> Option<&'r Arc<Resource>> {
    registry.preferred(group, plural)
}

/// An entry in the version of its resource, to be changed and written back.
fn editable(resource: &Resource, entry: &Entry) -> Value {
    served_value(resource, &entry.object)
}

#[cfg(test)]
mod tests;
