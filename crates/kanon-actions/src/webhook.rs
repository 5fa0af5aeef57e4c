//! `webhook`: a document about the violation, signed, to a receiver that the process knows by name (spec/rules 8.4, an addition of
//! ours). Rules choose among the receivers that an administrator named, never a URL.
//!
//! Parameter: `to`, the receiver's name.

use std::time::Duration;

use kanon_plane::{Action, ParamError, Params, Prepared, text_param};

pub(crate) struct Webhook;

impl Action for Webhook {
    fn id(&self) -> &'static str {
        "webhook"
    }

    fn window(&self) -> Duration {
        Duration::from_secs(30)
    }

    fn prepare(&self, params: &Params) -> Result<Prepared, ParamError> {
        let to = text_param(params, "to", "")?;
        if to.is_empty() {
            return Err(ParamError { name: "to".into(), problem: "is required: the name of a receiver" });
        }
        Ok(Prepared::Hook(to))
    }
}
