//! `kanon rbac` and `portal rbac`: the rights that a process needs with the given flags and rules, as manifests. The flags are those of
//! the process itself and go the same way, so that what it would do is what is granted. Nothing is written to a cluster.

mod process;
mod render;

use std::path::PathBuf;

use kanon_core::{Change, Input, Kind, Object, Scope};
use kanon_kube::{Api, Source, lease_name};
use kanon_plane::{Plane, Settings};
use kanon_runtime::Clock;

pub(crate) use self::process::Registration;
use self::{process::Process, render::Manifest};
use crate::{
    cli::{
        ShardArgs,
        portal::source,
        rbac::{Manifests, PortalRbacArgs, RbacArgs, RightsArgs},
    },
    commands::{
        check::{
            manifests::{parse_some, texts},
            rule_files, warn,
        },
        portal::run as portal_run,
        serve,
    },
    exit::{Exit, Failure},
    families, languages,
    output::{print, print_data},
    runtime,
};

/// The rights of `kanon serve`.
pub(crate) fn of_serve(args: RbacArgs) -> Result<Exit, Failure> {
    let RbacArgs { rights, serve: args } = args;
    let settings = serve::settings(&args, args.sinks.possible(&args.namespace), None);
    let process = Process {
        name: rights.name.clone().unwrap_or_else(|| "kanon".to_owned()),
        leases: leases(args.leader_election, serve::LEASE, &args.shards),
        webhook: if args.cert_dir.is_some() { args.installed.registration("kanon") } else { Registration::Own },
        secret: args.cert_dir.is_some().then(|| args.installed.cert_secret.clone()).flatten(),
        authors: args.vet.settings().authors,
        namespace: args.namespace,
    };
    let source = args.kubeconfig.map_or(Source::Infer, Source::File);
    show(&rights, args.rules_folder, settings, &process, &source)
}

/// The leases that a replica contends for.
fn leases(elects: bool, name: &str, shards: &ShardArgs) -> Vec<String> {
    if elects { (0..shards.audit_shards).map(|shard| lease_name(name, shard)).collect() } else { Vec::new() }
}

/// The rights of `portal run`.
pub(crate) fn of_run(args: PortalRbacArgs) -> Result<Exit, Failure> {
    let PortalRbacArgs { rights, run: args } = args;
    let namespace = args.install_namespace.clone();
    let settings = portal_run::settings(&args, args.sinks.possible(&namespace), None);
    let process = Process {
        name: rights.name.clone().unwrap_or_else(|| "portal".to_owned()),
        leases: leases(args.leader_election, portal_run::LEASE, &args.shards),
        webhook: if args.admission { args.installed.registration("portal") } else { Registration::None },
        secret: args.installed.cert_secret.clone(),
        authors: args.vet.settings().authors,
        namespace,
    };
    let folder = Some(args.rules_folder.as_str()).filter(|it| !it.is_empty()).map(PathBuf::from);
    show(&rights, folder, settings, &process, &source(&args.kubeconfig))
}

fn show(
    rights: &RightsArgs,
    folder: Option<PathBuf>,
    settings: families::Settings,
    process: &Process,
    source: &Source,
) -> Result<Exit, Failure> {
    let mut plane = Plane::new(families::all(&languages::all(), &settings), Settings::default());
    let is_complete = load(&mut plane, rights, folder, source)?;
    let mut needs = plane.needs();
    for sentence in &needs.unknown {
        warn(&format!("{sentence}: name it with --rules, or ask the cluster (--cluster); no rights are given for it"));
    }
    let is_complete = is_complete && needs.unknown.is_empty();
    process.add(&mut needs, &plane);
    let manifests: Vec<Manifest> = render::manifests(process, &needs);
    match rights.output {
        Manifests::Yaml => print(&render::yaml(&manifests))?,
        Manifests::Json => print_data(crate::output::Format::Json, &render::list(&manifests))?,
    }
    Ok(if is_complete { Exit::Fine } else { Exit::Findings })
}

/// Gives the plane its rules; whether all of them can be read.
fn load(plane: &mut Plane, rights: &RightsArgs, folder: Option<PathBuf>, source: &Source) -> Result<bool, Failure> {
    let now = Clock::start().now();
    let (mut files, mut kinds) = (Vec::new(), Vec::new());
    for path in &rights.files {
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
    if rights.cluster {
        (kinds, objects) = runtime()?.block_on(of_cluster(plane, source, kinds))?;
    } else {
        kinds.extend(kanon_kinds::kinds().iter().filter(|it| it.verbs.contains(&"watch")).map(|it| Kind {
            gvk: it.gvk.clone(),
            plural: it.plural.to_owned(),
            scope: it.scope,
        }));
    }
    plane.handle(&Input::Resources { kinds: kinds.into() }, now);
    for (kind, object) in objects {
        plane.handle(&Input::Object { kind: std::sync::Arc::new(kind), change: Change::Applied, object }, now);
    }
    plane.handle(&Input::Folder { files, unreadable: Vec::new() }, now);
    let policies: Vec<_> = plane.views().iter().flat_map(|it| it.policies()).collect();
    let is_exception = |kind: &str| [kanon_rules::api::CLUSTER_EXCEPTION, kanon_rules::api::EXCEPTION].contains(&kind);
    let broken = policies.iter().filter(|it| !it.active && !it.problem.is_empty() && !is_exception(&it.kind));
    let broken: Vec<_> =
        broken.map(|it| format!("rule `{}`: {}: no rights are given for it", it.name, it.problem)).collect();
    broken.iter().for_each(|it| warn(it));
    Ok(broken.is_empty())
}

/// What the cluster serves besides `kinds`, and its policies.
async fn of_cluster(
    plane: &Plane,
    source: &Source,
    mut kinds: Vec<Kind>,
) -> Result<(Vec<Kind>, Vec<(Kind, Object)>), Failure> {
    let api = Api::connect(source).await?;
    kinds.extend(kanon_kube::discover(&api).await?);
    let mut objects = Vec::new();
    for kind in plane.awaited() {
        let found = kanon_kube::list(&api, &kind).await?;
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
