//! `alertmanager`: an alert while the violation lasts (spec/rules 8.4, 9.1). Whoever keeps the findings keeps the alert.
//!
//! Parameters: `runbook_url`; `template` is accepted and kept, and changes nothing: alerts have the one documented shape.

use std::time::Duration;

use kanon_plane::{Action, AlertParams, ParamError, Params, Prepared, text_param};

pub(crate) struct Alertmanager;

impl Action for Alertmanager {
    fn id(&self) -> &'static str {
        "alertmanager"
    }

    fn window(&self) -> Duration {
        Duration::from_mins(5)
    }

    fn prepare(&self, params: &Params) -> Result<Prepared, ParamError> {
        text_param(params, "template", "")?;
        Ok(Prepared::Alert(AlertParams { runbook_url: text_param(params, "runbook_url", "")? }))
    }
}
