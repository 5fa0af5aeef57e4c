//! Small readings and writings of JSON that all controllers share: times, numbers, conditions, owners.

use jiff::{SignedDuration, Timestamp};
pub(crate) use kanon_core::rfc3339;
use serde_json::{Value, json};

/// A moment out of a member; none where it is absent or no time.
pub(crate) fn time(value: &Value) -> Option<Timestamp> {
    value.as_str()?.parse().ok()
}

/// A moment that many seconds later; the same where that is out of range.
pub(crate) fn later(at: Timestamp, seconds: i64) -> Timestamp {
    at.checked_add(SignedDuration::from_secs(seconds)).unwrap_or(at)
}

/// Beyond this no number means anything here; within it sums and products of two do not overflow.
const FAR: i64 = 1 << 40;

/// A whole number, where there is one.
pub(crate) fn number(value: &Value) -> Option<i64> {
    value.as_i64().map(near)
}

/// The number itself, or the end of what is reckoned with.
pub(crate) fn near(number: i64) -> i64 {
    number.clamp(-FAR, FAR)
}

pub(crate) fn int(value: &Value) -> i64 {
    number(value).unwrap_or_default()
}

pub(crate) fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

pub(crate) fn list(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

/// A list as a number of things that fits a status.
pub(crate) fn count(len: usize) -> i64 {
    i64::try_from(len).unwrap_or(i64::MAX)
}

/// A number, or a percentage of `total`, rounded up or down.
pub(crate) fn int_or_percent(value: &Value, total: i64, up: bool) -> Option<i64> {
    if let Some(number) = number(value) {
        return Some(number);
    }
    let percent: i32 = value.as_str()?.strip_suffix('%')?.parse().ok()?;
    let hundredfold = i64::from(percent).checked_mul(total)?;
    Some(if up { hundredfold.div_euclid(100) + i64::from(hundredfold.rem_euclid(100) > 0) } else { hundredfold / 100 })
}

/// One condition of a status.
pub(crate) struct Condition<'a> {
    pub(crate) kind: &'a str,
    pub(crate) status: &'a str,
    pub(crate) reason: &'a str,
    pub(crate) message: &'a str,
}

/// The condition of a kind, in a status.
pub(crate) fn condition<'v>(status: &'v Value, kind: &str) -> Option<&'v Value> {
    list(&status["conditions"]).find(|it| it["type"] == kind)
}

/// Whether a condition is there and true.
pub(crate) fn is_true(status: &Value, kind: &str) -> bool {
    condition(status, kind).is_some_and(|it| it["status"] == "True")
}

/// Puts a condition into a status. Its time of transition moves only with its status; `extra` times are set when anything changes.
pub(crate) fn set_condition(status: &mut Value, new: &Condition<'_>, extra: &[&str], now: &str) {
    let before = condition(status, new.kind).cloned();
    let old = before.as_ref();
    let same = |name: &str, value: &str| old.is_some_and(|it| text(&it[name]) == value);
    let same_status = same("status", new.status);
    if same_status && same("reason", new.reason) && same("message", new.message) {
        return;
    }
    let since = old.filter(|_| same_status).and_then(|it| it["lastTransitionTime"].as_str()).unwrap_or(now);
    let mut condition = json!({"type": new.kind, "status": new.status, "lastTransitionTime": since});
    for (name, value) in [("reason", new.reason), ("message", new.message)] {
        if !value.is_empty() {
            condition[name] = value.into();
        }
    }
    for name in extra {
        condition[*name] = now.into();
    }
    replace_condition(status, condition);
}

/// Puts a ready-made condition where the one of its kind is, or at the end.
pub(crate) fn replace_condition(status: &mut Value, condition: Value) {
    if !status["conditions"].is_array() {
        status["conditions"] = json!([]);
    }
    if let Some(list) = status["conditions"].as_array_mut() {
        match list.iter_mut().find(|it| it["type"] == condition["type"]) {
            Some(place) => *place = condition,
            None => list.push(condition),
        }
    }
}

/// Takes a condition out of a status.
pub(crate) fn remove_condition(status: &mut Value, kind: &str) {
    if let Some(list) = status["conditions"].as_array_mut() {
        list.retain(|it| it["type"] != kind);
        if list.is_empty() {
            unset(status, "conditions");
        }
    }
}

/// Takes a member out.
pub(crate) fn unset(value: &mut Value, name: &str) {
    if let Value::Object(members) = value {
        members.remove(name);
    }
}

/// Sets a member, or takes it out where the value counts as none: zero, empty, null.
pub(crate) fn set_or_unset(value: &mut Value, name: &str, new: Value) {
    let none = match &new {
        Value::Null => true,
        Value::Number(number) => number.as_i64() == Some(0),
        Value::String(text) => text.is_empty(),
        Value::Array(list) => list.is_empty(),
        Value::Object(members) => members.is_empty(),
        Value::Bool(_) => false,
    };
    if none {
        unset(value, name);
    } else {
        value[name] = new;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentages_round_as_kubernetes_does() {
        for (value, total, up, want) in [
            (json!(3), 10, true, Some(3)),
            (json!("25%"), 10, true, Some(3)),
            (json!("25%"), 10, false, Some(2)),
            (json!("0%"), 10, true, Some(0)),
            (json!("100%"), 7, false, Some(7)),
            (json!("50%"), 0, true, Some(0)),
            (json!("x"), 10, true, None),
            (json!(null), 10, true, None),
        ] {
            assert_eq!(int_or_percent(&value, total, up), want, "{value} of {total}");
        }
    }

    #[test]
    fn the_time_of_transition_moves_with_the_status() {
        let mut status = json!({});
        let set = |status: &mut Value, value: &str, reason: &str, now: &str| {
            let new = Condition { kind: "Ready", status: value, reason, message: "" };
            set_condition(status, &new, &[], now);
        };
        set(&mut status, "True", "a", "t1");
        set(&mut status, "True", "b", "t2");
        assert_eq!(
            status["conditions"],
            json!([{"type": "Ready", "status": "True", "reason": "b", "lastTransitionTime": "t1"}])
        );
        set(&mut status, "False", "b", "t3");
        assert_eq!(status["conditions"][0]["lastTransitionTime"], "t3");
        remove_condition(&mut status, "Ready");
        assert_eq!(status, json!({}));
    }
}
