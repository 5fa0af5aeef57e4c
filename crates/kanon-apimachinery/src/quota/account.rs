//! The account of a namespace: its quotas, what its objects use of them, and what writes on their way will.
//!
//! INVARIANT: each sum is that of `items`: `stored` of what stands in the store, `held` of what claims add to that. An object
//! that is both counts once, with the greater of the two: whoever sees it stored while its claim is still held loses no room.

use std::{
    collections::{BTreeMap, BTreeSet},
    ops::Bound,
    sync::Arc,
};

use jiff::Timestamp;
use kanon_store::{Entry, EventKind, Key, ListOptions, Memory, Revision};

use super::{
    bounds::Bounds,
    usage::{Fact, measure},
};
use crate::amounts::{self, Amounts, minus, number, plus, text};

/// The account of one namespace.
#[derive(Debug, Default)]
pub(super) struct Account {
    pub(super) bounds: Vec<Bounds>,
    /// By quota.
    sums: Vec<Sum>,
    items: BTreeMap<Key, Item>,
    /// Objects that use less from a time on.
    leaving: BTreeSet<(Timestamp, Key)>,
    /// Where the objects are that count.
    pub(super) collections: BTreeSet<String>,
    seen: Option<Revision>,
}

/// One object.
#[derive(Debug, Default)]
struct Item {
    stored: Option<Fact>,
    /// What writes on their way will make of it.
    claims: BTreeMap<u64, Fact>,
}

#[derive(Debug, Default)]
struct Sum {
    stored: Amounts,
    held: Amounts,
}

impl Item {
    /// What it uses of a quota as it stands, and what claims add.
    fn shares(&self, bound: &Bounds) -> (Amounts, Amounts) {
        let stored = self.stored.as_ref().map(|it| bound.share(it)).unwrap_or_default();
        if self.claims.is_empty() {
            return (stored, Amounts::new());
        }
        let mut held = stored.clone();
        self.claims.values().for_each(|it| amounts::raise(&mut held, &bound.share(it)));
        amounts::subtract(&mut held, &stored);
        (stored, held)
    }

    fn is_empty(&self) -> bool {
        self.stored.is_none() && self.claims.is_empty()
    }
}

impl Account {
    /// Takes in what happened to the quotas and to what they count, up to now.
    pub(super) fn follow(&mut self, memory: &Memory, namespace: &str, quotas: &[Arc<Entry>], now: Timestamp) {
        let is_same = self.bounds.len() == quotas.len()
            && self.bounds.iter().zip(quotas).all(|(bound, quota)| bound.is_of(&quota.object));
        if !is_same {
            self.replace(quotas.iter().map(|it| Bounds::read(&it.object)).collect());
            self.seen = None;
        }
        if self.seen != Some(memory.revision()) {
            for collection in self.collections.clone() {
                self.catch_up(memory, &collection, namespace, now);
            }
            self.seen = Some(memory.revision());
        }
        while let Some((until, key)) = self.leaving.first().filter(|it| it.0 < now).cloned() {
            self.leaving.remove(&(until, key.clone()));
            let entry = memory.get(&key);
            self.store(&key, entry.as_deref(), now);
        }
    }

    /// When an object will use less without a change.
    pub(super) fn deadline(&self) -> Option<Timestamp> {
        self.leaving.first().map(|it| it.0)
    }

    /// Other quotas: everything is counted anew, and claims stay.
    fn replace(&mut self, bounds: Vec<Bounds>) {
        self.collections = bounds.iter().flat_map(Bounds::collections).collect();
        self.sums = bounds.iter().map(|_| Sum::default()).collect();
        self.bounds = bounds;
        self.leaving.clear();
        let claimed = std::mem::take(&mut self.items).into_iter().filter(|(_, item)| !item.claims.is_empty());
        for (key, Item { claims, .. }) in claimed {
            self.change(&key, |item| item.claims = claims);
        }
    }

    fn catch_up(&mut self, memory: &Memory, collection: &str, namespace: &str, now: Timestamp) {
        let prefix = [collection, namespace, "/"].concat();
        let events = self.seen.and_then(|seen| memory.events_since(&prefix, seen, usize::MAX).ok());
        if let Some(events) = events {
            for event in events {
                let entry = (event.kind != EventKind::Deleted).then_some(&*event.entry);
                self.store(&event.entry.key, entry, now);
            }
            return;
        }
        let known = self.items.range::<str, _>((Bound::Included(&*prefix), Bound::Unbounded)).map(|(key, _)| key);
        let gone: Vec<Key> = known.take_while(|it| it.as_str().starts_with(&prefix)).cloned().collect();
        gone.iter().for_each(|key| self.store(key, None, now));
        // The current state is never compacted away.
        let page = memory.list(&prefix, ListOptions::default());
        for entry in page.map(|it| it.entries).unwrap_or_default() {
            self.store(&entry.key, Some(&entry), now);
        }
    }

    /// What stands in the store under a key now.
    fn store(&mut self, key: &Key, entry: Option<&Entry>, now: Timestamp) {
        let fact = entry.map(|it| measure(key.collection(), &it.object, now));
        let before = self.items.get(key).and_then(|it| it.stored.as_ref()?.until);
        if let Some(until) = before {
            self.leaving.remove(&(until, key.clone()));
        }
        if let Some(until) = fact.as_ref().and_then(|it| it.until) {
            self.leaving.insert((until, key.clone()));
        }
        self.change(key, |item| item.stored = fact);
    }

    /// Changes an item and the sums with it.
    fn change(&mut self, key: &Key, change: impl FnOnce(&mut Item)) {
        let mut item = self.items.remove(key).unwrap_or_default();
        for (bound, sum) in self.bounds.iter().zip(&mut self.sums) {
            let (stored, held) = item.shares(bound);
            amounts::subtract(&mut sum.stored, &stored);
            amounts::subtract(&mut sum.held, &held);
        }
        change(&mut item);
        for (bound, sum) in self.bounds.iter().zip(&mut self.sums) {
            let (stored, held) = item.shares(bound);
            amounts::add(&mut sum.stored, &stored);
            amounts::add(&mut sum.held, &held);
        }
        if !item.is_empty() {
            self.items.insert(key.clone(), item);
        }
    }

    /// What is used of a quota: of each name that is bounded.
    pub(super) fn used(&self, at: usize) -> Amounts {
        let (Some(bound), Some(sum)) = (self.bounds.get(at), self.sums.get(at)) else { return Amounts::new() };
        let used = |name: &String| sum.stored.get(name).copied().unwrap_or_else(|| number(0));
        bound.hard.keys().map(|name| (name.clone(), used(name))).collect()
    }

    /// Claims what a write will add. Whether it adds anything.
    ///
    /// # Errors
    /// Why it does not fit, in upstream's words.
    pub(super) fn claim(&mut self, id: u64, key: &Key, fact: Fact, old: Option<&Fact>) -> Result<bool, String> {
        let selecting = || self.bounds.iter().zip(&self.sums).filter(|(bound, _)| bound.selects(&fact));
        for (bound, _) in selecting() {
            let unsaid = fact.pod.as_ref().and_then(|it| it.unsaid(|name| bound.hard.contains_key(name)));
            if let Some(unsaid) = unsaid {
                return Err(format!("failed quota: {}: {unsaid}", bound.name));
            }
        }
        let mut adds = false;
        for (bound, sum) in selecting() {
            let mut more = bound.share(&fact);
            if let Some(old) = old {
                amounts::subtract(&mut more, &bound.share(old));
            }
            more.retain(|_, amount| amount.sign() > 0);
            adds |= !more.is_empty();
            exceeded(bound, sum, &more)?;
        }
        if adds {
            self.change(key, |item| {
                item.claims.insert(id, fact);
            });
        }
        Ok(adds)
    }

    /// Takes a claim back.
    pub(super) fn release(&mut self, id: u64, key: &Key) {
        if self.items.get(key).is_some_and(|it| it.claims.contains_key(&id)) {
            self.change(key, |item| {
                item.claims.remove(&id);
            });
        }
    }
}

/// Refuses what does not fit: naming all of it that is too much.
fn exceeded(bound: &Bounds, sum: &Sum, more: &Amounts) -> Result<(), String> {
    let (mut requested, mut before, mut limited) = (Vec::new(), Vec::new(), Vec::new());
    for (name, amount) in more {
        let Some(hard) = bound.hard.get(name) else { continue };
        let of = |amounts: &Amounts| amounts.get(name).copied().unwrap_or_else(|| number(0));
        let used = plus(of(&sum.stored), of(&sum.held));
        if minus(plus(used, *amount), *hard).sign() > 0 {
            requested.push(format!("{name}={}", text(*amount)));
            before.push(format!("{name}={}", text(used)));
            limited.push(format!("{name}={}", text(*hard)));
        }
    }
    if requested.is_empty() {
        return Ok(());
    }
    let [requested, used, limited] = [requested, before, limited].map(|it| it.join(","));
    Err(format!("exceeded quota: {}, requested: {requested}, used: {used}, limited: {limited}", bound.name))
}
