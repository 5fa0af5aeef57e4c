//! Flags of the rules' loops, named as the original's (spec/rules 10).

use std::time::Duration;

use clap::Args;
use kanon_core::GroupVersionKind;

use crate::families::Audit;

/// What is looked at besides requests.
#[derive(Debug, Args)]
#[command(next_help_heading = "Audit of stored objects")]
pub(crate) struct RuleArgs {
    /// Kind to watch whatever the rules read, as GROUP/VERSION/KIND (`/v1/ConfigMap`); repeatable
    #[arg(long, value_name = "KIND", value_parser = kind)]
    pub(crate) watched_gvk: Vec<GroupVersionKind>,
    /// Keep all of every watched object in memory, not only what rules read of it
    #[arg(long)]
    pub(crate) cache_whole_objects: bool,
    /// How often verdicts that may change by themselves are asked for again
    #[arg(long, value_name = "TIME", default_value = "10m", value_parser = super::duration)]
    pub(crate) resync_period: Duration,
}

impl RuleArgs {
    /// The loop's settings; `runs` says whether there is one.
    pub(crate) fn audit(&self, runs: bool) -> Audit {
        let (watched, whole) = (self.watched_gvk.clone(), self.cache_whole_objects);
        Audit { runs, watched, whole, resync: self.resync_period, ..Audit::default() }
    }
}

/// `group/version/Kind`; the core group is empty or left out (`v1/Pod`).
pub(crate) fn kind(text: &str) -> Result<GroupVersionKind, String> {
    let parts: Vec<_> = text.split('/').collect();
    match parts[..] {
        [group, version, kind] if !version.is_empty() && !kind.is_empty() => {
            Ok(GroupVersionKind::new(group, version, kind))
        }
        [version, kind] if !version.is_empty() && !kind.is_empty() => Ok(GroupVersionKind::new("", version, kind)),
        _ => Err(format!("`{text}` is no kind: write GROUP/VERSION/KIND, such as `apps/v1/Deployment` or `/v1/Pod`")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_have_two_or_three_parts() {
        let shown = |text| kind(text).map(|it| it.to_string());
        assert_eq!(shown("/v1/ConfigMap").as_deref(), Ok("/v1, Kind=ConfigMap"));
        assert_eq!(shown("v1/Pod").as_deref(), Ok("/v1, Kind=Pod"));
        assert_eq!(shown("apps/v1/Deployment").as_deref(), Ok("apps/v1, Kind=Deployment"));
        for text in ["Pod", "", "a/b/c/d", "apps/v1/"] {
            assert!(kind(text).is_err(), "{text}");
        }
    }
}
