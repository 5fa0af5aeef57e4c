//! Flags of the rights that a process needs: those of the process itself, and where its rules are.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::{ServeArgs, portal::RunArgs};

/// Which rules, and what is printed.
#[derive(Debug, Args)]
#[command(next_help_heading = "Rights")]
pub(crate) struct RightsArgs {
    /// Rules that are to be in force: a file or a folder, `-` for standard input; repeatable. Definitions of custom kinds among them
    /// count
    #[arg(long = "rules", short = 'r', value_name = "RULES")]
    pub(crate) files: Vec<PathBuf>,
    /// Take the rules that the cluster has, and its kinds
    #[arg(long)]
    pub(crate) cluster: bool,
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
