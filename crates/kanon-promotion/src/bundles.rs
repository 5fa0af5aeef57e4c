//! Bundles by name, and by Pipeline from the newest to the oldest, both kept as they come and go.

use std::sync::Arc;

use crate::{
    bundle::Bundle,
    namespaced::{Key, Namespaced},
};

/// All Bundles. A copy costs nothing.
#[derive(Clone, Debug, Default)]
pub struct Bundles {
    by_name: Namespaced<Bundle>,
    /// By namespace and Pipeline, newest first.
    by_pipeline: Namespaced<Vec<Arc<Bundle>>>,
}

impl Bundles {
    /// The Bundle of this namespace and name.
    pub fn get(&self, key: &Key) -> Option<&Bundle> {
        self.by_name.get(key)
    }

    /// All, in the order of their keys.
    pub fn iter(&self) -> impl Iterator<Item = (&Key, &Bundle)> {
        self.by_name.iter()
    }

    /// The Bundles of a Pipeline, newest first.
    pub fn of_pipeline(&self, key: &Key) -> &[Arc<Bundle>] {
        self.by_pipeline.get(key).map(Vec::as_slice).unwrap_or_default()
    }

    /// Puts a Bundle in or takes it out; whether that changed anything.
    pub fn replace(&mut self, key: &Key, bundle: Option<Bundle>) -> bool {
        if self.get(key) == bundle.as_ref() {
            return false;
        }
        if let Some(before) = self.by_name.remove(key) {
            let pipeline = (key.0.clone(), before.pipeline.clone());
            let others = self.of_pipeline(&pipeline).iter().filter(|it| !Arc::ptr_eq(it, &before));
            let others: Vec<Arc<Bundle>> = others.cloned().collect();
            match others.is_empty() {
                true => _ = self.by_pipeline.remove(&pipeline),
                false => _ = self.by_pipeline.insert(pipeline, others),
            }
        }
        if let Some(bundle) = bundle {
            let bundle = Arc::new(bundle);
            let pipeline = (key.0.clone(), bundle.pipeline.clone());
            let mut all = self.of_pipeline(&pipeline).to_vec();
            let place = all.partition_point(|it| it.age_order() < bundle.age_order());
            all.insert(place, bundle.clone());
            self.by_pipeline.insert(pipeline, all);
            self.by_name.insert(key.clone(), bundle);
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// Whatever comes and goes, the index is what a look at everything finds.
        #[test]
        fn the_newest_comes_first(events in prop::collection::vec((0..5_u8, 0..2_u8, 0..4_i64, any::<bool>()), 0..60)) {
            let (mut bundles, mut plain) = (Bundles::default(), BTreeMap::new());
            for (name, pipeline, created, is_there) in events {
                let key = ("n".to_owned(), format!("b{name}"));
                let mut bundle = Bundle {
                    pipeline: format!("p{pipeline}"),
                    created: jiff::Timestamp::from_second(created).ok(),
                    ..Bundle::default()
                };
                Arc::make_mut(&mut bundle.input).name.clone_from(&key.1);
                let news = bundles.replace(&key, is_there.then(|| bundle.clone()));
                let before = if is_there { plain.insert(key, bundle.clone()) } else { plain.remove(&key) };
                prop_assert_eq!(news, before.as_ref() != is_there.then_some(&bundle));
            }
            for pipeline in ["p0", "p1"] {
                let mut want: Vec<_> = plain.values().filter(|it| it.pipeline == pipeline).collect();
                want.sort_by(|a, b| a.age_order().cmp(&b.age_order()));
                let got = bundles.of_pipeline(&("n".to_owned(), pipeline.to_owned()));
                prop_assert_eq!(got.iter().map(AsRef::as_ref).collect::<Vec<_>>(), want);
            }
            prop_assert_eq!(bundles.iter().count(), plain.len());
        }
    }
}
