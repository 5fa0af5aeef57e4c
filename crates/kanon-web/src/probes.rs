//! `/metrics`, `/healthz`, `/readyz` (spec/rules 9.3), and `/rules`, which says what became of policy files (1.8).

use std::sync::Arc;

use bytes::Bytes;
use http::{Request, Response, StatusCode, header};
use http_body_util::Full;

use crate::metrics::Metrics;

/// The probes' service.
pub struct Probes {
    metrics: Arc<Metrics>,
    /// What is not ready yet; empty when all is.
    waiting: Box<dyn Fn() -> Vec<String> + Send + Sync>,
    /// What `/rules` shows: as JSON, or for people.
    rules: Option<Box<dyn Fn(bool) -> String + Send + Sync>>,
}

impl Probes {
    /// Probes that are ready when `waiting` gives nothing.
    pub fn new(metrics: Arc<Metrics>, waiting: impl Fn() -> Vec<String> + Send + Sync + 'static) -> Probes {
        Probes { metrics, waiting: Box::new(waiting), rules: None }
    }

    /// The same, with a page `/rules`: `rules` gives it as JSON, or for people.
    #[must_use]
    pub fn with_rules(self, rules: impl Fn(bool) -> String + Send + Sync + 'static) -> Probes {
        Probes { rules: Some(Box::new(rules)), ..self }
    }

    /// Answers one HTTP request.
    pub fn handle<B>(&self, request: &Request<B>) -> Response<Full<Bytes>> {
        let waiting = || {
            let failing = self.metrics.is_failing().then(|| "admission, which fails".to_owned());
            (self.waiting)().into_iter().chain(failing).collect::<Vec<_>>()
        };
        match request.uri().path() {
            "/metrics" => {
                let kind = "application/openmetrics-text; version=1.0.0; charset=utf-8";
                answer(StatusCode::OK, kind, self.metrics.render())
            }
            "/healthz" | "/livez" => answer(StatusCode::OK, "text/plain", "ok".into()),
            "/readyz" => match waiting() {
                waiting if waiting.is_empty() => answer(StatusCode::OK, "text/plain", "ok".into()),
                waiting => {
                    let text = format!("not ready\nwaiting for: {}\n", waiting.join(", "));
                    answer(StatusCode::SERVICE_UNAVAILABLE, "text/plain", text)
                }
            },
            "/rules" if self.rules.is_some() => {
                let page = |json| self.rules.as_ref().map_or_else(String::new, |it| it(json));
                let accepts = request.headers().get(header::ACCEPT).and_then(|it| it.to_str().ok());
                let wants_json = accepts.is_some_and(|it| it.contains("application/json"));
                match wants_json || request.uri().query() == Some("format=json") {
                    true => answer(StatusCode::OK, "application/json", page(true)),
                    false => answer(StatusCode::OK, "text/plain; charset=utf-8", page(false)),
                }
            }
            _ => answer(StatusCode::NOT_FOUND, "text/plain", "404 page not found\n".into()),
        }
    }
}

fn answer(code: StatusCode, kind: &'static str, text: String) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from(text)));
    *response.status_mut() = code;
    response.headers_mut().insert(header::CONTENT_TYPE, header::HeaderValue::from_static(kind));
    response
}
