//! The two forms of an Event: core `v1`, which is stored, and `events.k8s.io/v1`, which has other names for the same members.

use serde_json::{Map, Value};

/// Names in the core form, and in the newer one.
const NAMES: [(&str, &str); 7] = [
    ("involvedObject", "regarding"),
    ("message", "note"),
    ("reportingComponent", "reportingController"),
    ("source", "deprecatedSource"),
    ("firstTimestamp", "deprecatedFirstTimestamp"),
    ("lastTimestamp", "deprecatedLastTimestamp"),
    ("count", "deprecatedCount"),
];

/// From the stored form to `events.k8s.io/v1`.
pub(crate) fn to_events_api(event: &mut Value) {
    if let Value::Object(members) = event {
        NAMES.iter().for_each(|(core, new)| rename(members, core, new));
    }
}

/// From `events.k8s.io/v1` to the stored form.
pub(crate) fn to_core(event: &mut Value) {
    if let Value::Object(members) = event {
        NAMES.iter().for_each(|(core, new)| rename(members, new, core));
    }
}

fn rename(members: &mut Map<String, Value>, from: &str, to: &str) {
    if let Some(value) = members.remove(from) {
        members.insert(to.to_owned(), value);
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    #[test]
    fn forms_turn_into_each_other() {
        let core = json!({"message": "m", "involvedObject": {"name": "a"}, "reason": "r", "count": 2});
        let mut event = core.clone();
        super::to_events_api(&mut event);
        assert_eq!(event, json!({"note": "m", "regarding": {"name": "a"}, "reason": "r", "deprecatedCount": 2}));
        super::to_core(&mut event);
        assert_eq!(event, core);
    }
}
