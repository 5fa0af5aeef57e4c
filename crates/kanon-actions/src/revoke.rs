//! `revoke-sa-token`: tokens of the violating pod's service account count no more (spec/rules 8.4). How many that were is said, 0
//! too.
//!
//! Parameter: `strategy`. `secrets` (default) deletes the Secrets with tokens; clusters since 1.24 normally have none. `evict-pod`
//! invalidates the token that is bound to the pod. `recreate-sa` makes the account anew, with another UID: no token of it counts
//! any more, whichever pod has it.

use std::time::Duration;

use kanon_core::{ACCOUNTS_MAP, Action as Deed};
use kanon_plane::{Action, ParamError, Params, Prepared, Right, text_param};

use crate::evict::pod;

pub(crate) struct RevokeToken;

/// The strategy's name, which is the word that allows it, too.
const RECREATE: &str = "recreate-sa";

/// How tokens are made to count no more.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Strategy {
    Secrets,
    EvictPod,
    RecreateAccount,
}

impl Strategy {
    fn of(params: &Params) -> Result<Strategy, ParamError> {
        match text_param(params, "strategy", "secrets")?.as_str() {
            "secrets" => Ok(Strategy::Secrets),
            "evict-pod" => Ok(Strategy::EvictPod),
            RECREATE => Ok(Strategy::RecreateAccount),
            _ => {
                let problem = "is none of `secrets`, `evict-pod` and `recreate-sa`";
                Err(ParamError { name: "strategy".into(), problem })
            }
        }
    }

    fn recreates(params: &Params) -> bool {
        Strategy::of(params).is_ok_and(|it| it == Strategy::RecreateAccount)
    }
}

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

    fn leave(&self, params: &Params) -> Option<&'static str> {
        Strategy::recreates(params).then_some(RECREATE)
    }

    fn rights(&self, params: &Params, _: &[Right]) -> Vec<Right> {
        match Strategy::of(params) {
            Ok(Strategy::EvictPod) => vec![Right::evict()],
            // Patched is only `default`, which the cluster may make by itself meanwhile.
            Ok(Strategy::RecreateAccount) => {
                ["delete", "create", "patch"].map(|it| Right::new(it, "", "serviceaccounts")).to_vec()
            }
            Ok(Strategy::Secrets) | Err(_) => vec![Right::new("delete", "", "secrets")],
        }
    }

    fn reads(&self, params: &Params, _: &[Right]) -> Vec<Right> {
        let mut reads = vec![Right::new("get", "", "pods")];
        match Strategy::of(params) {
            Ok(Strategy::EvictPod) => {}
            Ok(Strategy::RecreateAccount) => {
                reads.extend([Right::new("list", "", "pods"), Right::new("get", "", "serviceaccounts")]);
            }
            Ok(Strategy::Secrets) | Err(_) => reads.push(Right::new("list", "", "secrets")),
        }
        reads
    }

    fn notes_in(&self, params: &Params) -> Option<&'static str> {
        Strategy::recreates(params).then_some(ACCOUNTS_MAP)
    }

    fn prepare(&self, params: &Params) -> Result<Prepared, ParamError> {
        let strategy = Strategy::of(params)?;
        Ok(Prepared::object(move |verdict, reach| {
            let deed = match strategy {
                Strategy::Secrets => Deed::RevokeTokens,
                Strategy::EvictPod => Deed::Evict { grace_period_sec: None },
                Strategy::RecreateAccount => Deed::RecreateAccount { since: verdict.now.wall },
            };
            reach.want(pod(&verdict.subject, "asked for its service account")?.clone(), deed)
        }))
    }
}
