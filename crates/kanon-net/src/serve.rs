//! The accept loop that every listener of Kanon uses.

use std::{convert::Infallible, error::Error as StdError, io, net::SocketAddr, pin::pin, sync::Arc, time::Duration};

use http::{Request, Response};
use hyper::{
    body::{Body, Incoming},
    service::{Service, service_fn},
};
use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    server::conn::auto,
};
use rustls::ServerConfig;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpListener, TcpStream},
    sync::Semaphore,
    task::JoinSet,
    time::{sleep, timeout},
};
use tokio_rustls::{TlsAcceptor, server::TlsStream};
use tokio_util::sync::CancellationToken;

use crate::{Error, Identity, Peer, stall::Stalling};

/// Bounds of a listener.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Connections at a time; more are closed at once.
    pub connections_max: usize,
    /// Requests at a time on one HTTP/2 connection.
    pub streams_max: u32,
    /// How long a TLS handshake may take.
    pub handshake: Duration,
    /// How long a request's head may take; an idle HTTP/1.1 connection is closed after it too.
    pub head: Duration,
    /// How often an idle HTTP/2 connection is asked whether it lives; after as long again without an answer it is closed.
    pub ping: Duration,
    /// How long a client may take nothing of what it is sent before its connection is closed.
    pub stall: Duration,
    /// How long requests in work may take to end after shutdown began.
    pub drain: Duration,
}

impl Default for Limits {
    /// `streams_max` as kube-apiserver's default 250 (known); the rest is ours.
    fn default() -> Limits {
        Limits {
            connections_max: 4096,
            streams_max: 250,
            handshake: Duration::from_secs(10),
            head: Duration::from_secs(30),
            ping: Duration::from_secs(30),
            stall: Duration::from_secs(60),
            drain: Duration::from_secs(10),
        }
    }
}

/// Takes an address; port 0 means any.
///
/// # Errors
/// The address is in use or not ours: the error names it.
pub async fn bind(address: SocketAddr) -> Result<TcpListener, Error> {
    TcpListener::bind(address).await.map_err(|source| Error::Listen { address, source })
}

/// Bytes that one HTTP/1.1 connection or one HTTP/2 stream holds for a client that takes its time; also the longest head.
const BUFFER: usize = 128 << 10;

/// How long to wait after the system refused a connection (no file handles left).
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// Serves until `shutdown` is cancelled, then lets requests in work end, up to [`Limits::drain`]. Without `tls` it speaks plain HTTP,
/// 1.1 or 2 (prior knowledge). Each request carries an `Arc<Peer>` extension. Bodies that never end (watches) must
/// observe the same token themselves.
pub async fn serve<S, B>(
    listener: TcpListener,
    tls: Option<Arc<ServerConfig>>,
    service: S,
    limits: Limits,
    shutdown: CancellationToken,
) where
    S: Service<Request<Incoming>, Response = Response<B>, Error = Infallible> + Clone + Send + Sync + 'static,
    S::Future: Send + 'static,
    B: Body + Send + 'static,
    B::Data: Send,
    B::Error: Into<Box<dyn StdError + Send + Sync>>,
{
    let acceptor = tls.map(TlsAcceptor::from);
    let places = Arc::new(Semaphore::new(limits.connections_max));
    let mut connections = JoinSet::new();
    loop {
        let accepted = tokio::select! {
            () = shutdown.cancelled() => break,
            // Ended connections are forgotten here, so that the set does not grow.
            Some(_) = connections.join_next() => continue,
            accepted = listener.accept() => accepted,
        };
        let (stream, address) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                tracing::warn!(%error, "cannot accept a connection");
                sleep(ACCEPT_PAUSE).await;
                continue;
            }
        };
        let Ok(place) = Arc::clone(&places).try_acquire_owned() else {
            tracing::warn!(%address, max = limits.connections_max, "too many connections: closed");
            continue;
        };
        let connection = Connection { address, limits, shutdown: shutdown.clone() };
        let (acceptor, service) = (acceptor.clone(), service.clone());
        connections.spawn(async move {
            if let Err(error) = connection.run(stream, acceptor, service).await {
                tracing::debug!(%address, %error, "connection ended");
            }
            drop(place);
        });
    }
    drop(listener);
    let drained = timeout(limits.drain, async { while connections.join_next().await.is_some() {} }).await;
    if drained.is_err() {
        tracing::warn!(open = connections.len(), "requests did not end in time: connections closed");
    }
}

struct Connection {
    address: SocketAddr,
    limits: Limits,
    shutdown: CancellationToken,
}

type AnyError = Box<dyn StdError + Send + Sync>;

impl Connection {
    async fn run<S, B>(self, stream: TcpStream, acceptor: Option<TlsAcceptor>, service: S) -> Result<(), AnyError>
    where
        S: Service<Request<Incoming>, Response = Response<B>, Error = Infallible> + Send + Sync + 'static,
        S::Future: Send + 'static,
        B: Body + Send + 'static,
        B::Data: Send,
        B::Error: Into<AnyError>,
    {
        // Answers are small and written in one go: waiting for more would only delay them.
        stream.set_nodelay(true)?;
        match acceptor {
            None => {
                let is_h2 = timeout(self.limits.head, begins_as_h2(&stream)).await??;
                self.drive(stream, is_h2, None, service).await
            }
            Some(acceptor) => {
                let stream = timeout(self.limits.handshake, acceptor.accept(stream)).await??;
                let is_h2 = stream.get_ref().1.alpn_protocol() == Some(b"h2");
                let identity = identity(&stream);
                self.drive(stream, is_h2, identity, service).await
            }
        }
    }

    async fn drive<I, S, B>(self, io: I, is_h2: bool, identity: Option<Identity>, service: S) -> Result<(), AnyError>
    where
        I: AsyncRead + AsyncWrite + Unpin + Send + 'static,
        S: Service<Request<Incoming>, Response = Response<B>, Error = Infallible> + Send + Sync + 'static,
        S::Future: Send + 'static,
        B: Body + Send + 'static,
        B::Data: Send,
        B::Error: Into<AnyError>,
    {
        let peer = Arc::new(Peer { address: self.address, identity });
        let service = service_fn(move |mut request: Request<Incoming>| {
            request.extensions_mut().insert(Arc::clone(&peer));
            service.call(request)
        });
        let builder = self.builder(is_h2);
        let mut connection =
            pin!(builder.serve_connection(TokioIo::new(Stalling::new(io, self.limits.stall)), service));
        tokio::select! {
            ended = connection.as_mut() => return ended,
            () = self.shutdown.cancelled() => connection.as_mut().graceful_shutdown(),
        }
        connection.await
    }

    fn builder(&self, is_h2: bool) -> auto::Builder<TokioExecutor> {
        let mut builder = auto::Builder::new(TokioExecutor::new());
        builder.http1().timer(TokioTimer::new()).header_read_timeout(self.limits.head).max_buf_size(BUFFER);
        builder
            .http2()
            .timer(TokioTimer::new())
            .max_concurrent_streams(self.limits.streams_max)
            .max_send_buf_size(BUFFER)
            .keep_alive_interval(self.limits.ping)
            .keep_alive_timeout(self.limits.ping);
        // The version is known, so nobody can hold a connection by sending half of what would tell it.
        if is_h2 { builder.http2_only() } else { builder.http1_only() }
    }
}

fn identity(stream: &TlsStream<TcpStream>) -> Option<Identity> {
    Identity::of(stream.get_ref().1.peer_certificates()?.first()?)
}

/// Whether a plain connection begins with HTTP/2's preface. `PRI` is a method that no HTTP/1.1 client uses.
async fn begins_as_h2(stream: &TcpStream) -> io::Result<bool> {
    const PREFACE: &[u8] = b"PRI ";
    let mut first = [0; 4];
    loop {
        let seen = stream.peek(&mut first).await?;
        let first = &first[..seen];
        if seen == PREFACE.len() || seen == 0 || !PREFACE.starts_with(first) {
            return Ok(first == PREFACE);
        }
        // What is there already makes the next look return at once.
        sleep(Duration::from_millis(2)).await;
    }
}
