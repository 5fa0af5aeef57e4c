//! `kanon up`: the embedded control plane, and everything `serve` runs, in one process.

use std::{path::Path, sync::Arc, time::Duration};

use jiff::SignedDuration;
use kanon_apiserver::{ApiServer, Config, Place};
use kanon_kube::{Api, Source};
use kanon_net::{Authority, CancellationToken, Validity};
use kanon_runtime::Clock;

use super::serve::{address, audit_line, interrupted, write_ready_file};
use crate::{
    cli::UpArgs,
    commands::demo,
    control::{self, webhook},
    exit::{Exit, Failure},
    families,
    output::print,
    paths::DataDir,
    runtime,
};

/// The API server's own authority lives in the data folder; a kubeconfig that a user copied should go on working.
const AUTHORITY_LIFETIME: SignedDuration = SignedDuration::from_hours(10 * 365 * 24);

/// The user that our controllers are.
const CONTROL: &str = "system:kanon";
/// The namespace it takes for its own.
const NAMESPACE: &str = "kanon-system";

/// Runs until interrupted; with `--once` until the demo is done.
pub(crate) fn run(args: UpArgs) -> Result<Exit, Failure> {
    let runtime = runtime()?;
    let exit = runtime.block_on(up(args));
    // Nothing that is still running may hold the end up: all that matters was awaited.
    runtime.shutdown_timeout(Duration::from_millis(100));
    exit
}

async fn up(args: UpArgs) -> Result<Exit, Failure> {
    // A folder that the environment names is for when nothing else is said.
    if args.ephemeral && args.data_dir.as_deref().map(Path::as_os_str) != std::env::var_os("KANON_DATA_DIR").as_deref()
    {
        return Err(Failure::usage("--ephemeral keeps nothing: leave out --data-dir"));
    }
    let temporary = if args.ephemeral { Some(tempfile::tempdir()?) } else { None };
    let asked = temporary.as_ref().map(|it| it.path().to_owned()).or(args.data_dir.clone());
    let data_dir = DataDir::resolve(asked)?;
    let stop = CancellationToken::new();
    let clock = Clock::start();
    let sinks = args.sinks.options(None)?;
    let families = control::families(families::Settings {
        only_rules: false,
        namespace: NAMESPACE.to_owned(),
        namespaces: Vec::new(),
        enforcement: args.admission.switch(),
        breaker: args.admission.deny_breaker,
        fail_closed: true,
        vet: args.vet.settings(),
        shapes: args.shapes.shapes(),
        audit: args.sweep.shaping(args.rules.audit(args.audits)),
        time_rules: args.timing.time_rules,
        network: args.network.settings(NAMESPACE),
        runtime: args.runtime.runtime,
        responses: sinks.responses(NAMESPACE, true),
        clock: Some(clock),
    });
    let mut runtime = args.runtime.options(Some(data_dir.audit_place()))?;
    let mut config = server_config(&args, &data_dir, clock)?;
    if let Some(runtime) = &mut runtime {
        config.audit.observer = Some(runtime.observe_server(&sinks.figures)?);
    }
    let server = ApiServer::start(config).await?;
    let kubeconfig = data_dir.kubeconfig();
    // Its own user: the API server lets the control plane pass before others, and the audit log tells it from people.
    let source = Source::Text(server.user_kubeconfig(CONTROL, &["system:masters"])?);
    write_private(&kubeconfig, &server.admin_kubeconfig())?;
    let options = control::Options {
        families,
        source,
        // It is our own, and has its own order of who waits.
        budget: None,
        log: Some(data_dir.log()),
        definitions: control::Definitions { rules: true, by_installer: false },
        rules_folder: args.rules_folder.clone(),
        webhook: Some(webhook::Options {
            listen: address("--listen", "127.0.0.1:0")?,
            names: Vec::new(),
            fail_closed: true,
            setup: webhook::Setup::Own { authority: data_dir.webhook_authority(), url: None },
        }),
        metrics_addr: address("--metrics-addr", &args.metrics_addr)?,
        namespace: NAMESPACE.into(),
        namespaces: Vec::new(),
        lease: None,
        sinks,
        runtime,
    };
    let control = control::start(options, clock, &stop).await?;
    print(&next_steps(&kubeconfig, &server.url(), control.metrics_addr))?;
    print(&audit_line(&control, &data_dir))?;
    let mut exit = Exit::Fine;
    if args.demo {
        let api = Api::connect(&Source::Text(server.admin_kubeconfig())).await?;
        let report = demo::run(&api, &data_dir.log()).await?;
        print(&format!("\n{}", report.text))?;
        if !report.as_expected {
            exit = Exit::Failure;
        }
    }
    if let Some(file) = &args.ready_file {
        write_ready_file(file)?;
    }
    if !args.once {
        interrupted().await?;
    }
    stop.cancel();
    control.stopped().await;
    server.stop().await;
    Ok(if args.once { exit } else { Exit::Fine })
}

fn server_config(args: &UpArgs, data_dir: &DataDir, clock: Clock) -> Result<Config, Failure> {
    let cel = crate::languages::all()[&kanon_lang::LanguageId::CEL].clone();
    let validity = Validity::starting(clock.now().wall, AUTHORITY_LIFETIME);
    let authority = Authority::load_or_create(&data_dir.authority(), "kanon", validity, clock.now().wall)?;
    let place = if args.ephemeral { Place::Memory } else { Place::Folder(data_dir.root().to_owned()) };
    let mut config = Config::new(place, Arc::new(authority), cel, Arc::new(move || clock.now()));
    config.listen = address("--listen", &args.listen)?;
    config.audit = super::audit::options(&args.audit)?;
    config.requests.reads_max = args.limits.max_requests_inflight.max(1);
    config.requests.writes_max = args.limits.max_mutating_requests_inflight.max(1);
    config.history_age = args.limits.history_age;
    config.event_ttl = args.limits.event_ttl;
    config.service_addresses = args.services.service_cluster_ip_range.clone();
    config.service_node_ports = args.services.service_node_port_range;
    config.simulate_workloads = args.simulate_workloads;
    Ok(config)
}

/// What to do next, in three lines.
fn next_steps(kubeconfig: &Path, url: &str, metrics: std::net::SocketAddr) -> String {
    format!(
        "kanon is up at {url}; metrics and probes at http://{metrics}\n\
         next:  export KUBECONFIG={}\n       \
         kubectl get namespaces\n",
        kubeconfig.display()
    )
}

/// A kubeconfig holds an administrator's key.
fn write_private(path: &Path, text: &str) -> Result<(), Failure> {
    use std::{io::Write, os::unix::fs::OpenOptionsExt};
    let folder = path.parent().unwrap_or(Path::new("."));
    let written = std::fs::create_dir_all(folder).and_then(|()| {
        let mut file = std::fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path)?;
        file.write_all(text.as_bytes())
    });
    written.map_err(|error| Failure::new(format!("failed to write `{}`: {error}", path.display())))
}
