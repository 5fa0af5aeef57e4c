//! The command line.

mod admission;
mod audit;
mod backup;
pub(crate) mod check;
mod client;
mod installed;
mod limits;
pub(crate) mod migrate;
pub(crate) mod network;
pub(crate) mod policy;
pub(crate) mod portal;
pub(crate) mod rbac;
mod rules;
mod runtime;
mod services;
mod shapes;
mod shards;
mod sinks;
mod sweep;
mod texts;
mod timing;
mod vet;
mod within;

use std::{path::PathBuf, time::Duration};

use clap::{Args, Parser, Subcommand};

use crate::output::Format;
pub(crate) use admission::{AdmissionArgs, ShutdownArgs};
pub(crate) use audit::AuditArgs;
pub(crate) use backup::{BackupArgs, RestoreArgs};
pub(crate) use client::ClientArgs;
pub(crate) use installed::InstalledArgs;
pub(crate) use limits::LimitArgs;
pub(crate) use rules::RuleArgs;
pub(crate) use runtime::RuntimeArgs;
pub(crate) use services::ServiceArgs;
pub(crate) use shapes::ShapeArgs;
pub(crate) use shards::ShardArgs;
pub(crate) use sinks::SinkArgs;
pub(crate) use sweep::SweepArgs;
pub(crate) use texts::{EvalArgs, FmtArgs, Lang, LintArgs, TextArgs};
pub(crate) use timing::TimingArgs;
pub(crate) use vet::VetArgs;
pub(crate) use within::WithinArgs;

/// One policy plane for a workload's whole life on Kubernetes.
///
/// Exit codes: 0 fine, 1 failure, 2 usage, 3 policy findings.
#[derive(Debug, Parser)]
#[command(name = "kanon", version, propagate_version = true, arg_required_else_help = true)]
pub(crate) struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub(crate) command: Command,
    /// Log filter for standard error, such as `info` or `kanon_kube=debug`.
    #[arg(long, global = true, env = "KANON_LOG", default_value = "warn,kube_client=off", value_name = "FILTER")]
    pub(crate) log_level: String,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run a Kubernetes-compatible control plane with all policies in this process
    Up(UpArgs),
    /// Run the controllers and the admission webhook against a cluster
    Serve(ServeArgs),
    /// Check manifests against rules, offline
    Check(check::CheckArgs),
    /// Evaluate one expression against a context
    Eval(EvalArgs),
    /// Put policy texts into their language's canonical layout
    Fmt(FmtArgs),
    /// Find mistakes in a policy text
    Lint(LintArgs),
    /// List, test, lint and simulate policies
    Policy(policy::PolicyArgs),
    /// Who may reach whom by network policy, and what is wrong with the policies
    Network(network::NetworkArgs),
    /// Say why a policy or a decision is as it is
    Explain(ExplainArgs),
    /// Hold evictions and revocations back, or let them go on
    Brake(crate::commands::brake::BrakeArgs),
    /// Write a backup of `kanon up`'s objects and keys, while it runs or not
    Backup(BackupArgs),
    /// Make a data folder out of a backup
    Restore(RestoreArgs),
    /// Read and prove the decision log
    Log(LogArgs),
    /// Rewrite what older systems had
    Migrate(migrate::MigrateArgs),
    /// Print the rights that `kanon serve` needs with these flags and rules, as manifests
    Rbac(Box<rbac::RbacArgs>),
    /// The original's `portal` command
    Portal(portal::PortalArgs),
    /// Classify signals and decide about approvals, offline
    Signals(crate::commands::signals::SignalsArgs),
    /// Print the version
    Version(VersionArgs),
    /// Print a completion script for a shell
    Completions(CompletionsArgs),
}

/// `kanon up`
#[derive(Debug, Args)]
pub(crate) struct UpArgs {
    /// Where everything is kept [default: kanon, below the user's state folder]
    #[arg(long, value_name = "DIR", env = "KANON_DATA_DIR")]
    pub(crate) data_dir: Option<PathBuf>,
    /// Keep nothing: all is gone when the process ends
    #[arg(long)]
    pub(crate) ephemeral: bool,
    /// Address of the API server; port 0 takes a free one
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:6443")]
    pub(crate) listen: String,
    /// Address of metrics and probes; port 0 takes a free one
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:0")]
    pub(crate) metrics_addr: String,
    /// Write this file when all is ready
    #[arg(long, value_name = "FILE")]
    pub(crate) ready_file: Option<PathBuf>,
    /// Folder with rule files, besides the rules in the API server
    #[arg(long, value_name = "DIR")]
    pub(crate) rules_folder: Option<PathBuf>,
    /// Move deployments, jobs and pods through their statuses as if they ran
    #[arg(long)]
    pub(crate) simulate_workloads: bool,
    /// Apply a small cluster with all policies at work, and show what they decide
    #[arg(long)]
    pub(crate) demo: bool,
    /// With --demo: end when every outcome was seen (0), or was not (1)
    #[arg(long, requires = "demo")]
    pub(crate) once: bool,
    /// Actions and sinks.
    #[command(flatten)]
    pub(crate) sinks: SinkArgs,
    /// Look at stored objects too, by rules of mode `audit`
    #[arg(long = "audit", value_name = "BOOL", default_value_t = true, default_missing_value = "true",
        num_args = 0..=1, require_equals = true, action = clap::ArgAction::Set)]
    pub(crate) audits: bool,
    /// How requests are decided.
    #[command(flatten)]
    pub(crate) admission: AdmissionArgs,
    /// Rules that are being stored.
    #[command(flatten)]
    pub(crate) vet: VetArgs,
    /// The rules' loops.
    #[command(flatten)]
    pub(crate) rules: RuleArgs,
    /// The first look.
    #[command(flatten)]
    pub(crate) sweep: SweepArgs,
    /// What rules cost.
    #[command(flatten)]
    pub(crate) timing: TimingArgs,
    /// Kinds.
    #[command(flatten)]
    pub(crate) shapes: ShapeArgs,
    /// The network loop.
    #[command(flatten)]
    pub(crate) network: network::LoopArgs,
    /// The runtime loop.
    #[command(flatten)]
    pub(crate) runtime: RuntimeArgs,
    /// The audit log.
    #[command(flatten)]
    pub(crate) audit: AuditArgs,
    /// Bounds.
    #[command(flatten)]
    pub(crate) limits: LimitArgs,
    /// Numbers of services.
    #[command(flatten)]
    pub(crate) services: ServiceArgs,
}

/// `kanon serve`
#[derive(Debug, Args)]
pub(crate) struct ServeArgs {
    /// Kubeconfig of the cluster [default: $KUBECONFIG, ~/.kube/config, or the pod's service account]
    #[arg(long, value_name = "FILE")]
    pub(crate) kubeconfig: Option<PathBuf>,
    /// Where the decision log is kept [default: kanon, below the user's state folder]
    #[arg(long, value_name = "DIR", env = "KANON_DATA_DIR")]
    pub(crate) data_dir: Option<PathBuf>,
    /// Address of the admission webhook
    #[arg(long, value_name = "ADDRESS", default_value = "0.0.0.0:8443")]
    pub(crate) listen: String,
    /// URL under which the API server reaches the webhook [default: the listen address]
    #[arg(long, value_name = "URL")]
    pub(crate) webhook_url: Option<String>,
    /// Further names of the webhook's certificate
    #[arg(long, value_name = "NAME")]
    pub(crate) webhook_dns: Vec<String>,
    /// Address of metrics and probes
    #[arg(long, value_name = "ADDRESS", default_value = "0.0.0.0:9090")]
    pub(crate) metrics_addr: String,
    /// Folder with rule files, besides the rules in the API server
    #[arg(long, value_name = "DIR")]
    pub(crate) rules_folder: Option<PathBuf>,
    /// Namespace Kanon runs in: holds the lease, and is never asked about
    #[arg(long, short = 'n', value_name = "NAMESPACE", default_value = "kanon-system")]
    pub(crate) namespace: String,
    /// Refuse requests when the webhook cannot be asked
    #[arg(long, value_name = "BOOL", default_value_t = true, action = clap::ArgAction::Set)]
    pub(crate) fail_closed: bool,
    /// Contend for the lease, so that of several replicas one writes
    #[arg(long, value_name = "BOOL", default_value_t = true, action = clap::ArgAction::Set)]
    pub(crate) leader_election: bool,
    /// Write this file when all is ready
    #[arg(long, value_name = "FILE")]
    pub(crate) ready_file: Option<PathBuf>,
    /// Where.
    #[command(flatten)]
    pub(crate) within: WithinArgs,
    /// How the process ends.
    #[command(flatten)]
    pub(crate) shutdown: ShutdownArgs,
    /// Actions and sinks.
    #[command(flatten)]
    pub(crate) sinks: SinkArgs,
    /// Look at stored objects too, by rules of mode `audit`: every kind that they are about is watched
    #[arg(long = "audit", value_name = "BOOL", default_value_t = false, default_missing_value = "true",
        num_args = 0..=1, require_equals = true, action = clap::ArgAction::Set)]
    pub(crate) audits: bool,
    /// How requests are decided.
    #[command(flatten)]
    pub(crate) admission: AdmissionArgs,
    /// Rules that are being stored.
    #[command(flatten)]
    pub(crate) vet: VetArgs,
    /// The rules' loops.
    #[command(flatten)]
    pub(crate) rules: RuleArgs,
    /// How the audit is spread.
    #[command(flatten)]
    pub(crate) shards: ShardArgs,
    /// The first look.
    #[command(flatten)]
    pub(crate) sweep: SweepArgs,
    /// What rules cost.
    #[command(flatten)]
    pub(crate) timing: TimingArgs,
    /// Kinds.
    #[command(flatten)]
    pub(crate) shapes: ShapeArgs,
    /// The network loop.
    #[command(flatten)]
    pub(crate) network: network::LoopArgs,
    /// Folder with the webhook's `tls.crt` and `tls.key`, read again when they change, instead of an authority of our own; an
    /// installer registers the webhook then
    #[arg(long, value_name = "DIR", help_heading = installed::HEADING)]
    pub(crate) cert_dir: Option<PathBuf>,
    /// Certificates and registration.
    #[command(flatten)]
    pub(crate) installed: InstalledArgs,
    /// The runtime loop.
    #[command(flatten)]
    pub(crate) runtime: RuntimeArgs,
    /// Calls of the API server.
    #[command(flatten)]
    pub(crate) client: ClientArgs,
}

/// `kanon explain`
#[derive(Debug, Args)]
pub(crate) struct ExplainArgs {
    /// What to explain: `rule/NAME`, `pcp/NAME`, `signals/approval`, `decision/ID`, …
    #[arg(value_name = "KIND/NAME")]
    pub(crate) target: String,
    /// Namespace of the target
    #[arg(long, short = 'n', default_value = "")]
    pub(crate) namespace: String,
    /// Kubeconfig of the cluster [default: the one of `kanon up` if it is there, else as kubectl]
    #[arg(long, value_name = "FILE")]
    pub(crate) kubeconfig: Option<PathBuf>,
    /// Where the decision log is, for `decision/ID`
    #[arg(long, value_name = "DIR", env = "KANON_DATA_DIR")]
    pub(crate) data_dir: Option<PathBuf>,
    /// Output format
    #[arg(long, short, value_enum, default_value_t)]
    pub(crate) output: Format,
}

/// `kanon log`
#[derive(Debug, Args)]
pub(crate) struct LogArgs {
    /// What to do with it.
    #[command(subcommand)]
    pub(crate) command: LogCommand,
    /// Where everything is kept [default: kanon, below the user's state folder]
    #[arg(long, global = true, value_name = "DIR", env = "KANON_DATA_DIR")]
    pub(crate) data_dir: Option<PathBuf>,
    /// Output format
    #[arg(long, short, global = true, value_enum, default_value_t)]
    pub(crate) output: Format,
}

/// The verbs of `kanon log`.
#[derive(Debug, Subcommand)]
pub(crate) enum LogCommand {
    /// Prove that no record was changed, dropped or moved
    Verify,
    /// Show the newest decisions
    Show {
        /// How many; 0 for all
        #[arg(long, default_value_t = 20)]
        last: usize,
        /// Show every kind of record, not only decisions
        #[arg(long)]
        all: bool,
    },
}

/// `kanon version`
#[derive(Debug, Args)]
pub(crate) struct VersionArgs {
    /// Output format
    #[arg(long, short, value_enum, default_value_t)]
    pub(crate) output: Format,
}

/// `kanon completions`
#[derive(Debug, Args)]
pub(crate) struct CompletionsArgs {
    /// The shell
    #[arg(value_enum)]
    pub(crate) shell: clap_complete::Shell,
}

/// A time such as `30s`.
fn duration(text: &str) -> Result<Duration, String> {
    let span: jiff::SignedDuration = text.parse().map_err(|_| format!("`{text}` is not a duration such as `30s`"))?;
    Duration::try_from(span).map_err(|_| format!("`{text}` is negative"))
}

/// A truth value as the original's flags take it.
fn switch(text: &str) -> Result<bool, String> {
    match text {
        "1" | "t" | "T" | "true" | "TRUE" | "True" => Ok(true),
        "0" | "f" | "F" | "false" | "FALSE" | "False" => Ok(false),
        _ => Err(format!("`{text}` is neither `true` nor `false`")),
    }
}
