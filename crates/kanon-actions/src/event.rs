//! `event`: a Kubernetes Event on the object that violated the policy (spec/rules 8.4, an addition of ours).
//!
//! Parameters: `reason` (CamelCase, default `PolicyViolation`), `message` (default: the verdict's, after the policy's name).
//! A repeat for the same policy revision and object has the same name, so that it changes nothing.

use kanon_core::EventType;
use kanon_plane::{Action, ParamError, Params, Prepared, text_param};

/// Kubernetes' limit for reasons.
const REASON_LEN_MAX: usize = 128;

pub(crate) struct Event;

impl Action for Event {
    fn id(&self) -> &'static str {
        "event"
    }

    fn prepare(&self, params: &Params) -> Result<Prepared, ParamError> {
        let reason = text_param(params, "reason", "PolicyViolation")?;
        let is_word = reason.starts_with(|it: char| it.is_ascii_uppercase())
            && reason.chars().all(|it| it.is_ascii_alphanumeric());
        if !is_word || reason.len() > REASON_LEN_MAX {
            return Err(ParamError {
                name: "reason".into(),
                problem: "is not a CamelCase word of at most 128 letters",
            });
        }
        let message = text_param(params, "message", "")?;
        Ok(Prepared::new(move |verdict, out| {
            let policy = &verdict.policy;
            let text = if message.is_empty() { &verdict.message } else { &message };
            let text = format!("{}: {text}", policy.name);
            out.event(verdict.subject.clone(), EventType::Warning, &reason, &text, &policy.revision);
        }))
    }
}

#[cfg(test)]
mod tests {
    use kanon_core::{Action as Wanted, Evidence, FamilyId, Mono, Now, ObjectRef, Outcome, PolicyRef, Verdict};
    use kanon_plane::Outbox;
    use serde_json::json;

    use super::*;

    fn params(value: serde_json::Value) -> Params {
        serde_json::from_value(value).unwrap()
    }

    fn verdict() -> Verdict {
        Verdict {
            family: FamilyId("rules"),
            policy: PolicyRef { name: "r".into(), revision: "abc".into(), ..PolicyRef::default() },
            subject: ObjectRef { name: "p".into(), uid: "u".into(), ..ObjectRef::default() },
            occasion: "admission",
            outcome: Outcome::Warn,
            reason: "RuleViolated",
            message: "rule violated: r".into(),
            evidence: Evidence::default(),
            now: Now::new(jiff::Timestamp::UNIX_EPOCH, Mono::default()),
        }
    }

    #[test]
    fn a_violation_becomes_an_event_and_a_repeat_the_same_one() {
        let prepared = Event.prepare(&params(json!({"reason": "Privileged"}))).unwrap();
        let mut out = Outbox::new(FamilyId("rules"));
        prepared.run(&verdict(), &mut out);
        prepared.run(&verdict(), &mut out);
        let wanted: Vec<_> = out.wanted().collect();
        assert_eq!(wanted[0].id, wanted[1].id);
        let message = "r: rule violated: r".to_owned();
        let want = Wanted::Event { event_type: EventType::Warning, reason: "Privileged".into(), message };
        assert_eq!(wanted[0].action, want);
    }

    #[test]
    fn senseless_parameters_are_named() {
        for (given, problem) in [
            (json!({"reason": "not camel"}), "parameter `reason` is not a CamelCase word of at most 128 letters"),
            (json!({"reason": 1}), "parameter `reason` is not a text"),
            (json!({"message": []}), "parameter `message` is not a text"),
        ] {
            assert_eq!(Event.prepare(&params(given)).err().unwrap().to_string(), problem);
        }
    }
}
