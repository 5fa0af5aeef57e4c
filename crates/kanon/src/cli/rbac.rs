//! Flags of the rights that a process needs: those of the process itself, and where its rules are.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::{ServeArgs, portal::RunArgs};

/// The rules that manifests are printed for.
#[derive(Debug, Args)]
#[command(next_help_heading = "Rules")]
pub(crate) struct GivenArgs {
    /// Rules that are to be in force: a file or a folder, `-` for standard input; repeatable. Definitions of custom kinds among them
    /// count
    #[arg(long = "rules", short = 'r', value_name = "RULES")]
    pub(crate) files: Vec<PathBuf>,
    /// Take the rules that the cluster has, and its kinds
    #[arg(long)]
    pub(crate) cluster: bool,
}

/// Which rules, and what is printed.
#[derive(Debug, Args)]
#[command(next_help_heading = "Rights")]
pub(crate) struct RightsArgs {
    /// The rules.
    #[command(flatten)]
    pub(crate) given: GivenArgs,
    /// Name of the account, the roles and the bindings [default: kanon, or portal]
    #[arg(long, value_name = "NAME")]
    pub(crate) name: Option<String>,
    /// Output format
    #[arg(long, short, value_enum, default_value_t)]
    pub(crate) output: Manifests,
}

/// How manifests are printed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Manifests {
    /// With comments that say what each right is for
    #[default]
    Yaml,
    /// One List
    Json,
}

/// `kanon rbac`
#[derive(Debug, Args)]
pub(crate) struct RbacArgs {
    /// Which rules.
    #[command(flatten)]
    pub(crate) rights: RightsArgs,
    /// The process.
    #[command(flatten)]
    pub(crate) serve: ServeArgs,
}

/// `portal rbac`
#[derive(Debug, Args)]
#[command(args_override_self = true)]
pub(crate) struct PortalRbacArgs {
    /// Which rules.
    #[command(flatten)]
    pub(crate) rights: RightsArgs,
    /// The process.
    #[command(flatten)]
    pub(crate) run: RunArgs,
}

/// `portal webhook`
#[derive(Debug, Args)]
#[command(args_override_self = true)]
pub(crate) struct WebhookArgs {
    /// The rules.
    #[command(flatten)]
    pub(crate) given: GivenArgs,
    /// The Service through which the webhook is reached, in the namespace of the process
    #[arg(long, value_name = "NAME", default_value = "portal", help_heading = "Registration")]
    pub(crate) service: String,
    /// The process's account: what it writes itself it is not asked about
    #[arg(long, value_name = "NAME", default_value = "portal", help_heading = "Registration")]
    pub(crate) account: String,
    /// File with the authorities, PEM, that the API server is to trust; `init-certs` or cert-manager may bring them later
    #[arg(long, value_name = "FILE", help_heading = "Registration")]
    pub(crate) ca: Option<PathBuf>,
    /// Output format
    #[arg(long, short, value_enum, default_value_t, help_heading = "Registration")]
    pub(crate) output: Manifests,
    /// The process.
    #[command(flatten)]
    pub(crate) run: RunArgs,
}
