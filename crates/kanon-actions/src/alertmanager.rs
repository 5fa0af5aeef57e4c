//! `alertmanager`: an alert while the violation lasts (spec/rules 8.4, 9.1). Whoever keeps the findings keeps the alert.
//!
//! Parameters: `runbook_url`; `template`, a name under which there may be labels and annotations to add.

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
        let template = text_param(params, "template", "")?;
        Ok(Prepared::Alert(AlertParams { runbook_url: text_param(params, "runbook_url", "")?, template }))
    }
}
