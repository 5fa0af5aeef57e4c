//! From a request to its answer: views are asked, what they want read is read, and they are asked again, within the request's time
//! (spec/rules 2.7, 4.4).

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    time::Duration,
};

use kanon_core::{Mono, Review};
use kanon_plane::{Answer, LiveAnswers, LiveLookups, LiveRead, TIMED_OUT};

use crate::webhook::Snapshot;

/// The longest that the API server is let wait (the webhook is registered with it).
const TIMEOUT: Duration = Duration::from_secs(5);
/// What is left for the way back.
const WAY_BACK: Duration = Duration::from_millis(500);

/// How long a decision may take, from the query of the URL it was asked at: the API server says there how long it waits.
pub(crate) fn time_for(query: Option<&str>) -> Duration {
    let pairs = query.into_iter().flat_map(|it| it.split('&')).filter_map(|it| it.split_once('='));
    let asked = pairs.filter(|it| it.0 == "timeout").find_map(|it| go_duration(it.1));
    asked.unwrap_or(TIMEOUT).min(TIMEOUT).saturating_sub(WAY_BACK)
}

/// `5s`, `2.5s`, `800ms`: what Go prints of such times.
fn go_duration(text: &str) -> Option<Duration> {
    let (number, unit) = match text.strip_suffix("ms") {
        Some(number) => (number, 0.001),
        None => (text.strip_suffix('s')?, 1.0),
    };
    let seconds: f64 = number.parse().ok()?;
    Duration::try_from_secs_f64(seconds * unit).ok()
}

/// Decides until a moment at the latest; `None` where an engine panicked, which must fail this one request and not the process.
/// `refuses`: whether requests are refused about which nothing is decided by then.
pub(crate) async fn decide(snapshot: &dyn Snapshot, review: &Review, until: Mono, refuses: bool) -> Option<Answer> {
    let (views, objects, now) = (snapshot.views(), snapshot.objects(), snapshot.now());
    let mut answers = LiveAnswers::default();
    loop {
        let lookups = LiveLookups::new(&objects, &answers, until);
        let mut answer = catch_unwind(AssertUnwindSafe(|| views.review(review, &lookups, now))).ok()?;
        let wanted = lookups.wanted();
        let left = until.since(snapshot.now().mono);
        if wanted.is_empty() {
            if left.is_zero() {
                let (uid, resource, namespace, name) =
                    (&review.uid, &review.resource.resource, &review.namespace, &review.name);
                tracing::warn!(uid, resource, namespace, name, "{TIMED_OUT}");
                answer.out_of_time(refuses && !views.spares(review));
            }
            return Some(answer);
        }
        if left.is_zero() {
            answers.close("the time of the request is over");
        } else if wanted.len() > answers.left() {
            answers.close(&format!("a request may read {} times from the API server", LiveAnswers::MAX));
        } else {
            let wanted: Vec<LiveRead> = wanted.into_iter().collect();
            for (read, answer) in snapshot.read(wanted, left).await {
                answers.put(read, answer);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{
        sync::{Arc, Mutex},
        task::{Context, Poll, Waker},
    };

    use kanon_core::{Evidence, FamilyId, Input, Kind, Now, ObjectRef, Outcome, PolicyRef, Verdict};
    use kanon_plane::{AdmissionRule, Explanation, Lookups, ObjectStore, PolicySummary, Reviewed, Target, View, Views};

    use super::*;
    use crate::webhook::Reading;

    #[test]
    fn the_api_servers_time_is_kept_with_room_for_the_way_back() {
        for (query, millis) in [
            (None, 4500),
            (Some("timeout=2s"), 1500),
            (Some("a=b&timeout=800ms"), 300),
            (Some("timeout=2.5s"), 2000),
            (Some("timeout=30s"), 4500),
            (Some("timeout=100ms"), 0),
            (Some("timeout=soon"), 4500),
            (Some("timeout=-1s"), 4500),
        ] {
            assert_eq!(time_for(query), Duration::from_millis(millis), "{query:?}");
        }
    }

    /// What a view says of every request, and whether it spares them.
    struct Says(Option<Outcome>, bool);

    impl View for Says {
        fn family(&self) -> FamilyId {
            FamilyId("test")
        }

        fn admission_rules(&self) -> Vec<AdmissionRule> {
            Vec::new()
        }

        fn review(&self, _: &Review, lookups: &dyn Lookups, now: Now) -> Reviewed {
            let read = LiveRead::Named {
                kind: Kind::cluster("", "v1", "Node", "nodes"),
                namespace: String::new(),
                name: "a".into(),
            };
            lookups.live(&read);
            let verdict = |outcome| Verdict {
                family: self.family(),
                policy: PolicyRef { name: "p".into(), ..PolicyRef::default() },
                subject: ObjectRef::default(),
                occasion: "admission",
                outcome,
                reason: "Because",
                message: "no".into(),
                evidence: Evidence::default(),
                now,
            };
            Reviewed { verdicts: self.0.map(verdict).into_iter().collect(), counts: Arc::new(()) }
        }

        fn spares(&self, _: &Review) -> bool {
            self.1
        }

        fn policies(&self) -> Vec<PolicySummary> {
            Vec::new()
        }

        fn explain(&self, _: &Target, _: Now) -> Option<Explanation> {
            None
        }
    }

    /// Whose API server answers a read after so many seconds, or not in the time of the request.
    struct Slow {
        views: Arc<Views>,
        clock: Mutex<Mono>,
        reads_for: u64,
    }

    impl Snapshot for Slow {
        fn views(&self) -> Arc<Views> {
            Arc::clone(&self.views)
        }

        fn objects(&self) -> Arc<ObjectStore> {
            Arc::default()
        }

        fn now(&self) -> Now {
            Now::new(jiff::Timestamp::UNIX_EPOCH, *self.clock.lock().unwrap())
        }

        fn post(&self, _: Input) {}

        fn read(&self, reads: Vec<LiveRead>, within: Duration) -> Reading<'_> {
            let takes = Duration::from_secs(self.reads_for);
            let mut clock = self.clock.lock().unwrap();
            *clock = clock.after(takes.min(within));
            let answer = if takes < within { Ok(Vec::new()) } else { Err("no answer".to_owned()) };
            Box::pin(std::future::ready(reads.into_iter().map(|it| (it, answer.clone())).collect()))
        }
    }

    fn answered(says: Says, reads_for: u64, refuses: bool) -> (bool, String, Vec<String>, Outcome) {
        let views = Arc::new(Views::new(vec![Arc::new(says)]));
        let snapshot = Slow { views, clock: Mutex::default(), reads_for };
        let review = review();
        let mut decided = std::pin::pin!(decide(&snapshot, &review, Mono(Duration::from_secs(2)), refuses));
        match decided.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(Some(it)) => (it.allowed, it.message, it.warnings, it.outcome),
            Poll::Ready(None) | Poll::Pending => panic!("no answer"),
        }
    }

    fn review() -> Review {
        let body = r#"{"apiVersion":"admission.k8s.io/v1","kind":"AdmissionReview","request":{"uid":"u","operation":"CREATE",
            "kind":{"kind":"Pod"},"object":{}}}"#;
        crate::review::parse_review(body.into()).unwrap()
    }

    #[test]
    fn who_is_not_answered_in_time_is_refused_or_warned() {
        let timed_out = || vec![TIMED_OUT.to_owned()];
        let none = Vec::<String>::new;
        for refuses in [true, false] {
            // In time.
            assert_eq!(answered(Says(None, false), 1, refuses), (true, String::new(), none(), Outcome::Allow));
            // What is known to be wrong is refused all the same.
            let denied = (false, "p: no".to_owned(), none(), Outcome::Deny);
            assert_eq!(answered(Says(Some(Outcome::Deny), false), 9, refuses), denied);
            // Whom nobody refuses.
            assert_eq!(answered(Says(None, true), 9, refuses), (true, String::new(), timed_out(), Outcome::Warn));
        }
        assert_eq!(answered(Says(None, false), 9, true), (false, TIMED_OUT.to_owned(), none(), Outcome::Deny));
        assert_eq!(answered(Says(None, false), 9, false), (true, String::new(), timed_out(), Outcome::Warn));
        let (_, _, warnings, _) = answered(Says(Some(Outcome::Warn), false), 9, false);
        assert_eq!(warnings, [TIMED_OUT, "p: no"]);
    }
}
