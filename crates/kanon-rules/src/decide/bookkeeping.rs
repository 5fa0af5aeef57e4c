//! Updates that say nothing new about an object: those must never be denied, or a finalizer could not be removed from an
//! object that a newer rule forbids (spec/rules 4.7).

use kanon_core::{Node, NodeKind, Object};

/// Members of `metadata` that such an update may change: the two that the specification names, and those that the API
/// server itself rewrites with every update.
const FREE: &[&str] = &["finalizers", "ownerReferences", "managedFields", "resourceVersion", "generation"];

/// Whether the object is on its way out.
pub(super) fn is_being_deleted(object: &Object) -> bool {
    object.at(&["metadata", "deletionTimestamp"]).is_some_and(|it| !it.is_null())
}

/// Whether two states of an object differ in nothing but finalizers, owner references and status.
pub(super) fn changes_nothing_else(old: &Object, new: &Object) -> bool {
    let (old, new) = (old.root(), new.root());
    let metadata = || match (old.get("metadata"), new.get("metadata")) {
        (Some(old), Some(new)) => members_agree(old, new, FREE),
        (None, None) => true,
        _ => false,
    };
    members_agree(old, new, &["metadata", "status"]) && metadata()
}

/// Whether two objects have the same members, except for those that are free.
fn members_agree(a: Node<'_>, b: Node<'_>, free: &[&str]) -> bool {
    let holds = |a: Node<'_>, b: Node<'_>| {
        let mut bound = a.members().filter(|(key, _)| !free.contains(&&**key));
        bound.all(|(key, value)| b.get(&key).is_some_and(|other| same(value, other)))
    };
    // Both ways, so that a member missing on either side is seen.
    holds(a, b) && b.members().all(|(key, _)| free.contains(&&*key) || a.get(&key).is_some())
}

/// Whether two values are equal, whatever the order of members.
fn same(a: Node<'_>, b: Node<'_>) -> bool {
    match (a.kind(), b.kind()) {
        (NodeKind::Object, NodeKind::Object) => a.raw() == b.raw() || members_agree(a, b, &[]),
        (NodeKind::List, NodeKind::List) => {
            a.len() == b.len() && a.elements().zip(b.elements()).all(|(a, b)| same(a, b))
        }
        (NodeKind::String, NodeKind::String) => a.as_str() == b.as_str(),
        (NodeKind::Number, NodeKind::Number) => a.as_number() == b.as_number(),
        (a_kind, b_kind) => a_kind == b_kind && a.raw() == b.raw(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_bookkeeping_is_free() {
        let old =
            r#"{"metadata":{"name":"a","finalizers":["x"],"resourceVersion":"1"},"spec":{"a":1,"b":[1]},"status":{}}"#;
        let table = [
            (old, true),
            (r#"{"spec":{"b":[1],"a":1},"metadata":{"name":"a","resourceVersion":"2"},"status":{"n":1}}"#, true),
            (r#"{"metadata":{"name":"a","ownerReferences":[{}]},"spec":{"a":1,"b":[1]}}"#, true),
            (r#"{"metadata":{"name":"a","labels":{}},"spec":{"a":1,"b":[1]}}"#, false),
            (r#"{"metadata":{"name":"a"},"spec":{"a":2,"b":[1]}}"#, false),
            (r#"{"metadata":{"name":"a"},"spec":{"a":1,"b":[1,2]}}"#, false),
            (r#"{"metadata":{"name":"a"},"spec":{"a":1}}"#, false),
            (r#"{"metadata":{"name":"a"},"spec":{"a":1,"b":[1]},"data":{}}"#, false),
        ];
        let old = Object::parse(old).unwrap();
        for (new, want) in table {
            assert_eq!(changes_nothing_else(&old, &Object::parse(new).unwrap()), want, "{new}");
        }
    }
}
