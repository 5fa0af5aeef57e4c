//! Where those objects stand of a kind of which nothing else is read: a namespace's, or the one of a name. A place is cheaper to watch
//! than a kind, and takes less rights.

use crate::{names::Kind, object::Object};

/// Objects of a kind in one namespace.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// Their kind, which has a namespace.
    pub kind: Kind,
    /// The namespace.
    pub namespace: String,
    /// The name of the only one that is meant; all of them where there is none.
    pub name: Option<String>,
}

impl Place {
    /// Whether an object stands there.
    pub fn has(&self, kind: &Kind, object: &Object) -> bool {
        self.kind == *kind
            && object.str_at(&["metadata", "namespace"]) == self.namespace
            && self.name.as_ref().is_none_or(|it| object.str_at(&["metadata", "name"]) == *it)
    }

    /// Whether whoever watches this sees the other, too.
    pub fn covers(&self, other: &Place) -> bool {
        let is_there = self.kind == other.kind && self.namespace == other.namespace;
        is_there && (self.name.is_none() || self.name == other.name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_a_namespace_or_one_object_of_it() {
        let kind = Kind::namespaced("", "v1", "ConfigMap", "configmaps");
        let place = |namespace: &str, name: Option<&str>| Place {
            kind: kind.clone(),
            namespace: namespace.to_owned(),
            name: name.map(str::to_owned),
        };
        let object = Object::parse(r#"{"metadata":{"namespace":"shop","name":"a"}}"#).unwrap();
        let cases = [
            (place("shop", None), true, true),
            (place("shop", Some("a")), true, false),
            (place("shop", Some("b")), false, false),
            (place("bar", None), false, false),
        ];
        for (it, has, covers) in cases {
            assert_eq!((it.has(&kind, &object), it.covers(&place("shop", None))), (has, covers), "{it:?}");
        }
        assert!(place("shop", None).covers(&place("shop", Some("a"))));
    }
}
