//! Calls to the API server: bytes in, objects out, `Status` answers as errors.

use std::{path::PathBuf, sync::Arc, time::Duration};

use bytes::Bytes;
use http::{Method, Request, Response, StatusCode, header};
use http_body_util::BodyExt;
use kanon_core::Object;
use kanon_net::HttpsService;
use kube::{
    Client, Config,
    client::{Body, ConfigExt},
    config::{KubeConfigOptions, Kubeconfig},
};
use tower_layer::Layer;

use crate::budget::Budget;

/// The field manager under which Kanon writes.
pub const FIELD_MANAGER: &str = "kanon";
/// What its requests are known by in the API server's audit.
pub const USER_AGENT: &str = concat!("kanon/", env!("CARGO_PKG_VERSION"));
/// Answers larger than this are refused; lists are paged far below it.
const ANSWER_LEN_MAX: usize = 256 << 20;

/// How often a call is repeated because the server asks for it (`Retry-After`), and how long it waits for that at most.
const ASKED_AGAIN_MAX: usize = 4;
const PATIENCE_MAX: Duration = Duration::from_secs(10);

/// Where the API server is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// `$KUBECONFIG`, `~/.kube/config`, or the service account of the pod we run in.
    Infer,
    /// A kubeconfig file.
    File(PathBuf),
    /// The text of a kubeconfig.
    Text(String),
}

/// What can go wrong with a call.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// No usable configuration.
    #[error("no usable kubeconfig: {0}")]
    Config(String),
    /// The server could not be reached, or broke off.
    #[error("the API server cannot be reached: {0}")]
    Transport(String),
    /// The server refused.
    #[error("{message}")]
    Status {
        /// HTTP status.
        code: u16,
        /// The Status object's reason, such as `NotFound`.
        reason: String,
        /// The Status object's message.
        message: String,
    },
    /// The server's answer makes no sense.
    #[error("the API server's answer cannot be read: {0}")]
    Answer(String),
}

impl Error {
    /// The HTTP status, if the server answered with one.
    pub fn code(&self) -> Option<u16> {
        match self {
            Error::Status { code, .. } => Some(*code),
            Error::Config(_) | Error::Transport(_) | Error::Answer(_) => None,
        }
    }

    /// Whether the same call may succeed later: no answer, too many requests, or a server's own trouble.
    pub fn is_retryable(&self) -> bool {
        match self {
            Error::Transport(_) | Error::Answer(_) => true,
            Error::Config(_) => false,
            Error::Status { code, .. } => matches!(code, 408 | 429 | 500..),
        }
    }
}

/// An API server. Cheap to clone.
#[derive(Clone)]
pub struct Api {
    client: Client,
    /// How many calls there may be; no bound where there is none.
    budget: Option<Arc<Budget>>,
    /// Whether calls go out at once, whatever the budget has left.
    urgent: bool,
}

impl Api {
    /// Reads the configuration; does not call the server yet.
    ///
    /// # Errors
    /// A kubeconfig that is missing or cannot be used.
    pub async fn connect(source: &Source) -> Result<Api, Error> {
        let wrong = |error: &dyn std::error::Error| Error::Config(chain(error));
        let options = KubeConfigOptions::default();
        let custom = async |kubeconfig| {
            let config = Config::from_custom_kubeconfig(kubeconfig, &options).await;
            config.map_err(|error| wrong(&error))
        };
        let mut config = match source {
            Source::Infer => Config::infer().await.map_err(|error| wrong(&error))?,
            Source::File(path) => custom(Kubeconfig::read_from(path).map_err(|error| wrong(&error))?).await?,
            Source::Text(text) => custom(Kubeconfig::from_yaml(text).map_err(|error| wrong(&error))?).await?,
        };
        // A watch is silent for as long as nothing happens; its end is asked for by `timeoutSeconds`.
        config.read_timeout = None;
        let client = client(config).map_err(|error| wrong(&error))?;
        Ok(Api { client, budget: None, urgent: false })
    }

    /// The same, whose calls and those of its clones keep to a budget together. Watches do not count.
    #[must_use]
    pub fn within(self, budget: Budget) -> Api {
        Api { budget: Some(Arc::new(budget)), ..self }
    }

    /// The same for what cannot wait for others: its calls go out at once, and the budget's others wait for it.
    #[must_use]
    pub fn urgent(&self) -> Api {
        Api { urgent: true, ..self.clone() }
    }

    /// One object, or whatever JSON stands at `path`; `None` when there is nothing.
    ///
    /// # Errors
    /// Every answer but success and 404.
    pub async fn get(&self, path: &str) -> Result<Option<Object>, Error> {
        match self.call(Method::GET, path, None).await {
            Ok(object) => Ok(Some(object)),
            Err(Error::Status { code: 404, .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// The user that we are to the server; `None` where it does not say (before Kubernetes 1.28).
    ///
    /// # Errors
    /// Every answer but success and 404.
    pub async fn own_user(&self) -> Result<Option<String>, Error> {
        let body = br#"{"apiVersion":"authentication.k8s.io/v1","kind":"SelfSubjectReview"}"#;
        let path = "/apis/authentication.k8s.io/v1/selfsubjectreviews";
        match self.call(Method::POST, path, Some(("application/json", body.to_vec()))).await {
            Ok(review) => {
                let name = review.at(&["status", "userInfo", "username"]).and_then(kanon_core::Node::as_str);
                Ok(name.map(std::borrow::Cow::into_owned))
            }
            Err(Error::Status { code: 404, .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// A call with an optional body of a content type.
    ///
    /// # Errors
    /// Every answer but success.
    pub async fn call(&self, method: Method, path: &str, body: Option<(&str, Vec<u8>)>) -> Result<Object, Error> {
        read(self.send(method, path, body).await?).await
    }

    /// Creates an object and gives it back with the server's warnings: what kubectl shows beside the result.
    ///
    /// # Errors
    /// As [`Api::call`].
    pub async fn create(&self, path: &str, manifest: &Object) -> Result<(Object, Vec<String>), Error> {
        let path = format!("{path}?fieldManager={FIELD_MANAGER}");
        let body = Some(("application/json", manifest.text().to_vec()));
        let response = self.send(Method::POST, &path, body).await?;
        let warnings = response.headers().get_all(header::WARNING).iter().filter_map(|it| it.to_str().ok());
        // `299 - "text"`, quotes and backslashes escaped (RFC 7234 section 5.5).
        let text =
            |it: &str| Some(it.split_once(" \"")?.1.strip_suffix('"')?.replace("\\\"", "\"").replace("\\\\", "\\"));
        let warnings = warnings.filter_map(text).collect();
        Ok((read(response).await?, warnings))
    }

    /// Creates or updates by server-side apply under Kanon's field manager, taking over fields of others.
    ///
    /// # Errors
    /// As [`Api::call`].
    pub async fn apply(&self, path: &str, manifest: &serde_json::Value) -> Result<Object, Error> {
        let path = format!("{path}?fieldManager={FIELD_MANAGER}&force=true");
        self.call(Method::PATCH, &path, Some(("application/apply-patch+yaml", manifest.to_string().into_bytes()))).await
    }

    /// A merge patch.
    ///
    /// # Errors
    /// As [`Api::call`].
    pub async fn merge(&self, path: &str, patch: &serde_json::Value) -> Result<Object, Error> {
        let path = format!("{path}?fieldManager={FIELD_MANAGER}");
        self.call(Method::PATCH, &path, Some(("application/merge-patch+json", patch.to_string().into_bytes()))).await
    }

    /// Writes the answer of `path` into `out` as it arrives, however long it is.
    ///
    /// # Errors
    /// As [`Api::call`]; an `out` that fails.
    pub async fn download(&self, path: &str, out: &mut (impl std::io::Write + Send)) -> Result<(), Error> {
        let mut body = self.stream(path).await?;
        while let Some(frame) = body.frame().await {
            let frame = frame.map_err(|error| Error::Transport(error.to_string()))?;
            if let Some(data) = frame.data_ref() {
                out.write_all(data).map_err(|error| Error::Answer(error.to_string()))?;
            }
        }
        Ok(())
    }

    /// A streamed answer: the watch's body.
    pub(crate) async fn stream(&self, path: &str) -> Result<Body, Error> {
        let (parts, body) = self.send_patiently(Method::GET, path, None).await?.into_parts();
        if parts.status.is_success() {
            return Ok(body);
        }
        let body = http_body_util::Limited::new(body, ANSWER_LEN_MAX).collect().await;
        Err(refusal(parts.status, &body.map(|it| it.to_bytes()).unwrap_or_default()))
    }

    /// A call within the budget.
    async fn send(&self, method: Method, path: &str, body: Option<(&str, Vec<u8>)>) -> Result<Response<Body>, Error> {
        if let Some(budget) = &self.budget {
            budget.spend(self.urgent).await;
        }
        self.send_patiently(method, path, body).await
    }

    /// A call that is made again when the server asks for it.
    async fn send_patiently(
        &self,
        method: Method,
        path: &str,
        body: Option<(&str, Vec<u8>)>,
    ) -> Result<Response<Body>, Error> {
        let (content_type, body) = body.map_or((None, Bytes::new()), |(kind, text)| (Some(kind), Bytes::from(text)));
        for _ in 0..ASKED_AGAIN_MAX {
            let response = self.send_once(&method, path, content_type, &body).await?;
            let Some(pause) = asks_for_patience(&response) else { return Ok(response) };
            tokio::time::sleep(pause).await;
        }
        self.send_once(&method, path, content_type, &body).await
    }

    async fn send_once(
        &self,
        method: &Method,
        path: &str,
        content_type: Option<&str>,
        body: &Bytes,
    ) -> Result<Response<Body>, Error> {
        let mut request = Request::builder().method(method).uri(path);
        request = request.header(header::ACCEPT, "application/json").header(header::USER_AGENT, USER_AGENT);
        if let Some(content_type) = content_type {
            request = request.header(header::CONTENT_TYPE, content_type);
        }
        let body = if body.is_empty() { Body::empty() } else { Body::from(body.clone()) };
        let request = request.body(body).map_err(|error| Error::Transport(error.to_string()))?;
        self.client.send(request).await.map_err(|error| Error::Transport(chain(&error)))
    }
}

/// A client with kube's configuration and credentials over one shared HTTP/2 connection: kube's own opens another one for every
/// watch, each with a handshake and buffers on both sides.
fn client(config: Config) -> Result<Client, kube::Error> {
    if config.proxy_url.is_some() {
        return Client::try_from(config);
    }
    let http = HttpsService::<Body>::new(config.rustls_client_config()?);
    let service = config.extra_headers_layer()?.layer(http);
    let (address, namespace) = (config.base_uri_layer(), config.default_namespace.clone());
    Ok(match config.auth_layer()? {
        Some(credentials) => Client::new(address.layer(credentials.layer(service)), namespace),
        None => Client::new(address.layer(service), namespace),
    })
}

/// For how long a server that is too busy asks to be left alone; an eviction that a budget forbids carries no such wish.
fn asks_for_patience(response: &Response<Body>) -> Option<Duration> {
    let is_busy = response.status() == StatusCode::TOO_MANY_REQUESTS || response.status().is_server_error();
    let seconds: u64 = response.headers().get(header::RETRY_AFTER)?.to_str().ok()?.parse().ok()?;
    is_busy.then(|| Duration::from_secs(seconds).min(PATIENCE_MAX))
}

/// The whole answer: an object, or the server's refusal.
async fn read(response: Response<Body>) -> Result<Object, Error> {
    let (parts, body) = response.into_parts();
    let body = http_body_util::Limited::new(body, ANSWER_LEN_MAX);
    let body = body.collect().await.map_err(|error| Error::Transport(error.to_string()))?.to_bytes();
    if parts.status.is_success() {
        return Object::parse(body).map_err(|error| Error::Answer(error.to_string()));
    }
    Err(refusal(parts.status, &body))
}

/// An error with its causes on one line.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        let cause_text = cause.to_string();
        if !text.contains(&cause_text) {
            text = format!("{text}: {cause_text}");
        }
        next = cause.source();
    }
    text
}

fn refusal(code: StatusCode, body: &Bytes) -> Error {
    let status = Object::parse(body.clone()).ok().filter(|it| it.str_at(&["kind"]) == "Status");
    let text = |key| {
        let node = status.as_ref().and_then(|it| it.root().get(key)).and_then(kanon_core::Node::as_str);
        node.map(std::borrow::Cow::into_owned)
    };
    let message = text("message").unwrap_or_else(|| String::from_utf8_lossy(&body[..body.len().min(300)]).into_owned());
    Error::Status { code: code.as_u16(), reason: text("reason").unwrap_or_default(), message }
}
