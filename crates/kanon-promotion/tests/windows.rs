//! Change windows: when they block and when that changes (spec/promotion-gates 2.4.7).

#![allow(clippy::unwrap_used, reason = "in a test it says where the expectation broke")]

use jiff::{SignedDuration, Timestamp};
use kanon_promotion::{api::ChangeWindowSpec, window::Window};
use proptest::prelude::*;
use serde_json::{Value, json};

fn window(spec: Value) -> Window {
    let spec: ChangeWindowSpec = serde_json::from_value(spec).unwrap();
    Window::new(&spec, false)
}

fn recurring(days: Value, hours: &str, zone: &str) -> Window {
    window(json!({"type": "recurring", "schedule": {"allowedDays": days, "allowedHours": hours, "timezone": zone}}))
}

#[track_caller]
fn check(window: &Window, cases: &[(&str, bool)]) {
    for (at, active) in cases {
        assert_eq!(window.is_active(at.parse().unwrap()), *active, "{at}");
    }
}

#[test]
fn a_blackout_holds_its_first_instant_and_not_its_last() {
    let window = window(json!({"type": "blackout", "start": "2026-12-20T00:00:00Z", "end": "2027-01-02T00:00:00Z"}));
    check(
        &window,
        &[
            ("2026-12-19T23:59:59Z", false),
            ("2026-12-20T00:00:00Z", true),
            ("2027-01-01T23:59:59Z", true),
            ("2027-01-02T00:00:00Z", false),
        ],
    );
    let next = window.next_change("2026-01-01T00:00:00Z".parse().unwrap());
    assert_eq!(next.unwrap().to_string(), "2026-12-20T00:00:00Z");
}

#[test]
fn outside_the_allowed_times_of_its_zone_it_blocks() {
    let office = recurring(json!(["Mon", "Tue", "Wed", "Thu", "Fri"]), "09:00-17:00", "Europe/Berlin");
    check(
        &office,
        &[
            ("2026-04-07T06:59:59Z", true),
            ("2026-04-07T07:00:00Z", false),
            ("2026-04-07T14:59:59Z", false),
            ("2026-04-07T15:00:00Z", true),
            ("2026-04-11T10:00:00Z", true),
            // In winter an hour later by UTC.
            ("2026-01-06T07:30:00Z", true),
            ("2026-01-06T08:00:00Z", false),
        ],
    );
    let next = |at: &str| office.next_change(at.parse().unwrap()).unwrap().to_string();
    assert_eq!(next("2026-04-10T15:00:00Z"), "2026-04-13T07:00:00Z", "over the weekend");
    assert_eq!(next("2026-03-27T17:00:00Z"), "2026-03-30T07:00:00Z", "over the change of the clocks");
}

#[test]
fn a_range_past_midnight_belongs_to_the_day_it_begins_on() {
    let night = recurring(json!(["Fri"]), "22:00-06:00", "");
    check(
        &night,
        &[
            ("2026-04-10T05:00:00Z", true),
            ("2026-04-10T21:59:00Z", true),
            ("2026-04-10T22:00:00Z", false),
            ("2026-04-11T05:59:59Z", false),
            ("2026-04-11T06:00:00Z", true),
            ("2026-04-11T22:30:00Z", true),
        ],
    );
    let whole = recurring(json!([]), "00:00-24:00", "");
    check(&whole, &[("2026-04-10T00:00:00Z", false), ("2026-04-10T23:59:59Z", false)]);
    assert_eq!(whole.next_change("2026-04-10T00:00:00Z".parse().unwrap()), None);
}

#[test]
fn what_cannot_be_understood_blocks_and_says_why() {
    for (spec, want) in [
        (json!({"type": "recurring", "schedule": {"timezone": "Mars/Base"}}), "Mars/Base"),
        (json!({"type": "recurring", "schedule": {"allowedHours": "nine to five"}}), "HH:MM-HH:MM"),
        (json!({"type": "recurring", "schedule": {"allowedHours": "09:00-25:00"}}), "HH:MM-HH:MM"),
        (json!({"type": "recurring", "schedule": {"allowedDays": ["Someday"]}}), "Someday"),
        (json!({"type": "blackout", "start": "soon", "end": "2026-01-01T00:00:00Z"}), "spec.start"),
        (json!({"type": "blackout", "start": "2026-01-02T00:00:00Z", "end": "2026-01-01T00:00:00Z"}), "after"),
        (json!({"type": "sometimes"}), "sometimes"),
    ] {
        let window = window(spec);
        assert!(window.is_active(Timestamp::UNIX_EPOCH));
        assert!(window.problem().unwrap().contains(want), "{:?}", window.problem());
        assert_eq!(window.next_change(Timestamp::UNIX_EPOCH), None);
    }
    check(&window(json!({"type": "recurring"})), &[("2026-04-10T00:00:00Z", false)]);
}

const ZONES: [&str; 5] = ["", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kolkata"];
const DAYS: [&str; 7] = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];

fn some_window() -> impl Strategy<Value = Window> {
    let days = prop::collection::vec(prop::sample::select(&DAYS[..]), 0..4);
    let minute = || (0..24_u16, prop::sample::select(&[0_u16, 15, 30][..]));
    (days, minute(), minute(), prop::sample::select(&ZONES[..])).prop_map(|(days, from, to, zone)| {
        let hours = format!("{:02}:{:02}-{:02}:{:02}", from.0, from.1, to.0, to.1);
        recurring(json!(days), &hours, zone)
    })
}

proptest! {
    /// Looking at every quarter of an hour finds no earlier change than the one that was told, and that one is one.
    #[test]
    fn the_next_change_is_the_first(window in some_window(), hour in 0..24_i64 * 370) {
        let now = Timestamp::from_second(1_767_225_600 + hour * 3600).unwrap();
        let active = window.is_active(now);
        let next = window.next_change(now);
        let step = SignedDuration::from_mins(15);
        let mut at = now;
        for _ in 0..4 * 24 * 8 {
            at = at.checked_add(step).unwrap();
            if next.is_some_and(|next| at >= next) {
                break;
            }
            prop_assert_eq!(window.is_active(at), active, "{}", at);
        }
        if let Some(next) = next {
            prop_assert_ne!(window.is_active(next), active);
        }
    }

    #[test]
    fn any_schedule_gives_an_answer(zone in ".{0,12}", hours in ".{0,12}", day in ".{0,4}") {
        let window = recurring(json!([day]), &hours, &zone);
        window.is_active(Timestamp::UNIX_EPOCH);
        window.next_change(Timestamp::UNIX_EPOCH);
    }
}
