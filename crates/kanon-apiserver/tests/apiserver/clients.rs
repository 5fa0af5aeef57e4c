//! The `kube` crate as controllers use it: watchers, a controller with finalizers and server-side apply, leader election by
//! Lease; with the server gone and back again in between.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::SocketAddr,
    sync::Arc,
    time::Duration,
};

use futures_util::{StreamExt as _, TryStreamExt as _};
use jiff::{SignedDuration, Timestamp};
use k8s_openapi::{
    api::{
        coordination::v1::{Lease, LeaseSpec},
        core::v1::ConfigMap,
    },
    apimachinery::pkg::apis::meta::v1::MicroTime,
};
use kanon_apiserver::{Place, TestServer};
use kanon_cel::Cel;
use kanon_net::{Authority, Validity};
use kube::{
    Api, Client, Config, ResourceExt as _,
    api::{DeleteParams, ListParams, ObjectMeta, Patch, PatchParams, PostParams, WatchEvent, WatchParams},
    config::{KubeConfigOptions, Kubeconfig},
    runtime::{
        Controller, WatchStreamExt as _,
        controller::Action,
        finalizer::{self, Event},
        watcher,
    },
};
use serde_json::json;
use tempfile::TempDir;
use tokio::time::{Instant, interval, timeout};

use crate::world::LIMIT;

/// A server that may go and come back: the same folder, address and authority.
struct Returning {
    folder: TempDir,
    address: SocketAddr,
    authority: Arc<Authority>,
    server: Option<TestServer>,
    client: Client,
}

async fn start(folder: &TempDir, address: SocketAddr, authority: &Arc<Authority>) -> Result<TestServer, String> {
    let (place, authority) = (Place::Folder(folder.path().to_owned()), Arc::clone(authority));
    let adjust = |config: &mut kanon_apiserver::Config| {
        (config.place, config.listen, config.authority) = (place, address, authority);
    };
    TestServer::start_with(Arc::new(Cel::default()), adjust).await.map_err(|it| it.to_string())
}

impl Returning {
    async fn new() -> Returning {
        let validity = Validity::starting(Timestamp::now(), SignedDuration::from_hours(1));
        let authority = Arc::new(Authority::create("clients", validity).expect("made"));
        let folder = tempfile::tempdir().expect("a folder");
        let server = start(&folder, SocketAddr::from(([127, 0, 0, 1], 0)), &authority).await.expect("started");
        let file = Kubeconfig::from_yaml(&server.kubeconfig()).expect("a kubeconfig");
        let config = Config::from_custom_kubeconfig(file, &KubeConfigOptions::default()).await.expect("usable");
        let client = Client::try_from(config).expect("a client");
        let address = server.running().address();
        Returning { folder, address, authority, server: Some(server), client }
    }

    /// Stops the server in the middle of everything and starts it again, once its folder and address are free.
    async fn restart(&mut self) {
        drop(self.server.take());
        let end = Instant::now() + LIMIT;
        let mut tick = interval(Duration::from_millis(20));
        loop {
            tick.tick().await;
            match start(&self.folder, self.address, &self.authority).await {
                Ok(server) => {
                    self.server = Some(server);
                    return;
                }
                Err(problem) => assert!(Instant::now() < end, "does not start again: {problem}"),
            }
        }
    }

    fn maps(&self) -> Api<ConfigMap> {
        Api::namespaced(self.client.clone(), "default")
    }
}

fn map(name: &str, label: &str) -> ConfigMap {
    let labels = BTreeMap::from([("set".to_owned(), label.to_owned())]);
    let metadata = ObjectMeta { name: Some(name.to_owned()), labels: Some(labels), ..ObjectMeta::default() };
    ConfigMap { metadata, ..ConfigMap::default() }
}

/// Asks until the answer is as wanted.
async fn until<F: Future<Output = bool>>(what: &str, mut ask: impl FnMut() -> F) {
    let wait = async {
        let mut tick = interval(Duration::from_millis(20));
        loop {
            tick.tick().await;
            if ask().await {
                return;
            }
        }
    };
    timeout(LIMIT, wait).await.unwrap_or_else(|_| panic!("never: {what}"));
}

#[tokio::test(flavor = "multi_thread")]
async fn watchers_go_on_when_the_server_comes_back() {
    let mut place = Returning::new().await;
    let maps = place.maps();
    for strategy in [watcher::Config::default(), watcher::Config::default().streaming_lists()] {
        let label = if strategy.initial_list_strategy == watcher::InitialListStrategy::ListWatch { "a" } else { "b" };
        let config = strategy.labels(&format!("set={label}"));
        let mut seen = Box::pin(watcher(maps.clone(), config).default_backoff().applied_objects());
        let names = [format!("{label}1"), format!("{label}2"), format!("{label}3")];
        maps.create(&PostParams::default(), &map(&names[0], label)).await.expect("created");
        let mut found = BTreeSet::new();
        let mut step = 0;
        let collect = async {
            while found.len() < names.len() {
                // Errors while the server is away are the watcher's to mend.
                if let Some(Ok(object)) = seen.next().await {
                    found.insert(object.name_any());
                }
                if step == 0 && found.contains(&names[0]) {
                    step = 1;
                    maps.create(&PostParams::default(), &map(&names[1], label)).await.expect("created");
                }
                if step == 1 && found.contains(&names[1]) {
                    step = 2;
                    place.restart().await;
                    maps.create(&PostParams::default(), &map(&names[2], label)).await.expect("created");
                }
            }
        };
        timeout(LIMIT, collect).await.expect("everything is seen");
        assert_eq!(found, names.into_iter().collect());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_watch_resumes_where_it_was_across_a_restart() {
    let mut place = Returning::new().await;
    let maps = place.maps();
    let version =
        maps.list(&ListParams::default()).await.expect("listed").metadata.resource_version.expect("a version");
    maps.create(&PostParams::default(), &map("before", "r")).await.expect("created");
    place.restart().await;
    maps.create(&PostParams::default(), &map("after", "r")).await.expect("created");
    let params = WatchParams::default().labels("set=r");
    let mut events = Box::pin(maps.watch(&params, &version).await.expect("watched"));
    let mut names = Vec::new();
    let collect = async {
        while names.len() < 2 {
            match events.try_next().await.expect("no failure") {
                Some(WatchEvent::Added(object)) => names.push(object.name_any()),
                Some(WatchEvent::Bookmark(_)) => {}
                other => panic!("{other:?}"),
            }
        }
    };
    timeout(LIMIT, collect).await.expect("both are seen");
    assert_eq!(names, ["before", "after"]);
}

/// Keeps a copy of each labelled map, by server-side apply, and takes it away when its original goes.
async fn reconcile(object: Arc<ConfigMap>, maps: Arc<Api<ConfigMap>>) -> Result<Action, finalizer::Error<kube::Error>> {
    let copies = Arc::clone(&maps);
    finalizer::finalizer(&maps, "example.io/copy", object, |event| async move {
        match event {
            Event::Apply(original) => {
                let name = format!("copy-of-{}", original.name_any());
                let copy =
                    json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": original.data});
                copies.patch(&name, &PatchParams::apply("copier").force(), &Patch::Apply(copy)).await?;
            }
            Event::Cleanup(original) => {
                let name = format!("copy-of-{}", original.name_any());
                match copies.delete(&name, &DeleteParams::default()).await {
                    Ok(_) => {}
                    Err(kube::Error::Api(status)) if status.code == 404 => {}
                    Err(error) => return Err(error),
                }
            }
        }
        Ok(Action::await_change())
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_controller_with_finalizers_keeps_up_across_a_restart() {
    let mut place = Returning::new().await;
    let maps = place.maps();
    let controller = Controller::new(maps.clone(), watcher::Config::default().labels("set=copied"))
        .run(reconcile, |_, _, _| Action::requeue(Duration::from_millis(50)), Arc::new(maps.clone()))
        .for_each(|_| async {});
    let work = tokio::spawn(controller);
    let there = |name: &'static str| {
        let maps = maps.clone();
        move || {
            let maps = maps.clone();
            async move { matches!(maps.get_opt(name).await, Ok(Some(_))) }
        }
    };
    let gone = |name: &'static str| {
        let maps = maps.clone();
        move || {
            let maps = maps.clone();
            async move { matches!(maps.get_opt(name).await, Ok(None)) }
        }
    };
    maps.create(&PostParams::default(), &map("one", "copied")).await.expect("created");
    until("a copy of one", there("copy-of-one")).await;
    place.restart().await;
    maps.create(&PostParams::default(), &map("two", "copied")).await.expect("created");
    until("a copy of two", there("copy-of-two")).await;
    maps.delete("one", &DeleteParams::default()).await.expect("deleted");
    until("the copy of one goes", gone("copy-of-one")).await;
    until("one goes", gone("one")).await;
    let managers = maps.get("copy-of-two").await.expect("there").managed_fields().to_vec();
    assert!(managers.iter().any(|it| it.manager.as_deref() == Some("copier")), "{managers:?}");
    work.abort();
}

/// One attempt at a lease, as leader election does it: make it, renew it, or take it when it has run out.
async fn try_lead(leases: &Api<Lease>, me: &str, length: Duration) -> Result<bool, kube::Error> {
    let now = MicroTime(Timestamp::now());
    let spec = |transitions| LeaseSpec {
        holder_identity: Some(me.to_owned()),
        lease_duration_seconds: i32::try_from(length.as_secs()).ok(),
        renew_time: Some(now.clone()),
        acquire_time: Some(now.clone()),
        lease_transitions: Some(transitions),
        ..LeaseSpec::default()
    };
    let metadata = ObjectMeta { name: Some("leader".to_owned()), ..ObjectMeta::default() };
    let Some(mut lease) = leases.get_opt("leader").await? else {
        let lease = Lease { metadata, spec: Some(spec(0)) };
        leases.create(&PostParams::default(), &lease).await?;
        return Ok(true);
    };
    let held = lease.spec.take().unwrap_or_default();
    let is_mine = held.holder_identity.as_deref() == Some(me);
    let renewed = held.renew_time.map_or(Timestamp::UNIX_EPOCH, |it| it.0);
    let expires = renewed.saturating_add(SignedDuration::try_from(length).expect("short")).expect("soon");
    if !is_mine && expires > now.0 {
        return Ok(false);
    }
    let transitions = held.lease_transitions.unwrap_or_default();
    lease.spec = Some(spec(if is_mine { transitions } else { transitions + 1 }));
    // The version that was read goes along: of two who try at once one is refused.
    leases.replace("leader", &PostParams::default(), &lease).await?;
    Ok(true)
}

#[tokio::test(flavor = "multi_thread")]
async fn one_leads_at_a_time_and_another_follows_when_its_lease_runs_out() {
    let length = Duration::from_secs(1);
    let mut place = Returning::new().await;
    let leases: Api<Lease> = Api::namespaced(place.client.clone(), "default");
    // Both at once, many times: one of them.
    let (a, b) = tokio::join!(try_lead(&leases, "a", length), try_lead(&leases, "b", length));
    let leads = |it: &Result<bool, kube::Error>| matches!(it, Ok(true));
    assert!(leads(&a) != leads(&b), "{a:?} {b:?}");
    for refused in [a, b].into_iter().filter(|it| !leads(it)) {
        assert!(
            matches!(&refused, Ok(false)) || matches!(&refused, Err(kube::Error::Api(it)) if it.code == 409),
            "{refused:?}"
        );
    }
    let holder = |lease: Lease| lease.spec.and_then(|it| it.holder_identity).expect("held");
    let first = holder(leases.get("leader").await.expect("there"));
    let second = if first == "a" { "b" } else { "a" };
    place.restart().await;
    assert!(matches!(try_lead(&leases, &first, length).await, Ok(true)), "the leader goes on after a restart");
    assert!(matches!(try_lead(&leases, second, length).await, Ok(false)), "the other waits");
    let other = leases.clone();
    until("the other leads", || {
        let leases = other.clone();
        async move { matches!(try_lead(&leases, second, length).await, Ok(true)) }
    })
    .await;
    let lease = leases.get("leader").await.expect("there").spec.expect("a spec");
    assert_eq!((lease.holder_identity.as_deref(), lease.lease_transitions), (Some(second), Some(1)));
    assert!(matches!(try_lead(&leases, &first, length).await, Ok(false)), "the first one lost it");
}
