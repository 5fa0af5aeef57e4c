//! Posting to Alertmanager: batches, attempts with pauses, what is final and what is not (spec/rules 9.1).

use std::time::Duration;

use base64::{Engine, engine::general_purpose::STANDARD};
use bytes::Bytes;
use http::{HeaderValue, Method, Request, Uri, header, uri::Scheme};
use http_body_util::Full;
use kanon_net::{CancellationToken, HttpsClient, Trust, tls_client_config};
use serde_json::Value;

use crate::{ALERTMANAGER, Alerts, DEPTH, ERRORS, queue::Entry, tell};

/// Most alerts in one post.
const BATCH_MAX: usize = 64;
/// How long one answer may take, and how long it may be.
const TIMEOUT: Duration = Duration::from_secs(5);
const ANSWER_LEN_MAX: usize = 64 << 10;
/// Attempts in a row, and the first pause between them, doubled each time.
const ATTEMPTS: u32 = 3;
const PAUSE: Duration = Duration::from_millis(200);
/// After attempts in a row have failed: the first and the longest pause before the next.
const REST: Duration = Duration::from_secs(1);
const REST_MAX: Duration = Duration::from_secs(30);

/// An Alertmanager.
pub struct Alertmanager {
    uri: Uri,
    /// Basic authentication; never printed.
    authorization: Option<HeaderValue>,
    client: HttpsClient,
}

/// What is wrong with a receiver's settings.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// Not a URL.
    #[error("`{0}` is no URL of an Alertmanager: write http://HOST:PORT/api/v2/alerts")]
    Url(String),
    /// Not a URL.
    #[error("`{0}` has no URL of a receiver: write NAME=https://HOST/PATH")]
    Receiver(String),
    /// TLS cannot be set up.
    #[error("TLS: {0}")]
    Tls(#[from] kanon_net::Error),
}

/// Why a post did not go through.
enum Refusal {
    /// The receiver will not take these alerts.
    Final(String),
    /// Nobody answered, or not with sense.
    Later(String),
}

impl Alertmanager {
    /// One at a URL, which is used as it stands; `USER:PASSWORD@` in it becomes basic authentication. `ca` is a PEM bundle
    /// that is believed instead of the system's authorities.
    ///
    /// # Errors
    /// No URL with `http` or `https` and a host; a bundle without certificates.
    pub fn new(url: &str, ca: Option<String>) -> Result<Alertmanager, ConfigError> {
        let (url, credentials) = without_credentials(url);
        let wrong = || ConfigError::Url(url.clone());
        let uri: Uri = url.parse().map_err(|_| wrong())?;
        let is_tls = match uri.scheme() {
            Some(scheme) if *scheme == Scheme::HTTPS => true,
            Some(scheme) if *scheme == Scheme::HTTP => false,
            _ => return Err(wrong()),
        };
        if uri.host().is_none_or(str::is_empty) {
            return Err(wrong());
        }
        let trust = match ca {
            Some(pem) => Trust::Bundle(pem),
            None if is_tls => Trust::System,
            None => Trust::Nobody,
        };
        let authorization = credentials.and_then(|it| {
            let mut value = HeaderValue::from_str(&format!("Basic {}", STANDARD.encode(it))).ok()?;
            value.set_sensitive(true);
            Some(value)
        });
        Ok(Alertmanager { uri, authorization, client: HttpsClient::new(tls_client_config(&trust, None)?, None) })
    }

    /// Posts what is queued until `stop`; then tries what is left once.
    pub(crate) async fn post_all(&self, alerts: &Alerts, stop: CancellationToken) {
        let mut rest = REST;
        loop {
            let batch = alerts.queue.take(BATCH_MAX);
            alerts.figures.set(DEPTH, &[ALERTMANAGER], alerts.queue.len());
            if batch.is_empty() {
                if stop.is_cancelled() {
                    return;
                }
                tokio::select! {
                    () = alerts.news.notified() => {}
                    () = stop.cancelled() => {}
                }
                continue;
            }
            let failed = self.deliver(batch, alerts).await;
            if failed.is_empty() {
                rest = REST;
                continue;
            }
            alerts.queue.give_back(failed);
            alerts.figures.set(DEPTH, &[ALERTMANAGER], alerts.queue.len());
            if stop.is_cancelled() {
                return;
            }
            tokio::select! {
                () = tokio::time::sleep(rest) => {}
                () = stop.cancelled() => {}
            }
            rest = (rest * 2).min(REST_MAX);
        }
    }

    /// Posts a batch; what the receiver refuses for good is told, what it did not answer is given back.
    async fn deliver(&self, batch: Vec<Entry>, alerts: &Alerts) -> Vec<Entry> {
        match self.post(&batch, alerts).await {
            Ok(()) => {
                end(batch, alerts, Ok(()));
                Vec::new()
            }
            Err(Refusal::Final(problem)) if batch.len() == 1 => {
                tracing::warn!(%problem, alert = %batch[0].alert["labels"], "Alertmanager refuses an alert");
                end(batch, alerts, Err(&problem));
                Vec::new()
            }
            // One of them is bad: the others must not suffer.
            Err(Refusal::Final(_)) => {
                let mut failed = Vec::new();
                for entry in batch {
                    failed.extend(Box::pin(self.deliver(vec![entry], alerts)).await);
                }
                failed
            }
            Err(Refusal::Later(problem)) => {
                tracing::warn!(%problem, waiting = alerts.queue.len(), "Alertmanager does not take alerts; they wait");
                batch
            }
        }
    }

    async fn post(&self, batch: &[Entry], alerts: &Alerts) -> Result<(), Refusal> {
        let body = Value::Array(batch.iter().map(|it| it.alert.clone()).collect()).to_string();
        let body = Bytes::from(body);
        let mut pause = PAUSE;
        let mut attempt = 1;
        loop {
            match self.post_once(body.clone()).await {
                Ok(()) => return Ok(()),
                Err(refusal) => {
                    alerts.figures.add(ERRORS, &[ALERTMANAGER], 1);
                    if attempt == ATTEMPTS || matches!(refusal, Refusal::Final(_)) {
                        return Err(refusal);
                    }
                    tokio::time::sleep(pause).await;
                    pause *= 2;
                    attempt += 1;
                }
            }
        }
    }

    async fn post_once(&self, body: Bytes) -> Result<(), Refusal> {
        let mut request = Request::builder().method(Method::POST).uri(self.uri.clone());
        request = request.header(header::CONTENT_TYPE, "application/json");
        if let Some(authorization) = &self.authorization {
            request = request.header(header::AUTHORIZATION, authorization);
        }
        let request = request.body(Full::new(body)).map_err(|error| Refusal::Final(error.to_string()))?;
        let answer = self.client.call(request, TIMEOUT, ANSWER_LEN_MAX).await;
        let answer = answer.map_err(|error| Refusal::Later(error.to_string()))?;
        let status = answer.status();
        if status.is_success() {
            return Ok(());
        }
        let text = String::from_utf8_lossy(&answer.body()[..answer.body().len().min(200)]).into_owned();
        let problem = format!("it answers {status}: {}", text.trim());
        if status.is_client_error() { Err(Refusal::Final(problem)) } else { Err(Refusal::Later(problem)) }
    }
}

fn end(batch: Vec<Entry>, alerts: &Alerts, result: Result<(), &str>) {
    for pending in batch.into_iter().flat_map(|it| it.pending) {
        tell(&alerts.inputs, pending, result);
    }
}

/// The URL without user and password, and these.
fn without_credentials(url: &str) -> (String, Option<&str>) {
    let Some((scheme, rest)) = url.split_once("://") else { return (url.to_owned(), None) };
    let (authority, path) = rest.find('/').map_or((rest, ""), |at| rest.split_at(at));
    match authority.rsplit_once('@') {
        Some((credentials, host)) => (format!("{scheme}://{host}{path}"), Some(credentials)),
        None => (url.to_owned(), None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_are_taken_as_they_stand_and_mistakes_show_no_password() {
        let (url, credentials) = without_credentials("https://u:p@am:9093/prefix/api/v2/alerts");
        assert_eq!((url.as_str(), credentials), ("https://am:9093/prefix/api/v2/alerts", Some("u:p")));
        for bad in ["am:9093", "ftp://am/x", "http://", "http://u:secret@", "not a url"] {
            let error = Alertmanager::new(bad, None).err().map(|it| it.to_string()).unwrap_or_default();
            assert!(error.contains("is no URL of an Alertmanager") && !error.contains("secret"), "{bad}: {error}");
        }
        assert!(Alertmanager::new("http://127.0.0.1:9093/api/v2/alerts", None).is_ok());
    }
}
