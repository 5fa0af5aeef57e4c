//! What one decision can look up, and what it did: the object store as it would be if the request were stored, seen from the whole
//! cluster or from one namespace. A PortalRule gets the latter, and no expression leads out of it.

use std::{
    collections::BTreeSet,
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
};

use kanon_core::{GroupVersionKind, Kind, Object, ObjectRef, ReadEvidence, Scope, Selector};
use kanon_lang::EvalError;
use kanon_plane::{Live, LiveRead, Lookups};

use kanon_network::Kinds;

use super::{
    cluster::fail,
    picture::{Picture, Scene},
    resources::Resources,
};

use crate::facts::pod::PodShapes;

/// Live reads of one rule (spec/rules 2.7).
const LIVE_MAX: usize = 5;

/// Objects of one list that evidence names.
const EVIDENCE_MAX: usize = 32;

/// A question that was asked of the object store. Its answer may change with any object that it is about, there or not.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Query {
    /// For one object.
    Named { kind: GroupVersionKind, namespace: String, name: String },
    /// For all objects of a kind that match; of all namespaces when it is empty.
    Listed { kind: GroupVersionKind, namespace: String, selector: Selector },
    /// For the pods and policies of a namespace, as the network sees them.
    Network { namespace: String },
}

/// The object of a request, as if it were stored.
pub(crate) struct Overlay<'q> {
    pub kind: &'q GroupVersionKind,
    pub namespace: &'q str,
    pub name: &'q str,
    /// None where it is deleted.
    pub object: Option<&'q Object>,
}

/// What can be looked up, from one place.
pub(crate) struct Reader<'q> {
    lookups: &'q dyn Lookups,
    resources: &'q Resources,
    overlay: Option<Overlay<'q>>,
    network: Option<&'q Picture<'q>>,
    /// The namespace that it is confined to.
    home: Option<&'q str>,
    queries: Mutex<Vec<Query>>,
    /// Live reads of the rule that is asked.
    asked: Mutex<BTreeSet<LiveRead>>,
    /// Objects read, noted only while evidence is gathered.
    reads: Mutex<Vec<ReadEvidence>>,
    gathers: AtomicBool,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl<'q> Reader<'q> {
    /// Which kinds make pods.
    pub(crate) fn shapes(&self) -> &'q PodShapes {
        &self.resources.shapes
    }

    pub(crate) fn new(
        lookups: &'q dyn Lookups,
        resources: &'q Resources,
        overlay: Option<Overlay<'q>>,
        network: Option<&'q Picture<'q>>,
        home: Option<&'q str>,
    ) -> Reader<'q> {
        Reader {
            lookups,
            resources,
            overlay,
            network,
            home,
            queries: Mutex::default(),
            asked: Mutex::default(),
            reads: Mutex::default(),
            gathers: AtomicBool::new(false),
        }
    }

    /// What a plural means.
    pub(crate) fn kind(&self, plural: &str, version: Option<(&str, &str)>) -> Option<&'q Kind> {
        self.resources.named(plural, version)
    }

    /// A kind with its path.
    pub(crate) fn of_kind(&self, kind: &GroupVersionKind) -> Option<&'q Kind> {
        self.resources.kind(kind)
    }

    /// Whether a confined rule may see objects of a kind: those of its namespace, but no Secrets (spec/rules 1.10).
    pub(crate) fn sees(&self, kind: &Kind) -> bool {
        let is_secret = kind.gvk.group.is_empty() && kind.gvk.kind == "Secret";
        self.home.is_none() || (kind.scope == Scope::Namespaced && !is_secret)
    }

    /// Whether all objects of a kind are known, or are asked for.
    pub(crate) fn is_known(&self, kind: &Kind, live: bool) -> bool {
        (live && self.lookups.reads_live()) || self.lookups.is_synced(&kind.gvk)
    }

    /// The namespace that is really asked for.
    fn namespace<'n>(&self, kind: &Kind, namespace: &'n str) -> &'n str
    where
        'q: 'n,
    {
        match self.home {
            Some(home) => home,
            None if kind.scope == Scope::Cluster => "",
            None => namespace,
        }
    }

    /// One object. `live` asks the API server, where that is to be had.
    pub(crate) fn get(
        &self,
        kind: &Kind,
        namespace: &str,
        name: &str,
        live: bool,
    ) -> Result<Option<&'q Object>, EvalError> {
        let namespace = self.namespace(kind, namespace);
        let (found, live) = match &self.overlay {
            Some(it)
                if *it.kind == kind.gvk && it.name == name && (namespace.is_empty() || it.namespace == namespace) =>
            {
                (it.object, false)
            }
            _ => {
                let read =
                    || LiveRead::Named { kind: kind.clone(), namespace: namespace.to_owned(), name: name.to_owned() };
                match self.ask(live, &kind.plural, read)? {
                    Some(found) => (found.first(), true),
                    None => (self.lookups.get(&kind.gvk, namespace, name), false),
                }
            }
        };
        lock(&self.queries).push(Query::Named {
            kind: kind.gvk.clone(),
            namespace: namespace.to_owned(),
            name: name.to_owned(),
        });
        if self.gathers.load(Relaxed) {
            lock(&self.reads).push(ReadEvidence { live, ..read(kind, namespace, name, found) });
        }
        Ok(found)
    }

    /// The objects that match, in order of namespace and name; the request's own first. `live` as in [`Reader::get`].
    pub(crate) fn list(
        &self,
        kind: &Kind,
        namespace: &str,
        selector: Selector,
        live: bool,
    ) -> Result<Vec<&'q Object>, EvalError> {
        let namespace = self.namespace(kind, namespace);
        let mut found = Vec::new();
        let overlay = self.overlay.as_ref().filter(|it| *it.kind == kind.gvk);
        if let Some(Overlay { object: Some(object), namespace: of, .. }) = overlay
            && (namespace.is_empty() || *of == namespace)
            && selector.matches_object(object)
        {
            found.push(*object);
        }
        let replaced = |object: &Object| {
            overlay.is_some_and(|it| {
                it.name == object.str_at(&["metadata", "name"])
                    && it.namespace == object.str_at(&["metadata", "namespace"])
            })
        };
        let read_live =
            || LiveRead::Listed { kind: kind.clone(), namespace: namespace.to_owned(), selector: selector.clone() };
        let (stored, live) = match self.ask(live, &kind.plural, read_live)? {
            Some(found) => (found.iter().collect(), true),
            None => (self.lookups.list(&kind.gvk, namespace), false),
        };
        found.extend(stored.into_iter().filter(|it| !replaced(it) && selector.matches_object(it)));
        if self.gathers.load(Relaxed) {
            let mut reads = lock(&self.reads);
            if found.is_empty() {
                reads.push(ReadEvidence { live, ..read(kind, namespace, "", None) });
            }
            reads.extend(found.iter().take(EVIDENCE_MAX).map(|it| {
                let text = |name| it.str_at(&["metadata", name]);
                ReadEvidence { live, ..read(kind, text("namespace"), text("name"), Some(it)) }
            }));
        }
        lock(&self.queries).push(Query::Listed { kind: kind.gvk.clone(), namespace: namespace.to_owned(), selector });
        Ok(found)
    }

    /// What the API server says; `None` where it is not asked.
    fn ask(
        &self,
        live: bool,
        plural: &str,
        read: impl FnOnce() -> LiveRead,
    ) -> Result<Option<&'q [Object]>, EvalError> {
        if !live || !self.lookups.reads_live() {
            return Ok(None);
        }
        let read = read();
        let mut asked = lock(&self.asked);
        if asked.len() == LIVE_MAX && !asked.contains(&read) {
            return Err(fail(format!(
                "`{plural}` cannot be read: a rule may read {LIVE_MAX} times from the API server"
            )));
        }
        let answer = match self.lookups.live(&read) {
            None => Ok(None),
            // The decision is asked again; this answer counts for nothing.
            Some(Live::Wanted) => Err(fail(format!("`{plural}` have still to be read"))),
            Some(Live::Known(Ok(found))) => Ok(Some(found.as_slice())),
            Some(Live::Known(Err(problem))) => Err(fail(format!("`{plural}` cannot be read: {problem}"))),
        };
        asked.insert(read);
        answer
    }

    /// Whether the loop shows the network.
    pub(crate) fn shows_network(&self) -> bool {
        self.network.is_some()
    }

    /// A namespace of the network; a confined rule sees its own.
    pub(crate) fn scene(&self, name: &str) -> Option<&'q Scene> {
        if self.home.is_some_and(|home| home != name) {
            return None;
        }
        lock(&self.queries).push(Query::Network { namespace: name.to_owned() });
        self.network?.scene(name)
    }

    /// Notes, while evidence is gathered, objects that an answer about the network rests on.
    pub(crate) fn rests_on<'n>(&self, kind: &Kind, namespace: &str, names: impl IntoIterator<Item = &'n str>) {
        if !self.gathers.load(Relaxed) || self.home.is_some_and(|home| !namespace.is_empty() && home != namespace) {
            return;
        }
        let names = names.into_iter().take(EVIDENCE_MAX);
        let found = names.map(|it| read(kind, namespace, it, self.lookups.get(&kind.gvk, namespace, it)));
        lock(&self.reads).extend(found);
    }

    /// The same for policies.
    pub(crate) fn rests_on_policies<'n>(&self, namespace: &str, names: impl IntoIterator<Item = &'n str>) {
        self.rests_on(&Kinds::policy(), namespace, names);
    }

    /// What was asked since the last call: by one rule.
    pub(crate) fn queries(&self) -> Vec<Query> {
        lock(&self.asked).clear();
        std::mem::take(&mut *lock(&self.queries))
    }

    /// Notes the objects that `evaluate` reads; what it asks does not count as asked.
    pub(crate) fn gather<T>(&self, evaluate: impl FnOnce() -> T) -> (T, Vec<ReadEvidence>) {
        self.gathers.store(true, Relaxed);
        let result = evaluate();
        self.gathers.store(false, Relaxed);
        lock(&self.queries).clear();
        lock(&self.asked).clear();
        let mut reads = std::mem::take(&mut *lock(&self.reads));
        // A loop may ask the same over and over.
        let mut seen = BTreeSet::new();
        reads.retain(|it| seen.insert(it.object.clone()));
        (result, reads)
    }
}

fn read(kind: &Kind, namespace: &str, name: &str, found: Option<&Object>) -> ReadEvidence {
    let text = |path: &str| found.map(|it| it.str_at(&["metadata", path]).to_owned()).unwrap_or_default();
    let object =
        ObjectRef { gvk: kind.gvk.clone(), namespace: namespace.to_owned(), name: name.to_owned(), uid: text("uid") };
    ReadEvidence { object, resource_version: text("resourceVersion"), live: false }
}
