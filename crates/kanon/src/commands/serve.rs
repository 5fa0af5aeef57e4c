//! `kanon serve`: the controllers and the admission webhook against a cluster.

use std::{net::SocketAddr, time::Duration};

use kanon_kube::Source;
use kanon_net::CancellationToken;
use kanon_rules::Responses;
use kanon_runtime::Clock;

use crate::{
    cli::ServeArgs,
    control::{self, Control, webhook},
    exit::{Exit, Failure},
    families,
    output::print,
    paths::DataDir,
    runtime,
};

/// The lease that replicas contend for.
pub(crate) const LEASE: &str = "kanon";

/// Serves until interrupted.
pub(crate) fn run(args: ServeArgs) -> Result<Exit, Failure> {
    runtime()?.block_on(serve(args))
}

async fn serve(args: ServeArgs) -> Result<Exit, Failure> {
    if let Some(flag) = args.installed.first().filter(|_| args.cert_dir.is_none()) {
        return Err(Failure::usage(format!("{flag} needs --cert-dir: an installer brings certificates, too")));
    }
    check(&args)?;
    let data_dir = DataDir::resolve(args.data_dir.clone())?;
    let namespaces = args.within.namespaces();
    let sinks = args.sinks.options(Some("-"))?;
    let runtime = args.runtime.options(Some(data_dir.audit_place()))?;
    let clock = Clock::start();
    let options = control::Options {
        families: control::families(settings(
            &args,
            sinks.responses(&args.namespace, !args.leader_election),
            Some(clock),
        )),
        source: args.kubeconfig.map_or(Source::Infer, Source::File),
        budget: args.client.budget(),
        log: Some(data_dir.log()),
        definitions: control::Definitions { rules: true, by_installer: false },
        rules_folder: args.rules_folder,
        webhook: Some(webhook::Options {
            listen: address("--listen", &args.listen)?,
            names: args.webhook_dns,
            fail_closed: args.fail_closed,
            setup: match args.cert_dir {
                Some(folder) => webhook::Setup::Installed(args.installed.setup(folder, &args.namespace)),
                None => webhook::Setup::Own { authority: data_dir.webhook_authority(), url: args.webhook_url },
            },
        }),
        metrics_addr: address("--metrics-addr", &args.metrics_addr)?,
        namespace: args.namespace,
        namespaces,
        lease: args.leader_election.then(|| (LEASE, identity(), args.shards.audit_shards)),
        sinks,
        runtime,
    };
    let stop = CancellationToken::new();
    let control = control::start(options, clock, &stop).await?;
    print(&format!("kanon serves; metrics and probes at http://{}\n", control.metrics_addr))?;
    print(&audit_line(&control, &data_dir))?;
    if let Some(file) = &args.ready_file {
        write_ready_file(file)?;
    }
    end(control, &stop, args.shutdown.shutdown_delay).await
}

/// Flags that ask for more than rights in the namespaces of `--watch-namespace`.
pub(crate) fn check(args: &ServeArgs) -> Result<(), Failure> {
    let follows = args.installed.webhook_config.as_ref().is_some_and(|it| !it.is_empty());
    args.within.check(&[
        ("a webhook without --cert-dir", args.cert_dir.is_none(), "registers itself with the cluster"),
        ("--webhook-config", follows, FOLLOWS),
        ("--network", args.network.runs(), NETWORK),
        ("--author-check", args.vet.settings().authors, AUTHORS),
        ("--allow-action=cordon", args.sinks.may_cordon(), CORDON),
    ])
}

/// Why what they ask for needs rights in the whole cluster.
pub(crate) const FOLLOWS: &str = "changes an object of the cluster";
pub(crate) const NETWORK: &str = "reads pods and policies of all namespaces";
pub(crate) const AUTHORS: &str = "asks the API server about rights in the whole cluster";
pub(crate) const CORDON: &str = "changes nodes";

/// What the flags say to the families.
pub(crate) fn settings(args: &ServeArgs, responses: Responses, clock: Option<Clock>) -> families::Settings {
    families::Settings {
        only_rules: false,
        namespace: args.namespace.clone(),
        namespaces: args.within.namespaces(),
        enforcement: args.admission.switch(),
        breaker: args.admission.deny_breaker,
        fail_closed: args.fail_closed,
        vet: args.vet.settings(),
        shapes: args.shapes.shapes(),
        audit: args.sweep.shaping(args.rules.audit(args.audits)),
        time_rules: args.timing.time_rules,
        network: args.network.settings(&args.namespace),
        runtime: args.runtime.runtime,
        responses,
        clock,
    }
}

/// Waits until the process is told to end, and ends: clients learn first that others answer (spec/rules 4.1).
pub(crate) async fn end(control: Control, stop: &CancellationToken, delay: Duration) -> Result<Exit, Failure> {
    interrupted().await?;
    // Nobody is to be refused.
    control.announce_end();
    tokio::select! {
        () = tokio::time::sleep(delay) => {}
        // Who asks twice means now.
        again = interrupted() => again?,
    }
    stop.cancel();
    control.stopped().await;
    Ok(Exit::Fine)
}

/// Where audit events are taken, if they are, and whom whoever posts them has to trust.
pub(crate) fn audit_line(control: &Control, data_dir: &DataDir) -> String {
    let ca = data_dir.webhook_authority().join("ca.crt");
    let line = |address| format!("audit events at https://{address}/audit; its authority is {}\n", ca.display());
    control.audit_addr.map(line).unwrap_or_default()
}

/// Unique among the replicas: the pod's name, and the process for several on one machine.
pub(crate) fn identity() -> String {
    let host = std::env::var("HOSTNAME").unwrap_or_else(|_| "kanon".into());
    format!("{host}_{}", std::process::id())
}

/// An address as flags give it: names are resolved by the system; `:8443` is every address of this machine, of both families
/// where it has both.
pub(crate) fn address(flag: &str, text: &str) -> Result<SocketAddr, Failure> {
    use std::net::{Ipv4Addr, Ipv6Addr, TcpListener, ToSocketAddrs};
    let found = match text.strip_prefix(':') {
        None => text.to_socket_addrs().ok().and_then(|mut it| it.next()),
        Some(port) => port.parse().ok().map(|port: u16| {
            let has_both = TcpListener::bind((Ipv6Addr::UNSPECIFIED, 0)).is_ok();
            if has_both { (Ipv6Addr::UNSPECIFIED, port).into() } else { (Ipv4Addr::UNSPECIFIED, port).into() }
        }),
    };
    found.ok_or_else(|| {
        Failure::usage(format!("{flag}: `{text}` is no address: write HOST:PORT, such as 127.0.0.1:6443"))
    })
}

/// Ctrl-C, or the signal with which a supervisor ends a process.
pub(crate) async fn interrupted() -> Result<(), Failure> {
    let mut terminate = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate())?;
    tokio::select! {
        ctrl_c = tokio::signal::ctrl_c() => ctrl_c?,
        _ = terminate.recv() => {}
    }
    Ok(())
}

/// The file appears whole: whoever waits for it may read it at once.
pub(crate) fn write_ready_file(file: &std::path::Path) -> Result<(), Failure> {
    let draft = file.with_extension("new");
    let written = std::fs::write(&draft, "ready\n").and_then(|()| std::fs::rename(&draft, file));
    written.map_err(|error| Failure::new(format!("failed to write `{}`: {error}", file.display())))
}
