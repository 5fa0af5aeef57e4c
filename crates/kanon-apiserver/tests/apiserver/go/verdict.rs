//! What managers may say and what they must not: failures that nobody asked for, anything logged while the server was there, lists
//! where a watch should have gone on, two leaders at a time.

use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use super::manager::Manager;

/// Forms of informers' streams, as managers count them.
const FORMS: [&str; 2] = ["cache form application/json", "cache form application/vnd.kubernetes.protobuf"];

/// How long after the server's return clients may still speak of its absence.
const AFTERMATH: SignedDuration = SignedDuration::from_secs(5);

fn time(line: &Value) -> Timestamp {
    line["time"].as_str().and_then(|it| it.parse().ok()).expect("every line has a time")
}

/// Whether an answer that is a failure belongs to the play: chores provoke some, and whoever races is told so.
fn is_expected(answer: &Value) -> bool {
    let text = |name: &str| answer[name].as_str().unwrap_or_default();
    let in_chores = text("path").contains("/namespaces/chores-");
    match (text("use"), answer["code"].as_u64().unwrap_or_default()) {
        // Informers and discovery are never refused anything.
        ("cache" | "discovery", _) => false,
        ("robot", 403) => true,
        // A cache may be a moment behind: a site that was let go of is let go of again.
        (_, 404) => {
            text("verb") == "get" || text("verb") == "delete" || text("resource") == "sites.example.io" || in_chores
        }
        (_, 409) => true,
        (_, 429) => text("resource") == "pods/eviction",
        (_, 400 | 403 | 422) => in_chores,
        _ => false,
    }
}

/// Two went for the lease at once, and one was told so.
fn is_race(log: &Value) -> bool {
    let text = log["text"].as_str().unwrap_or_default();
    text.contains("leaderelection.go") && (text.contains("already exists") || text.contains("has been modified"))
}

/// Holds against all that managers said, in any order.
pub(super) fn check(said: &[Value], away: &[(Timestamp, Timestamp)]) {
    let is_away = |line: &Value| {
        let at = time(line);
        away.iter().any(|(begin, end)| *begin <= at && at <= *end + AFTERMATH)
    };
    let is_wrong = |line: &&Value| match line["event"].as_str().unwrap_or_default() {
        "problem" | "failed" | "warned" => true,
        "log" | "watch-failed" => !is_away(line) && !is_race(line),
        "answer" => !is_expected(line),
        _ => false,
    };
    let wrong: Vec<&Value> = said.iter().filter(is_wrong).collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// Informers began with a stream each, and after the server came back each went on where it was.
pub(super) fn resumed(counts: &Value, is_protobuf_alone: bool) {
    let counts = counts.as_object().expect("counts");
    let number = |begin: &'static str| counts.iter().filter(move |it| it.0.starts_with(begin));
    let lists: Vec<_> = number("cache list ").collect();
    assert!(lists.is_empty(), "lists where a stream was asked for: {lists:?}");
    let streams: Vec<_> = number("cache watchlist ").collect();
    assert_eq!(streams.len(), super::CACHES.len(), "{streams:?}");
    assert!(streams.iter().all(|it| *it.1 == 1), "began anew: {streams:?}");
    let watches: Vec<_> = number("cache watch ").collect();
    assert_eq!(watches.len(), super::CACHES.len(), "went on: {watches:?}");
    // JSON for the custom resource at least; protobuf where nothing else is accepted.
    let forms: Vec<&str> = number("cache form ").map(|it| it.0.as_str()).collect();
    let wanted: &[&str] = if is_protobuf_alone { &[FORMS[0], FORMS[1]] } else { &[FORMS[0]] };
    assert_eq!(forms, wanted);
    assert!(counts.get("again namespaces").is_some(), "the resync of one informer: {counts:?}");
}

/// From when to when each led, in order, without overlap.
pub(super) fn one_leads_at_a_time(managers: &[Manager]) {
    let mut terms: Vec<(Timestamp, Timestamp, &str)> = Vec::new();
    for manager in managers {
        let lines = manager.lines();
        let of = |event: &str| lines.iter().find(|it| it["event"] == event).map(time);
        if let Some(begin) = of("leads") {
            let end = manager.killed().or_else(|| of("leads-no-more")).expect("all have ended");
            terms.push((begin, end, manager.id()));
        }
    }
    terms.sort();
    assert!(terms.windows(2).all(|pair| pair[0].1 <= pair[1].0), "two led at a time: {terms:#?}");
    println!("{} led, one after the other", terms.len());
}

/// How much of what was said, and how long the server was away in all.
pub(super) fn summary(said: &[Value], away: &[(Timestamp, Timestamp)]) -> String {
    let count = |event: &str| said.iter().filter(|it| it["event"] == event).count();
    let time =
        away.iter().fold(SignedDuration::ZERO, |sum, (begin, end)| sum.saturating_add(end.duration_since(*begin)));
    let (chores, refused, logged) = (count("chore"), count("answer"), count("log"));
    format!(
        "{chores} chores, {refused} refusals, {logged} lines logged, {} restarts of the server in {time:#}",
        away.len()
    )
}
