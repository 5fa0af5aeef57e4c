//! Linearizability of single objects over HTTP: what concurrent clients saw has an order in which each saw the truth. Versions give
//! that order, so that checking it needs no search.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
};

use http::{Method, Request};
use http_body_util::Full;
use kanon_net::{HttpsClient, Trust, tls_client_config};
use serde_json::{Value, json};

use crate::world::{LIMIT, World};

const MAPS: &str = "/api/v1/namespaces/default/configmaps";
const CLIENTS: u64 = 8;
const STEPS: u64 = 60;
const KEYS: u64 = 3;

/// What a call came to.
#[derive(Clone, Debug)]
enum Saw {
    /// A write that happened: its version, the version that it replaced if it named one, the value; none for a deletion.
    Wrote { version: u64, over: Option<u64>, value: Option<String> },
    /// A state that was read.
    Read { version: u64, value: String },
    /// There was nothing.
    Absent,
    /// There was something, where nothing was expected.
    Present,
    /// The object had another version than this.
    Moved(u64),
}

/// One call: from when to when, and what came of it.
#[derive(Clone, Debug)]
struct Call {
    begin: u64,
    end: u64,
    saw: Saw,
}

/// One state of a key: the write that made it.
#[derive(Debug)]
struct State<'c> {
    begin: u64,
    end: u64,
    version: u64,
    value: Option<&'c str>,
}

/// Checks all calls of one key. The error says which call saw what cannot have been.
fn check(calls: &[Call]) -> Result<(), String> {
    let mut writes: Vec<(&Call, u64, Option<u64>, Option<&str>)> = Vec::new();
    for call in calls {
        if let Saw::Wrote { version, over, value } = &call.saw {
            writes.push((call, *version, *over, value.as_deref()));
        }
    }
    writes.sort_by_key(|it| it.1);
    let mut states = vec![State { begin: 0, end: 0, version: 0, value: None }];
    for (call, version, over, value) in writes {
        let last = states.last().ok_or("no first state")?;
        if version == last.version {
            return Err(format!("two writes have version {version}"));
        }
        if over.is_some_and(|over| over != last.version || last.value.is_none()) {
            return Err(format!("{call:?} replaced {over:?}, but the state was {last:?}"));
        }
        states.push(State { begin: call.begin, end: call.end, version, value });
    }
    // A write that ended before another began is before it.
    let mut earliest_end = u64::MAX;
    for state in states.iter().rev() {
        if earliest_end < state.begin {
            return Err(format!("{state:?} is ordered before a write that ended before it began"));
        }
        earliest_end = earliest_end.min(state.end);
    }
    // Whether the state at this place can have been there at some moment of a call.
    let overlaps = |call: &Call, at: usize| {
        let next_end = states.get(at + 1).map_or(u64::MAX, |it| it.end);
        states[at].begin < call.end && next_end > call.begin
    };
    for call in calls {
        let fits = |state: &State<'_>| match &call.saw {
            Saw::Wrote { .. } => true,
            Saw::Read { version, value } => state.version == *version && state.value == Some(value.as_str()),
            Saw::Absent => state.value.is_none(),
            Saw::Present => state.value.is_some(),
            Saw::Moved(version) => state.version != *version,
        };
        if !(0..states.len()).any(|at| fits(&states[at]) && overlaps(call, at)) {
            return Err(format!("{call:?} saw what was not there: {states:?}"));
        }
    }
    Ok(())
}

#[test]
fn the_checker_sees_lies() {
    let call = |begin, end, saw| Call { begin, end, saw };
    let wrote = |version, over, value: Option<&str>| Saw::Wrote { version, over, value: value.map(str::to_owned) };
    let read = |version, value: &str| Saw::Read { version, value: value.to_owned() };
    let create = call(1, 4, wrote(7, None, Some("a")));
    let update = call(5, 8, wrote(9, Some(7), Some("b")));
    for (last, want) in [
        (call(6, 7, read(7, "a")), true),
        (call(6, 7, read(9, "b")), true),
        (call(9, 10, read(7, "a")), false),
        (call(2, 3, read(9, "b")), false),
        (call(9, 10, read(9, "a")), false),
        (call(2, 3, Saw::Absent), true),
        (call(5, 6, Saw::Absent), false),
        (call(9, 10, Saw::Moved(9)), false),
        (call(9, 10, Saw::Moved(7)), true),
        (call(0, 1, Saw::Present), false),
        (call(9, 12, wrote(8, Some(7), Some("c"))), false),
        (call(9, 12, wrote(10, Some(7), Some("c"))), false),
        (call(9, 12, wrote(10, Some(9), None)), true),
        (call(1, 3, wrote(10, None, None)), false),
    ] {
        let calls = [create.clone(), update.clone(), last];
        assert_eq!(check(&calls).is_ok(), want, "{:?}", calls[2]);
    }
}

struct Client {
    https: HttpsClient,
    url: String,
    clock: Arc<AtomicU64>,
    history: Arc<Mutex<BTreeMap<u64, Vec<Call>>>>,
}

impl Client {
    async fn call(&self, method: Method, path: &str, content_type: &str, body: String) -> (u16, Value) {
        let request = Request::builder().method(method).uri(format!("{}{path}", self.url));
        let request = request.header("content-type", content_type).body(Full::from(body)).expect("a request");
        let answer = self.https.call(request, LIMIT, 1 << 20).await.expect("an answer");
        (answer.status().as_u16(), serde_json::from_slice(answer.body()).expect("JSON"))
    }

    /// One random step; `known` is the version that this client last saw of the key.
    async fn step(&self, key: u64, choice: u64, value: String, known: &mut u64) {
        let (name, path) = (format!("k{key}"), format!("{MAPS}/k{key}"));
        let json_type = "application/json";
        let object = |version: Option<u64>| {
            let mut object =
                json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": {"v": value}});
            if let Some(version) = version {
                object["metadata"]["resourceVersion"] = version.to_string().into();
            }
            object.to_string()
        };
        let begin = self.clock.fetch_add(1, Ordering::SeqCst);
        let over = (*known > 0).then_some(*known);
        let (is_deletion, (code, answer)) = match choice % 8 {
            0 | 1 => (false, self.call(Method::GET, &path, "", String::new()).await),
            2 => (false, self.call(Method::POST, MAPS, json_type, object(None)).await),
            3 => {
                let patch = json!({"data": {"v": value}}).to_string();
                (false, self.call(Method::PATCH, &path, "application/merge-patch+json", patch).await)
            }
            4 if over.is_some() => {
                let exact = json!({"resourceVersion": known.to_string()});
                let options = json!({"kind": "DeleteOptions", "apiVersion": "v1", "preconditions": exact});
                (true, self.call(Method::DELETE, &path, json_type, options.to_string()).await)
            }
            _ if over.is_none() => (false, self.call(Method::GET, &path, "", String::new()).await),
            _ => (false, self.call(Method::PUT, &path, json_type, object(over)).await),
        };
        let end = self.clock.fetch_add(1, Ordering::SeqCst);
        let version = answer["metadata"]["resourceVersion"].as_str().and_then(|it| it.parse().ok()).unwrap_or(0);
        let shown = answer["data"]["v"].as_str().unwrap_or_default().to_owned();
        let is_exact = choice % 8 >= 4 && over.is_some();
        let saw = match (choice % 8, code) {
            (_, 404) => Saw::Absent,
            (2, 409) => Saw::Present,
            (_, 409) if is_exact => Saw::Moved(over.unwrap_or_default()),
            // A deletion's own version is not in its answer: it is filled in from the history afterwards.
            (4, 200) if is_exact => Saw::Wrote { version: 0, over, value: None },
            (2 | 3, 200 | 201) => Saw::Wrote { version, over: None, value: Some(value) },
            (_, 200) if is_exact => Saw::Wrote { version, over, value: Some(value) },
            (_, 200) => Saw::Read { version, value: shown },
            other => panic!("{other:?}: {answer}"),
        };
        *known = if is_deletion || matches!(saw, Saw::Absent) { 0 } else { version.max(*known) };
        self.history.lock().expect("unpoisoned").entry(key).or_default().push(Call { begin, end, saw });
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn concurrent_clients_see_one_order_of_each_object() {
    let world = World::start().await;
    let running = world.server.running();
    let start = running.storage().revision();
    let trust = Trust::Bundle(running.authority_pem().to_owned());
    let (clock, history) = (Arc::new(AtomicU64::new(1)), Arc::new(Mutex::new(BTreeMap::new())));
    let clients = (0..CLIENTS).map(|number| {
        // A connection of its own for each.
        let tls = tls_client_config(&trust, Some(running.admin())).expect("a client");
        let client = Client {
            https: HttpsClient::new(tls, None),
            url: running.url(),
            clock: Arc::clone(&clock),
            history: Arc::clone(&history),
        };
        tokio::spawn(async move {
            let mut state = number.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
            let mut known = BTreeMap::new();
            for step in 0..STEPS {
                state ^= state << 13;
                state ^= state >> 7;
                state ^= state << 17;
                let key = state % KEYS;
                let known = known.entry(key).or_insert(0);
                client.step(key, state >> 8, format!("c{number}-{step}"), known).await;
            }
        })
    });
    for client in clients.collect::<Vec<_>>() {
        client.await.expect("every answer makes sense");
    }
    let events = running.storage().read(|memory| memory.events_since("core/configmaps/default/", start, usize::MAX));
    let events = events.expect("kept");
    let history = history.lock().expect("unpoisoned").clone();
    for (key, mut calls) in history {
        let text = format!("core/configmaps/default/k{key}");
        let gone = events.iter().filter(|it| it.entry.key.as_str() == text && it.kind.as_str() == "DELETED");
        let gone: BTreeMap<u64, u64> =
            gone.filter_map(|it| Some((it.previous.as_ref()?.revision.0, it.revision.0))).collect();
        for call in &mut calls {
            if let Saw::Wrote { version, over: Some(over), value: None } = &mut call.saw {
                *version = *gone.get(over).unwrap_or_else(|| panic!("{text}: no deletion of version {over} happened"));
            }
        }
        if let Err(problem) = check(&calls) {
            panic!("k{key}: {problem}");
        }
        assert!(calls.len() > 50, "enough calls on k{key}: {}", calls.len());
    }
}
