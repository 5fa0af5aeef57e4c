//! What was acknowledged survives `kill -9` (the server runs in a child process, killed by its id).

use std::{
    fs,
    io::{BufRead as _, BufReader},
    path::Path,
    process::{Child, Command, Stdio},
    sync::Arc,
};

use bytes::Bytes;
use http::Request;
use http_body_util::{BodyExt as _, Full};
use kanon_apiserver::TestServer;
use kanon_cel::Cel;
use serde_json::{Value, json};

/// Set in the child: the folder of its store.
const FOLDER: &str = "KANON_TEST_DURABILITY_FOLDER";
/// The test that the child runs.
const CHILD: &str = "durability::child_that_writes_until_it_is_killed";
const MAPS: &str = "/api/v1/namespaces/default/configmaps";

/// The child's part: prints each name after its write was acknowledged. Does nothing when run as an ordinary test.
#[tokio::test(flavor = "multi_thread")]
async fn child_that_writes_until_it_is_killed() {
    let Some(folder) = std::env::var_os(FOLDER) else { return };
    let server = TestServer::start_in(Arc::new(Cel::default()), folder).await.expect("starts");
    let service = server.running().admin_service();
    let begin = server.running().storage().revision();
    for number in 0..100_000 {
        let name = format!("n{}-{number}", begin.0);
        let object = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}});
        let request = Request::post(MAPS).header("content-type", "application/json");
        let answer = service.handle(request.body(Full::<Bytes>::from(object.to_string())).expect("a request")).await;
        assert_eq!(answer.status().as_u16(), 201);
        println!("\nacknowledged {name}");
    }
}

/// Killed by its own id, whatever happens.
struct Killed(Child);

impl Drop for Killed {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn write_and_kill(folder: &Path, writes: usize) -> Vec<String> {
    let child = Command::new(std::env::current_exe().expect("this test"))
        .args([CHILD, "--exact", "--nocapture"])
        .env(FOLDER, folder)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn();
    let mut child = Killed(child.expect("runs"));
    let out = child.0.stdout.take().expect("piped");
    let lines = BufReader::new(out).lines().map_while(Result::ok);
    let names = lines.filter_map(|it| it.strip_prefix("acknowledged ").map(str::to_owned)).take(writes).collect();
    // SIGKILL: nothing is flushed, nothing is closed.
    child.0.kill().expect("killed");
    names
}

#[tokio::test(flavor = "multi_thread")]
async fn acknowledged_writes_survive_kill_9() {
    let folder = tempfile::tempdir().expect("a folder");
    let store = folder.path().join("state");
    let mut acknowledged = Vec::new();
    for writes in [1, 20, 60] {
        let names = write_and_kill(&store, writes);
        assert_eq!(names.len(), writes, "the child wrote");
        acknowledged.extend(names);
        let server = TestServer::start_in(Arc::new(Cel::default()), &store).await.expect("opens again");
        let request = Request::get(MAPS).body(Full::<Bytes>::default()).expect("a request");
        let answer = server.running().admin_service().handle(request).await;
        let body = answer.into_body().collect().await.expect("infallible").to_bytes();
        let list: Value = serde_json::from_slice(&body).expect("a list");
        let items = list["items"].as_array().expect("items");
        let versions = items.iter().filter_map(|it| it["metadata"]["resourceVersion"].as_str()?.parse::<u64>().ok());
        let newest = versions.max().unwrap_or_default();
        let reported = list["metadata"]["resourceVersion"].as_str().and_then(|it| it.parse().ok()).unwrap_or(0);
        assert!(reported >= newest, "versions never go back: {reported} < {newest}");
        for name in &acknowledged {
            assert!(items.iter().any(|it| it["metadata"]["name"] == name.as_str()), "lost {name}");
        }
        server.stop().await;
    }
}

#[tokio::test]
async fn a_store_in_use_or_damaged_is_a_clear_error() {
    let folder = tempfile::tempdir().expect("a folder");
    let server = TestServer::start_in(Arc::new(Cel::default()), folder.path()).await.expect("starts");
    let error = TestServer::start_in(Arc::new(Cel::default()), folder.path()).await.err().expect("in use");
    assert!(error.to_string().contains("in use by another process"), "{error}");
    server.stop().await;
    fs::write(folder.path().join("objects.redb"), "nonsense").expect("written");
    let error = TestServer::start_in(Arc::new(Cel::default()), folder.path()).await.err().expect("damaged");
    assert!(error.to_string().contains("objects.redb") && error.to_string().contains("damaged"), "{error}");
}
