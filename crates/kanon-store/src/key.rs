//! Where an object lives: a path of text, ordered by its bytes, so that one kind lists by namespace, then name.

use std::{borrow::Borrow, fmt, sync::Arc};

/// `<group or core>/<plural>/<namespace>/<name>`, or without the namespace for cluster-wide kinds. Cheap to clone.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key(Arc<str>);

impl Key {
    /// The key of `name` in `prefix` (`apps/deployments`); an empty `namespace` means a cluster-wide kind.
    pub fn new(prefix: &str, namespace: &str, name: &str) -> Key {
        let text = if namespace.is_empty() {
            [prefix, "/", name].concat()
        } else {
            [prefix, "/", namespace, "/", name].concat()
        };
        Key(text.into())
    }

    /// A key from its text, as in a page's `after`.
    pub(crate) fn from_text(text: &str) -> Key {
        Key(text.into())
    }

    /// The whole text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The collection the key belongs to: its first two segments with both slashes (`apps/deployments/`).
    pub fn collection(&self) -> &str {
        collection(&self.0)
    }
}

/// The part of a key or prefix that names a collection; a prefix with fewer than two slashes is returned whole and
/// covers every collection that begins with it.
pub(crate) fn collection(text: &str) -> &str {
    let mut slashes = text.bytes().enumerate().filter(|(_, byte)| *byte == b'/').map(|(at, _)| at);
    slashes.nth(1).and_then(|at| text.get(..=at)).unwrap_or(text)
}

/// The least text that is greater than all that begin with `prefix`; None where there is no end.
pub(crate) fn end_of(prefix: &str) -> Option<String> {
    // UTF-8 sorts as its characters do.
    prefix.char_indices().rev().find_map(|(at, last)| {
        let next = (u32::from(last) + 1..=u32::from(char::MAX)).find_map(char::from_u32)?;
        let mut end = prefix.get(..at)?.to_owned();
        end.push(next);
        Some(end)
    })
}

impl Borrow<str> for Key {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Key {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.0)
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_of_a_prefix_is_the_next_text_without_it() {
        for (prefix, want) in [
            ("", None),
            ("core/pods/", Some("core/pods0")),
            ("a\u{d7ff}", Some("a\u{e000}")),
            ("a\u{10ffff}", Some("b")),
            ("\u{10ffff}", None),
        ] {
            assert_eq!(end_of(prefix).as_deref(), want, "{prefix}");
        }
    }

    #[test]
    fn keys_name_their_collection() {
        let namespaced = Key::new("apps/deployments", "shop", "cart");
        assert_eq!((namespaced.as_str(), namespaced.collection()), ("apps/deployments/shop/cart", "apps/deployments/"));
        let cluster_wide = Key::new("core/nodes", "", "worker");
        assert_eq!((cluster_wide.as_str(), cluster_wide.collection()), ("core/nodes/worker", "core/nodes/"));
        for (prefix, want) in
            [("", ""), ("apps/", "apps/"), ("apps/deployments", "apps/deployments"), ("a/b/c/", "a/b/")]
        {
            assert_eq!(collection(prefix), want);
        }
    }
}
