//! Manifests as requests: what the API server would make of an object, and ask admission about it.

use std::collections::BTreeSet;

use kanon_core::{GroupVersionKind, Object, Operation, Resource, Review, Scope, UserInfo};

/// Custom kinds whose objects have no namespace: group and kind.
pub(crate) type Clustered = BTreeSet<(String, String)>;

/// The admission request by which a user does something with an object.
pub(crate) fn request(object: Object, operation: Operation, user: UserInfo) -> Review {
    let kind = kind_of(&object);
    let text = |name: &str| object.str_at(&["metadata", name]).to_owned();
    let plural = kanon_kinds::by_kind(&kind).map(|it| it.plural.to_owned()).unwrap_or_default();
    let (namespace, name) = (text("namespace"), text("name"));
    let (new, old) = if operation == Operation::Delete { (None, Some(object)) } else { (Some(object), None) };
    Review {
        uid: String::new(),
        operation,
        resource: Resource { group: kind.group.clone(), version: kind.version.clone(), resource: plural },
        namespace,
        name,
        kind,
        sub_resource: String::new(),
        user,
        object: new,
        old_object: old,
        options: None,
        dry_run: true,
    }
}

/// The manifest as the API server hands it to admission: in a namespace where its kind has one, with the defaults of its kind.
pub(crate) fn as_stored(object: &Object, clustered: &Clustered, namespace: &str) -> Object {
    let kind = kind_of(object);
    let builtin = kanon_kinds::by_kind(&kind);
    let mut value = object.to_value();
    if let Some(kind) = builtin {
        kanon_kinds::default(kind, &mut value);
    }
    let is_namespaced = match builtin {
        Some(kind) => kind.scope == Scope::Namespaced,
        None => !clustered.contains(&(kind.group.clone(), kind.kind.clone())),
    };
    if let (true, Some(root)) = (is_namespaced, value.as_object_mut()) {
        let metadata = root.entry("metadata").or_insert_with(|| serde_json::json!({}));
        let own = metadata["namespace"].as_str().unwrap_or_default();
        if own.is_empty()
            && let Some(metadata) = metadata.as_object_mut()
        {
            metadata.insert("namespace".to_owned(), namespace.into());
        }
    }
    Object::from_value(&value)
}

/// An object's kind.
pub(crate) fn kind_of(object: &Object) -> GroupVersionKind {
    GroupVersionKind::from_api_version(object.str_at(&["apiVersion"]), object.str_at(&["kind"]))
}
