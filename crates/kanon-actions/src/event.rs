//! `event`: a Kubernetes Event on the object that violated the policy (spec/rules 8.4, an addition of ours).
//!
//! Parameters: `reason` (CamelCase, default `PolicyViolation`), `message` (default: the verdict's, after the policy's name).
//! A repeat for the same policy revision and object has the same name, so that it changes nothing.

use std::time::Duration;

use kanon_core::{Action as Deed, EventType};
use kanon_plane::{Action, ParamError, Params, Prepared, Right, text_param};

/// Kubernetes' limit for reasons.
const REASON_LEN_MAX: usize = 128;

pub(crate) struct Event;

impl Action for Event {
    fn id(&self) -> &'static str {
        "event"
    }

    fn window(&self) -> Duration {
        Duration::from_secs(30)
    }

    fn rights(&self, _: &Params, _: &[Right]) -> Vec<Right> {
        vec![Right::new("create", "", "events")]
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
        Ok(Prepared::object(move |verdict, reach| {
            let text = if message.is_empty() { &verdict.message } else { &message };
            let message = format!("{}: {text}", verdict.policy.name);
            let (event_type, reason) = (EventType::Warning, reason.clone());
            reach.want(verdict.subject.clone(), Deed::Event { event_type, reason, message })
        }))
    }
}
