//! The admission webhook (spec/rules 4.1, 4.2): POST, one review, one answer.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
    time::Instant,
};

use bytes::Bytes;
use http::{Method, Request, Response, StatusCode, header};
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Body;
use kanon_core::{Input, Now, Outcome, Review};
use kanon_plane::{Answer, NAMESPACE_BYPASSED, ObjectStore, Views};

use crate::{
    metrics::Metrics,
    review::{parse_review, render_answer},
};

/// Largest body (spec/rules 4.1).
const BODY_LEN_MAX: usize = 8 << 20;

/// What the webhook decides from: published by the loop, taken once per request.
pub trait Snapshot: Send + Sync {
    /// The views of all families.
    fn views(&self) -> Arc<Views>;
    /// The looked-up objects.
    fn objects(&self) -> Arc<ObjectStore>;
    /// This moment.
    fn now(&self) -> Now;
    /// Takes what was decided, without ever waiting.
    fn post(&self, input: Input);
    /// Hears of a request that was answered, without ever waiting: it may be an event of a running workload.
    fn answered(&self, review: &Arc<Review>, allowed: bool) {
        let _ = (review, allowed);
    }
}

/// Who writes what policies have done: its requests pass, or a rule that refuses an object could never have it labelled
/// (spec/rules 4.7). Both are asked for, since whoever runs Kanon may be somebody who does other things too.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Own {
    /// The user that this process is to the API server.
    pub user: String,
    /// The field manager under which it writes.
    pub manager: &'static str,
}

impl Own {
    fn wrote(&self, review: &Review) -> bool {
        let manager = review.options.as_ref().map(|it| it.str_at(&["fieldManager"]));
        review.user.username == self.user && manager == Some(self.manager)
    }
}

/// The webhook's service.
pub struct Webhook {
    snapshot: Arc<dyn Snapshot>,
    metrics: Arc<Metrics>,
    own: Option<Own>,
}

impl Webhook {
    /// A webhook over what the loop publishes.
    pub fn new(snapshot: Arc<dyn Snapshot>, metrics: Arc<Metrics>) -> Webhook {
        Webhook { snapshot, metrics, own: None }
    }

    /// The same, which lets through what this process writes itself.
    #[must_use]
    pub fn sparing(self, own: Option<Own>) -> Webhook {
        Webhook { own, ..self }
    }

    /// Answers one HTTP request, on any path.
    pub async fn handle<B>(&self, request: Request<B>) -> Response<Full<Bytes>>
    where
        B: Body<Data = Bytes>,
        B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        if request.method() != Method::POST {
            return plain(StatusCode::METHOD_NOT_ALLOWED, "an AdmissionReview is sent by POST");
        }
        let body = match Limited::new(request.into_body(), BODY_LEN_MAX).collect().await {
            Ok(body) => body.to_bytes(),
            Err(error) => return plain(StatusCode::BAD_REQUEST, &format!("the body cannot be read: {error}")),
        };
        self.answer(body)
    }

    /// Answers one body.
    pub fn answer(&self, body: Bytes) -> Response<Full<Bytes>> {
        let started = Instant::now();
        let review = match parse_review(body) {
            Ok(review) => Arc::new(review),
            // A client's garbage: not counted against readiness (spec/rules 4.6).
            Err(error) => return plain(StatusCode::BAD_REQUEST, &error.to_string()),
        };
        if self.own.as_ref().is_some_and(|it| it.wrote(&review)) {
            let answer = Answer {
                allowed: true,
                message: String::new(),
                warnings: Vec::new(),
                outcome: Outcome::Allow,
                reviewed: Vec::new(),
            };
            self.metrics.decided(decision(&answer), started.elapsed());
            return json(render_answer(&review.uid, &answer));
        }
        // A bug in an engine must fail this one request, not the process.
        let answer = catch_unwind(AssertUnwindSafe(|| {
            self.snapshot.views().review(&review, &*self.snapshot.objects(), self.snapshot.now())
        }));
        let Ok(answer) = answer else {
            tracing::error!(uid = review.uid, "the decision panicked");
            self.metrics.decided("error", started.elapsed());
            return plain(StatusCode::INTERNAL_SERVER_ERROR, "internal error: the decision panicked");
        };
        let body = render_answer(&review.uid, &answer);
        self.metrics.decided(decision(&answer), started.elapsed());
        self.count_bypass(&review, &answer);
        if !review.dry_run {
            self.snapshot.answered(&review, answer.allowed);
        }
        for (family, reviewed) in answer.reviewed {
            let (verdicts, counts) = (reviewed.verdicts, reviewed.counts);
            self.snapshot.post(Input::Reviewed { family, review: Arc::clone(&review), verdicts, counts });
        }
        json(body)
    }

    fn count_bypass(&self, review: &Review, answer: &Answer) {
        if is_bypass(answer) {
            self.metrics.bypassed(&review.namespace);
        }
    }
}

/// The metric's label for an answer (spec/rules 4.2, step 7).
fn decision(answer: &Answer) -> &'static str {
    if answer.outcome == Outcome::Allow && is_bypass(answer) { "bypass" } else { answer.outcome.as_str() }
}

fn is_bypass(answer: &Answer) -> bool {
    answer.reviewed.iter().flat_map(|(_, it)| &it.verdicts).any(|it| it.reason == NAMESPACE_BYPASSED)
}

fn json(body: impl Into<Bytes>) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(body.into()));
    response.headers_mut().insert(header::CONTENT_TYPE, header::HeaderValue::from_static("application/json"));
    response
}

fn plain(code: StatusCode, message: &str) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from(format!("{message}\n"))));
    *response.status_mut() = code;
    response
}

#[cfg(test)]
mod tests {
    use kanon_core::{Mono, Object};
    use serde_json::json;

    use super::*;

    /// Nothing is published; a decision would panic.
    struct Silent;

    impl Snapshot for Silent {
        fn views(&self) -> Arc<Views> {
            panic!("nobody was to be asked")
        }

        fn objects(&self) -> Arc<ObjectStore> {
            Arc::default()
        }

        fn now(&self) -> Now {
            Now::new(jiff::Timestamp::UNIX_EPOCH, Mono::default())
        }

        fn post(&self, _: Input) {}
    }

    #[test]
    fn only_what_we_write_as_ourselves_passes_without_a_decision() {
        let own = Own { user: "system:kanon".into(), manager: "kanon" };
        let metrics = Arc::new(Metrics::new(Vec::new(), Arc::default()));
        let webhook = Webhook::new(Arc::new(Silent), metrics).sparing(Some(own));
        for (user, manager, passes) in
            [("system:kanon", "kanon", true), ("system:kanon", "kubectl", false), ("eve", "kanon", false)]
        {
            let request = json!({"uid": "1", "operation": "UPDATE", "kind": {"group": "", "version": "v1", "kind": "Pod"},
                "userInfo": {"username": user}, "options": {"fieldManager": manager}, "object": {"metadata": {}}});
            let review = json!({"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "request": request});
            let response = webhook.answer(Bytes::from(review.to_string()));
            assert_eq!(response.status() == StatusCode::OK, passes, "{user} {manager}");
            assert_eq!(passes, allowed(&response), "{user} {manager}");
        }
    }

    fn allowed(response: &Response<Full<Bytes>>) -> bool {
        let body = futures_ready(response.body().clone().collect());
        Object::parse(body).is_ok_and(|it| it.at(&["response", "allowed"]).is_some_and(|it| it.raw() == "true"))
    }

    /// A body that is there whole is collected without waiting.
    fn futures_ready(
        collect: impl Future<Output = Result<http_body_util::Collected<Bytes>, std::convert::Infallible>>,
    ) -> Bytes {
        let mut collect = std::pin::pin!(collect);
        let mut context = std::task::Context::from_waker(std::task::Waker::noop());
        match collect.as_mut().poll(&mut context) {
            std::task::Poll::Ready(Ok(body)) => body.to_bytes(),
            _ => Bytes::new(),
        }
    }
}
