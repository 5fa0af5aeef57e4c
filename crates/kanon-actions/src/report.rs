//! `policyreport-gc`: takes results of what is gone out of the reports (spec/rules 8.4). The report writer does that by itself;
//! the word stays, so that rules which name it go on working.

use std::time::Duration;

use kanon_plane::{Action, ParamError, Params, Prepared};

pub(crate) struct ReportGc;

impl Action for ReportGc {
    fn id(&self) -> &'static str {
        "policyreport-gc"
    }

    fn window(&self) -> Duration {
        Duration::from_secs(5)
    }

    fn prepare(&self, _: &Params) -> Result<Prepared, ParamError> {
        Ok(Prepared::Report)
    }
}
