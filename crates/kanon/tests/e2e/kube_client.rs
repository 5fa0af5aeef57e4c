//! The `kube` crate as a second client: typed calls and its watcher.

use futures_util::TryStreamExt;
use k8s_openapi::api::core::v1::ConfigMap;
use kube::{
    Api, Client, Config, ResourceExt,
    api::{DeleteParams, Patch, PatchParams, PostParams},
    config::{KubeConfigOptions, Kubeconfig},
    runtime::watcher,
};

use crate::harness::{PATIENCE, Up};

async fn client(up: &Up) -> Client {
    let kubeconfig = Kubeconfig::read_from(up.kubeconfig()).expect("a kubeconfig");
    let config =
        Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default()).await.expect("a configuration");
    Client::try_from(config).expect("a client")
}

fn config_map(name: &str, value: &str) -> ConfigMap {
    let data = [("value".to_owned(), value.to_owned())].into();
    ConfigMap {
        metadata: kube::api::ObjectMeta { name: Some(name.into()), ..Default::default() },
        data: Some(data),
        ..Default::default()
    }
}

#[tokio::test]
async fn typed_calls_and_the_watcher_work() {
    let up = Up::start();
    let maps: Api<ConfigMap> = Api::namespaced(client(&up).await, "default");
    let made = maps.create(&PostParams::default(), &config_map("a", "1")).await.expect("created");
    assert!(made.uid().is_some() && made.resource_version().is_some());
    let stale = made.clone();
    let mut changed = made;
    changed.data = config_map("a", "2").data;
    maps.replace("a", &PostParams::default(), &changed).await.expect("replaced");
    let conflict = maps.replace("a", &PostParams::default(), &stale).await.expect_err("stale");
    assert!(matches!(&conflict, kube::Error::Api(status) if status.code == 409), "{conflict}");

    let mut events = std::pin::pin!(watcher(maps.clone(), watcher::Config::default().fields("metadata.name=b")));
    let apply = PatchParams::apply("test").force();
    let mut seen = Vec::new();
    let watch = async {
        while let Some(event) = events.try_next().await.expect("the watcher goes on") {
            match event {
                watcher::Event::InitDone => {
                    let mut b = config_map("b", "1");
                    maps.patch("b", &apply, &Patch::Apply(&b)).await.expect("applied");
                    b.data = config_map("b", "2").data;
                    maps.patch("b", &apply, &Patch::Apply(&b)).await.expect("applied");
                    let _ = maps.delete("b", &DeleteParams::default()).await.expect("deleted");
                }
                watcher::Event::Apply(map) => seen.push(map.data.unwrap_or_default()["value"].clone()),
                watcher::Event::Delete(_) => return,
                watcher::Event::Init | watcher::Event::InitApply(_) => {}
            }
        }
    };
    tokio::time::timeout(PATIENCE, watch).await.expect("every event comes");
    assert_eq!(seen, ["1", "2"]);
    let all: Vec<_> = maps.list(&Default::default()).await.expect("a list").items;
    assert!(all.iter().any(|it| it.name_any() == "a"));
}
