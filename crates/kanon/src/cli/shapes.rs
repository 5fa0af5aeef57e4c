//! The flag that says which kinds make pods besides Kubernetes' own (spec/rules 2.3).

use clap::Args;
use kanon_core::GroupVersionKind;
use kanon_rules::PodShapes;

/// Further pod-shaped kinds.
#[derive(Clone, Debug, Default, Args)]
pub(crate) struct ShapeArgs {
    /// Kind whose objects make pods, and where their pod spec stands, as GROUP/VERSION/KIND=PATH
    /// (`argoproj.io/v1alpha1/Rollout=spec.template.spec`); repeatable
    #[arg(long, value_name = "KIND=PATH", value_parser = shape, help_heading = "Kinds")]
    pub(crate) pod_shaped: Vec<(GroupVersionKind, Vec<String>)>,
}

impl ShapeArgs {
    /// What rules are told.
    pub(crate) fn shapes(&self) -> PodShapes {
        PodShapes::new(self.pod_shaped.iter().cloned())
    }
}

fn shape(text: &str) -> Result<(GroupVersionKind, Vec<String>), String> {
    let wrong =
        || format!("`{text}` is no pod-shaped kind: write GROUP/VERSION/KIND=PATH, the path as `spec.template.spec`");
    let (kind, path) = text.split_once('=').ok_or_else(wrong)?;
    let path: Vec<_> = path.trim_start_matches('.').split('.').map(str::to_owned).collect();
    if path.iter().any(String::is_empty) {
        return Err(wrong());
    }
    Ok((super::rules::kind(kind)?, path))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shape_is_a_kind_with_a_path() {
        let shown = |text| shape(text).map(|(kind, path)| format!("{kind} {}", path.join("/")));
        assert_eq!(
            shown("argoproj.io/v1alpha1/Rollout=spec.template.spec").as_deref(),
            Ok("argoproj.io/v1alpha1, Kind=Rollout spec/template/spec")
        );
        assert_eq!(shown("/v1/PodTemplate=.template.spec").as_deref(), Ok("/v1, Kind=PodTemplate template/spec"));
        for text in ["Rollout", "a/v1/Rollout=", "a/v1/Rollout=spec..template", "=spec"] {
            assert!(shape(text).is_err(), "{text}");
        }
    }
}
