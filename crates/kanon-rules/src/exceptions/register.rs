//! All exceptions there are: their revisions, their ends, their statuses. An end is a deadline: the family is told of it once, publishes
//! the rules anew, and what was covered is asked about again.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use jiff::Timestamp;
use kanon_core::{Change, Delivery, Digest, ExceptionEvidence, Kind, Mono, Now, Object, PolicyRef, Scope};
use kanon_plane::{Applied, Outbox, PolicyKey, PolicyStore};
use serde_json::Value;

use super::{Exception, Listed, status::Resource, validate::validate};
use crate::{
    api,
    documents::file_of,
    index::{FOLDER, Rules},
};

/// How much exceptions cover is written no more often, and what could not be written is tried again after this.
const EVERY: Duration = Duration::from_secs(30);

/// See the module.
#[derive(Default)]
pub(crate) struct Register {
    store: PolicyStore<Exception>,
    /// What those in files are called.
    in_files: BTreeMap<PolicyKey, PolicyRef>,
    /// Those that have ended.
    over: BTreeSet<PolicyKey>,
    /// When others will.
    ends: BTreeSet<(Timestamp, PolicyKey)>,
    /// When the first of them does.
    due: Option<Mono>,
    /// Kinds of which every object that was there has arrived.
    arrived: BTreeSet<Kind>,
    resources: BTreeMap<PolicyKey, Resource>,
    /// How many violations each covers, as last counted.
    matched: BTreeMap<PolicyRef, u64>,
    counted: Option<Mono>,
    /// When they are counted, or statuses written, again.
    count_at: Option<Mono>,
}

impl Register {
    /// Takes in an object of one of the two kinds; whether what is in force may have changed.
    pub(crate) fn object(&mut self, kind: &Kind, change: Change, object: &Object, now: Now, out: &mut Outbox) -> bool {
        let text = |name: &str| object.str_at(&["metadata", name]).to_owned();
        let key = PolicyKey { origin: kind.gvk.kind.clone(), namespace: text("namespace"), name: text("name") };
        if change == Change::Deleted {
            self.resources.remove(&key);
            return self.forget(|it| *it == key);
        }
        let spec = object.at(&["spec"]).map(|it| it.to_value()).unwrap_or_default();
        let policy = PolicyRef {
            kind: key.origin.clone(),
            namespace: key.namespace.clone(),
            name: key.name.clone(),
            revision: String::new(),
        };
        let home = (kind.scope == Scope::Namespaced).then_some(key.namespace.as_str());
        let applied = self.apply(&key, &spec, policy, home, now);
        if applied == Applied::Unchanged && self.resources.get_mut(&key).is_some_and(|it| it.seen(object)) {
            return false;
        }
        let resource = Resource::new(kind, object);
        if applied == Applied::Broken
            && let Some(entry) = self.store.get(&key)
        {
            let problem = entry.problem.as_deref().unwrap_or_default();
            let message = format!("exception is not in force in this revision: {problem}");
            resource.announce("InvalidException", &message, &entry.revision.short(), out);
        }
        self.resources.insert(key, resource);
        true
    }

    /// Takes in a document of a file.
    pub(crate) fn document(&mut self, key: &PolicyKey, spec: &Value, home: Option<&str>, name: &str, now: Now) {
        let policy = PolicyRef {
            kind: FOLDER.to_owned(),
            namespace: home.unwrap_or_default().to_owned(),
            name: name.to_owned(),
            revision: String::new(),
        };
        self.in_files.insert(key.clone(), policy.clone());
        self.apply(key, spec, policy, home, now);
    }

    /// Forgets those in files that are not there any more, but for those of files that could not be read.
    pub(crate) fn retain_documents(&mut self, found: &BTreeSet<PolicyKey>, is_unread: impl Fn(&str) -> bool) {
        let stays = |it: &PolicyKey| it.origin != FOLDER || found.contains(it) || is_unread(file_of(it));
        self.in_files.retain(|key, _| stays(key));
        self.forget(|it| !stays(it));
    }

    fn apply(&mut self, key: &PolicyKey, spec: &Value, policy: PolicyRef, home: Option<&str>, now: Now) -> Applied {
        let text = format!("{}\0{}\0{spec}", home.unwrap_or_default(), policy.name);
        let checked = |revision: Digest| validate(spec, PolicyRef { revision: revision.short(), ..policy }, home);
        let applied = self.store.apply(key.clone(), text.as_bytes(), checked);
        if applied == Applied::Replaced {
            self.over.remove(key);
            self.ends.retain(|it| it.1 != *key);
            match self.store.get(key).and_then(|it| it.good.as_ref()?.expires()) {
                Some(at) if at <= now.wall => drop(self.over.insert(key.clone())),
                Some(at) => drop(self.ends.insert((at, key.clone()))),
                None => {}
            }
        }
        applied
    }

    fn forget(&mut self, is_gone: impl Fn(&PolicyKey) -> bool) -> bool {
        self.over.retain(|it| !is_gone(it));
        self.ends.retain(|it| !is_gone(&it.1));
        self.store.retain(|it| !is_gone(it))
    }

    /// All objects of a kind are here.
    pub(crate) fn synced(&mut self, kind: &Kind) {
        if api::is_exception(kind) {
            self.arrived.insert(kind.clone());
        }
    }

    /// Whether all exceptions are known.
    pub(crate) fn have_arrived(&self) -> bool {
        self.arrived.len() == 2
    }

    /// Ends those whose time has come; whether there were any.
    pub(crate) fn end(&mut self, now: Now, out: &mut Outbox) -> bool {
        let mut any = false;
        while self.ends.first().is_some_and(|it| it.0 <= now.wall) {
            let Some((at, key)) = self.ends.pop_first() else { break };
            if let Some(resource) = self.resources.get(&key) {
                let message = "the exception has ended: what it covered counts again";
                resource.announce("ExceptionExpired", message, &at.to_string(), out);
            }
            self.over.insert(key);
            any = true;
        }
        any
    }

    /// Notes when the next one ends, by the clock that deadlines go by.
    pub(crate) fn arm(&mut self, now: Now) {
        let left = |at: Timestamp| Duration::try_from(at.duration_since(now.wall)).unwrap_or_default();
        self.due = self.ends.first().map(|it| now.mono.after(left(it.0)));
    }

    pub(crate) fn next_deadline(&self) -> Option<Mono> {
        self.due.into_iter().chain(self.count_at).min()
    }

    /// Every exception, in the order in which they cover: the platform's first, then by namespace and name, wherever they are written.
    pub(crate) fn listed(&self) -> Vec<Listed> {
        let listed = self.store.iter().map(|(key, entry)| {
            let policy = self.in_files.get(key).cloned().unwrap_or_else(|| PolicyRef {
                kind: key.origin.clone(),
                namespace: key.namespace.clone(),
                name: key.name.clone(),
                revision: String::new(),
            });
            Listed {
                key: key.clone(),
                policy: PolicyRef { revision: entry.revision.short(), ..policy },
                exception: entry.good.clone(),
                problem: entry.problem.clone(),
                is_over: self.over.contains(key),
            }
        });
        let mut listed: Vec<_> = listed.collect();
        listed.sort_by(|a, b| {
            let order = |it: &Listed| (it.policy.namespace.clone(), it.policy.name.clone(), it.key.clone());
            order(a).cmp(&order(b))
        });
        listed
    }

    /// Another number of violations may be covered.
    pub(crate) fn recount(&mut self, now: Now) {
        let at = self.counted.map_or(now.mono, |it| it.after(EVERY).max(now.mono));
        self.count_at.get_or_insert(at);
    }

    /// Whether they are to be counted now.
    pub(crate) fn is_count_due(&self, now: Now) -> bool {
        self.count_at.is_some_and(|it| it <= now.mono)
    }

    /// Takes in by what violations are covered.
    pub(crate) fn count<'e>(&mut self, covered: impl Iterator<Item = &'e ExceptionEvidence>, now: Now) {
        (self.count_at, self.counted) = (None, Some(now.mono));
        self.matched.clear();
        for it in covered {
            let policy = PolicyRef { revision: String::new(), ..it.policy.clone() };
            *self.matched.entry(policy).or_default() += 1;
        }
    }

    /// Writes statuses that do not say what is so.
    pub(crate) fn plan(&mut self, rules: &Rules, now: Now, out: &mut Outbox) {
        for listed in rules.exceptions() {
            if let Some(resource) = self.resources.get_mut(&listed.key) {
                let policy = PolicyRef { revision: String::new(), ..listed.policy.clone() };
                let matched = self.matched.get(&policy).copied().unwrap_or_default();
                resource.plan(listed, rules.entries(), matched, now, out);
            }
        }
    }

    /// Nobody knows what the statuses say.
    pub(crate) fn distrust(&mut self, now: Now) {
        self.resources.values_mut().for_each(Resource::undelivered);
        self.count_at = Some(now.mono);
    }

    /// A write was given up: it is tried again in a while.
    pub(crate) fn undelivered(&mut self, delivery: &Delivery, now: Now) {
        if let Some(resource) = self.resources.values_mut().find(|it| it.subject == delivery.subject) {
            resource.undelivered();
            self.count_at = Some(now.mono.after(EVERY));
        }
    }
}
