//! A sorted map of objects whose copies share what they have in common: chunks behind counted pointers. A change copies one
//! chunk and the list of chunks, and only where a snapshot still holds them.

use std::{cmp::Ordering, sync::Arc};

use kanon_core::Object;

/// A chunk with more entries is cut in two.
const CHUNK_MAX: usize = 128;

#[derive(Clone)]
struct Entry {
    namespace: Arc<str>,
    name: Arc<str>,
    object: Object,
}

impl Entry {
    fn compare(&self, namespace: &str, name: &str) -> Ordering {
        (*self.namespace).cmp(namespace).then_with(|| (*self.name).cmp(name))
    }
}

/// Objects by namespace and name.
#[derive(Clone, Default)]
pub(super) struct Sorted {
    /// INVARIANT: no chunk is empty; entries are in order within chunks and across them.
    chunks: Arc<Vec<Arc<Vec<Entry>>>>,
    len: usize,
}

impl Sorted {
    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// Bytes of the objects.
    pub(super) fn memory(&self) -> usize {
        self.chunks.iter().flat_map(|it| it.iter()).map(|it| it.object.memory()).sum()
    }

    /// How many there are of a namespace: chunks in the midst of it are counted whole.
    pub(super) fn count(&self, namespace: &str) -> usize {
        let before = |it: &Entry| *it.namespace < *namespace;
        let within = |it: &Entry| *it.namespace <= *namespace;
        let place = |is_before: &dyn Fn(&Entry) -> bool| {
            let number = self.chunks.partition_point(|it| it.last().is_some_and(is_before));
            (number, self.chunks.get(number).map_or(0, |it| it.partition_point(is_before)))
        };
        let ((first, skipped), (last, rest)) = (place(&before), place(&within));
        let whole: usize = self.chunks.get(first..last).into_iter().flatten().map(|it| it.len()).sum();
        whole + rest - skipped
    }

    /// The first chunk that ends at this key or behind it.
    fn chunk(&self, namespace: &str, name: &str) -> usize {
        self.chunks.partition_point(|it| it.last().is_some_and(|it| it.compare(namespace, name) == Ordering::Less))
    }

    pub(super) fn get(&self, namespace: &str, name: &str) -> Option<&Object> {
        let chunk = self.chunks.get(self.chunk(namespace, name))?;
        let at = chunk.binary_search_by(|it| it.compare(namespace, name)).ok()?;
        chunk.get(at).map(|it| &it.object)
    }

    pub(super) fn insert(&mut self, namespace: &str, name: &str, object: Object) {
        // A key behind all others goes to the last chunk.
        let number = self.chunk(namespace, name).min(self.chunks.len().saturating_sub(1));
        let chunks = Arc::make_mut(&mut self.chunks);
        let Some(chunk) = chunks.get_mut(number) else {
            chunks.push(Arc::new(vec![Entry { namespace: namespace.into(), name: name.into(), object }]));
            self.len = 1;
            return;
        };
        let chunk = Arc::make_mut(chunk);
        match chunk.binary_search_by(|it| it.compare(namespace, name)) {
            Ok(at) => chunk[at].object = object,
            Err(at) => {
                // A neighbour of the same namespace lends its text.
                let near = [at.checked_sub(1), Some(at)].into_iter().flatten().filter_map(|it| chunk.get(it));
                let shared = near.map(|it| &it.namespace).find(|it| ***it == *namespace).cloned();
                let namespace = shared.unwrap_or_else(|| namespace.into());
                chunk.insert(at, Entry { namespace, name: name.into(), object });
                self.len += 1;
                if chunk.len() > CHUNK_MAX {
                    let rest = chunk.split_off(chunk.len() / 2);
                    chunks.insert(number + 1, Arc::new(rest));
                }
            }
        }
    }

    pub(super) fn remove(&mut self, namespace: &str, name: &str) {
        let number = self.chunk(namespace, name);
        let Some(chunk) = self.chunks.get(number) else { return };
        let Ok(at) = chunk.binary_search_by(|it| it.compare(namespace, name)) else { return };
        let chunks = Arc::make_mut(&mut self.chunks);
        let chunk = Arc::make_mut(&mut chunks[number]);
        chunk.remove(at);
        self.len -= 1;
        if chunk.is_empty() {
            chunks.remove(number);
        }
    }

    /// What follows this key, in order; all where there is none.
    pub(super) fn after<'s>(&'s self, last: Option<(&str, &str)>) -> impl Iterator<Item = &'s Object> + use<'s> {
        let (number, at) = match last {
            None => (0, 0),
            Some((namespace, name)) => {
                let number = self.chunk(namespace, name);
                let at = self
                    .chunks
                    .get(number)
                    .map_or(0, |chunk| chunk.partition_point(|it| it.compare(namespace, name) != Ordering::Greater));
                (number, at)
            }
        };
        let chunks = self.chunks.get(number..).unwrap_or_default();
        chunks.iter().flat_map(|it| it.iter()).skip(at).map(|it| &it.object)
    }

    /// The objects of a namespace, in order of name.
    pub(super) fn of_namespace<'s>(&'s self, namespace: &str) -> impl Iterator<Item = &'s Object> + use<'s> {
        let number = self.chunk(namespace, "");
        let chunks = self.chunks.get(number..).unwrap_or_default();
        let skip = chunks.first().map_or(0, |it| it.partition_point(|it| *it.namespace < *namespace));
        let wanted: Arc<str> = namespace.into();
        let entries = chunks.iter().flat_map(|it| it.iter()).skip(skip);
        entries.take_while(move |it| it.namespace == wanted).map(|it| &it.object)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    fn object(namespace: &str, name: &str, version: usize) -> Object {
        let text = format!(r#"{{"metadata":{{"namespace":"{namespace}","name":"{name}","v":{version}}}}}"#);
        Object::parse(text).unwrap()
    }

    proptest! {
        #[test]
        fn it_is_a_sorted_map(script in prop::collection::vec((0..4u8, 0..300u16, prop::bool::weighted(0.7)), 1..900)) {
            let mut model: BTreeMap<(String, String), Object> = BTreeMap::new();
            let (mut sorted, mut snapshot, mut then) = (Sorted::default(), Sorted::default(), BTreeMap::new());
            for (step, (namespace, name, insert)) in script.iter().enumerate() {
                let (namespace, name) = (format!("n{namespace}"), format!("o{name}"));
                if *insert {
                    let object = object(&namespace, &name, step);
                    sorted.insert(&namespace, &name, object.clone());
                    model.insert((namespace, name), object);
                } else {
                    sorted.remove(&namespace, &name);
                    model.remove(&(namespace, name));
                }
                if step == script.len() / 2 {
                    (snapshot, then) = (sorted.clone(), model.clone());
                }
            }
            for (sorted, model) in [(&sorted, &model), (&snapshot, &then)] {
                prop_assert_eq!(sorted.len(), model.len());
                prop_assert!(sorted.after(None).eq(model.values()));
                for namespace in ["n0", "n2", "n9"] {
                    let of = model.iter().filter(|it| it.0.0 == namespace).map(|it| it.1);
                    prop_assert!(sorted.of_namespace(namespace).eq(of.clone()));
                    prop_assert_eq!(sorted.count(namespace), of.count());
                }
                for key in [("n1", "o5"), ("n1", "o500"), ("n9", ""), ("", "")] {
                    let owned = (key.0.to_owned(), key.1.to_owned());
                    prop_assert_eq!(sorted.get(key.0, key.1), model.get(&owned));
                    let behind = model.range((std::ops::Bound::Excluded(owned), std::ops::Bound::Unbounded));
                    prop_assert!(sorted.after(Some(key)).eq(behind.map(|it| it.1)));
                }
            }
        }
    }
}
