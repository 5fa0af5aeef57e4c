//! `revoke-sa-token`: the token Secrets of the violating pod's service account go (spec/rules 8.4). How many went is said, 0
//! too: clusters since 1.24 normally have none.
//!
//! Parameter: `strategy`, `secrets` (default), or `evict-pod`, which invalidates the token that is bound to the pod.

use std::time::Duration;

use kanon_core::Action as Deed;
use kanon_plane::{Action, ParamError, Params, Prepared, Right, text_param};
use serde_json::Value;

use crate::evict::pod;

pub(crate) struct RevokeToken;

impl Action for RevokeToken {
    fn id(&self) -> &'static str {
        "revoke-sa-token"
    }

    fn window(&self) -> Duration {
        Duration::from_mins(1)
    }

    fn is_destructive(&self) -> bool {
        true
    }

    fn rights(&self, params: &Params, _: &[Right]) -> Vec<Right> {
        match params.get("strategy").and_then(Value::as_str) {
            Some("evict-pod") => vec![Right::evict()],
            _ => vec![Right::new("delete", "", "secrets")],
        }
    }

    fn reads(&self, params: &Params, _: &[Right]) -> Vec<Right> {
        let pods = Right::new("get", "", "pods");
        match params.get("strategy").and_then(Value::as_str) {
            Some("evict-pod") => vec![pods],
            _ => vec![pods, Right::new("list", "", "secrets")],
        }
    }

    fn prepare(&self, params: &Params) -> Result<Prepared, ParamError> {
        let deed = match text_param(params, "strategy", "secrets")?.as_str() {
            "secrets" => Deed::RevokeTokens,
            "evict-pod" => Deed::Evict { grace_period_sec: None },
            _ => {
                let problem = "is neither `secrets` nor `evict-pod`";
                return Err(ParamError { name: "strategy".into(), problem });
            }
        };
        Ok(Prepared::object(move |verdict, reach| {
            reach.want(pod(&verdict.subject, "asked for its service account")?.clone(), deed.clone())
        }))
    }
}
