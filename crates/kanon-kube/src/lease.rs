//! Leader election by a `coordination.k8s.io/v1` Lease, with client-go's timings and rules.
//!
//! A candidate that sees the lease unchanged for its whole duration, by its own clock, may take it. What a holder wrote as
//! its time is never compared with our clock: clocks of machines differ.

use std::time::Duration;

use http::Method;
use kanon_core::{Input, Mono, Node, Now, Object};
use serde_json::{Value, json};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::client::{Api, Error};

/// How long a lease holds without being renewed.
const LEASE: Duration = Duration::from_secs(15);
/// A leader that could not renew for this long stops leading: before others may begin.
const RENEW_DEADLINE: Duration = Duration::from_secs(10);
/// Pause between looks.
const RETRY: Duration = Duration::from_secs(2);

/// One contender for a lease.
#[derive(Clone, Debug)]
pub struct Candidate {
    /// Namespace of the lease.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// Who we are: unique among the contenders.
    pub identity: String,
}

/// What was last seen of the lease.
#[derive(Default)]
struct Seen {
    /// Holder and renewal as written; a difference means that the holder lives.
    text: String,
    since: Mono,
}

/// Contends for the lease until cancelled, and tells the plane when the lead is won or lost. The lease is given back at
/// the end, so that a successor need not wait.
pub async fn run_election(
    api: Api,
    candidate: Candidate,
    clock: impl Fn() -> Now + Send,
    send: mpsc::Sender<Input>,
    stop: CancellationToken,
) {
    let lead = async |leader| {
        let _ = send.send(Input::Leadership(leader)).await;
    };
    let mut seen = Seen::default();
    let mut leading = false;
    let mut renewed = Mono::default();
    loop {
        let Now { wall, mono } = clock();
        match round(&api, &candidate, &mut seen, wall, mono).await {
            Ok(true) => {
                renewed = mono;
                if !std::mem::replace(&mut leading, true) {
                    lead(true).await;
                }
            }
            Ok(false) => {
                if std::mem::take(&mut leading) {
                    lead(false).await;
                }
            }
            Err(error) => {
                tracing::warn!(%error, "lease could not be read or written");
                if leading && mono.since(renewed) >= RENEW_DEADLINE {
                    leading = false;
                    lead(false).await;
                }
            }
        }
        tokio::select! {
            () = stop.cancelled() => break,
            () = tokio::time::sleep(RETRY) => {}
        }
    }
    if leading {
        let _ = release(&api, &candidate).await;
    }
}

/// One look at the lease; whether it is ours afterwards.
async fn round(
    api: &Api,
    candidate: &Candidate,
    seen: &mut Seen,
    wall: jiff::Timestamp,
    mono: Mono,
) -> Result<bool, Error> {
    let lease = api.get(&path(candidate)).await?;
    let body = match decide(lease.as_ref(), candidate, seen, wall, mono) {
        Some(body) => body,
        None => return Ok(false),
    };
    let (method, path) = match lease {
        None => (Method::POST, collection(candidate)),
        Some(_) => (Method::PUT, path(candidate)),
    };
    match api.call(method, &path, Some(("application/json", body.to_string().into_bytes()))).await {
        Ok(_) => Ok(true),
        // Somebody was faster.
        Err(Error::Status { code: 409, .. }) => Ok(false),
        Err(error) => Err(error),
    }
}

/// The lease to write, if it is ours to take or to renew. Pure.
fn decide(
    lease: Option<&Object>,
    candidate: &Candidate,
    seen: &mut Seen,
    wall: jiff::Timestamp,
    mono: Mono,
) -> Option<Value> {
    let time = wall.strftime("%Y-%m-%dT%H:%M:%S%.6fZ").to_string();
    let spec = |name: &str| lease.and_then(|it| it.at(&["spec", name]));
    let text = |name| spec(name).and_then(Node::as_plain_str).unwrap_or_default().to_owned();
    let holder = text("holderIdentity");
    let state = format!("{holder}\0{}", text("renewTime"));
    if seen.text != state {
        *seen = Seen { text: state, since: mono };
    }
    let ours = holder == candidate.identity;
    let duration = spec("leaseDurationSeconds").and_then(Node::as_i64).unwrap_or(0);
    let expires = seen.since.after(Duration::from_secs(duration.unsigned_abs()));
    if !ours && !holder.is_empty() && mono < expires {
        return None;
    }
    let transitions = spec("leaseTransitions").and_then(Node::as_i64).unwrap_or(0);
    let mut body = lease.map_or_else(
        || {
            let metadata = json!({"name": candidate.name, "namespace": candidate.namespace});
            json!({"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": metadata})
        },
        Object::to_value,
    );
    body["spec"] = json!({
        "holderIdentity": candidate.identity,
        "leaseDurationSeconds": LEASE.as_secs(),
        "acquireTime": if ours { json!(text("acquireTime")) } else { json!(time) },
        "renewTime": time,
        "leaseTransitions": transitions + i64::from(!ours && lease.is_some()),
    });
    Some(body)
}

/// Gives the lease back, by the same verbs that hold it: whoever may lead may also stop leading at once.
async fn release(api: &Api, candidate: &Candidate) -> Result<(), Error> {
    let Some(lease) = api.get(&path(candidate)).await? else { return Ok(()) };
    let Some(body) = released(&lease, candidate) else { return Ok(()) };
    let body = Some(("application/json", body.to_string().into_bytes()));
    api.call(Method::PUT, &path(candidate), body).await.map(|_| ())
}

/// The lease without a holder, if it is ours still. Pure.
fn released(lease: &Object, candidate: &Candidate) -> Option<Value> {
    if lease.str_at(&["spec", "holderIdentity"]) != candidate.identity {
        return None;
    }
    let mut body = lease.to_value();
    body["spec"]["holderIdentity"] = json!("");
    body["spec"]["leaseDurationSeconds"] = json!(1);
    Some(body)
}

fn collection(candidate: &Candidate) -> String {
    format!("/apis/coordination.k8s.io/v1/namespaces/{}/leases", candidate.namespace)
}

fn path(candidate: &Candidate) -> String {
    format!("{}/{}", collection(candidate), candidate.name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn candidate(identity: &str) -> Candidate {
        Candidate { namespace: "kanon-system".into(), name: "kanon".into(), identity: identity.into() }
    }

    fn at(secs: u64) -> (jiff::Timestamp, Mono) {
        (jiff::Timestamp::from_second(1_000_000 + secs.cast_signed()).unwrap(), Mono(Duration::from_secs(secs)))
    }

    /// One round of a candidate: its view of the lease, at a time; the lease afterwards.
    fn round(lease: &mut Option<Object>, who: &str, seen: &mut Seen, secs: u64) -> bool {
        let (wall, mono) = at(secs);
        let body = decide(lease.as_ref(), &candidate(who), seen, wall, mono);
        let won = body.is_some();
        if let Some(body) = body {
            *lease = Some(Object::from_value(&body));
        }
        won
    }

    #[test]
    fn a_second_candidate_waits_for_the_whole_lease() {
        let (mut lease, mut a, mut b) = (None, Seen::default(), Seen::default());
        assert!(round(&mut lease, "a", &mut a, 0));
        assert!(!round(&mut lease, "b", &mut b, 1));
        assert!(round(&mut lease, "a", &mut a, 10));
        assert!(!round(&mut lease, "b", &mut b, 16));
        // `a` is silent from here; `b` saw its last renewal at 16.
        assert!(!round(&mut lease, "b", &mut b, 30));
        assert!(round(&mut lease, "b", &mut b, 31));
        let lease = lease.unwrap();
        assert_eq!(lease.at(&["spec", "leaseTransitions"]).and_then(Node::as_i64), Some(1));
        assert!(lease.str_at(&["spec", "renewTime"]).ends_with(".000000Z"));
    }

    #[test]
    fn a_released_lease_is_taken_at_once() {
        let mut lease = None;
        assert!(round(&mut lease, "a", &mut Seen::default(), 0));
        let held = lease.unwrap();
        assert_eq!(released(&held, &candidate("b")), None);
        let mut lease = released(&held, &candidate("a")).map(|it| Object::from_value(&it));
        assert!(round(&mut lease, "b", &mut Seen::default(), 5));
    }
}
