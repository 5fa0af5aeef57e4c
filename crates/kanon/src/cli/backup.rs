//! Flags of `kanon backup` and `kanon restore`.

use std::path::PathBuf;

use clap::Args;

/// `kanon backup`
#[derive(Debug, Args)]
pub(crate) struct BackupArgs {
    /// Where the backup goes; it holds keys, so it is readable by its owner only
    #[arg(value_name = "FILE")]
    pub(crate) file: PathBuf,
    /// Where everything is kept [default: kanon, below the user's state folder]
    #[arg(long, value_name = "DIR", env = "KANON_DATA_DIR")]
    pub(crate) data_dir: Option<PathBuf>,
    /// Replace a file that is there
    #[arg(long)]
    pub(crate) force: bool,
}

/// `kanon restore`
#[derive(Debug, Args)]
pub(crate) struct RestoreArgs {
    /// The backup
    #[arg(value_name = "FILE")]
    pub(crate) file: PathBuf,
    /// The folder to make [default: kanon, below the user's state folder]
    #[arg(long, value_name = "DIR", env = "KANON_DATA_DIR")]
    pub(crate) data_dir: Option<PathBuf>,
    /// Restore into a folder that is not empty; its store is put aside
    #[arg(long)]
    pub(crate) force: bool,
    /// How far versions begin above those of the backup: more than was written since
    #[arg(long, value_name = "COUNT", default_value_t = kanon_apiserver::backup::BUMP)]
    pub(crate) bump_revision: u64,
}
