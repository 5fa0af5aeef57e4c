//! What one request leaves behind: its head, what was decided, how it ended. A request that the policy does not want recorded
//! has an empty trail, and costs nothing more.

use std::{collections::BTreeMap, net::IpAddr, sync::Arc};

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, StatusCode, header, request::Parts};
use kanon_apimachinery::{
    audit::{ALLOW, DECISION, Decision, Event, FORBID, Head, Level, ObjectReference, Outcome, REASON, Sent, Stage},
    negotiate::Encoding,
    rbac::Attributes,
    request::{Address, RequestInfo, Verb},
    status::{ApiError, Result},
    version,
};
use kanon_core::UserInfo;
use kanon_net::Peer;

use super::Auditor;
use crate::{
    core::{Clock, Core},
    reply::Reply,
};

/// Where the server's own writes come from: upstream's loopback client has this address.
const LOOPBACK: &str = "::1";

/// One request's trail.
#[derive(Default)]
pub(crate) struct Trail(Option<Box<Open>>);

struct Open {
    audit: Arc<Auditor>,
    clock: Clock,
    head: Arc<Head>,
    decision: Decision,
    /// What the observer in this process hears of it.
    observed: Decision,
    is_watch: bool,
    is_nobody: bool,
    impersonated: Option<UserInfo>,
    sent: Option<Sent>,
    annotations: BTreeMap<String, String>,
}

impl Trail {
    /// Begins the trail of an authenticated request (or of one whose user is unknown), if the policy wants one.
    pub(crate) fn begin(core: &Core, id: &str, info: &RequestInfo, parts: &Parts, user: Option<&UserInfo>) -> Trail {
        let uri = || parts.uri.path_and_query().map_or_else(|| info.path.clone(), ToString::to_string);
        let sources = || source_ips(&parts.headers, parts.extensions.get::<Arc<Peer>>());
        Trail::open(core, id, (info, user), uri, sources)
    }

    /// Begins the trail of a write that the server makes by itself, as one of its controllers: what the request of a controller
    /// of its own would leave. `manager` is its program.
    pub(crate) fn own(core: &Core, user: &UserInfo, manager: &str, method: &Method, address: &Address) -> Trail {
        if !core.audit.is_on() {
            return Trail(None);
        }
        let mut headers = HeaderMap::new();
        if let Ok(agent) = HeaderValue::from_str(&format!("{manager}/{}", version::GIT_VERSION)) {
            headers.insert(header::USER_AGENT, agent);
        }
        // Names and namespaces of stored objects make a path that can be read.
        let Ok(info) = RequestInfo::parse(method, &address.path(), None, &headers) else { return Trail(None) };
        let id = uuid::Uuid::new_v4().to_string();
        let mut trail = Trail::open(core, &id, (&info, Some(user)), || address.path(), || vec![LOOPBACK.to_owned()]);
        trail.decided(true, "");
        trail
    }

    fn open(
        core: &Core,
        id: &str,
        (info, user): (&RequestInfo, Option<&UserInfo>),
        uri: impl FnOnce() -> String,
        sources: impl FnOnce() -> Vec<String>,
    ) -> Trail {
        if !core.audit.is_on() {
            return Trail(None);
        }
        let attributes = Attributes::of(info);
        let (decision, observed) = (core.audit.decide(user, &attributes), core.audit.observed(user, &attributes));
        if decision.level.max(observed.level) == Level::None {
            return Trail(None);
        }
        let head = Head {
            id: id.to_owned(),
            uri: uri(),
            verb: info.verb(),
            user: user.cloned().unwrap_or_default(),
            source_ips: sources(),
            user_agent: info.user_agent.clone(),
            object: ObjectReference::of(info),
            received: core.now().wall,
        };
        Trail(Some(Box::new(Open {
            audit: Arc::clone(&core.audit),
            clock: Arc::clone(&core.clock),
            head: Arc::new(head),
            decision,
            observed,
            is_watch: info.verb() == Verb::Watch.as_str(),
            is_nobody: false,
            impersonated: None,
            sent: None,
            annotations: BTreeMap::new(),
        })))
    }

    /// The first stage.
    ///
    /// # Errors
    /// 500 in mode `blocking-strict` when it cannot be recorded.
    pub(crate) async fn received(&self) -> Result<()> {
        let Some(open) = &self.0 else { return Ok(()) };
        let is_strict = open.audit.queue.as_ref().is_some_and(super::Queue::is_strict);
        if open.record(Stage::RequestReceived, None).await || !is_strict {
            return Ok(());
        }
        open.audit.counts.rejected.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        Err(ApiError::internal("failed to store audit event"))
    }

    /// As whom the request acts.
    pub(crate) fn impersonates(&mut self, user: &UserInfo) {
        if let Some(open) = &mut self.0 {
            open.impersonated = Some(user.clone());
        }
    }

    /// What authorization said.
    pub(crate) fn decided(&mut self, allowed: bool, reason: &str) {
        if let Some(open) = &mut self.0 {
            let decision = if allowed { ALLOW } else { FORBID };
            open.annotations.insert(DECISION.to_owned(), decision.to_owned());
            open.annotations.insert(REASON.to_owned(), reason.to_owned());
        }
    }

    /// The body, once it is there.
    pub(crate) fn sent(&mut self, content_type: &str, bytes: &Bytes) {
        if let Some(open) = &mut self.0
            && !bytes.is_empty()
        {
            open.sent = Some(Sent { content_type: content_type.to_owned(), bytes: bytes.clone() });
        }
    }

    /// Whether bodies of requests are recorded.
    pub(crate) fn shows_bodies(&self) -> bool {
        self.0.as_ref().is_some_and(|it| it.decision.level >= Level::Request)
    }

    /// Whether the answer must be kept for the event.
    pub(crate) fn shows_answers(&self) -> bool {
        self.0.as_ref().is_some_and(|it| it.decision.level >= Level::RequestResponse)
    }

    /// Nobody was found who asks: one event, as the head of the refusal goes out (as upstream).
    pub(crate) fn nobody(&mut self) {
        if let Some(open) = &mut self.0 {
            open.is_nobody = true;
        }
    }

    /// The end of a write of the server's own: what it led to, if that is shown.
    pub(crate) async fn done(self, outcome: Result<(StatusCode, Bytes), ApiError>, notes: BTreeMap<String, String>) {
        if self.0.is_none() {
            return;
        }
        let mut reply = match outcome {
            Ok((status, text)) => Reply::json(status, Encoding::Json, false, text),
            Err(error) => Reply::failure(&error, None),
        };
        self.answered(&mut reply, notes).await;
    }

    /// The end of a request whose handler broke.
    pub(crate) async fn panicked(self, reply: &mut Reply) {
        let Some(open) = self.0 else { return };
        let outcome = open.outcome(reply);
        open.record(Stage::Panic, Some(outcome)).await;
    }

    /// The answer is made. That of a watch goes on: its last event is made when it ends.
    pub(crate) async fn answered(mut self, reply: &mut Reply, annotations: BTreeMap<String, String>) {
        let Some(open) = &mut self.0 else { return };
        open.annotations.extend(annotations);
        let mut outcome = open.outcome(reply);
        if open.is_nobody {
            let problem = "Authentication failed, attempted: bearer";
            outcome.status = Some(ApiError::new(reply.status.as_u16(), "Unauthorized", problem).body());
            open.record(Stage::ResponseStarted, Some(outcome)).await;
            return;
        }
        if open.is_watch {
            open.record(Stage::ResponseStarted, Some(outcome.clone())).await;
            open.observed = Decision::default();
            if reply.status.is_success()
                && let Some(open) = self.0
            {
                reply.body.hold(Ending { open, outcome });
                return;
            }
        }
        let Some(open) = self.0 else { return };
        open.record(Stage::ResponseComplete, Some(outcome)).await;
    }
}

/// Makes the last event of a watch when its body goes.
struct Ending {
    open: Box<Open>,
    outcome: Outcome,
}

impl Drop for Ending {
    fn drop(&mut self) {
        let event = self.open.event(Stage::ResponseComplete, Some(std::mem::take(&mut self.outcome)));
        if let (true, Some(queue)) = (self.open.decision.records(Stage::ResponseComplete), &self.open.audit.queue) {
            queue.offer(event);
        }
    }
}

impl Open {
    /// Whether the event is where it must be before the request goes on.
    async fn record(&self, stage: Stage, outcome: Option<Outcome>) -> bool {
        if let (true, Some(observer)) = (self.observed.records(stage), &self.audit.observer) {
            (observer.hear)(Event { decision: self.observed, ..self.event(stage, outcome.clone()) });
        }
        match &self.audit.queue {
            Some(queue) if self.decision.records(stage) => queue.put(self.event(stage, outcome)).await,
            _ => true,
        }
    }

    fn event(&self, stage: Stage, outcome: Option<Outcome>) -> Event {
        Event {
            head: Arc::clone(&self.head),
            decision: self.decision,
            stage,
            at: (self.clock)().wall,
            impersonated: self.impersonated.clone(),
            sent: self.sent.clone(),
            outcome,
            annotations: self.annotations.clone(),
        }
    }

    fn outcome(&self, reply: &Reply) -> Outcome {
        const STATUS: &[u8] = br#"{"kind":"Status""#;
        let text = reply.json.as_ref();
        let status = text.filter(|it| it.starts_with(STATUS)).cloned();
        let body = match (self.decision.level, text) {
            (Level::RequestResponse, Some(text)) => vec![text.clone()],
            (Level::RequestResponse, None) if reply.content_type == "application/json" => reply.body.shared(),
            _ => Vec::new(),
        };
        Outcome { code: reply.status.as_u16(), status, body }
    }
}

/// Proxies' claims, then the peer; each once (as upstream).
fn source_ips(headers: &HeaderMap, peer: Option<&Arc<Peer>>) -> Vec<String> {
    let text = |name: &str| headers.get(name).and_then(|it| it.to_str().ok()).unwrap_or_default();
    let forwarded = text("x-forwarded-for").split(',').map(str::trim);
    let claimed = forwarded.chain([text("x-real-ip").trim()]);
    let peer = peer.map(|it| it.address.ip());
    let mut found: Vec<String> = Vec::new();
    for address in claimed.filter_map(|it| it.parse::<IpAddr>().ok()).chain(peer) {
        let address = address.to_string();
        if !found.contains(&address) {
            found.push(address);
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_comes_from_its_proxies_and_its_peer() {
        let mut headers = HeaderMap::new();
        let peer = Arc::new(Peer { address: "10.0.0.9:1".parse().expect("an address"), identity: None });
        assert_eq!(source_ips(&headers, Some(&peer)), ["10.0.0.9"]);
        headers.insert("x-forwarded-for", "192.0.2.1, nonsense, 10.0.0.9".parse().expect("a value"));
        headers.insert("x-real-ip", "192.0.2.7".parse().expect("a value"));
        assert_eq!(source_ips(&headers, Some(&peer)), ["192.0.2.1", "10.0.0.9", "192.0.2.7"]);
        assert!(source_ips(&HeaderMap::new(), None).is_empty());
    }
}
