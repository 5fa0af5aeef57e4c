//! Leader election by `coordination.k8s.io/v1` Leases, with client-go's timings and rules: one lease for each shard of the audit, of
//! which the first is the lead.
//!
//! A candidate that sees the lease unchanged for its whole duration, by its own clock, may take it. What a holder wrote as
//! its time is never compared with our clock: clocks of machines differ.
//!
//! Whoever holds the first lease says in it how many shards there are ([`terms`]).

mod terms;

use std::{sync::Arc, time::Duration};

use http::Method;
use kanon_core::{Input, Mono, Node, Now, Object, Shards};
use serde_json::{Value, json};
use tokio::{
    sync::{Mutex, mpsc},
    task::JoinSet,
};
use tokio_util::sync::CancellationToken;

use self::terms::Terms;
use crate::client::{Api, Error};

/// How long a lease holds without being renewed.
const LEASE: Duration = Duration::from_secs(15);
/// A leader that could not renew for this long stops leading: before others may begin.
const RENEW_DEADLINE: Duration = Duration::from_secs(10);
/// Pause between looks.
const RETRY: Duration = Duration::from_secs(2);

/// First pause until it is known what the first lease says; then twice as long each time.
const FIRST: Duration = Duration::from_millis(50);

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

/// Contends for the leases of so many shards until cancelled, and tells the plane which are held whenever that changes. They are
/// given back at the end, so that a successor need not wait. While the leader has another number of shards, none is held. See
/// [`lease_name`].
pub async fn run_elections(
    api: Api,
    candidate: Candidate,
    shards: u32,
    clock: impl Fn() -> Now + Clone + Send + Sync + 'static,
    send: mpsc::Sender<Input>,
    stop: CancellationToken,
) {
    let held = Arc::new(Mutex::new(Shards::none_of(shards)));
    let (turn, terms) = (Arc::new(Mutex::new(())), Arc::new(Terms::new(shards)));
    let mut elections = JoinSet::new();
    for shard in 0..shards {
        let candidate = Candidate { name: lease_name(&candidate.name, shard), ..candidate.clone() };
        let (held, turn, terms) = (Arc::clone(&held), Arc::clone(&turn), Arc::clone(&terms));
        let seat = Seat { shard, held, turn, terms, send: send.clone() };
        elections.spawn(run_election(api.clone(), candidate, seat, clock.clone(), stop.clone()));
    }
    elections.join_all().await;
}

/// The lease of a shard: of the candidate's name for shard 0, which is the lead, and with a number after it for others.
pub fn lease_name(name: &str, shard: u32) -> String {
    if shard == 0 { name.to_owned() } else { format!("{name}-{shard}") }
}

/// One shard, and what this process holds of all.
struct Seat {
    shard: u32,
    held: Arc<Mutex<Shards>>,
    /// One shard at a time is contended for, so that it is known what this process has already; what is held is renewed all the
    /// same.
    turn: Arc<Mutex<()>>,
    terms: Arc<Terms>,
    send: mpsc::Sender<Input>,
}

impl Seat {
    /// The shard was won or lost.
    async fn take(&self, is_held: bool) {
        // The lock is held until it is told, so that what is told last is so.
        let mut held = self.held.lock().await;
        *held = if is_held { held.with(self.shard) } else { held.without(self.shard) };
        let _ = self.send.send(Input::Leadership(*held)).await;
    }

    /// How much longer a lease is left to others: whoever has one already lets those go first who have none.
    async fn patience(&self) -> Duration {
        if self.held.lock().await.is_empty() { Duration::ZERO } else { RETRY }
    }
}

/// Contends for one lease.
async fn run_election(
    api: Api,
    candidate: Candidate,
    seat: Seat,
    clock: impl Fn() -> Now + Send,
    stop: CancellationToken,
) {
    let lead = async |leader| seat.take(leader).await;
    let mut seen = Seen::default();
    let (mut leading, mut pause) = (false, FIRST);
    let mut renewed = Mono::default();
    loop {
        let turn = if leading { None } else { Some(seat.turn.lock().await) };
        let Now { wall, mono } = clock();
        let patience = seat.patience().await;
        let result = if seat.shard == 0 || seat.terms.agree(mono) {
            round(&api, &candidate, &mut seen, &seat, patience, (wall, mono)).await
        } else {
            if leading {
                let _ = release(&api, &candidate).await;
            }
            Ok(false)
        };
        match result {
            Ok(true) => {
                renewed = mono;
                if seat.terms.agree(mono) && !std::mem::replace(&mut leading, true) {
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
        drop(turn);
        pause = if seat.terms.are_known() { RETRY } else { (pause * 2).min(RETRY) };
        tokio::select! {
            () = stop.cancelled() => break,
            () = tokio::time::sleep(pause) => {}
        }
    }
    // The first may be ours though it does not count yet.
    if leading || seat.shard == 0 {
        let _ = release(&api, &candidate).await;
    }
}

/// One look at the lease; whether it is ours afterwards.
async fn round(
    api: &Api,
    candidate: &Candidate,
    seen: &mut Seen,
    seat: &Seat,
    patience: Duration,
    now: (jiff::Timestamp, Mono),
) -> Result<bool, Error> {
    let lease = api.get(&path(candidate)).await?;
    let body = decide(lease.as_ref(), candidate, seen, patience, now);
    let Some(mut body) = body else {
        if seat.shard == 0 {
            seat.terms.held_by_another(lease.as_ref());
        }
        return Ok(false);
    };
    if seat.shard == 0 {
        seat.terms.write(&mut body);
    }
    let (method, path) = match lease {
        None => (Method::POST, collection(candidate)),
        Some(_) => (Method::PUT, path(candidate)),
    };
    match api.call(method, &path, Some(("application/json", body.to_string().into_bytes()))).await {
        Ok(_) => {
            if seat.shard == 0 {
                seat.terms.held_by_us(lease.as_ref(), now.1);
            }
            Ok(true)
        }
        // Somebody was faster.
        Err(Error::Status { code: 409, .. }) => Ok(false),
        Err(error) => Err(error),
    }
}

/// The lease to write, if it is ours to take, when it has been free for as long as `patience` says, or to renew. Pure.
fn decide(
    lease: Option<&Object>,
    candidate: &Candidate,
    seen: &mut Seen,
    patience: Duration,
    (wall, mono): (jiff::Timestamp, Mono),
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
    let expires = if holder.is_empty() { Duration::ZERO } else { Duration::from_secs(duration.unsigned_abs()) };
    if !ours && mono < seen.since.after(expires + patience) {
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
        let body = decide(lease.as_ref(), &candidate(who), seen, Duration::ZERO, at(secs));
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
    fn whoever_holds_a_shard_leaves_a_free_one_to_others_for_a_moment() {
        let taken = |lease: Option<&Object>, seen: &mut Seen, secs| {
            decide(lease, &candidate("a"), seen, RETRY, at(secs)).is_some()
        };
        let mut seen = Seen::default();
        assert_eq!([5, 6, 7].map(|secs| taken(None, &mut seen, secs)), [false, false, true]);
        let free = Object::parse(r#"{"spec":{"holderIdentity":"","renewTime":"x","leaseDurationSeconds":1}}"#).unwrap();
        assert_eq!([8, 9, 10].map(|secs| taken(Some(&free), &mut seen, secs)), [false, false, true]);
        let old = r#"{"spec":{"holderIdentity":"b","renewTime":"x","leaseDurationSeconds":15}}"#;
        let old = Object::parse(old).unwrap();
        assert_eq!([20, 35, 36, 37].map(|secs| taken(Some(&old), &mut seen, secs)), [false, false, false, true]);
        // What is ours is renewed at once.
        let ours = Object::parse(r#"{"spec":{"holderIdentity":"a","leaseDurationSeconds":15}}"#).unwrap();
        assert!(taken(Some(&ours), &mut seen, 38));
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
