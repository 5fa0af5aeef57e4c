//! The command line of `kanon network`.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use kanon_network::{Check, Options, PortRef, Protocol};
use kanon_rules::NetworkSettings;

use super::policy::ClusterArgs;
use crate::output::Format;

/// `kanon network`
#[derive(Debug, Args)]
pub(crate) struct NetworkArgs {
    /// What to do.
    #[command(subcommand)]
    pub(crate) command: NetworkCommand,
}

/// The verbs of `kanon network`.
#[derive(Debug, Subcommand)]
pub(crate) enum NetworkCommand {
    /// Say whether declared policy lets one end reach another, and which rules decide
    Reachable(ReachableArgs),
    /// Run the built-in checks on namespaces and their policies
    Check(CheckArgs),
    /// Show the policies that select a pod, and what they admit
    Policies(PoliciesArgs),
}

/// Flags of the network loop of `kanon up` and `kanon serve` (spec/rules 6.5).
#[derive(Debug, Args)]
#[command(next_help_heading = "Network policies")]
pub(crate) struct LoopArgs {
    /// Check network policies: pods, namespaces and policies are watched
    #[arg(long = "network", value_name = "BOOL", default_value_t = false, default_missing_value = "true",
        num_args = 0..=1, require_equals = true, value_parser = super::switch, action = clap::ArgAction::Set)]
    runs: bool,
    /// Checks that run besides the four that always do, such as `np.pod-uncovered`; repeatable
    #[arg(long, value_name = "ID", value_parser = str::parse::<Check>)]
    network_check: Vec<Check>,
    /// Checks that do not run; repeatable
    #[arg(long, value_name = "ID", value_parser = str::parse::<Check>)]
    network_skip: Vec<Check>,
    /// Namespace that no check looks at, besides the system's; repeatable
    #[arg(long, value_name = "NAMESPACE")]
    network_exclude: Vec<String>,
    /// Findings are alerts, too
    #[arg(long)]
    network_alert: bool,
    /// Policies that are found fault with get the annotation `portal.io/finding`
    #[arg(long)]
    network_annotate: bool,
}

impl LoopArgs {
    /// Whether the loop runs.
    pub(crate) fn runs(&self) -> bool {
        self.runs
    }

    /// The loop's settings; none where it does not run. `own` is the namespace Kanon runs in, which no check looks at.
    pub(crate) fn settings(&self, own: &str) -> Option<NetworkSettings> {
        if !self.runs {
            return None;
        }
        let mut options = Options::default();
        options.on.extend(&self.network_check);
        options.on.retain(|it| !self.network_skip.contains(it));
        options.excluded.extend(self.network_exclude.iter().cloned());
        options.excluded.insert(own.to_owned());
        Some(NetworkSettings { options, alerts: self.network_alert, annotates: self.network_annotate })
    }
}

/// Where namespaces, pods and policies come from.
#[derive(Debug, Args)]
pub(crate) struct SourceArgs {
    /// Manifests instead of a cluster: files, folders, or `-` for standard input; templates stand for pods
    #[arg(long = "file", short, value_name = "MANIFEST")]
    pub(crate) files: Vec<PathBuf>,
    /// Which cluster.
    #[command(flatten)]
    pub(crate) cluster: ClusterArgs,
}

const REACHABLE_EXAMPLES: &str = "\
Examples:
  kanon network reachable --from shop/web --to shop/db --port 5432
  kanon network reachable --from 203.0.113.7 --to shop/web --port http
  kanon network reachable -f manifests/ --from shop/deployment/web --to shop/db --port 53 --protocol UDP

A pod is NAMESPACE/NAME, or NAME in the namespace of -n; with --file also NAMESPACE/KIND/NAME for a workload. Pods on the host
network, ended pods and traffic from a pod's own node are beyond policy, and the answer says so.

Exit codes: 0 reachable, 1 failure, 2 usage, 3 not reachable.";

/// `kanon network reachable`
#[derive(Debug, Args)]
#[command(after_help = REACHABLE_EXAMPLES)]
pub(crate) struct ReachableArgs {
    /// Who connects: a pod, or an address
    #[arg(long, value_name = "[NAMESPACE/]POD|IP")]
    pub(crate) from: String,
    /// To whom: a pod, or an address
    #[arg(long, value_name = "[NAMESPACE/]POD|IP")]
    pub(crate) to: String,
    /// The destination's port: its number, or its name on the pod
    #[arg(long, value_name = "PORT", value_parser = str::parse::<PortRef>)]
    pub(crate) port: PortRef,
    /// TCP, UDP or SCTP
    #[arg(long, value_name = "PROTOCOL", default_value_t)]
    pub(crate) protocol: Protocol,
    /// Namespace of ends and manifests that name none
    #[arg(long, short = 'n', default_value = "default")]
    pub(crate) namespace: String,
    /// Where to look.
    #[command(flatten)]
    pub(crate) source: SourceArgs,
    /// Output format
    #[arg(long, short, value_enum, default_value_t)]
    pub(crate) output: Format,
}

const CHECK_EXAMPLES: &str = "\
Examples:
  kanon network check
  kanon network check -n shop --all
  helm template shop charts/shop | kanon network check -f - --check np.broad-cidr
  kanon network check -f manifests/ -r rules/

kube-system, kube-public and kube-node-lease are passed over.

Exit codes: 0 nothing found, 1 failure, 2 usage, 3 findings.";

/// `kanon network check`
#[derive(Debug, Args)]
#[command(after_help = CHECK_EXAMPLES)]
pub(crate) struct CheckArgs {
    /// Only this namespace; with --file also the namespace of manifests that name none
    #[arg(long, short = 'n', value_name = "NAMESPACE")]
    pub(crate) namespace: Option<String>,
    /// Every check, not only the four that are on by default
    #[arg(long, conflicts_with = "checks")]
    pub(crate) all: bool,
    /// Only these checks, such as `np.broad-cidr`
    #[arg(long = "check", value_name = "ID", value_parser = str::parse::<Check>)]
    pub(crate) checks: Vec<Check>,
    /// Rules of mode `network` that the manifests are held against, too: files or folders; repeatable
    #[arg(long, short, value_name = "PATH", requires = "files")]
    pub(crate) rules: Vec<PathBuf>,
    /// Where to look.
    #[command(flatten)]
    pub(crate) source: SourceArgs,
    /// Output format
    #[arg(long, short, value_enum, default_value_t)]
    pub(crate) output: Format,
}

/// `kanon network policies`
#[derive(Debug, Args)]
pub(crate) struct PoliciesArgs {
    /// The pod
    #[arg(value_name = "[NAMESPACE/]POD")]
    pub(crate) pod: String,
    /// Namespace of a pod and of manifests that name none
    #[arg(long, short = 'n', default_value = "default")]
    pub(crate) namespace: String,
    /// Where to look.
    #[command(flatten)]
    pub(crate) source: SourceArgs,
    /// Output format
    #[arg(long, short, value_enum, default_value_t)]
    pub(crate) output: Format,
}
