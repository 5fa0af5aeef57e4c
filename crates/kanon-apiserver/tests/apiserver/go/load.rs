//! Writers of custom resources with a model of what they wrote: each write is tried until it is answered, whatever happens to the
//! server, so that the model is exact.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use kube::{
    Api, Client, ResourceExt as _,
    api::{DeleteParams, Patch, PatchParams, PostParams},
    core::{ApiResource, DynamicObject, GroupVersionKind},
};
use serde_json::{Value, json};
use tokio::{
    task::JoinHandle,
    time::{Instant, interval},
};

use super::list;
use crate::world::LIMIT;

const NAMESPACE: &str = "default";
const WRITERS: u64 = 4;
/// How much each writes at a time.
const WRITES: usize = 20;
/// How many sites each has at most.
const SITES: usize = 6;

/// A kind, with the name of its resource.
pub(super) fn resource(plural: &str, api_version: &str, kind: &str) -> ApiResource {
    let (group, version) = api_version.split_once('/').unwrap_or(("", api_version));
    ApiResource::from_gvk_with_plural(&GroupVersionKind::gvk(group, version, kind), plural)
}

/// What a site should be: its colour, its replicas.
type Wanted = BTreeMap<String, (String, u64)>;

/// The writers' model of everything, and their number of writes.
pub(super) struct Load {
    client: Client,
    wanted: Arc<Mutex<Wanted>>,
    written: Arc<AtomicUsize>,
    rounds: AtomicUsize,
}

/// Writers at work.
pub(super) struct Writing {
    writers: Vec<JoinHandle<()>>,
    written: Arc<AtomicUsize>,
    /// How many writes there are when half of this round is done.
    half: usize,
}

impl Writing {
    /// Waits until half of the writes are done.
    pub(super) async fn half(&self) {
        let (end, mut tick) = (Instant::now() + LIMIT, interval(Duration::from_millis(2)));
        while self.written.load(Ordering::Relaxed) < self.half {
            tick.tick().await;
            assert!(Instant::now() < end, "writes hang");
        }
    }

    /// Waits until all are done.
    pub(super) async fn end(self) {
        for writer in self.writers {
            writer.await.expect("writes");
        }
    }
}

fn next(state: &mut u64) -> u64 {
    // xorshift64
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    *state
}

struct Writer {
    number: u64,
    sites: Api<DynamicObject>,
    wanted: Arc<Mutex<Wanted>>,
    written: Arc<AtomicUsize>,
    state: u64,
}

impl Writer {
    fn names(&self) -> Vec<String> {
        let mine = format!("w{}-", self.number);
        let wanted = self.wanted.lock().unwrap_or_else(PoisonError::into_inner);
        wanted.keys().filter(|it| it.starts_with(&mine)).cloned().collect()
    }

    async fn work(mut self) {
        for _ in 0..WRITES {
            let names = self.names();
            let any = usize::try_from(next(&mut self.state) % 1000).expect("small");
            let chosen = (!names.is_empty()).then(|| names[any % names.len()].clone());
            match (next(&mut self.state) % 4, chosen) {
                (0, Some(name)) => self.delete(&name).await,
                (1 | 2, Some(name)) => self.change(&name).await,
                (_, Some(name)) if names.len() >= SITES => self.change(&name).await,
                _ => self.create().await,
            }
            self.written.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn choose(&mut self) -> (String, u64) {
        (format!("c{:x}", next(&mut self.state)), next(&mut self.state) % 3)
    }

    fn note(&self, name: &str, what: Option<(String, u64)>) {
        let mut wanted = self.wanted.lock().unwrap_or_else(PoisonError::into_inner);
        match what {
            Some(what) => wanted.insert(name.to_owned(), what),
            None => wanted.remove(name),
        };
    }

    /// A new site, under a name that may have been another's before.
    async fn create(&mut self) {
        let (colour, replicas) = self.choose();
        let mut name = format!("w{}-{}", self.number, next(&mut self.state) % 9);
        let (end, mut tick) = (Instant::now() + LIMIT, interval(Duration::from_millis(20)));
        loop {
            tick.tick().await;
            let site = json!({
                "apiVersion": "example.io/v1", "kind": "Site", "metadata": {"name": name},
                "spec": {"colour": colour, "replicas": replicas},
            });
            let site: DynamicObject = serde_json::from_value(site).expect("an object");
            let problem = match self.sites.create(&PostParams::default(), &site).await {
                Ok(_) => break,
                Err(kube::Error::Api(status)) if status.code == 409 => match self.sites.get_opt(&name).await {
                    // An earlier attempt, whose answer was lost.
                    Ok(Some(there)) if there.data["spec"]["colour"] == colour.as_str() => break,
                    // Another that is there, or still going away.
                    Ok(_) => {
                        name = format!("w{}-{:x}", self.number, next(&mut self.state));
                        continue;
                    }
                    Err(problem) => problem,
                },
                Err(problem) => problem,
            };
            assert!(Instant::now() < end && is_away(&problem), "creating {name}: {problem:?}");
        }
        self.note(&name, Some((colour, replicas)));
    }

    async fn change(&mut self, name: &str) {
        let (colour, replicas) = self.choose();
        let patch = Patch::Merge(json!({"spec": {"colour": colour, "replicas": replicas}}));
        let (end, mut tick) = (Instant::now() + LIMIT, interval(Duration::from_millis(20)));
        loop {
            tick.tick().await;
            match self.sites.patch(name, &PatchParams::default(), &patch).await {
                Ok(_) => break,
                Err(problem) => assert!(Instant::now() < end && is_away(&problem), "changing {name}: {problem:?}"),
            }
        }
        self.note(name, Some((colour, replicas)));
    }

    async fn delete(&self, name: &str) {
        let (end, mut tick) = (Instant::now() + LIMIT, interval(Duration::from_millis(20)));
        loop {
            tick.tick().await;
            match self.sites.delete(name, &DeleteParams::default()).await {
                Ok(_) => break,
                // An earlier attempt did it.
                Err(kube::Error::Api(status)) if status.code == 404 => break,
                Err(problem) => assert!(Instant::now() < end && is_away(&problem), "deleting {name}: {problem:?}"),
            }
        }
        self.note(name, None);
    }
}

/// No answer, which is what happens while there is no server; every other failure is one.
fn is_away(problem: &kube::Error) -> bool {
    !matches!(problem, kube::Error::Api(_))
}

impl Load {
    pub(super) fn new(client: Client) -> Load {
        Load { client, wanted: Arc::default(), written: Arc::default(), rounds: AtomicUsize::default() }
    }

    /// How much was written so far.
    pub(super) fn written(&self) -> usize {
        self.written.load(Ordering::Relaxed)
    }

    /// Writers begin.
    pub(super) fn begin(&self) -> Writing {
        let round = u64::try_from(self.rounds.fetch_add(1, Ordering::Relaxed)).expect("few");
        let writer = |number| Writer {
            number,
            sites: Api::namespaced_with(self.client.clone(), NAMESPACE, &resource("sites", "example.io/v1", "Site")),
            wanted: Arc::clone(&self.wanted),
            written: Arc::clone(&self.written),
            state: ((round << 8) | number).wrapping_add(1).wrapping_mul(0x9E37_79B9_7F4A_7C15),
        };
        let all = usize::try_from(WRITERS).expect("few") * WRITES;
        let half = self.written() + all / 2;
        let writers = (0..WRITERS).map(|number| tokio::spawn(writer(number).work())).collect();
        Writing { writers, written: Arc::clone(&self.written), half }
    }

    /// Objects of a kind in the writers' namespace, by name.
    async fn found(&self, plural: &str, version: &str, kind: &str) -> Result<BTreeMap<String, Value>, String> {
        let all = list(&self.client, plural, version, kind).await?.into_iter();
        let ours = all.filter(|it| it.namespace().as_deref() == Some(NAMESPACE));
        let named = ours.map(|it| (it.name_any(), serde_json::to_value(it).unwrap_or_default()));
        Ok(named.filter(|(name, _)| name != "kube-root-ca.crt").collect())
    }

    /// What the server has against what was wanted: each site seen, with its record, settings, deployment and pods, and nothing of
    /// those that are gone.
    pub(super) async fn compare(&self) -> Result<(), String> {
        let wanted = self.wanted.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let sites = self.found("sites", "example.io/v1", "Site").await?;
        let maps = self.found("configmaps", "v1", "ConfigMap").await?;
        let deployments = self.found("deployments", "apps/v1", "Deployment").await?;
        let pods = self.found("pods", "v1", "Pod").await?;
        let names = |of: &BTreeMap<String, Value>| of.keys().cloned().collect::<BTreeSet<String>>();
        let all: BTreeSet<String> = wanted.keys().cloned().collect();
        let with_records: BTreeSet<String> =
            all.iter().cloned().chain(all.iter().map(|it| format!("{it}-record"))).collect();
        for (what, found, wanted) in [
            ("sites", names(&sites), &all),
            ("maps", names(&maps), &with_records),
            ("deployments", names(&deployments), &all),
        ] {
            if found != *wanted {
                return Err(format!("{what}: {:?}", found.symmetric_difference(wanted).collect::<Vec<_>>()));
            }
        }
        for (name, (colour, replicas)) in &wanted {
            let (site, settings, record) = (&sites[name], &maps[name], &maps[&format!("{name}-record")]);
            let deployment = &deployments[name];
            let (uid, owner) =
                (&site["metadata"]["uid"], |it: &Value| it["metadata"]["ownerReferences"][0]["uid"].clone());
            let (colour, replicas) = (json!(colour), json!(replicas));
            let holds = [
                ("spec", site["spec"] == json!({"colour": colour, "replicas": replicas})),
                ("generation", site["status"]["observedGeneration"] == site["metadata"]["generation"]),
                ("status", site["status"]["colour"] == colour && site["status"]["replicas"] == replicas),
                ("record", record["data"] == json!({"uid": uid, "colour": colour})),
                ("settings", settings["data"]["colour"] == colour && owner(settings) == *uid),
                ("deployment", deployment["spec"]["replicas"] == replicas && owner(deployment) == *uid),
                (
                    "pods' template",
                    deployment["spec"]["template"]["spec"]["containers"][0]["env"][0]["value"] == colour,
                ),
            ];
            if let Some((what, _)) = holds.iter().find(|it| !it.1) {
                return Err(format!("{what} of {name} {colour} {replicas}: {site} {deployment}"));
            }
        }
        let running: u64 = wanted.values().map(|it| it.1).sum();
        let count = u64::try_from(pods.len()).expect("few");
        if count == running { Ok(()) } else { Err(format!("{count} pods, wanted {running}")) }
    }
}
