//! Resource quotas: what a namespace uses of them, and which writes do not fit any more (upstream: the admission plugin
//! `ResourceQuota` and its controller). The last thing that a write is asked, after all webhooks.
//!
//! What is used stands in the stored objects and nowhere else: a [`Ledger`] is a cache over them, and over the claims of writes
//! that are on their way. So two writes never fit into room for one, and what goes with an object is free again. What a quota's
//! status says is written from the ledger afterwards and decides nothing.

mod account;
mod bounds;
mod usage;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use jiff::Timestamp;
use kanon_core::{Node, Object, Operation};
use kanon_store::{Entry, Key, ListOptions, Memory, Revision};
use serde_json::{Map, Value, json};

use crate::{
    amounts::{self, Amounts},
    meta,
    resource::Registry,
    status::{ApiError, Result},
    write::{Context, Part},
};
use account::Account;
use usage::{collection_of, measure};

/// Where quotas are stored.
pub const PREFIX: &str = "core/resourcequotas/";
const DEFINITIONS: &str = "apiextensions.k8s.io/customresourcedefinitions/";
/// Events have never been counted.
const UNCOUNTED: &str = "core/events";

/// Knows what is used in the namespaces that have quotas.
#[derive(Debug, Default)]
pub struct Ledger {
    accounts: BTreeMap<String, Account>,
    /// How many claims there were.
    claims: u64,
}

/// What a write will use until its outcome stands in the store. Give it back to [`Ledger::release`] then, whatever the outcome.
#[derive(Debug)]
#[must_use = "what is not given back stays used"]
pub struct Claim {
    namespace: String,
    key: Key,
    id: u64,
}

/// Whether a write may use more of a quota than before: new objects, and changed ones of kinds whose use may grow. Others are
/// counted as they come.
pub fn concern(ctx: &Context<'_>, operation: Operation, part: Part) -> bool {
    let grows = || ["Service", "PersistentVolumeClaim"].iter().any(|it| ctx.resource.is_core(it));
    let is_asked = operation == Operation::Create || (operation == Operation::Update && grows());
    is_asked && part == Part::Object && ctx.resource.is_namespaced() && ctx.resource.prefix != UNCOUNTED
}

/// Whether a namespace has quotas: most have none, and whoever asks need not wait for a [`Ledger`].
pub fn is_bounded(memory: &Memory, namespace: &str) -> bool {
    // Most clusters have none at all, which is told at once.
    memory.count(PREFIX) > 0 && memory.count(&[PREFIX, namespace, "/"].concat()) > 0
}

impl Ledger {
    /// Claims what a finished write will use; none where that is no more than before. `old` is what stood there.
    ///
    /// # Errors
    /// 403 where it does not fit.
    pub fn charge(
        &mut self,
        memory: &Memory,
        ctx: &Context<'_>,
        object: &Value,
        old: Option<&Value>,
    ) -> Result<Option<Claim>> {
        let (namespace, name) = (ctx.address.object_namespace(), meta::text(object, "name"));
        let key = ctx.resource.key(namespace, name);
        let collection = format!("{}/", ctx.resource.prefix);
        let fact = |it: &Value| measure(&collection, &Object::from_value(it), ctx.now);
        let (fact, old) = (fact(object), old.map(fact));
        self.claims += 1;
        let id = self.claims;
        let Some(account) = self.account(memory, namespace, ctx.now) else { return Ok(None) };
        match account.claim(id, &key, fact, old.as_ref()) {
            Ok(true) => Ok(Some(Claim { namespace: namespace.to_owned(), key, id })),
            Ok(false) => Ok(None),
            Err(why) => Err(ApiError::forbidden(&ctx.resource.group_resource(), name, &why)),
        }
    }

    /// Takes a claim back.
    pub fn release(&mut self, claim: &Claim) {
        if let Some(account) = self.accounts.get_mut(&claim.namespace) {
            account.release(claim.id, &claim.key);
        }
    }

    /// The namespaces in which what is used of a quota may be another than at `seen`, or of all when there was no look yet.
    pub fn changed(&self, memory: &Memory, seen: Option<Revision>, now: Timestamp) -> BTreeSet<String> {
        let Some(seen) = seen.filter(|it| !memory.has_changed_since(DEFINITIONS, *it)) else { return all(memory) };
        let due = self.accounts.iter().filter(|(_, it)| it.deadline().is_some_and(|it| it < now));
        let mut changed: BTreeSet<String> = due.map(|(namespace, _)| namespace.clone()).collect();
        let collections = self.accounts.values().flat_map(|it| &it.collections).map(String::as_str);
        for collection in collections.chain([PREFIX]).collect::<BTreeSet<&str>>() {
            let Ok(events) = memory.events_since(collection, seen, usize::MAX) else { return all(memory) };
            let namespaces = events.iter().map(|it| it.entry.object.str_at(&["metadata", "namespace"]));
            let counted = |it: &&str| collection == PREFIX || self.accounts.contains_key(*it);
            changed.extend(namespaces.filter(counted).map(str::to_owned));
        }
        changed
    }

    /// The quotas of a namespace whose status is not what it should be, and what it should be.
    pub fn statuses(
        &mut self,
        memory: &Memory,
        registry: &Registry,
        namespace: &str,
        now: Timestamp,
    ) -> Vec<(Arc<Entry>, Value)> {
        let quotas = quotas(memory, namespace);
        let Some(account) = self.account(memory, namespace, now) else { return Vec::new() };
        let mut wrong = Vec::new();
        for (at, quota) in quotas.into_iter().enumerate() {
            let mut used = account.used(at);
            used.retain(|name, _| is_counted(registry, name));
            let told = |member: &str| amounts::read(quota.object.at(&["status", member]));
            let hard = account.bounds.get(at).map(|it| &it.hard);
            let is_right =
                hard.is_some_and(|it| amounts::is_same(it, &told("hard"))) && amounts::is_same(&used, &told("used"));
            if !is_right {
                let hard = quota.object.at(&["spec", "hard"]).map_or_else(|| json!({}), Node::to_value);
                wrong.push((quota, json!({"hard": hard, "used": shown(&used)})));
            }
        }
        wrong
    }

    /// When an object will use less without a change.
    pub fn deadline(&self) -> Option<Timestamp> {
        self.accounts.values().filter_map(Account::deadline).min()
    }

    /// The account of a namespace as of now; none without quotas.
    fn account(&mut self, memory: &Memory, namespace: &str, now: Timestamp) -> Option<&mut Account> {
        let quotas = quotas(memory, namespace);
        if quotas.is_empty() {
            self.accounts.remove(namespace);
            return None;
        }
        let account = self.accounts.entry(namespace.to_owned()).or_default();
        account.follow(memory, namespace, &quotas, now);
        Some(account)
    }
}

/// The quotas of a namespace, by name.
fn quotas(memory: &Memory, namespace: &str) -> Vec<Arc<Entry>> {
    // The current state is never compacted away.
    let page = memory.list(&[PREFIX, namespace, "/"].concat(), ListOptions::default());
    page.map(|it| it.entries).unwrap_or_default()
}

/// The namespaces that have quotas.
fn all(memory: &Memory) -> BTreeSet<String> {
    let page = memory.list(PREFIX, ListOptions::default());
    let entries = page.map(|it| it.entries).unwrap_or_default();
    entries.iter().map(|it| it.object.str_at(&["metadata", "namespace"]).to_owned()).collect()
}

/// Whether something is served that uses what is called so: of anything else no quota says how much is used.
fn is_counted(registry: &Registry, name: &str) -> bool {
    let Some(counted) = name.strip_prefix("count/") else { return collection_of(name).is_some() };
    let (plural, group) = counted.split_once('.').unwrap_or((counted, ""));
    let served = registry.preferred(group, plural);
    served.is_some_and(|it| it.is_namespaced() && it.allows("list") && it.prefix != UNCOUNTED)
}

fn shown(amounts: &Amounts) -> Value {
    let text = |(name, amount): (&String, _)| (name.clone(), Value::from(amounts::text(amount)));
    Value::Object(amounts.iter().map(|(name, amount)| text((name, *amount))).collect::<Map<_, _>>())
}

#[cfg(test)]
mod tests;
