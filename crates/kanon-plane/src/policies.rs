//! The policy store: policies are compiled when they change, never when they are used, and a broken one never replaces a
//! good one.

use std::{collections::BTreeMap, sync::Arc};

use kanon_core::Digest;

/// Where a policy comes from.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PolicyKey {
    /// `folder`, or the kind of the policy object.
    pub origin: String,
    /// Namespace of the object; empty otherwise.
    pub namespace: String,
    /// Name of the object, or path in the folder with the document's number.
    pub name: String,
}

/// One policy: the revision that is in force, and what is wrong with the newest one.
#[derive(Clone, Debug)]
pub struct PolicyEntry<P> {
    /// Digest of the newest text, good or broken.
    pub revision: Digest,
    /// The last revision that was good.
    pub good: Option<Arc<P>>,
    /// Why the newest revision is not in force.
    pub problem: Option<String>,
}

/// What an [`PolicyStore::apply`] did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Applied {
    /// The text was known; nothing was compiled.
    Unchanged,
    /// A new revision is in force.
    Replaced,
    /// The new revision is broken; the last good one, if any, stays in force.
    Broken,
}

/// All policies of a family, by key.
#[derive(Clone, Debug)]
pub struct PolicyStore<P> {
    entries: BTreeMap<PolicyKey, PolicyEntry<P>>,
}

impl<P> Default for PolicyStore<P> {
    fn default() -> Self {
        PolicyStore { entries: BTreeMap::new() }
    }
}

impl<P> PolicyStore<P> {
    /// Takes a policy's text in, calling `compile` only when the text is new.
    pub fn apply(&mut self, key: PolicyKey, text: &[u8], compile: impl FnOnce(Digest) -> Result<P, String>) -> Applied {
        let revision = Digest::of(&[text]);
        let last = self.entries.get(&key);
        if last.is_some_and(|it| it.revision == revision) {
            return Applied::Unchanged;
        }
        let good = last.and_then(|it| it.good.clone());
        let (entry, applied) = match compile(revision) {
            Ok(policy) => (PolicyEntry { revision, good: Some(Arc::new(policy)), problem: None }, Applied::Replaced),
            Err(problem) => (PolicyEntry { revision, good, problem: Some(problem) }, Applied::Broken),
        };
        self.entries.insert(key, entry);
        applied
    }

    /// Exchanges the policy in force for one of the same revision, which differs in what is no part of the revision; not while the
    /// newest revision is broken, since what is in force is of an older text then.
    pub fn amend(&mut self, key: &PolicyKey, amended: impl FnOnce(&P) -> Option<P>) {
        if let Some(PolicyEntry { good: Some(good), problem: None, .. }) = self.entries.get_mut(key)
            && let Some(policy) = amended(good)
        {
            *good = Arc::new(policy);
        }
    }

    /// Forgets a policy; whether it was there.
    pub fn remove(&mut self, key: &PolicyKey) -> bool {
        self.entries.remove(key).is_some()
    }

    /// Forgets every policy whose key does not pass; whether any went.
    pub fn retain(&mut self, keep: impl Fn(&PolicyKey) -> bool) -> bool {
        let before = self.entries.len();
        self.entries.retain(|key, _| keep(key));
        self.entries.len() < before
    }

    /// One policy.
    pub fn get(&self, key: &PolicyKey) -> Option<&PolicyEntry<P>> {
        self.entries.get(key)
    }

    /// All policies, in order of key.
    pub fn iter(&self) -> impl Iterator<Item = (&PolicyKey, &PolicyEntry<P>)> {
        self.entries.iter()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn broken_policy_keeps_the_last_good_one() {
        let key = PolicyKey { origin: "folder".into(), namespace: String::new(), name: "a.yaml#0".into() };
        let mut store = PolicyStore::default();
        assert_eq!(store.apply(key.clone(), b"1", |_| Ok(1)), Applied::Replaced);
        assert_eq!(store.apply(key.clone(), b"1", |_| panic!("compiled twice")), Applied::Unchanged);
        store.amend(&key, |it| Some(it + 10));
        assert_eq!(store.get(&key).unwrap().good.as_deref(), Some(&11));
        store.amend(&key, |_| Some(1));
        assert_eq!(store.apply(key.clone(), b"x", |_| Err("no number".into())), Applied::Broken);
        store.amend(&key, |_| panic!("what is in force is of another text"));
        let entry = store.get(&key).unwrap();
        assert_eq!((entry.good.as_deref(), entry.problem.as_deref()), (Some(&1), Some("no number")));
        assert_eq!(store.apply(key.clone(), b"2", |_| Ok(2)), Applied::Replaced);
        assert_eq!(store.get(&key).unwrap().problem, None);
        assert!(store.retain(|it| it.origin != "folder"));
        assert!(store.get(&key).is_none());
    }
}
