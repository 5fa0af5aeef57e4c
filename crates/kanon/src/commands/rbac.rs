//! `kanon rbac` and `portal rbac`: the rights that a process needs with the given flags and rules, as manifests. The flags are those of
//! the process itself and go the same way, so that what it would do is what is granted. Nothing is written to a cluster.

mod process;
mod render;

use std::path::PathBuf;

use kanon_core::{Kind, Scope};
use kanon_kube::{Source, lease_name};
use kanon_plane::{Plane, Right, Settings};

pub(crate) use self::process::Registration;
use self::{process::Process, render::Manifest};
use crate::{
    cli::{
        ShardArgs,
        portal::source,
        rbac::{Manifests, PortalRbacArgs, RbacArgs, RightsArgs},
    },
    commands::{check::warn, given, portal::run as portal_run, serve},
    exit::{Exit, Failure},
    families, languages,
    output::{print, print_data},
};

/// The rights of `kanon serve`.
pub(crate) fn of_serve(args: RbacArgs) -> Result<Exit, Failure> {
    let RbacArgs { rights, serve: args } = args;
    serve::check(&args)?;
    let settings = serve::settings(&args, args.sinks.possible(&args.namespace), None);
    let process = Process {
        name: rights.name.clone().unwrap_or_else(|| "kanon".to_owned()),
        leases: leases(args.leader_election, serve::LEASE, &args.shards),
        webhook: if args.cert_dir.is_some() { args.installed.registration("kanon") } else { Registration::Own },
        secret: args.cert_dir.is_some().then(|| args.installed.cert_secret.clone()).flatten(),
        authors: args.vet.settings().authors,
        namespaces: args.within.namespaces(),
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
    portal_run::check(&args)?;
    let namespace = args.install_namespace.clone();
    let settings = portal_run::settings(&args, args.sinks.possible(&namespace), None);
    let process = Process {
        name: rights.name.clone().unwrap_or_else(|| "portal".to_owned()),
        leases: leases(args.leader_election, portal_run::LEASE, &args.shards),
        webhook: if args.admission { args.installed.registration("portal") } else { Registration::None },
        secret: args.installed.cert_secret.clone(),
        authors: args.vet.settings().authors,
        namespaces: args.within.namespaces(),
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
    let (is_complete, kinds) = given::load(&mut plane, &rights.given, folder, source, &process.namespaces)?;
    let mut needs = plane.needs();
    if !process.namespaces.is_empty() {
        let known: Vec<_> = plane.kinds().into_iter().chain(kinds).collect();
        let is_it = |kind: &Kind, right: &Right| (&kind.gvk.group, &kind.plural) == (&right.group, &right.resource);
        let scope = |right: &Right| known.iter().find(|it| is_it(it, right)).map_or(Scope::Namespaced, |it| it.scope);
        needs = needs.within(&process.namespaces, scope);
    }
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
