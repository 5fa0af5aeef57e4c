//! The admission webhook (spec/rules 4.1, 4.2): POST, one review, one answer.

use std::{pin::Pin, sync::Arc, time::Duration};

use bytes::Bytes;
use http::{Method, Request, Response, StatusCode, header};
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Body;
use kanon_core::{Input, Mono, Now, Outcome, Review};
use kanon_plane::{Answer, LiveAnswer, LiveRead, NAMESPACE_BYPASSED, ObjectStore, Views};

use crate::{
    decide::{decide, time_for},
    metrics::{ERROR, Metrics},
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
    /// Reads from the API server, within a time: every read has an answer then.
    fn read(&self, reads: Vec<LiveRead>, within: Duration) -> Reading<'_> {
        let _ = within;
        let none = |it| (it, Err("there is no API server to ask".to_owned()));
        Box::pin(std::future::ready(reads.into_iter().map(none).collect()))
    }
}

/// Answers of the API server, on their way.
pub type Reading<'r> = Pin<Box<dyn Future<Output = Vec<(LiveRead, LiveAnswer)>> + Send + 'r>>;

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
    /// Whether requests are refused about which nothing is decided in time.
    fail_closed: bool,
}

impl Webhook {
    /// A webhook over what the loop publishes.
    pub fn new(snapshot: Arc<dyn Snapshot>, metrics: Arc<Metrics>) -> Webhook {
        Webhook { snapshot, metrics, own: None, fail_closed: false }
    }

    /// The same, which lets through what this process writes itself.
    #[must_use]
    pub fn sparing(self, own: Option<Own>) -> Webhook {
        Webhook { own, ..self }
    }

    /// The same, which refuses what it does not decide in time.
    #[must_use]
    pub fn fail_closed(self, fail_closed: bool) -> Webhook {
        Webhook { fail_closed, ..self }
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
        let until = self.now().after(time_for(request.uri().query()));
        let body = match Limited::new(request.into_body(), BODY_LEN_MAX).collect().await {
            Ok(body) => body.to_bytes(),
            Err(error) => return plain(StatusCode::BAD_REQUEST, &format!("the body cannot be read: {error}")),
        };
        self.answer(body, until).await
    }

    /// Answers one body, until a moment at the latest.
    async fn answer(&self, body: Bytes, until: Mono) -> Response<Full<Bytes>> {
        let started = self.now();
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
                annotations: std::collections::BTreeMap::new(),
                outcome: Outcome::Allow,
                reviewed: Vec::new(),
            };
            self.metrics.decided(decision(&answer), self.now().since(started));
            return json(render_answer(&review.uid, &answer));
        }
        let Some(answer) = decide(&*self.snapshot, &review, until, self.fail_closed).await else {
            tracing::error!(uid = review.uid, "the decision panicked");
            self.metrics.decided(ERROR, self.now().since(started));
            return plain(StatusCode::INTERNAL_SERVER_ERROR, "internal error: the decision panicked");
        };
        let body = render_answer(&review.uid, &answer);
        self.metrics.decided(decision(&answer), self.now().since(started));
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

    fn now(&self) -> Mono {
        self.snapshot.now().mono
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
    use kanon_core::{FamilyId, Mono, Object};
    use kanon_plane::{AdmissionRule, Explanation, Lookups, PolicySummary, Reviewed, Target, View};
    use serde_json::json;

    use super::*;

    /// A view that fails whoever asks it.
    struct Panics;

    impl View for Panics {
        fn family(&self) -> FamilyId {
            FamilyId("test")
        }

        fn admission_rules(&self) -> Vec<AdmissionRule> {
            Vec::new()
        }

        fn review(&self, _: &Review, _: &dyn Lookups, _: Now) -> Reviewed {
            panic!("nobody was to be asked")
        }

        fn policies(&self) -> Vec<PolicySummary> {
            Vec::new()
        }

        fn explain(&self, _: &Target, _: Now) -> Option<Explanation> {
            None
        }
    }

    /// Whose decisions panic.
    struct Silent;

    impl Snapshot for Silent {
        fn views(&self) -> Arc<Views> {
            // A decision would have something to say.
            Arc::new(Views::new(vec![Arc::new(Panics)]))
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
            let until = Mono(Duration::from_secs(1));
            let response = ready(webhook.answer(Bytes::from(review.to_string()), until));
            assert_eq!(response.status() == StatusCode::OK, passes, "{user} {manager}");
            assert_eq!(passes, allowed(&response), "{user} {manager}");
        }
    }

    fn allowed(response: &Response<Full<Bytes>>) -> bool {
        let body = ready(response.body().clone().collect()).unwrap();
        Object::parse(body.to_bytes())
            .is_ok_and(|it| it.at(&["response", "allowed"]).is_some_and(|it| it.raw() == "true"))
    }

    #[test]
    fn what_is_no_review_is_refused_and_does_not_count_against_us() {
        let metrics = Arc::new(Metrics::new(Vec::new(), Arc::default()));
        let webhook = Webhook::new(Arc::new(Silent), Arc::clone(&metrics));
        let review =
            |request: &str| format!(r#"{{"apiVersion":"admission.k8s.io/v1","kind":"AdmissionReview"{request}}}"#);
        let long = "x".repeat(BODY_LEN_MAX + 1);
        for (method, body, code) in [
            ("GET", String::new(), 405),
            ("PUT", review(""), 405),
            ("POST", "{".to_owned(), 400),
            ("POST", review(""), 400),
            ("POST", r#"{"apiVersion":"admission.k8s.io/v1beta1","kind":"AdmissionReview"}"#.to_owned(), 400),
            ("POST", long, 400),
            // Whose decision panics.
            ("POST", review(r#","request":{"uid":"u","operation":"CREATE","kind":{"kind":"Pod"}}"#), 500),
        ] {
            let request = Request::builder().method(method).uri("/any?timeout=5s").body(Full::new(Bytes::from(body)));
            let response = ready(webhook.handle(request.unwrap()));
            assert_eq!(response.status().as_u16(), code, "{method}");
        }
        let text = metrics.render();
        assert!(text.contains(r#"portal_admission_requests_total{decision="error"} 1"#), "{text}");
        for _ in 0..200 {
            ready(webhook.handle(Request::post("/").body(Full::new(Bytes::from_static(b"{"))).unwrap()));
        }
        assert!(!metrics.is_failing());
    }

    /// What nothing has to be waited for.
    fn ready<T>(future: impl Future<Output = T>) -> T {
        let mut future = std::pin::pin!(future);
        let mut context = std::task::Context::from_waker(std::task::Waker::noop());
        match future.as_mut().poll(&mut context) {
            std::task::Poll::Ready(value) => value,
            std::task::Poll::Pending => panic!("it waits"),
        }
    }
}
