//! Where things are kept: one data folder, the same layout for every command.

use std::path::{Path, PathBuf};

use crate::exit::Failure;

/// The data folder and what is in it.
#[derive(Clone, Debug)]
pub(crate) struct DataDir(PathBuf);

impl DataDir {
    /// The folder that was asked for, or `kanon` below the user's state folder (XDG base directories).
    pub(crate) fn resolve(asked: Option<PathBuf>) -> Result<DataDir, Failure> {
        if let Some(path) = asked {
            return Ok(DataDir(path));
        }
        let from = |name: &str| std::env::var_os(name).filter(|it| !it.is_empty()).map(PathBuf::from);
        let state = from("XDG_STATE_HOME").or_else(|| from("HOME").map(|it| it.join(".local/state")));
        let state = state.ok_or_else(|| Failure::usage("no home folder: say with --data-dir where to keep data"))?;
        Ok(DataDir(state.join("kanon")))
    }

    /// The folder itself.
    pub(crate) fn root(&self) -> &Path {
        &self.0
    }

    /// The kubeconfig of `kanon up`.
    pub(crate) fn kubeconfig(&self) -> PathBuf {
        self.0.join("kubeconfig")
    }

    /// The API server's authority.
    pub(crate) fn authority(&self) -> PathBuf {
        self.0.join("ca")
    }

    /// The decision log.
    pub(crate) fn log(&self) -> PathBuf {
        self.0.join("log")
    }

    /// The file that remembers how far the audit log was read.
    pub(crate) fn audit_place(&self) -> PathBuf {
        self.0.join("audit-log-place")
    }

    /// The webhook's authority, where we run it against a cluster.
    pub(crate) fn webhook_authority(&self) -> PathBuf {
        self.0.join("webhook-ca")
    }
}
