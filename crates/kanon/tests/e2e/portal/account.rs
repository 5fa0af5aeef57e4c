//! A cluster in which the process has an account of its own, with its rights enforced, and an administrator beside it.

use std::{collections::BTreeMap, path::PathBuf, process::Command, sync::Arc};

use kanon_apiserver::{AuditEvents, AuditOptions, AuditPolicy, TestServer};
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

    /// One whose server tells of every request, with the namespaces `portal-system` and `shop`.
    pub(super) async fn audited() -> Site {
        let policy =
            "{apiVersion: audit.k8s.io/v1, kind: Policy, omitStages: [RequestReceived], rules: [{level: Metadata}]}";
        let audit =
            AuditOptions { policy: Some(AuditPolicy::parse(policy).expect("a policy")), ..AuditOptions::default() };
        let cel = Arc::new(kanon_cel::Cel::default());
        let site = Site::new(TestServer::start_with(cel, |config| config.audit = audit).await.expect("a server"));
        for name in ["portal-system", "shop"] {
            site.kubectl(&format!("create namespace {name}")).ok();
        }
        site
    }

    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.scratch.path().join(name)
    }

    /// Takes a token of the account `portal` in a namespace, which is there by now.
    pub(super) fn log_in(&self, namespace: &str) {
        let token = self.kubectl(&format!("create token portal -n {namespace}")).ok();
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

/// What the audit of the server tells, from a moment on.
pub(super) struct Told {
    events: AuditEvents,
    /// Watches that have begun and not ended, by their id.
    open: BTreeMap<String, String>,
    marks: usize,
}

impl Told {
    pub(super) fn of(site: &Site) -> Told {
        Told { events: site.server.running().audit_events(), open: BTreeMap::new(), marks: 0 }
    }

    /// All that was told since the last time.
    pub(super) async fn all(&mut self, site: &Site) -> Vec<Value> {
        // The request that ends what is looked at.
        self.marks += 1;
        let mark = format!("/api/v1/namespaces/mark-{}", self.marks);
        site.kubectl(&format!("get --raw {mark}"));
        let mut all = Vec::new();
        loop {
            let record = self.events.next().await.expect("an event");
            let event: Value = serde_json::from_slice(&record.json).expect("JSON");
            assert_eq!(self.events.missed, 0);
            if event["requestURI"] == *mark {
                return all;
            }
            all.push(event);
        }
    }

    /// The watches of a resource that there are now: path and field selector.
    pub(super) async fn watches(&mut self, site: &Site, resource: &str) -> Vec<String> {
        for event in self.all(site).await {
            let id = event["auditID"].as_str().expect("an id").to_owned();
            if event["verb"] != "watch" || event["objectRef"]["resource"] != *resource {
                continue;
            }
            if event["stage"] == "ResponseComplete" {
                self.open.remove(&id);
                continue;
            }
            let uri = event["requestURI"].as_str().expect("a path");
            let (path, query) = uri.split_once('?').expect("a query");
            let selector = query.split('&').find_map(|it| it.strip_prefix("fieldSelector=metadata.name%3D"));
            self.open.insert(id, [path, selector.unwrap_or_default()].join(" "));
        }
        let mut open: Vec<_> = self.open.values().cloned().collect();
        open.sort();
        open
    }
}
