//! Warnings about expressions that take the façade for the raw object (spec/rules 2.3): they compile, and then fail or say
//! nothing on every pod. Found in what the program reads.

use kanon_core::GroupVersionKind;

use crate::facts::pod::{CONTAINER, CONTAINER_SECURITY, METADATA, POD_SECURITY, PodShapes, SPEC};

/// Where the raw containers are.
const RAW: &str = "the raw containers are under `object.spec`";

/// A warning for every path that leads out of the façade.
pub(super) fn warnings(paths: &[Vec<String>], kinds: &[GroupVersionKind], shapes: &PodShapes) -> Vec<String> {
    if !kinds.iter().any(|it| shapes.has(it)) {
        return Vec::new();
    }
    let mut warnings = Vec::new();
    for path in paths {
        let names: Vec<_> = path.iter().map(String::as_str).collect();
        let stray = match names[..] {
            ["container", "image"] => {
                warnings.push(
                    "`container.image` is a map {registry, name, tag, sha256}: as a string it fails on every container"
                        .to_owned(),
                );
                continue;
            }
            ["container", "securityContext", name, ..] if !CONTAINER_SECURITY.contains(&name) => {
                (format!("container.securityContext.{name}"), CONTAINER_SECURITY, RAW)
            }
            ["container", name, ..] if !CONTAINER.contains(&name) => (format!("container.{name}"), CONTAINER, RAW),
            ["spec", name, ..] if !SPEC.contains(&name) => {
                (format!("spec.{name}"), SPEC, "the raw spec is `object.spec`")
            }
            ["securityContext", name, ..] if !POD_SECURITY.contains(&name) => {
                (format!("securityContext.{name}"), POD_SECURITY, "the raw one is under `object.spec`")
            }
            ["metadata", name, ..] if !METADATA.contains(&name) => {
                (format!("metadata.{name}"), METADATA, "the raw one is `object.metadata`")
            }
            _ => continue,
        };
        let (place, members, raw) = stray;
        warnings.push(format!("`{place}` is nil for every pod: there are only {}; {raw}", members.join(", ")));
    }
    warnings.dedup();
    warnings
}
