//! `evict`: the violating pod, by its eviction subresource, so that disruption budgets hold (spec/rules 8.4).
//!
//! Parameter: `gracePeriodSeconds`, the pod's own when absent. The pod's UID is a precondition, so a repeat after a crash
//! cannot reach its successor.

use std::time::Duration;

use kanon_core::{Action as Deed, ObjectRef};
use kanon_plane::{Action, ParamError, Params, Prepared, Refusal, Right};
use serde_json::Value;

pub(crate) struct Evict;

impl Action for Evict {
    fn id(&self) -> &'static str {
        "evict"
    }

    fn window(&self) -> Duration {
        Duration::from_secs(30)
    }

    fn is_destructive(&self) -> bool {
        true
    }

    fn rights(&self, _: &Params, _: &[Right]) -> Vec<Right> {
        vec![Right::evict()]
    }

    fn reads(&self, _: &Params, _: &[Right]) -> Vec<Right> {
        vec![Right::new("get", "", "pods")]
    }

    fn prepare(&self, params: &Params) -> Result<Prepared, ParamError> {
        let grace_period_sec = match params.get("gracePeriodSeconds") {
            None | Some(Value::Null) => None,
            Some(value) => {
                let seconds = value.as_u64().and_then(|it| u32::try_from(it).ok());
                let wrong = ParamError { name: "gracePeriodSeconds".into(), problem: "is no number of seconds" };
                Some(seconds.ok_or(wrong)?)
            }
        };
        Ok(Prepared::object(move |verdict, reach| {
            reach.want(pod(&verdict.subject, "evicted")?.clone(), Deed::Evict { grace_period_sec })
        }))
    }
}

/// The subject, if it is a pod.
pub(crate) fn pod<'s>(subject: &'s ObjectRef, done: &str) -> Result<&'s ObjectRef, Refusal> {
    let is_pod = subject.gvk.group.is_empty() && subject.gvk.kind == "Pod";
    if is_pod { Ok(subject) } else { Err(Refusal(format!("only a pod can be {done}, this is {subject}"))) }
}
