//! The way of a request: who asks, what for, may they, then the handler; every failure comes out as a `Status`.
//!
//! [`ApiService`] is a `hyper` service for the listener and a `tower` service for clients in the same process.

use std::{
    convert::Infallible,
    error::Error as StdError,
    future::Future,
    panic::AssertUnwindSafe,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use futures_util::FutureExt as _;
use http::{Method, Request, Response, header, request::Parts};
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use kanon_apimachinery::{
    decode::BODY_MAX,
    request::{RequestInfo, Target, Verb},
    status::ApiError,
};
use kanon_core::UserInfo;
use kanon_net::Peer;
use tokio::time::timeout;

use crate::{
    access, admission::Warnings, audit::Trail, body::Body, core::Core, handlers, ids, inflight::Permit, reply::Reply,
};

/// How much of a body that is too large is still taken in before the refusal is sent, and for how long.
const DISCARD_MAX: usize = 64 << 20;
const DISCARD_TIME: Duration = Duration::from_secs(5);

type AnyError = Box<dyn StdError + Send + Sync>;

/// The API server without its socket. Cheap to clone.
#[derive(Clone)]
pub struct ApiService {
    core: Arc<Core>,
    /// Who every request is from; without it the request says so.
    user: Option<Arc<UserInfo>>,
}

/// A request whose head is understood, with all of its body.
pub(crate) struct Asked {
    pub(crate) info: Arc<RequestInfo>,
    pub(crate) user: UserInfo,
    pub(crate) headers: http::HeaderMap,
    pub(crate) body: Bytes,
    pub(crate) warnings: Arc<Warnings>,
    /// Whether the audit log wants to see the answer: then it is made in one go.
    pub(crate) answer_is_recorded: bool,
}

/// What a request gathers on its way, whatever becomes of it.
#[derive(Default)]
struct Way {
    trail: Trail,
    permit: Option<Permit>,
}

impl ApiService {
    pub(crate) fn new(core: Arc<Core>) -> ApiService {
        ApiService { core, user: None }
    }

    /// The same service for one user of this process, without certificates or tokens.
    #[must_use]
    pub fn acting_as(&self, user: UserInfo) -> ApiService {
        ApiService { core: Arc::clone(&self.core), user: Some(Arc::new(user)) }
    }

    /// Answers a request. Never fails: failures are answers too.
    pub async fn handle<B>(&self, request: Request<B>) -> Response<Body>
    where
        B: hyper::body::Body<Data = Bytes> + Send,
        B::Error: Into<AnyError>,
    {
        let (parts, body) = request.into_parts();
        let given = parts.headers.get("audit-id").and_then(|it| it.to_str().ok()).filter(|it| it.len() <= 64);
        let id = given.map_or_else(ids::request, str::to_owned);
        let is_head = parts.method == Method::HEAD;
        let encodings = parts.headers.get(header::ACCEPT_ENCODING).and_then(|it| it.to_str().ok());
        let accept_encoding = encodings.unwrap_or_default().to_owned();
        let info = RequestInfo::parse(&parts.method, parts.uri.path(), parts.uri.query(), &parts.headers);
        let (verb, reply) = match info {
            Err(error) => ("none".to_owned(), Reply::failure(&error, None)),
            Ok(info) => {
                let verb = info.verb();
                (verb, self.ask(&id, Arc::new(info), parts, body).await)
            }
        };
        self.core.metrics.count(&verb, reply.status.as_u16());
        let mut response = reply.compressed(&accept_encoding).into_response(&id);
        if is_head {
            *response.body_mut() = Body::default();
        }
        response
    }

    async fn ask<B>(&self, id: &str, info: Arc<RequestInfo>, parts: Parts, body: B) -> Reply
    where
        B: hyper::body::Body<Data = Bytes> + Send,
        B::Error: Into<AnyError>,
    {
        let is_watch = matches!(info.target, Target::Resource(Verb::Watch, _));
        let shown = Arc::clone(&info);
        let said = Arc::new(Warnings::default());
        let mut way = Way::default();
        let work = self.work(id, info, parts, body, Arc::clone(&said), &mut way);
        let limited = async {
            let limit = self.core.limits.request_time;
            if is_watch { Ok(work.await) } else { timeout(limit, work).await }
        };
        // Nothing that a panic may leave half-done is used again: the request ends here.
        let done = AssertUnwindSafe(limited).catch_unwind().await;
        let Way { trail, permit } = way;
        let mut reply = match done {
            Ok(Ok(Ok(reply))) => reply,
            Ok(Ok(Err(error))) => Reply::failure(&error, Some(&shown)),
            Ok(Err(_)) => Reply::failure(&overdue(), Some(&shown)),
            Err(_) => {
                tracing::error!(path = shown.path, "a request made the server stumble");
                let mut reply = Reply::failure(&stumbled(), Some(&shown));
                trail.panicked(&mut reply).await;
                return reply;
            }
        };
        trail.answered(&mut reply, said.take_annotations()).await;
        if !is_watch {
            // The place is taken until the client has its answer.
            reply.body.hold(permit);
        }
        reply.warn(said.take())
    }

    async fn work<B>(
        &self,
        id: &str,
        info: Arc<RequestInfo>,
        parts: Parts,
        body: B,
        warnings: Arc<Warnings>,
        way: &mut Way,
    ) -> Result<Reply, ApiError>
    where
        B: hyper::body::Body<Data = Bytes> + Send,
        B::Error: Into<AnyError>,
    {
        let user = match self.authenticate(&parts) {
            Ok(user) => user,
            Err(error) => {
                way.trail = Trail::begin(&self.core, id, &info, &parts, None);
                way.trail.nobody();
                return Err(error);
            }
        };
        way.trail = Trail::begin(&self.core, id, &info, &parts, Some(&user));
        way.trail.received().await?;
        let (asks, user) = (user.username.clone(), self.act(user, &parts, &mut way.trail)?);
        match self.core.authorize(&user, &info) {
            Ok(reason) => way.trail.decided(true, &reason),
            Err((error, reason)) => {
                way.trail.decided(false, &reason);
                return Err(error);
            }
        }
        way.permit = self.core.inflight.enter(&info, &asks).await?;
        // A body is read only for whom it may concern.
        let body = read(&parts, body, self.core.limits.body_time).await?;
        way.trail.sent(&info.content_type, &body);
        let answer_is_recorded = way.trail.shows_answers();
        let asked = Asked { info, user, headers: parts.headers, body, warnings, answer_is_recorded };
        handlers::handle(&self.core, asked).await
    }

    /// Who asks?
    fn authenticate(&self, parts: &Parts) -> Result<UserInfo, ApiError> {
        if let Some(user) = &self.user {
            return Ok(UserInfo::clone(user));
        }
        let peer = parts.extensions.get::<Arc<Peer>>().map(|it| &**it);
        access::authenticate(&parts.headers, peer, &self.core.tokens, |token| self.core.verify_token(token))
    }

    /// As whom?
    fn act(&self, user: UserInfo, parts: &Parts, trail: &mut Trail) -> Result<UserInfo, ApiError> {
        let Some(wanted) = access::impersonation(&parts.headers)? else { return Ok(user) };
        for need in &wanted.needs {
            self.core.authorize_impersonation(&user, need)?;
        }
        trail.impersonates(&wanted.user);
        Ok(wanted.user)
    }
}

fn overdue() -> ApiError {
    ApiError::new(504, "Timeout", "Timeout: request did not complete within the allotted timeout")
}

fn stumbled() -> ApiError {
    ApiError::internal("this request made the server stumble; its log says where")
}

/// The whole body, within its bounds of size and time.
async fn read<B>(parts: &Parts, body: B, limit: Duration) -> Result<Bytes, ApiError>
where
    B: hyper::body::Body<Data = Bytes> + Send,
    B::Error: Into<AnyError>,
{
    if parts.method == Method::GET || parts.method == Method::HEAD {
        return Ok(Bytes::new());
    }
    let length = parts.headers.get(header::CONTENT_LENGTH).and_then(|it| it.to_str().ok()?.parse::<usize>().ok());
    let mut body = Box::pin(body);
    if length.is_some_and(|it| it > BODY_MAX) {
        discard(&mut body).await;
        return Err(ApiError::too_large(BODY_MAX));
    }
    match timeout(limit, Limited::new(&mut body, BODY_MAX).collect()).await {
        Ok(Ok(collected)) => Ok(collected.to_bytes()),
        Ok(Err(error)) if error.is::<LengthLimitError>() => {
            discard(&mut body).await;
            Err(ApiError::too_large(BODY_MAX))
        }
        Ok(Err(error)) => Err(ApiError::bad_request(format!("the body of the request broke off: {error}"))),
        Err(_) => Err(ApiError::new(408, "RequestTimeout", "the body of the request did not arrive in time")),
    }
}

/// Takes in the rest of a body that is too large, as far as that is bearable: an HTTP/2 client that is answered while it
/// still sends sees a broken stream instead of the answer.
async fn discard<B>(body: &mut B)
where
    B: hyper::body::Body<Data = Bytes> + Unpin,
{
    let mut left = DISCARD_MAX;
    let rest = async {
        while let Some(Ok(frame)) = body.frame().await {
            left = left.saturating_sub(frame.data_ref().map_or(0, Bytes::len));
            if left == 0 {
                return;
            }
        }
    };
    // Late or not, the answer is the same.
    let _ = timeout(DISCARD_TIME, rest).await;
}

impl<B> hyper::service::Service<Request<B>> for ApiService
where
    B: hyper::body::Body<Data = Bytes> + Send + 'static,
    B::Error: Into<AnyError>,
{
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Response<Body>, Infallible>> + Send>>;

    fn call(&self, request: Request<B>) -> Self::Future {
        let service = self.clone();
        Box::pin(async move { Ok(service.handle(request).await) })
    }
}

impl<B> tower_service::Service<Request<B>> for ApiService
where
    B: hyper::body::Body<Data = Bytes> + Send + 'static,
    B::Error: Into<AnyError>,
{
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Response<Body>, Infallible>> + Send>>;

    fn poll_ready(&mut self, _context: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        hyper::service::Service::call(&*self, request)
    }
}
