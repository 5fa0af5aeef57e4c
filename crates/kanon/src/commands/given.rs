//! The rules that a command prints manifests for: files, folders, or those of a cluster, with the kinds that they are about. Nothing is
//! written.

use std::path::PathBuf;

use kanon_core::{Change, Input, Kind, Object, Scope};
use kanon_kube::{Api, Source, Span};
use kanon_plane::Plane;
use kanon_runtime::Clock;

use crate::{
    cli::rbac::GivenArgs,
    commands::check::{
        manifests::{parse_some, texts},
        rule_files, warn,
    },
    exit::Failure,
    runtime,
};

/// Gives the plane its rules; whether all of them can be in force, and the kinds that are known. Those of a cluster are read in
/// `namespaces` alone, where there are such.
pub(crate) fn load(
    plane: &mut Plane,
    given: &GivenArgs,
    folder: Option<PathBuf>,
    source: &Source,
    namespaces: &[String],
) -> Result<(bool, Vec<Kind>), Failure> {
    let now = Clock::start().now();
    let (mut files, mut kinds) = (Vec::new(), Vec::new());
    for path in &given.files {
        let found = if path.is_dir() { rule_files(path)? } else { texts(path)? };
        for file in &found {
            // What cannot be read is said by the rules.
            let manifests = parse_some(file).unwrap_or_default();
            kinds.extend(manifests.iter().flat_map(|it| defined(&it.object)));
        }
        files.extend(found);
    }
    if let Some(folder) = folder {
        files.extend(rule_files(&folder)?);
    }
    let mut objects = Vec::new();
    if given.cluster {
        (kinds, objects) = runtime()?.block_on(of_cluster(plane, source, namespaces, kinds))?;
    } else {
        kinds.extend(kanon_kinds::kinds().iter().filter(|it| it.verbs.contains(&"watch")).map(|it| Kind {
            gvk: it.gvk.clone(),
            plural: it.plural.to_owned(),
            scope: it.scope,
        }));
    }
    plane.handle(&Input::Resources { kinds: kinds.clone().into() }, now);
    for (kind, object) in objects {
        plane.handle(&Input::Object { kind: std::sync::Arc::new(kind), change: Change::Applied, object }, now);
    }
    plane.handle(&Input::Folder { files, unreadable: Vec::new() }, now);
    let policies: Vec<_> = plane.views().iter().flat_map(|it| it.policies()).collect();
    let is_exception = |kind: &str| [kanon_rules::api::CLUSTER_EXCEPTION, kanon_rules::api::EXCEPTION].contains(&kind);
    let broken = policies.iter().filter(|it| !it.active && !it.problem.is_empty() && !is_exception(&it.kind));
    let broken: Vec<_> = broken.map(|it| format!("rule `{}`: {}", it.name, it.problem)).collect();
    broken.iter().for_each(|it| warn(it));
    Ok((broken.is_empty(), kinds))
}

/// What the cluster serves besides `kinds`, and its policies.
async fn of_cluster(
    plane: &Plane,
    source: &Source,
    namespaces: &[String],
    mut kinds: Vec<Kind>,
) -> Result<(Vec<Kind>, Vec<(Kind, Object)>), Failure> {
    let api = Api::connect(source).await?;
    kinds.extend(kanon_kube::discover(&api).await?);
    let mut objects = Vec::new();
    // Of rights nothing stands in places.
    let awaited = plane.awaited();
    for kind in plane.kinds().into_iter().filter(|it| awaited.contains(it)) {
        let span = if namespaces.is_empty() { Span::everywhere(&kind) } else { Span::within(&kind, namespaces) };
        let found = kanon_kube::list(&api, &span).await?;
        objects.extend(found.into_iter().map(|it| (kind.clone(), it)));
    }
    Ok((kinds, objects))
}

/// The kinds that a CustomResourceDefinition defines.
fn defined(object: &Object) -> Vec<Kind> {
    if object.str_at(&["kind"]) != "CustomResourceDefinition" {
        return Vec::new();
    }
    let text = |path: &[&str]| object.str_at(path).to_owned();
    let scope = if text(&["spec", "scope"]) == "Cluster" { Scope::Cluster } else { Scope::Namespaced };
    let versions = object.at(&["spec", "versions"]).into_iter().flat_map(|it| it.elements().collect::<Vec<_>>());
    let kind = |version: kanon_core::Node<'_>| {
        let version = version.get("name")?.as_plain_str()?.to_owned();
        let gvk =
            kanon_core::GroupVersionKind::new(&text(&["spec", "group"]), &version, &text(&["spec", "names", "kind"]));
        Some(Kind { gvk, plural: text(&["spec", "names", "plural"]), scope })
    };
    versions.filter_map(kind).collect()
}
