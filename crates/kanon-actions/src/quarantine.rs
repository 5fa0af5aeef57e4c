//! `quarantine`: the violating pod is set apart from the network and goes on running (spec/rules 8.4, an addition of ours): the
//! label `kanon.dev/quarantine`, and the NetworkPolicy `kanon-quarantine` of its namespace, which isolates what carries it. The
//! label goes when the violation has ended.
//!
//! Policies add up: what another policy allows the pod it is allowed still.

use std::time::Duration;

use kanon_core::Action as Deed;
use kanon_plane::{Action, ParamError, Params, Prepared, Right};

use crate::evict::pod;

pub(crate) struct Quarantine;

impl Action for Quarantine {
    fn id(&self) -> &'static str {
        "quarantine"
    }

    fn window(&self) -> Duration {
        Duration::from_secs(30)
    }

    fn is_destructive(&self) -> bool {
        true
    }

    fn leave(&self, _: &Params) -> Option<&'static str> {
        Some("quarantine")
    }

    fn rights(&self, _: &Params, _: &[Right]) -> Vec<Right> {
        let policies = |verb| Right::new(verb, "networking.k8s.io", "networkpolicies");
        vec![Right::new("patch", "", "pods"), policies("create"), policies("patch")]
    }

    fn prepare(&self, _: &Params) -> Result<Prepared, ParamError> {
        let render = |release| {
            move |verdict: &kanon_core::Verdict, reach: &kanon_plane::Reach| {
                reach.want(pod(&verdict.subject, "set apart")?.clone(), Deed::Quarantine { release })
            }
        };
        Ok(Prepared::object(render(false)).undone_by(render(true)))
    }
}
