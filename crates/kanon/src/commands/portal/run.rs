//! `portal run`: what `kanon serve` does, from the original's flags. Rules and no other family, since that is what the rights that
//! the original's chart gives are for.

use std::path::PathBuf;

use kanon_net::CancellationToken;
use kanon_rules::Responses;
use kanon_runtime::Clock;

use crate::{
    cli::portal::{RunArgs, source},
    commands::serve::{AUTHORS, CORDON, FOLLOWS, NETWORK, address, end, identity},
    control::{self, webhook},
    exit::{Exit, Failure},
    families,
    paths::DataDir,
    runtime,
};

/// The original's lease: a replica of either holds the other off.
pub(crate) const LEASE: &str = "portal-leader";

/// Serves until interrupted.
pub(super) fn run(args: RunArgs) -> Result<Exit, Failure> {
    runtime()?.block_on(serve(args))
}

async fn serve(args: RunArgs) -> Result<Exit, Failure> {
    if args.network.runs() && !args.audit {
        tracing::warn!("--network needs --audit: it is enabled");
    }
    check(&args)?;
    let namespace = args.install_namespace.clone();
    let sinks = args.sinks.options(Some("-"))?;
    let data_dir = args.data_dir.clone().map(|it| DataDir::resolve(Some(it))).transpose()?;
    let runtime = args.runtime.options(data_dir.as_ref().map(DataDir::audit_place))?;
    let clock = Clock::start();
    let options = control::Options {
        families: control::families(settings(&args, sinks.responses(&namespace, !args.leader_election), Some(clock))),
        source: source(&args.kubeconfig),
        budget: args.client.budget(),
        log: data_dir.map(|it| it.log()),
        definitions: control::Definitions { rules: args.rules_cr, by_installer: true },
        rules_folder: Some(args.rules_folder.as_str()).filter(|it| !it.is_empty()).map(PathBuf::from),
        webhook: args.admission.then(|| webhook_options(&args)).transpose()?,
        metrics_addr: address("--metrics-addr", &args.metrics_addr)?,
        namespace,
        namespaces: args.within.namespaces(),
        lease: args.leader_election.then(|| (LEASE, identity(), args.shards.audit_shards)),
        sinks,
        runtime,
    };
    let stop = CancellationToken::new();
    let control = control::start(options, clock, &stop).await?;
    let [webhook, audit] = [control.webhook_addr, control.audit_addr].map(|it| it.map(tracing::field::display));
    tracing::info!(metrics = %control.metrics_addr, webhook, audit, "portal serves");
    end(control, &stop, args.shutdown.shutdown_delay).await
}

/// Flags that ask for more than rights in the namespaces of `--watch-namespace`.
pub(crate) fn check(args: &RunArgs) -> Result<(), Failure> {
    let follows = args.installed.webhook_config.as_ref().is_some_and(|it| !it.is_empty());
    args.within.check(&[
        ("--webhook-config", follows, FOLLOWS),
        ("--network", args.network.runs(), NETWORK),
        ("--author-check", args.vet.settings().authors, AUTHORS),
        ("--allow-action=cordon", args.sinks.may_cordon(), CORDON),
    ])
}

/// What the flags say to the families.
pub(crate) fn settings(args: &RunArgs, responses: Responses, clock: Option<Clock>) -> families::Settings {
    let audits = args.audit || args.network.runs();
    families::Settings {
        only_rules: true,
        namespace: args.install_namespace.clone(),
        namespaces: args.within.namespaces(),
        shapes: args.shapes.shapes(),
        audit: args.sweep.shaping(args.rules().audit(audits)),
        time_rules: args.timing.time_rules,
        network: args.network.settings(&args.install_namespace),
        runtime: args.runtime.runtime,
        enforcement: args.decisions.switch(),
        breaker: args.decisions.deny_breaker,
        fail_closed: args.fail_closed,
        vet: args.vet.settings(),
        responses,
        clock,
    }
}

fn webhook_options(args: &RunArgs) -> Result<webhook::Options, Failure> {
    if args.cert_dir.is_empty() {
        return Err(Failure::usage("--cert-dir is required"));
    }
    let installed = args.installed.setup(PathBuf::from(&args.cert_dir), &args.install_namespace);
    Ok(webhook::Options {
        listen: address("--listen", &args.listen)?,
        names: args.webhook_dns.clone(),
        fail_closed: args.fail_closed,
        setup: webhook::Setup::Installed(installed),
    })
}
