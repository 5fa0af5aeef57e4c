//! A model beside a real server that is killed (`kill -9`) again and again in the middle of random writes: what was acknowledged is
//! there, what was not is whole or absent, versions never go back, and a watch that resumes after the kill misses nothing, sees
//! nothing twice and nothing that did not happen.
//!
//! `KANON_KILLS` sets how often; `KANON_KILLS=1000 cargo test --release -p kanon-apiserver --test apiserver killed` runs for long.

use std::{
    collections::BTreeMap,
    io::{BufRead as _, BufReader},
    path::Path,
    process::{Command, Stdio},
    sync::Arc,
};

use bytes::Bytes;
use http::{Method, Request};
use http_body_util::{BodyExt as _, Full};
use kanon_apiserver::{ApiService, TestServer};
use kanon_cel::Cel;
use kanon_store::{Memory, Revision};
use serde_json::{Value, json};

/// Set in the child: the folder of its store, and the seed of its writes.
const FOLDER: &str = "KANON_TEST_KILLED_FOLDER";
const SEED: &str = "KANON_TEST_KILLED_SEED";
/// The version that a watcher of the life before had seen.
const SINCE: &str = "KANON_TEST_KILLED_SINCE";
/// The test that the child runs.
const CHILD: &str = "killed::child_that_writes_at_random_until_it_is_killed";
const MAPS: &str = "/api/v1/namespaces/default/configmaps";
const WRITERS: u64 = 4;
const KEYS: u64 = 5;

fn next(state: &mut u64) -> u64 {
    // xorshift64
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    *state
}

async fn ask(service: &ApiService, method: Method, path: &str, kind: &str, body: String) -> (u16, Value) {
    let request = Request::builder().method(method).uri(path).header("content-type", kind);
    let answer = service.handle(request.body(Full::<Bytes>::from(body)).expect("a request")).await;
    let code = answer.status().as_u16();
    let body = answer.into_body().collect().await.expect("infallible").to_bytes();
    (code, serde_json::from_slice(&body).unwrap_or_default())
}

/// The child's part: prints what it finds, then each write before it is asked for and after it is acknowledged. Each key has one
/// writer. Does nothing when run as an ordinary test.
#[tokio::test(flavor = "multi_thread")]
async fn child_that_writes_at_random_until_it_is_killed() {
    let Some(folder) = std::env::var_os(FOLDER) else { return };
    let seed: u64 = std::env::var(SEED).ok().and_then(|it| it.parse().ok()).unwrap_or(1);
    // Little history, so that commits remove rows as well.
    let server = TestServer::start_with(Arc::new(Cel::default()), |config| {
        config.place = kanon_apiserver::Place::Folder(folder.into());
        config.store.history_events = 40;
    })
    .await
    .expect("starts");
    let service = server.running().admin_service();
    let (_, list) = ask(&service, Method::GET, MAPS, "", String::new()).await;
    let mut out = format!("\nrevision {}\n", list["metadata"]["resourceVersion"].as_str().unwrap_or_default());
    for item in list["items"].as_array().into_iter().flatten() {
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let (name, version) = (text(&item["metadata"]["name"]), text(&item["metadata"]["resourceVersion"]));
        out.push_str(&format!("state {name} {} {version}\n", text(&item["data"]["v"])));
    }
    let since = std::env::var(SINCE).ok().and_then(|it| it.parse().ok()).unwrap_or_default();
    let events = |memory: &Memory| memory.events_since("core/configmaps/", Revision(since), usize::MAX);
    match server.running().storage().read(events) {
        Err(_) => out.push_str("gone\n"),
        Ok(events) => {
            for event in events {
                let object = event.entry.object.to_value();
                let text = |value: &Value| value.as_str().unwrap_or("-").to_owned();
                let (name, value) = (text(&object["metadata"]["name"]), text(&object["data"]["v"]));
                out.push_str(&format!("event {} {name} {value} {}\n", event.kind.as_str(), event.revision));
            }
        }
    }
    println!("{out}ready");
    let writers = (0..WRITERS).map(|writer| {
        let service = service.clone();
        tokio::spawn(async move {
            let mut state = (seed ^ (writer << 32)).wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
            for number in 0..100_000_u64 {
                let name = format!("w{writer}-k{}", next(&mut state) % KEYS);
                let (value, path) = (format!("{seed}-{number}"), format!("{MAPS}/{name}"));
                let filler = "x".repeat(usize::try_from(next(&mut state) % 3000).unwrap_or_default());
                let data = json!({"v": value, "filler": filler});
                let object = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": data});
                let (what, asked) = match next(&mut state) % 4 {
                    0 => ("delete", ask(&service, Method::DELETE, &path, "", String::new())),
                    1 => ("create", ask(&service, Method::POST, MAPS, "application/json", object.to_string())),
                    _ => {
                        let patch = json!({"data": data}).to_string();
                        ("patch", ask(&service, Method::PATCH, &path, "application/merge-patch+json", patch))
                    }
                };
                println!("\nbegin {name} {what} {value}");
                let (code, answer) = asked.await;
                let version = answer["metadata"]["resourceVersion"].as_str().unwrap_or("0").to_owned();
                println!("\nend {name} {code} {version}");
            }
        })
    });
    for writer in writers.collect::<Vec<_>>() {
        writer.await.expect("writes");
    }
}

/// What the server found after its start: values and versions by name.
type Found = BTreeMap<String, (String, u64)>;

/// What is known of one key.
#[derive(Clone, Debug, Default)]
struct Known {
    /// The acknowledged value.
    value: Option<String>,
    /// What a write that was not acknowledged may have made of it.
    perhaps: Option<Option<String>>,
}

#[derive(Debug, Default)]
struct Model {
    keys: BTreeMap<String, Known>,
    /// The highest version that anybody was told.
    version: u64,
    /// Acknowledged puts: version, name, value.
    puts: Vec<(u64, String, String)>,
    /// What a watcher that resumes after the last of the puts but some sees: `None` where that is gone.
    seen: Option<Vec<Event>>,
    resumed: usize,
    acknowledged: usize,
    kills: usize,
}

/// An event of a watch that resumed.
#[derive(Clone, Debug, PartialEq)]
struct Event {
    kind: String,
    name: String,
    value: String,
    version: u64,
}

impl Model {
    /// Where a watcher stands that has fallen a little behind.
    fn since(&self) -> u64 {
        self.puts.iter().rev().nth(9).map_or(0, |it| it.0)
    }

    /// Takes a line of the child in.
    fn line(&mut self, line: &str, found: &mut Found) {
        let words: Vec<&str> = line.split(' ').collect();
        match words[..] {
            ["revision", version] => {
                let version: u64 = version.parse().expect("a version");
                assert!(version >= self.version, "versions went back: {version} after {}", self.version);
            }
            ["state", name, value, version] => {
                let version = version.parse().expect("a version");
                found.insert(name.to_owned(), (value.to_owned(), version));
                self.version = self.version.max(version);
            }
            ["gone"] => self.seen = None,
            ["event", kind, name, value, version] => {
                let (kind, name, value) = (kind.to_owned(), name.to_owned(), value.to_owned());
                let event = Event { kind, name, value, version: version.parse().expect("a version") };
                self.seen.get_or_insert_default().push(event);
            }
            ["ready"] => {
                self.check_watch();
                self.compare(found);
            }
            ["begin", name, what, value] => {
                let known = self.keys.entry(name.to_owned()).or_default();
                known.perhaps = match (what, &known.value) {
                    ("delete", Some(_)) => Some(None),
                    ("create", None) | ("patch", Some(_)) => Some(Some(value.to_owned())),
                    _ => None,
                };
            }
            ["end", name, code, version] => {
                let known = self.keys.entry(name.to_owned()).or_default();
                let code: u16 = code.parse().expect("a code");
                match known.perhaps.take() {
                    Some(value) => {
                        assert!(code == 200 || code == 201, "{line}");
                        if let Some(value) = &value {
                            self.puts.push((version.parse().expect("a version"), name.to_owned(), value.clone()));
                        }
                        known.value = value;
                        self.acknowledged += 1;
                    }
                    None => assert!(code == 404 || code == 409, "{line}"),
                }
                self.version = self.version.max(version.parse().expect("a version"));
            }
            _ => {}
        }
    }

    /// What a watcher sees that resumes where it was before the kill.
    fn check_watch(&mut self) {
        self.puts.sort();
        let since = self.since();
        let Some(seen) = self.seen.take().filter(|_| since > 0) else { return };
        self.resumed += 1;
        assert!(seen.windows(2).all(|pair| pair[0].version < pair[1].version), "each once, in order: {seen:?}");
        for (version, name, value) in self.puts.iter().filter(|it| it.0 > since) {
            let event = seen.iter().find(|it| it.version == *version);
            let matches = event.is_some_and(|it| it.kind != "DELETED" && it.name == *name && it.value == *value);
            assert!(matches, "{name} became {value} at {version}: {event:?} of {seen:?}");
        }
        for event in seen.iter().filter(|it| it.kind != "DELETED" && it.name.starts_with('w')) {
            let acknowledged = self.puts.iter().any(|it| it.0 == event.version);
            let perhaps = self.keys.get(&event.name).and_then(|it| it.perhaps.clone()).flatten();
            assert!(acknowledged || perhaps.as_ref() == Some(&event.value), "nobody wrote {event:?}");
        }
    }

    /// What the server found after its start against what it had said before.
    fn compare(&mut self, found: &Found) {
        for (name, known) in &mut self.keys {
            let (value, version) = found.get(name).cloned().unzip();
            let fits = value == known.value || known.perhaps.as_ref() == Some(&value);
            assert!(fits, "after {} kills {name} is {value:?}, and was {known:?}", self.kills);
            // A write that nobody heard of counts from now on.
            if let (Some(version), Some(value), true) = (version, &value, value != known.value) {
                self.puts.push((version, name.clone(), value.clone()));
            }
            *known = Known { value, perhaps: None };
        }
        let unknown: Vec<&String> =
            found.keys().filter(|it| it.starts_with('w') && !self.keys.contains_key(*it)).collect();
        assert!(unknown.is_empty(), "nobody wrote {unknown:?}");
    }
}

/// Runs a child until it said so many lines, kills it, and takes in all that it said.
fn round(folder: &Path, seed: u64, lines: usize, model: &mut Model) {
    model.puts.sort();
    let mut child = Command::new(std::env::current_exe().expect("this test"))
        .args([CHILD, "--exact", "--nocapture"])
        .env(FOLDER, folder)
        .env(SEED, seed.to_string())
        .env(SINCE, model.since().to_string())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("runs");
    let mut out = BufReader::new(child.stdout.take().expect("piped"));
    let (mut found, mut said, mut is_ready) = (BTreeMap::new(), 0, false);
    let mut line = String::new();
    // The last line may be cut off by the kill: it has no end then, and does not count.
    while out.read_line(&mut line).unwrap_or_default() > 0 && line.ends_with('\n') {
        let text = line.trim_end();
        is_ready |= text == "ready";
        said += usize::from(is_ready);
        model.line(text, &mut found);
        line.clear();
        if said == lines {
            // SIGKILL, by its own id: nothing is flushed, nothing is closed.
            child.kill().expect("killed");
        }
    }
    child.wait().expect("ended");
    assert!(is_ready, "the server starts after {} kills", model.kills);
    model.kills += 1;
}

#[test]
fn a_server_that_is_killed_again_and_again_keeps_its_word() {
    let kills = std::env::var("KANON_KILLS").ok().and_then(|it| it.parse().ok()).unwrap_or(5);
    let folder = tempfile::tempdir().expect("a folder");
    let mut model = Model::default();
    let mut state = 0x2545_F491_4F6C_DD1D;
    for number in 1..=kills {
        // Some die right after their start, some in the middle of much.
        let lines = usize::try_from(1 + next(&mut state) % 600).expect("small");
        round(&folder.path().join("state"), number, lines, &mut model);
    }
    let Model { kills: done, acknowledged, resumed, version, .. } = &model;
    println!("{done} kills, {acknowledged} acknowledged writes, {resumed} watches resumed, version {version}");
    assert!(*resumed > 0, "history reaches back at least once");
    assert!(model.acknowledged as u64 > kills * 10, "too little was written to prove anything");
}
