//! The command line of `kanon check`.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use kanon_rules::Mode;

use crate::commands::check::render::ReportFormat;

const EXAMPLES: &str = "\
Examples:
  kanon check -r rules/ manifests/
  helm template shop charts/shop | kanon check -r rules/ -n shop -
  kustomize build overlays/prod | kanon check -r rules/ -o sarif - > findings.sarif
  kanon check -r rules/ --mode audit --as eve -o markdown manifests/

Exit codes: 0 nothing would be denied (audit, network: violated), 1 failure, 2 usage, 3 something would.";

/// `kanon check`
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct CheckArgs {
    /// Manifests: files, folders, or `-` for standard input
    #[arg(required = true, value_name = "MANIFEST")]
    pub(crate) manifests: Vec<PathBuf>,
    /// Rules, and exceptions from them: files or folders; repeatable
    #[arg(long, short, visible_alias = "exceptions", required = true, value_name = "PATH")]
    pub(crate) rules: Vec<PathBuf>,
    /// How.
    #[command(flatten)]
    pub(crate) options: CheckOptions,
}

/// How manifests are checked.
#[derive(Debug, Args)]
pub(crate) struct CheckOptions {
    /// Namespace of manifests that name none
    #[arg(long, short = 'n', default_value = "default")]
    pub(crate) namespace: String,
    /// The loop whose rules are asked
    #[arg(long, value_enum, default_value_t)]
    pub(crate) mode: CheckMode,
    /// What is done with the manifests
    #[arg(long, value_enum, default_value_t)]
    pub(crate) operation: CheckOperation,
    /// The user who does it
    #[arg(long = "as", value_name = "USER", default_value = "")]
    pub(crate) user: String,
    /// A group of the user; repeatable
    #[arg(long = "as-group", value_name = "GROUP")]
    pub(crate) groups: Vec<String>,
    /// Objects that lookups find besides the manifests: files or folders; repeatable
    #[arg(long, value_name = "PATH")]
    pub(crate) fixtures: Vec<PathBuf>,
    /// Lookups find the cluster's objects, too
    #[arg(long)]
    pub(crate) cluster: bool,
    /// Kinds.
    #[command(flatten)]
    pub(crate) shapes: super::ShapeArgs,
    /// Which cluster.
    #[command(flatten)]
    pub(crate) which: super::policy::ClusterArgs,
    /// Output format
    #[arg(long, short, value_enum, default_value_t)]
    pub(crate) output: ReportFormat,
}

/// `--mode`
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum CheckMode {
    /// As if the manifests were sent to the API server
    #[default]
    Admission,
    /// As if they were stored already
    Audit,
    /// The same, with the network that the manifests make
    Network,
}

impl CheckMode {
    /// Its name.
    pub(crate) fn as_str(self) -> &'static str {
        self.of_rules().as_str()
    }

    /// The loop of rules.
    pub(crate) fn of_rules(self) -> Mode {
        match self {
            CheckMode::Admission => Mode::Admission,
            CheckMode::Audit => Mode::Audit,
            CheckMode::Network => Mode::Network,
        }
    }
}

/// `--operation`
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum CheckOperation {
    /// They are new
    #[default]
    Create,
    /// They replace what is there
    Update,
    /// They are deleted
    Delete,
}
