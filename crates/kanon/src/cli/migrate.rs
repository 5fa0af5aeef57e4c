//! The command line of `kanon migrate`.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};

/// `kanon migrate`
#[derive(Debug, Args)]
pub(crate) struct MigrateArgs {
    /// What to migrate.
    #[command(subcommand)]
    pub(crate) command: MigrateCommand,
}

/// The verbs of `kanon migrate`.
#[derive(Debug, Subcommand)]
pub(crate) enum MigrateCommand {
    /// Rewrite a folder of old rule files, whose expressions are SpEL
    Rules(MigrateRulesArgs),
}

const EXAMPLES: &str = "\
Examples:
  kanon migrate rules old-rules/ --dry-run
  kanon migrate rules old-rules/ -o rules/
  kanon migrate rules old-rules/ --format folder

What is rewritten: docs/migrate-rules.md. Comments are not kept.

Exit codes: 0 migrated, warnings or not; 1 a file or a rule could not be; 2 usage.";

/// `kanon migrate rules`
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct MigrateRulesArgs {
    /// The folder; files in folders below it are not looked at
    #[arg(value_name = "FOLDER")]
    pub(crate) folder: PathBuf,
    /// What to write
    #[arg(long, value_enum, default_value_t)]
    pub(crate) format: MigrateFormat,
    /// Where to write [default: the folder's name with `-portal` behind it]
    #[arg(long, short, value_name = "FOLDER")]
    pub(crate) output: Option<PathBuf>,
    /// Print the files instead of writing them
    #[arg(long)]
    pub(crate) dry_run: bool,
}

/// `--format`
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum MigrateFormat {
    /// A PortalClusterRule for each rule
    #[default]
    Cr,
    /// Rule files with the names that they have
    Folder,
}
