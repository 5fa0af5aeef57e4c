//! Receivers by HTTP that rules name: each document is posted by a task of its own, signed, with few attempts. What the receiver
//! did not take is told as put off, so that whoever wants it sends it again later; nothing waits here.
//!
//! A receiver knows by the signature who speaks, and by the delivery's id what it has heard already.

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::AcqRel},
    },
    time::Duration,
};

use bytes::Bytes;
use http::{Method, Request, Uri, header, uri::Scheme};
use http_body_util::Full;
use kanon_core::{Done, Effect, EffectId, Failure, Figures, Input};
use kanon_net::{HttpsClient, Trust, tls_client_config};
use ring::hmac;
use serde_json::Value;
use tokio::sync::mpsc;

use crate::{DEPTH, ERRORS, Pending, alertmanager::ConfigError, tell_end};

pub(crate) const WEBHOOK: &str = "webhook";

/// The body's HMAC-SHA256, as `sha256=` and hex digits.
const SIGNATURE: &str = "kanon-signature";
/// The effect's id: the same for a repeat.
const DELIVERY: &str = "kanon-delivery";
/// Documents on their way at once; more are put off.
const UNDER_WAY_MAX: usize = 64;
/// How long one answer may take, and how long it may be.
const TIMEOUT: Duration = Duration::from_secs(5);
const ANSWER_LEN_MAX: usize = 64 << 10;
/// Attempts in a row, and the first pause between them, doubled each time.
const ATTEMPTS: u32 = 3;
const PAUSE: Duration = Duration::from_millis(200);

/// Receivers by name.
#[derive(Clone)]
pub struct Receivers(Arc<Inner>);

struct Inner {
    by_name: BTreeMap<String, Uri>,
    client: HttpsClient,
    key: hmac::Key,
    under_way: AtomicUsize,
}

impl Receivers {
    /// Receivers at URLs, and the secret that documents are signed with. `ca` is a PEM bundle that is believed instead of the
    /// system's authorities.
    ///
    /// # Errors
    /// No URL with `http` or `https` and a host; a bundle without certificates.
    pub fn new(urls: &BTreeMap<String, String>, secret: &[u8], ca: Option<String>) -> Result<Receivers, ConfigError> {
        let mut by_name = BTreeMap::new();
        let mut is_tls = false;
        for (name, url) in urls {
            let wrong = || ConfigError::Receiver(name.clone());
            let uri: Uri = url.parse().map_err(|_| wrong())?;
            match uri.scheme() {
                Some(scheme) if *scheme == Scheme::HTTPS => is_tls = true,
                Some(scheme) if *scheme == Scheme::HTTP => {}
                _ => return Err(wrong()),
            }
            if uri.host().is_none_or(str::is_empty) {
                return Err(wrong());
            }
            by_name.insert(name.clone(), uri);
        }
        let trust = match ca {
            Some(pem) => Trust::Bundle(pem),
            None if is_tls => Trust::System,
            None => Trust::Nobody,
        };
        let client = HttpsClient::new(tls_client_config(&trust, None)?, None);
        let key = hmac::Key::new(hmac::HMAC_SHA256, secret);
        Ok(Receivers(Arc::new(Inner { by_name, client, key, under_way: AtomicUsize::new(0) })))
    }

    /// Sends an effect's document and tells its end. Never waits.
    pub(crate) fn send(&self, effect: &Effect, body: &Value, figures: &Arc<Figures>, inputs: &mpsc::Sender<Input>) {
        let Some(pending) = Pending::of(effect) else { return };
        if effect.cause.as_ref().is_some_and(|it| it.dry_run) {
            tell_end(inputs, pending, Ok(Done::Done));
            return;
        }
        let name = body["to"].as_str().unwrap_or_default();
        let Some(uri) = self.0.by_name.get(name).cloned() else {
            let message = format!("there is no receiver `{name}`");
            tell_end(inputs, pending, Err(Failure::given_up(message)));
            return;
        };
        if self.0.under_way.fetch_add(1, AcqRel) >= UNDER_WAY_MAX {
            self.0.under_way.fetch_sub(1, AcqRel);
            let message = "too many documents are on their way to receivers".to_owned();
            tell_end(inputs, pending, Err(Failure::later(message)));
            return;
        }
        self.show_depth(figures);
        let document = Bytes::from(body["event"].to_string());
        let (this, figures, inputs, id) = (self.clone(), Arc::clone(figures), inputs.clone(), effect.id.clone());
        tokio::spawn(async move {
            let result = this.post(&uri, &id, document, &figures).await;
            this.0.under_way.fetch_sub(1, AcqRel);
            this.show_depth(&figures);
            if let Err(Failure { message, .. }) = &result {
                tracing::warn!(receiver = %uri.host().unwrap_or_default(), %id, problem = message, "a receiver did not take a document");
            }
            tell_end(&inputs, pending, result);
        });
    }

    fn show_depth(&self, figures: &Figures) {
        let under_way = self.0.under_way.load(std::sync::atomic::Ordering::Acquire);
        figures.set(DEPTH, &[WEBHOOK], under_way.try_into().unwrap_or(i64::MAX));
    }

    async fn post(&self, uri: &Uri, id: &EffectId, body: Bytes, figures: &Figures) -> Result<Done, Failure> {
        let mut pause = PAUSE;
        let mut attempt = 1;
        loop {
            match self.post_once(uri, id, body.clone()).await {
                Ok(()) => return Ok(Done::Done),
                Err(failure) => {
                    figures.add(ERRORS, &[WEBHOOK], 1);
                    if attempt == ATTEMPTS || !failure.later {
                        return Err(failure);
                    }
                    tokio::time::sleep(pause).await;
                    pause *= 2;
                    attempt += 1;
                }
            }
        }
    }

    async fn post_once(&self, uri: &Uri, id: &EffectId, body: Bytes) -> Result<(), Failure> {
        let failure = |later| move |message: String| Failure { later, ..Failure::given_up(message) };
        let request = Request::builder()
            .method(Method::POST)
            .uri(uri.clone())
            .header(header::CONTENT_TYPE, "application/json")
            .header(SIGNATURE, self.signature(&body))
            .header(DELIVERY, id.to_string())
            .body(Full::new(body))
            .map_err(|error| failure(false)(error.to_string()))?;
        let answer = self.0.client.call(request, TIMEOUT, ANSWER_LEN_MAX).await;
        let status = answer.map_err(|error| failure(true)(error.to_string()))?.status();
        if status.is_success() {
            return Ok(());
        }
        // 408 and 429 are said by those who want to hear it later.
        let is_final = status.is_client_error() && ![408, 429].contains(&status.as_u16());
        Err(failure(!is_final)(format!("it answers {status}")))
    }

    fn signature(&self, body: &[u8]) -> String {
        let tag = hmac::sign(&self.0.key, body);
        let digits: String = tag.as_ref().iter().map(|it| format!("{it:02x}")).collect();
        format!("sha256={digits}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn receivers(url: &str) -> Result<Receivers, ConfigError> {
        Receivers::new(&BTreeMap::from([("desk".to_owned(), url.to_owned())]), b"key", None)
    }

    #[test]
    fn signatures_are_those_that_anybody_can_compute() {
        let receivers = receivers("http://127.0.0.1:1/x").unwrap();
        // RFC 2104 with SHA-256, as published test data has it.
        let body = b"The quick brown fox jumps over the lazy dog";
        let want = "sha256=f7bc83f430538424b13298e6aa6fb143ef4d59a14946175997479dbc2d1a3cd8";
        assert_eq!(receivers.signature(body), want);
    }

    #[test]
    fn mistakes_show_no_url() {
        for bad in ["desk:9", "ftp://desk/x", "http://", "https://u:secret@"] {
            let error = receivers(bad).err().map(|it| it.to_string()).unwrap_or_default();
            assert!(error.contains("`desk` has no URL") && !error.contains("secret"), "{bad}: {error}");
        }
    }
}
