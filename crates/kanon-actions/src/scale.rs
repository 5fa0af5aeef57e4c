//! `scale`: the violating workload to none of its replicas, so that it ends and its object stays (spec/rules 8.4, an addition of
//! ours). Nobody scales it up again but people: what it had is in the decision log and in its own history.
//!
//! Parameter: `replicas`, 0 when absent.

use std::time::Duration;

use kanon_core::{Action as Deed, Guard};
use kanon_plane::{Action, ParamError, Params, Prepared, Refusal, Right};
use serde_json::{Value, json};

/// What has `spec.replicas`, by group and kind.
const SCALABLE: [(&str, &str); 4] =
    [("apps", "Deployment"), ("apps", "StatefulSet"), ("apps", "ReplicaSet"), ("", "ReplicationController")];

pub(crate) struct Scale;

impl Action for Scale {
    fn id(&self) -> &'static str {
        "scale"
    }

    fn window(&self) -> Duration {
        Duration::from_secs(30)
    }

    fn is_destructive(&self) -> bool {
        true
    }

    fn leave(&self, _: &Params) -> Option<&'static str> {
        Some("scale")
    }

    fn rights(&self, _: &Params, objects: &[Right]) -> Vec<Right> {
        objects.iter().map(|it| it.to("patch")).collect()
    }

    fn prepare(&self, params: &Params) -> Result<Prepared, ParamError> {
        let replicas = match params.get("replicas") {
            None | Some(Value::Null) => 0,
            Some(value) => {
                let count = value.as_u64().and_then(|it| i32::try_from(it).ok());
                count.ok_or(ParamError { name: "replicas".into(), problem: "is no number of replicas" })?
            }
        };
        Ok(Prepared::object(move |verdict, reach| {
            let subject = &verdict.subject;
            if !SCALABLE.contains(&(subject.gvk.group.as_str(), subject.gvk.kind.as_str())) {
                return Err(Refusal(format!("{subject} has no replicas")));
            }
            let patch = json!({"spec": {"replicas": replicas}});
            reach.want(subject.clone(), Deed::Patch { patch, guard: Guard::Free, create: None })
        }))
    }
}
