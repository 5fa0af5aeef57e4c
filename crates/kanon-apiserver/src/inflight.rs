//! How many requests are at work at a time, and whose (kube-apiserver: `--max-requests-inflight`,
//! `--max-mutating-requests-inflight`, and its fair queues).
//!
//! Two levels. The control plane's own requests come first: places are reserved for them, they may take others' too, and they
//! never queue. All others share the rest fairly by user: who finds no place waits, and a place that becomes free goes to the
//! waiting user with the fewest requests at work. Nobody ever takes more than three quarters, so that a newcomer finds room even
//! beside somebody whose requests do not end. Who waited too long, or finds the queue full, gets 429 with `Retry-After`. Watches
//! are not counted: they are at rest most of the time.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use kanon_apimachinery::{
    request::{RequestInfo, Target, Verb},
    status::ApiError,
};
use tokio::{sync::oneshot, time::timeout};

/// Seconds that a client without a place is asked to wait (as upstream).
const RETRY_AFTER: u32 = 1;

/// Requests of each kind that may wait, and those of one user among them. What waits has not sent its body yet: it costs little.
const WAITING_MAX: usize = 1024;
const WAITING_USER_MAX: usize = WAITING_MAX / 2;

/// Bounds of requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RequestLimits {
    /// Reading requests at a time, but for watches.
    pub reads_max: usize,
    /// Writing requests at a time.
    pub writes_max: usize,
    /// Places of each kind that only the control plane's own requests take, besides the others.
    pub reserved: usize,
    /// How long a request may wait for a place.
    pub wait: Duration,
    /// How long a request other than a watch may take.
    pub request_time: Duration,
    /// How long a client may take to send its body.
    pub body_time: Duration,
}

impl Default for RequestLimits {
    /// The numbers of kube-apiserver, but for the reserved places and the time of bodies.
    fn default() -> RequestLimits {
        RequestLimits {
            reads_max: 400,
            writes_max: 200,
            reserved: 64,
            wait: Duration::from_secs(15),
            request_time: Duration::from_secs(60),
            body_time: Duration::from_secs(30),
        }
    }
}

/// The places, of reading and of writing requests.
pub(crate) struct Gate {
    limits: RequestLimits,
    reads: Arc<Places>,
    writes: Arc<Places>,
}

#[derive(Debug)]
struct Places {
    /// Of others than the control plane.
    max: usize,
    reserved: usize,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    own: usize,
    others: usize,
    /// The others by user; nobody with nothing at work and nothing waiting.
    users: BTreeMap<String, Share>,
    refused: u64,
}

#[derive(Debug, Default)]
struct Share {
    at_work: usize,
    waiting: VecDeque<oneshot::Sender<Permit>>,
}

/// A place, until it is dropped.
#[derive(Debug)]
pub(crate) struct Permit {
    places: Arc<Places>,
    /// None: the control plane's own.
    user: Option<String>,
}

/// What came of asking for a place.
enum Asked {
    Taken(Permit),
    Waits(oneshot::Receiver<Permit>),
    Refused,
}

impl Gate {
    pub(crate) fn new(limits: RequestLimits) -> Gate {
        let places = |max| Arc::new(Places { max, reserved: limits.reserved, state: Mutex::default() });
        Gate { limits, reads: places(limits.reads_max), writes: places(limits.writes_max) }
    }

    /// A place for a request; none is needed for watches and for questions about the server's health.
    ///
    /// # Errors
    /// 429.
    pub(crate) async fn enter(&self, info: &RequestInfo, user: &str) -> Result<Option<Permit>, ApiError> {
        let places = match &info.target {
            Target::Resource(Verb::Watch, _) => return Ok(None),
            Target::Resource(verb, _) if verb.is_write() => &self.writes,
            Target::Path(_) if ["/healthz", "/livez", "/readyz"].iter().any(|it| info.path.starts_with(it)) => {
                return Ok(None);
            }
            Target::Resource(..) | Target::Path(_) => &self.reads,
        };
        let asked = if is_own(user) { places.ask_own() } else { places.ask(user) };
        let permit = match asked {
            Asked::Taken(permit) => Some(permit),
            // Too late is too late, even if a place comes at that moment: it goes back by being dropped.
            Asked::Waits(place) => timeout(self.limits.wait, place).await.ok().and_then(Result::ok),
            Asked::Refused => None,
        };
        if permit.is_none() {
            places.lock().refused += 1;
            let message = "the server has too many requests at work: please try again later";
            return Err(ApiError::too_many_requests(message, Some(RETRY_AFTER)));
        }
        Ok(permit)
    }

    /// The figures in Prometheus' text format.
    pub(crate) fn render(&self) -> String {
        let read = |places: &Places| {
            let state = places.lock();
            (state.own + state.others, state.refused)
        };
        let (reads, writes) = (read(&self.reads), read(&self.writes));
        format!(
            "# TYPE apiserver_current_inflight_requests gauge\n\
             apiserver_current_inflight_requests{{request_kind=\"readOnly\"}} {}\n\
             apiserver_current_inflight_requests{{request_kind=\"mutating\"}} {}\n\
             # TYPE apiserver_dropped_requests_total counter\n\
             apiserver_dropped_requests_total{{request_kind=\"readOnly\"}} {}\n\
             apiserver_dropped_requests_total{{request_kind=\"mutating\"}} {}\n",
            reads.0, writes.0, reads.1, writes.1
        )
    }
}

impl Places {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn ask_own(self: &Arc<Self>) -> Asked {
        let mut state = self.lock();
        if state.own + state.others >= self.max + self.reserved {
            return Asked::Refused;
        }
        state.own += 1;
        Asked::Taken(Permit { places: Arc::clone(self), user: None })
    }

    fn ask(self: &Arc<Self>, user: &str) -> Asked {
        let mut state = self.lock();
        let others = state.others;
        let share = state.users.entry(user.to_owned()).or_default();
        share.forget_gone();
        if others < self.max && share.at_work < self.cap() && share.waiting.is_empty() {
            share.at_work += 1;
            state.others += 1;
            return Asked::Taken(Permit { places: Arc::clone(self), user: Some(user.to_owned()) });
        }
        let full = share.waiting.len() >= WAITING_USER_MAX;
        if full || state.users.values().map(|it| it.waiting.len()).sum::<usize>() >= WAITING_MAX {
            state.forget(user);
            return Asked::Refused;
        }
        let (sender, receiver) = oneshot::channel();
        state.users.entry(user.to_owned()).or_default().waiting.push_back(sender);
        Asked::Waits(receiver)
    }

    /// The most that one user has at work.
    fn cap(&self) -> usize {
        (self.max * 3).div_ceil(4).max(1)
    }

    /// Gives a place back, and finds out who gets it.
    fn release(&self, user: Option<&str>) -> Option<(String, oneshot::Sender<Permit>)> {
        let mut state = self.lock();
        let Some(user) = user else {
            state.own = state.own.saturating_sub(1);
            return None;
        };
        state.others = state.others.saturating_sub(1);
        if let Some(share) = state.users.get_mut(user) {
            share.at_work = share.at_work.saturating_sub(1);
        }
        state.forget(user);
        if state.others >= self.max {
            return None;
        }
        let cap = self.cap();
        state.users.values_mut().for_each(Share::forget_gone);
        let waiting = state.users.iter_mut().filter(|(_, it)| it.at_work < cap && !it.waiting.is_empty());
        let (name, share) = waiting.min_by_key(|(_, it)| it.at_work)?;
        let next = share.waiting.pop_front()?;
        share.at_work += 1;
        let name = name.clone();
        state.others += 1;
        Some((name, next))
    }
}

impl State {
    fn forget(&mut self, user: &str) {
        if self.users.get(user).is_some_and(|it| it.at_work == 0 && it.waiting.is_empty()) {
            self.users.remove(user);
        }
    }
}

impl Share {
    /// Those who waited may have gone.
    fn forget_gone(&mut self) {
        self.waiting.retain(|it| !it.is_closed());
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        if let Some((user, next)) = self.places.release(self.user.as_deref()) {
            let permit = Permit { places: Arc::clone(&self.places), user: Some(user) };
            // One who has just gone gives it back by dropping it, which asks for the next.
            drop(next.send(permit));
        }
    }
}

/// The control plane itself: its components' users, its nodes, and service accounts in its namespaces. Administrators are not:
/// what they do by hand can wait a second, what keeps the cluster going cannot.
fn is_own(user: &str) -> bool {
    let accounts = ["system:serviceaccount:kube-system:", "system:serviceaccount:kanon-system:"];
    match user.strip_prefix("system:") {
        Some(rest) if rest.starts_with("serviceaccount:") => accounts.iter().any(|it| user.starts_with(it)),
        Some(rest) => rest != "anonymous",
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;
    use http::{HeaderMap, Method};

    use super::*;

    fn info(method: &Method, path: &str, query: Option<&str>) -> RequestInfo {
        RequestInfo::parse(method, path, query, &HeaderMap::new()).expect("a request")
    }

    fn gate() -> Gate {
        let wait = Duration::from_secs(3600);
        Gate::new(RequestLimits { reads_max: 8, writes_max: 4, reserved: 2, wait, ..RequestLimits::default() })
    }

    /// The place, if there is one at once.
    fn at_once(gate: &Gate, info: &RequestInfo, name: &str) -> Option<Permit> {
        gate.enter(info, name).now_or_never()?.ok().flatten()
    }

    fn all(gate: &Gate, info: &RequestInfo, name: &str) -> Vec<Permit> {
        std::iter::from_fn(|| at_once(gate, info, name)).take(20).collect()
    }

    #[tokio::test]
    async fn users_share_and_the_control_plane_comes_first() {
        let gate = gate();
        let pods = info(&Method::GET, "/api/v1/pods", None);
        let mut greedy = all(&gate, &pods, "greedy");
        assert_eq!(greedy.len(), 6, "three quarters");
        let mut modest = all(&gate, &pods, "modest");
        assert_eq!(modest.len(), 2, "what is left");
        let own = all(&gate, &pods, "system:apiserver");
        assert_eq!(own.len(), 2, "the reserved ones");
        let error = gate.enter(&pods, "system:apiserver").await.expect_err("they do not wait");
        assert_eq!((error.code, error.details.as_ref().and_then(|it| it.retry_after)), (429, Some(1)));
        // Whoever has the least at work is next, whatever the order of asking.
        let mut again = Box::pin(gate.enter(&pods, "greedy"));
        assert!(again.as_mut().now_or_never().is_none());
        let mut third = Box::pin(gate.enter(&pods, "third"));
        assert!(third.as_mut().now_or_never().is_none());
        modest.pop();
        let third = third.await.expect("a place");
        assert!(third.is_some() && again.as_mut().now_or_never().is_none());
        greedy.pop();
        let again = again.await.expect("a place");
        drop((greedy, modest, own, third, again));
        assert!(gate.render().contains("{request_kind=\"readOnly\"} 0\n"), "{}", gate.render());
        assert_eq!(all(&gate, &pods, "system:kube-scheduler").len(), 10);
        assert!(gate.reads.lock().users.is_empty(), "nobody is remembered");
    }

    #[tokio::test]
    async fn who_waits_too_long_or_leaves_takes_no_place_along() {
        let wait = Duration::from_millis(20);
        let gate = Gate::new(RequestLimits { writes_max: 1, wait, ..RequestLimits::default() });
        let post = info(&Method::POST, "/api/v1/namespaces/a/configmaps", None);
        let held = at_once(&gate, &post, "a").expect("a place");
        assert_eq!(gate.enter(&post, "b").await.expect_err("too long").code, 429);
        let mut left = Box::pin(gate.enter(&post, "c"));
        assert!(left.as_mut().now_or_never().is_none());
        drop(left);
        drop(held);
        drop(at_once(&gate, &post, "d").expect("the place is free"));
        // One that leaves with a place in its hands gives it back.
        let held = at_once(&gate, &post, "a").expect("a place");
        let mut leaving = Box::pin(gate.enter(&post, "c"));
        assert!(leaving.as_mut().now_or_never().is_none());
        drop(held);
        drop(leaving);
        assert!(at_once(&gate, &post, "d").is_some());
        let held = at_once(&gate, &post, "a").expect("a place");
        let many: Vec<_> = (0..WAITING_USER_MAX).map(|_| gate.writes.ask("b")).collect();
        assert!(many.iter().all(|it| matches!(it, Asked::Waits(_))));
        assert!(matches!(gate.writes.ask("b"), Asked::Refused) && matches!(gate.writes.ask("c"), Asked::Waits(_)));
        drop((many, held));
        assert!(at_once(&gate, &post, "d").is_some());
    }

    #[tokio::test]
    async fn writes_have_places_of_their_own_and_watches_need_none() {
        let gate = gate();
        let maps = "/api/v1/namespaces/a/configmaps";
        let writes = all(&gate, &info(&Method::POST, maps, None), "a");
        assert_eq!(writes.len(), 3);
        assert!(at_once(&gate, &info(&Method::GET, maps, None), "a").is_some(), "reads are free");
        for (path, query) in [(maps, Some("watch=true")), ("/readyz", None), ("/livez/ping", None)] {
            let place = gate.enter(&info(&Method::GET, path, query), "a").await;
            assert!(place.expect("always").is_none(), "{path}");
        }
        for (name, want) in [
            ("system:serviceaccount:kube-system:job-controller", true),
            ("system:serviceaccount:shop:cart", false),
            ("system:node:a", true),
            ("system:anonymous", false),
            ("kubernetes-admin", false),
        ] {
            assert_eq!(is_own(name), want, "{name}");
        }
    }
}
