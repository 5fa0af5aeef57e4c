//! The audit webhook (spec/rules 7.1): an API server posts its audit events here.
//!
//! Whoever can post here can have actions run, so that nobody may without a credential. The answer says that the events were
//! understood and handed on; what they lead to is decided later.

use std::{path::PathBuf, sync::Arc, time::Duration};

use bytes::Bytes;
use http::{Method, Request, Response, StatusCode, header};
use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use hyper::body::Body;
use kanon_core::{Digest, Object};
use kanon_net::Peer;
use tokio::{sync::Semaphore, time::timeout};

/// Largest body.
const BODY_LEN_MAX: usize = 32 << 20;
/// How long a body may take to arrive.
const BODY_TIME: Duration = Duration::from_secs(30);
/// Bodies that are held at a time; others wait for their turn before they are read.
const BODIES_MAX: usize = 8;
/// The one path.
const PATH: &str = "/audit";

/// Who may post. INVARIANT of whoever makes one: there is at least one way in.
#[derive(Clone, Debug)]
pub struct Credentials {
    /// A file whose text is the bearer token. It is read for every request, so that it may be replaced.
    pub token_file: Option<PathBuf>,
    /// Whether a client certificate that the listener has verified is enough.
    pub certificates: bool,
}

type Inbox = dyn Fn(Vec<Object>) + Send + Sync;

/// The endpoint's service.
pub struct AuditEndpoint {
    credentials: Credentials,
    inbox: Arc<Inbox>,
    bodies: Semaphore,
}

impl AuditEndpoint {
    /// An endpoint that hands events on to `inbox`, which does not wait.
    pub fn new(credentials: Credentials, inbox: impl Fn(Vec<Object>) + Send + Sync + 'static) -> AuditEndpoint {
        AuditEndpoint { credentials, inbox: Arc::new(inbox), bodies: Semaphore::new(BODIES_MAX) }
    }

    /// Answers one HTTP request.
    pub async fn handle<B>(&self, request: Request<B>) -> Response<Full<Bytes>>
    where
        B: Body<Data = Bytes>,
        B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        if request.uri().path() != PATH {
            return plain(StatusCode::NOT_FOUND, "audit events are posted to /audit");
        }
        if request.method() != Method::POST {
            return plain(StatusCode::METHOD_NOT_ALLOWED, "audit events are sent by POST");
        }
        if !self.knows(&request).await {
            let mut response = plain(StatusCode::UNAUTHORIZED, "a bearer token or a client certificate is required");
            response.headers_mut().insert(header::WWW_AUTHENTICATE, header::HeaderValue::from_static("Bearer"));
            return response;
        }
        // Nobody closes the semaphore.
        let _turn = self.bodies.acquire().await;
        let body = match timeout(BODY_TIME, Limited::new(request.into_body(), BODY_LEN_MAX).collect()).await {
            Ok(Ok(body)) => body.to_bytes(),
            Ok(Err(error)) if error.is::<LengthLimitError>() => {
                return plain(StatusCode::PAYLOAD_TOO_LARGE, "the body is larger than 32 MiB");
            }
            Ok(Err(error)) => return plain(StatusCode::BAD_REQUEST, &format!("the body cannot be read: {error}")),
            Err(_) => return plain(StatusCode::REQUEST_TIMEOUT, "the body did not arrive in time"),
        };
        // Thirty-two megabytes take a while to read, and others are to be answered meanwhile.
        match tokio::task::spawn_blocking(move || kanon_events::read(body)).await {
            Ok(Ok(events)) => {
                (self.inbox)(events);
                plain(StatusCode::OK, "")
            }
            Ok(Err(error)) => plain(StatusCode::BAD_REQUEST, &error.to_string()),
            Err(_) => plain(StatusCode::INTERNAL_SERVER_ERROR, "internal error: the body made the reader stumble"),
        }
    }

    async fn knows<B>(&self, request: &Request<B>) -> bool {
        if self.credentials.certificates && Peer::of(request).is_some_and(|it| it.identity.is_some()) {
            return true;
        }
        let given = request.headers().get(header::AUTHORIZATION).and_then(|it| it.to_str().ok());
        let Some(given) = given.and_then(|it| it.strip_prefix("Bearer ")) else { return false };
        let Some(file) = &self.credentials.token_file else { return false };
        let wanted = match tokio::fs::read_to_string(file).await {
            Ok(text) => text,
            Err(error) => {
                tracing::warn!(%error, file = %file.display(), "the token of the audit webhook cannot be read");
                return false;
            }
        };
        let wanted = wanted.trim();
        // Digests, so that the time it takes says nothing about the token.
        !wanted.is_empty() && Digest::of(&[given.trim().as_bytes()]) == Digest::of(&[wanted.as_bytes()])
    }
}

fn plain(code: StatusCode, message: &str) -> Response<Full<Bytes>> {
    let text = if message.is_empty() { String::new() } else { format!("{message}\n") };
    let mut response = Response::new(Full::new(Bytes::from(text)));
    *response.status_mut() = code;
    response
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use kanon_net::Identity;

    use super::*;

    const LIST: &str =
        r#"{"apiVersion":"audit.k8s.io/v1","kind":"EventList","items":[{"auditID":"1"},{"auditID":"2"}]}"#;

    /// An endpoint with a token file, and how many events it was handed.
    fn endpoint(token: &str, certificates: bool) -> (AuditEndpoint, Arc<Mutex<usize>>, tempfile::TempDir) {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("token");
        std::fs::write(&file, token).unwrap();
        let count: Arc<Mutex<usize>> = Arc::default();
        let counted = Arc::clone(&count);
        let credentials = Credentials { token_file: Some(file), certificates };
        let endpoint = AuditEndpoint::new(credentials, move |events| *counted.lock().unwrap() += events.len());
        (endpoint, count, folder)
    }

    fn request() -> http::request::Builder {
        Request::post("https://kanon/audit?timeout=30s").header(header::AUTHORIZATION, "Bearer s3cret")
    }

    async fn status(endpoint: &AuditEndpoint, request: http::request::Builder, body: impl Into<Bytes>) -> u16 {
        endpoint.handle(request.body(Full::new(body.into())).unwrap()).await.status().as_u16()
    }

    #[tokio::test]
    async fn events_are_taken_from_those_who_have_the_token() {
        let (endpoint, count, folder) = endpoint("s3cret\n", false);
        assert_eq!(status(&endpoint, request(), LIST).await, 200);
        assert_eq!(*count.lock().unwrap(), 2);
        for value in ["Bearer other", "Bearer ", "Basic s3cret", "s3cret"] {
            let request = Request::post("/audit").header(header::AUTHORIZATION, value);
            assert_eq!(status(&endpoint, request, LIST).await, 401, "{value}");
        }
        assert_eq!(status(&endpoint, Request::post("/audit"), LIST).await, 401);
        // A new token counts at once; without one nobody gets in.
        std::fs::write(folder.path().join("token"), "new").unwrap();
        assert_eq!(status(&endpoint, request(), LIST).await, 401);
        std::fs::write(folder.path().join("token"), " \n").unwrap();
        assert_eq!(status(&endpoint, Request::post("/audit").header("authorization", "Bearer "), LIST).await, 401);
        std::fs::remove_file(folder.path().join("token")).unwrap();
        assert_eq!(status(&endpoint, request(), LIST).await, 401);
        assert_eq!(*count.lock().unwrap(), 2);
    }

    #[tokio::test]
    async fn a_verified_certificate_is_enough_where_it_is_asked_for() {
        for (certificates, identity, want) in
            [(true, Some(Identity::default()), 200), (true, None, 401), (false, Some(Identity::default()), 401)]
        {
            let (endpoint, _, _folder) = endpoint("s3cret", certificates);
            let peer = Arc::new(Peer { address: "127.0.0.1:1".parse().unwrap(), identity });
            assert_eq!(status(&endpoint, Request::post("/audit").extension(peer), LIST).await, want);
        }
    }

    #[tokio::test]
    async fn whatever_is_posted_is_answered() {
        let (endpoint, count, _folder) = endpoint("s3cret", false);
        let deep = "[".repeat(100_000);
        for body in ["", "{", "[]", "null", "\u{feff}{}", r#"{"kind":"EventList"}"#, &deep] {
            assert_eq!(status(&endpoint, request(), body.to_owned()).await, 400, "{body:.20}");
        }
        assert_eq!(status(&endpoint, request(), vec![0xff, 0xfe]).await, 400);
        assert_eq!(status(&endpoint, request(), vec![b' '; BODY_LEN_MAX + 1]).await, 413);
        assert_eq!(status(&endpoint, Request::get("/audit"), "").await, 405);
        assert_eq!(status(&endpoint, Request::post("/"), "").await, 404);
        assert_eq!(*count.lock().unwrap(), 0);
    }
}
