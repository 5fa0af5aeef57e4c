//! `cordon`: nothing new is scheduled to the violating node, or to the node of the violating pod (spec/rules 8.4, an addition of
//! ours). What runs there goes on; `kubectl uncordon` ends it.

use std::time::Duration;

use kanon_core::Action as Deed;
use kanon_plane::{Action, ParamError, Params, Prepared, Refusal, Right};

pub(crate) struct Cordon;

impl Action for Cordon {
    fn id(&self) -> &'static str {
        "cordon"
    }

    fn window(&self) -> Duration {
        Duration::from_mins(1)
    }

    fn is_destructive(&self) -> bool {
        true
    }

    fn leave(&self, _: &Params) -> Option<&'static str> {
        Some("cordon")
    }

    fn rights(&self, _: &Params, _: &[Right]) -> Vec<Right> {
        vec![Right::new("patch", "", "nodes")]
    }

    fn reads(&self, _: &Params, objects: &[Right]) -> Vec<Right> {
        let pods = objects.iter().filter(|it| it.group.is_empty() && it.resource == "pods");
        pods.map(|it| it.to("get")).collect()
    }

    fn prepare(&self, _: &Params) -> Result<Prepared, ParamError> {
        Ok(Prepared::object(|verdict, reach| {
            let gvk = &verdict.subject.gvk;
            if !gvk.group.is_empty() || !["Node", "Pod"].contains(&gvk.kind.as_str()) {
                return Err(Refusal(format!(
                    "only a node can be cordoned, or that of a pod, this is {}",
                    verdict.subject
                )));
            }
            reach.want(verdict.subject.clone(), Deed::Cordon)
        }))
    }
}
