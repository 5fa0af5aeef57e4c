//! `portal run`: what `kanon serve` does, from the original's flags. Rules and no other family, since that is what the rights that
//! the original's chart gives are for.

use std::{
    net::{Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener},
    path::PathBuf,
};

use kanon_net::CancellationToken;
use kanon_runtime::Clock;

use crate::{
    cli::portal::{RunArgs, source},
    commands::serve::{address, identity, interrupted},
    control::{self, webhook},
    exit::{Exit, Failure},
    families,
    paths::DataDir,
    runtime,
};

/// The original's lease: a replica of either holds the other off.
const LEASE: &str = "portal-leader";

/// Serves until interrupted.
pub(super) fn run(args: RunArgs) -> Result<Exit, Failure> {
    runtime()?.block_on(serve(args))
}

async fn serve(args: RunArgs) -> Result<Exit, Failure> {
    let audits = args.audit || args.network.runs();
    if args.network.runs() && !args.audit {
        tracing::warn!("--network needs --audit: it is enabled");
    }
    let namespace = args.install_namespace.clone();
    let sinks = args.sinks.options(Some("-"))?;
    let options = control::Options {
        families: control::families(families::Settings {
            only_rules: true,
            namespace: namespace.clone(),
            audit: args.rules().audit(audits),
            network: args.network.settings(&namespace),
            responses: sinks.responses(&namespace, !args.leader_election),
        }),
        source: source(&args.kubeconfig),
        log: args.data_dir.clone().map(|it| DataDir::resolve(Some(it))).transpose()?.map(|it| it.log()),
        definitions: control::Definitions { rules: args.rules_cr, by_installer: true },
        rules_folder: Some(args.rules_folder.as_str()).filter(|it| !it.is_empty()).map(PathBuf::from),
        webhook: args.admission.then(|| webhook_options(&args)).transpose()?,
        metrics_addr: listen_address("--metrics-addr", &args.metrics_addr)?,
        namespace,
        lease: args.leader_election.then(|| (LEASE, identity())),
        sinks,
    };
    let stop = CancellationToken::new();
    let control = control::start(options, Clock::start(), &stop).await?;
    let webhook = control.webhook_addr.map(tracing::field::display);
    tracing::info!(metrics = %control.metrics_addr, webhook, "portal serves");
    interrupted().await?;
    stop.cancel();
    control.stopped().await;
    Ok(Exit::Fine)
}

fn webhook_options(args: &RunArgs) -> Result<webhook::Options, Failure> {
    if args.cert_dir.is_empty() {
        return Err(Failure::usage("--cert-dir is required"));
    }
    let installed = args.installed.setup(PathBuf::from(&args.cert_dir), &args.install_namespace);
    Ok(webhook::Options {
        listen: listen_address("--listen", &args.listen)?,
        names: args.webhook_dns.clone(),
        fail_closed: args.fail_closed,
        setup: webhook::Setup::Installed(installed),
    })
}

/// An address as the original takes it: `:8443` is every address of this machine, of both families where it has both.
fn listen_address(flag: &str, text: &str) -> Result<SocketAddr, Failure> {
    let Some(port) = text.strip_prefix(':') else { return address(flag, text) };
    let port: u16 = port
        .parse()
        .map_err(|_| Failure::usage(format!("{flag}: `{text}` is no address: write HOST:PORT, such as :8443")))?;
    let has_both = TcpListener::bind((Ipv6Addr::UNSPECIFIED, 0)).is_ok();
    Ok(if has_both { (Ipv6Addr::UNSPECIFIED, port).into() } else { (Ipv4Addr::UNSPECIFIED, port).into() })
}
