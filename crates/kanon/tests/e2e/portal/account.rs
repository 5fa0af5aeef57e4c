//! A cluster in which the process has an account of its own, with its rights enforced, and an administrator beside it.

use std::{path::PathBuf, process::Command};

use kanon_apiserver::TestServer;
use serde_json::{Value, json};

use super::settles;
use crate::harness::Ran;

/// See the module.
pub(super) struct Site {
    pub(super) scratch: tempfile::TempDir,
    pub(super) server: TestServer,
}

impl Site {
    pub(super) fn new(server: TestServer) -> Site {
        let scratch = tempfile::tempdir().expect("a folder");
        std::fs::write(scratch.path().join("admin"), server.kubeconfig()).expect("a kubeconfig");
        Site { scratch, server }
    }

    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.scratch.path().join(name)
    }

    /// Takes a token of the account `portal`, which is there by now.
    pub(super) fn log_in(&self) {
        let token = self.kubectl("create token portal -n portal-system").ok();
        let mut config: Value = serde_saphyr::from_str(&self.server.kubeconfig()).expect("YAML");
        config["users"][0]["user"] = json!({"token": token.trim()});
        std::fs::write(self.path("account"), config.to_string()).expect("a kubeconfig");
    }

    /// Has a command run as the account, with a folder for certificates.
    pub(super) fn as_account(&self, command: &mut Command) {
        command.arg(format!("--cert-dir={}", self.path("certs").display()));
        command.arg(format!("--kubeconfig={}", self.path("account").display()));
    }

    /// `kubectl` as the administrator.
    pub(super) fn kubectl_command(&self, line: &str) -> Command {
        let mut command = Command::new("kubectl");
        command.env("KUBECONFIG", self.path("admin")).env("HOME", self.scratch.path()).args(line.split_whitespace());
        command
    }

    pub(super) fn kubectl(&self, line: &str) -> Ran {
        Ran::of(self.kubectl_command(line).output().expect("kubectl runs"))
    }

    /// Waits until a command's output has a text.
    pub(super) async fn shows(&self, line: &str, want: &str) {
        let look = async || Some(self.kubectl(line)).filter(|it| it.code == Some(0) && it.out.contains(want));
        settles(&format!("`{want}` of {line}"), look).await;
    }
}
