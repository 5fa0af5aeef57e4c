//! From a request to its answer: views are asked, what they want read is read, and they are asked again, within the request's time
//! (spec/rules 2.7, 4.4).

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    time::{Duration, Instant},
};

use kanon_core::Review;
use kanon_plane::{Answer, LiveAnswers, LiveLookups, LiveRead};

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

/// Decides; `None` where an engine panicked, which must fail this one request and not the process.
pub(crate) async fn decide(snapshot: &dyn Snapshot, review: &Review, until: Instant) -> Option<Answer> {
    let (views, objects, now) = (snapshot.views(), snapshot.objects(), snapshot.now());
    let mut answers = LiveAnswers::default();
    loop {
        let lookups = LiveLookups::new(&objects, &answers);
        let answer = catch_unwind(AssertUnwindSafe(|| views.review(review, &lookups, now))).ok()?;
        let wanted = lookups.wanted();
        if wanted.is_empty() {
            return Some(answer);
        }
        let left = until.saturating_duration_since(Instant::now());
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
    use super::*;

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
}
