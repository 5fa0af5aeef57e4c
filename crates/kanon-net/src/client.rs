//! Calls out over HTTPS, as webhooks need them: own TLS settings, connections reused, answers bounded.

use std::{
    fmt,
    future::Future,
    io,
    net::SocketAddr,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use http::{Request, Response, Uri};
use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use hyper::{
    body::{Body, Incoming},
    rt::{Read, ReadBufCursor, Write},
};
use hyper_util::{
    client::legacy::{
        Client,
        connect::{Connected, Connection},
    },
    rt::{TokioExecutor, TokioIo, TokioTimer},
};
use rustls::ClientConfig;
use rustls_pki_types::ServerName;
use tokio::{net::TcpStream, sync::Semaphore};
use tokio_rustls::{TlsConnector, client::TlsStream};
use tower_service::Service;

use crate::tls::PROTOCOLS;

/// Where a host and port are to be found instead of by DNS: how an embedded server reaches services.
pub type Resolve = Arc<dyn Fn(&str, u16) -> Option<SocketAddr> + Send + Sync>;

/// How long an unused connection is kept.
const IDLE: Duration = Duration::from_secs(30);

/// How much of one answer may be on its way unread.
const STREAM_WINDOW: u32 = 256 << 10;
/// The same of all answers on a connection: room for 256 that nobody reads, so that those never stop the others. Reviews,
/// effects and watches share a connection, and a watch waits while the loop is busy with effects.
const CONNECTION_WINDOW: u32 = 64 << 20;
/// A silent HTTP/2 connection is asked after so long, and given up when it says nothing for so long (client-go's defaults).
const PING_INTERVAL: Duration = Duration::from_secs(30);
const PING_TIMEOUT: Duration = Duration::from_secs(15);
/// How long the other side may take to accept a connection (client-go's default).
const CONNECT_MAX: Duration = Duration::from_secs(30);

/// Why a call gave no answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CallError {
    /// The time was up.
    #[error("no answer within {0:?}")]
    Timeout(Duration),
    /// No connection, no trust, or a connection that broke.
    #[error("{0}")]
    Transport(String),
    /// The answer is longer than allowed.
    #[error("the answer is longer than {0} bytes")]
    TooLong(usize),
}

/// An HTTPS (and plain HTTP) client. Clones share the connections.
#[derive(Clone)]
pub struct HttpsClient {
    client: Client<Connector, Full<Bytes>>,
}

impl HttpsClient {
    /// A client with these TLS settings; `resolve` is asked before DNS.
    pub fn new(tls: Arc<ClientConfig>, resolve: Option<Resolve>) -> HttpsClient {
        HttpsClient { client: pooled(Connector { tls: TlsConnector::from(tls), resolve }) }
    }

    /// Sends a request and reads the whole answer, within `limit` of time and `len_max` bytes.
    ///
    /// # Errors
    /// No answer in time, no connection, too long an answer. Any HTTP status is an answer.
    pub async fn call(
        &self,
        request: Request<Full<Bytes>>,
        limit: Duration,
        len_max: usize,
    ) -> Result<Response<Bytes>, CallError> {
        tokio::time::timeout(limit, self.exchange(request, len_max)).await.map_err(|_| CallError::Timeout(limit))?
    }

    async fn exchange(&self, request: Request<Full<Bytes>>, len_max: usize) -> Result<Response<Bytes>, CallError> {
        let answer = self.client.request(request).await.map_err(|error| CallError::Transport(innermost(&error)))?;
        let (head, body) = answer.into_parts();
        let body = Limited::new(body, len_max).collect().await.map_err(|error| {
            if error.is::<LengthLimitError>() {
                CallError::TooLong(len_max)
            } else {
                CallError::Transport(innermost(&*error))
            }
        })?;
        Ok(Response::from_parts(head, body.to_bytes()))
    }
}

impl fmt::Debug for HttpsClient {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("HttpsClient").finish_non_exhaustive()
    }
}

/// The service below [`HttpsClient`], for clients that bring their own layers and read answers as they arrive. Where the other
/// side speaks HTTP/2, all calls share one connection, however many of them stream.
pub struct HttpsService<B> {
    client: Client<Connector, B>,
    /// One call at a time until there was an answer: calls that begin together would each open a connection, since nobody knows
    /// yet that one is enough. Closed from then on.
    first: Arc<Semaphore>,
}

impl<B> Clone for HttpsService<B> {
    fn clone(&self) -> HttpsService<B> {
        HttpsService { client: self.client.clone(), first: Arc::clone(&self.first) }
    }
}

/// What `tower` calls an error.
type BoxError = Box<dyn std::error::Error + Send + Sync>;

impl<B: Body<Data: Send> + Send> HttpsService<B> {
    /// A service with these TLS settings, which offers HTTP/2 and HTTP/1.1.
    pub fn new(mut tls: ClientConfig) -> HttpsService<B> {
        tls.alpn_protocols = PROTOCOLS.map(<[u8]>::to_vec).to_vec();
        let client = pooled(Connector { tls: TlsConnector::from(Arc::new(tls)), resolve: None });
        HttpsService { client, first: Arc::new(Semaphore::new(1)) }
    }
}

impl<B> Service<Request<B>> for HttpsService<B>
where
    B: Body<Data: Send, Error: Into<BoxError>> + Send + Unpin + 'static,
{
    type Response = Response<Incoming>;
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = Result<Response<Incoming>, BoxError>> + Send>>;

    fn poll_ready(&mut self, _context: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let (client, first) = (self.client.clone(), Arc::clone(&self.first));
        Box::pin(async move {
            let turn = first.acquire().await;
            let answer = client.request(request).await.map_err(BoxError::from);
            if turn.is_ok() && answer.is_ok() {
                first.close();
            }
            answer
        })
    }
}

impl<B> fmt::Debug for HttpsService<B> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("HttpsService").finish_non_exhaustive()
    }
}

fn pooled<B>(connector: Connector) -> Client<Connector, B>
where
    B: Body<Data: Send> + Send,
{
    Client::builder(TokioExecutor::new())
        .pool_idle_timeout(IDLE)
        .pool_timer(TokioTimer::new())
        .timer(TokioTimer::new())
        .http2_initial_stream_window_size(STREAM_WINDOW)
        .http2_initial_connection_window_size(CONNECTION_WINDOW)
        .http2_keep_alive_interval(PING_INTERVAL)
        .http2_keep_alive_timeout(PING_TIMEOUT)
        .build(connector)
}

/// The error that the others only wrap: the one a user can act on.
fn innermost(error: &(dyn std::error::Error + 'static)) -> String {
    let mut error = error;
    while let Some(source) = error.source() {
        error = source;
    }
    let io = error.downcast_ref::<std::io::Error>().map(std::io::Error::kind);
    if io == Some(std::io::ErrorKind::UnexpectedEof) {
        // The libraries below explain at length how this comes about.
        return "unexpected EOF".to_owned();
    }
    error.to_string()
}

#[derive(Clone)]
struct Connector {
    tls: TlsConnector,
    resolve: Option<Resolve>,
}

impl Connector {
    async fn connect(self, uri: Uri) -> io::Result<Stream> {
        let is_tls = uri.scheme() != Some(&http::uri::Scheme::HTTP);
        let bad = |problem: String| io::Error::new(io::ErrorKind::InvalidInput, problem);
        let host = uri.host().ok_or_else(|| bad(format!("`{uri}` names no host")))?;
        let host = host.trim_start_matches('[').trim_end_matches(']').to_owned();
        let port = uri.port_u16().unwrap_or(if is_tls { 443 } else { 80 });
        let known = self.resolve.as_ref().and_then(|resolve| resolve(&host, port));
        let tcp = match known {
            Some(address) => TcpStream::connect(address).await,
            None => TcpStream::connect((host.as_str(), port)).await,
        };
        let tcp =
            tcp.map_err(|error| io::Error::new(error.kind(), format!("cannot connect to {host}:{port}: {error}")))?;
        tcp.set_nodelay(true)?;
        if !is_tls {
            return Ok(Stream::Plain(TokioIo::new(tcp)));
        }
        let name = ServerName::try_from(host).map_err(|error| bad(error.to_string()))?;
        Ok(Stream::Tls(Box::new(TokioIo::new(self.tls.connect(name, tcp).await?))))
    }
}

impl Service<Uri> for Connector {
    type Response = Stream;
    type Error = io::Error;
    type Future = Pin<Box<dyn Future<Output = io::Result<Stream>> + Send>>;

    fn poll_ready(&mut self, _context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        let connecting = self.clone().connect(uri);
        let late = || io::Error::new(io::ErrorKind::TimedOut, format!("no connection within {CONNECT_MAX:?}"));
        Box::pin(async move { tokio::time::timeout(CONNECT_MAX, connecting).await.unwrap_or_else(|_| Err(late())) })
    }
}

/// A connection out.
enum Stream {
    Plain(TokioIo<TcpStream>),
    Tls(Box<TokioIo<TlsStream<TcpStream>>>),
}

impl Connection for Stream {
    fn connected(&self) -> Connected {
        match self {
            Stream::Plain(_) => Connected::new(),
            Stream::Tls(it) if it.inner().get_ref().1.alpn_protocol() == Some(b"h2") => {
                Connected::new().negotiated_h2()
            }
            Stream::Tls(_) => Connected::new(),
        }
    }
}

impl Read for Stream {
    fn poll_read(self: Pin<&mut Self>, context: &mut Context<'_>, buffer: ReadBufCursor<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Stream::Plain(it) => Pin::new(it).poll_read(context, buffer),
            Stream::Tls(it) => Pin::new(it.as_mut()).poll_read(context, buffer),
        }
    }
}

impl Write for Stream {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Stream::Plain(it) => Pin::new(it).poll_write(context, bytes),
            Stream::Tls(it) => Pin::new(it.as_mut()).poll_write(context, bytes),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Stream::Plain(it) => Pin::new(it).poll_flush(context),
            Stream::Tls(it) => Pin::new(it.as_mut()).poll_flush(context),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Stream::Plain(it) => Pin::new(it).poll_shutdown(context),
            Stream::Tls(it) => Pin::new(it.as_mut()).poll_shutdown(context),
        }
    }
}
