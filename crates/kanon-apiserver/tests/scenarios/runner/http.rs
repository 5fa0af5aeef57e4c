//! Plain requests to a server, with the credentials of a kubeconfig or without any.

use std::{collections::BTreeMap, time::Duration};

use http::{HeaderMap, Request};
use http_body_util::BodyExt as _;
use kube::{
    Client as KubeClient, Config,
    config::{AuthInfo, KubeConfigOptions, Kubeconfig},
};
use serde_json::Value;
use tokio::{sync::mpsc, time::timeout};

use super::LIMIT;

/// A client with credentials, and one without.
#[derive(Clone)]
pub(crate) struct Client {
    known: KubeClient,
    anonymous: KubeClient,
}

/// An answer with all of its body.
#[derive(Debug, Default)]
pub(crate) struct Answer {
    /// HTTP status.
    pub(crate) status: u16,
    /// Headers.
    pub(crate) headers: HeaderMap,
    /// Body.
    pub(crate) body: Vec<u8>,
}

impl Answer {
    /// The body as text.
    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The body as JSON; null when it is none.
    pub(crate) fn value(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }

    /// The body as lines of JSON.
    pub(crate) fn lines(&self) -> Vec<Value> {
        let lines = self.body.split(|it| *it == b'\n').filter(|it| !it.is_empty());
        lines.map(|it| serde_json::from_slice(it).unwrap_or_default()).collect()
    }
}

/// What is sent.
#[derive(Clone, Debug, Default)]
pub(crate) struct Sent {
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) headers: BTreeMap<String, String>,
    pub(crate) body: Vec<u8>,
    pub(crate) anonymous: bool,
}

/// Lines of an answer that goes on.
pub(super) struct Lines(mpsc::UnboundedReceiver<Value>);

impl Lines {
    /// The next line; `None` when the answer has ended.
    ///
    /// # Errors
    /// None came in time.
    pub(super) async fn next(&mut self, limit: Duration) -> Result<Option<Value>, String> {
        timeout(limit, self.0.recv()).await.map_err(|_| format!("no line within {limit:?}"))
    }
}

impl Client {
    /// A client for a kubeconfig's current context.
    ///
    /// # Errors
    /// A kubeconfig that cannot be used.
    pub(crate) async fn new(kubeconfig: &str) -> Result<Client, String> {
        let file = Kubeconfig::from_yaml(kubeconfig).map_err(|it| it.to_string())?;
        let options = KubeConfigOptions::default();
        let mut config = Config::from_custom_kubeconfig(file, &options).await.map_err(|it| it.to_string())?;
        // What the server answers first is what counts.
        config.default_retry = false;
        let mut nobody = config.clone();
        nobody.auth_info = AuthInfo::default();
        let client = |config: Config| KubeClient::try_from(config).map_err(|it| it.to_string());
        Ok(Client { known: client(config)?, anonymous: client(nobody)? })
    }

    /// A request with a JSON body, or none where it is null.
    ///
    /// # Errors
    /// No answer.
    pub(crate) async fn json(&self, method: &str, path: &str, body: &Value) -> Result<Answer, String> {
        let headers = BTreeMap::from([("content-type".to_owned(), "application/json".to_owned())]);
        let body = if body.is_null() { Vec::new() } else { body.to_string().into_bytes() };
        self.ask(&Sent { method: method.to_owned(), path: path.to_owned(), headers, body, anonymous: false }).await
    }

    /// A request and its whole answer.
    pub(crate) async fn ask(&self, sent: &Sent) -> Result<Answer, String> {
        let whole = async {
            let response = self.send(sent).await?;
            let (parts, body) = response.into_parts();
            let body = body.collect().await.map_err(|it| format!("the answer broke off: {it}"))?.to_bytes();
            Ok(Answer { status: parts.status.as_u16(), headers: parts.headers, body: body.to_vec() })
        };
        timeout(LIMIT, whole).await.map_err(|_| "no answer in time".to_owned())?
    }

    /// A request whose answer goes on: its head, and its lines as they come.
    pub(super) async fn follow(&self, sent: &Sent) -> Result<(Answer, Lines), String> {
        let response = timeout(LIMIT, self.send(sent)).await.map_err(|_| "no answer in time".to_owned())??;
        let (parts, mut body) = response.into_parts();
        let (sender, receiver) = mpsc::unbounded_channel();
        tokio::spawn(async move {
            let mut rest = Vec::new();
            while let Some(Ok(frame)) = body.frame().await {
                rest.extend_from_slice(frame.data_ref().map_or(&[][..], |it| it));
                while let Some(end) = rest.iter().position(|it| *it == b'\n') {
                    let line: Vec<u8> = rest.drain(..=end).collect();
                    if sender.send(serde_json::from_slice(&line).unwrap_or_default()).is_err() {
                        return;
                    }
                }
            }
        });
        let head = Answer { status: parts.status.as_u16(), headers: parts.headers, body: Vec::new() };
        Ok((head, Lines(receiver)))
    }

    async fn send(&self, sent: &Sent) -> Result<http::Response<kube::client::Body>, String> {
        let mut request = Request::builder().method(sent.method.as_str()).uri(&sent.path);
        for (name, value) in &sent.headers {
            request = request.header(name, value);
        }
        let request = request.body(sent.body.clone().into()).map_err(|it| it.to_string())?;
        let client = if sent.anonymous { &self.anonymous } else { &self.known };
        client.send(request).await.map_err(|it| it.to_string())
    }
}
