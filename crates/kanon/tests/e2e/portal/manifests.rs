//! The manifests under `deploy/portal`: an API server takes them, the command takes the arguments that they give it, and the rights
//! that they give are enough. The service account's rights are enforced here as in any cluster.

use std::{path::Path, process::Command, sync::Arc};

use kanon_apiserver::TestServer;
use serde_json::{Value, json};

use super::{Running, account::Site, portal};
use crate::harness::{Ran, feed};

/// A cluster with the manifests in it, and the account that they make.
struct Installed(Site);

impl Installed {
    async fn start() -> Installed {
        let site = Site::new(TestServer::start(Arc::new(kanon_cel::Cel::default())).await.expect("a server"));
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../deploy/portal/install.yaml");
        let apply = format!("apply -f {}", file.display());
        let made = site.kubectl(&apply).ok();
        assert!(made.contains("deployment.apps/portal created"), "{made}");
        // The manifest again changes nothing.
        let again = site.kubectl(&apply).ok();
        assert!(again.lines().all(|it| it.ends_with(" unchanged")), "{again}");
        site.log_in("portal-system");
        Installed(site)
    }

    /// The command of a container as the manifest has it, with what differs on this machine behind it.
    fn container(&self, list: &str, others: &[&str]) -> Command {
        let found = self.0.kubectl("get deployment portal -n portal-system -o json").ok();
        let found: Value = serde_json::from_str(&found).expect("JSON");
        let container = &found["spec"]["template"]["spec"][list][0];
        assert_eq!(container["command"], json!(["portal"]));
        let args = container["args"].as_array().expect("arguments").iter().map(|it| it.as_str().expect("text"));
        let mut command = portal(self.0.scratch.path());
        command.args(args).args(others);
        self.0.as_account(&mut command);
        command
    }

    fn run(&self) -> Command {
        self.container("containers", &["--listen=127.0.0.1:0", "--metrics-addr=127.0.0.1:0"])
    }

    /// Takes away what the original's chart does not give: the definitions are the chart's own.
    fn without_definitions(&self) -> Value {
        let role = self.0.kubectl("get clusterrole portal -o json").ok();
        let role: Value = serde_json::from_str(&role).expect("JSON");
        let mut less = role.clone();
        let rules = less["rules"].as_array_mut().expect("rules");
        rules.retain(|it| it["apiGroups"] != json!(["apiextensions.k8s.io"]));
        feed(&mut self.0.kubectl_command("replace -f -"), &less.to_string()).ok();
        role
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_manifests_rights_and_arguments_are_enough() {
    let cluster = Installed::start().await;
    let site = &cluster.0;
    Ran::of(cluster.container("initContainers", &[]).output().expect("it runs")).ok();

    // Without definitions, and without the right to bring them, it says what to do.
    let role = cluster.without_definitions();
    let error = Ran::of(cluster.run().output().expect("it runs")).fails(1);
    let want = "portal: the API server knows no PortalClusterRule: `portal install-crds` brings it";
    assert!(error.contains(want), "{error}");
    let mut role = role;
    role["metadata"] = json!({"name": "portal"});
    feed(&mut site.kubectl_command("replace -f -"), &role.to_string()).ok();

    let running = Running::start(site.scratch.path(), "first", &mut cluster.run());
    let rule = "---\n{apiVersion: portal.io/v1alpha1, kind: PortalClusterRule, metadata: {name: maps}, spec: {name: maps, enabled: true,
        mode: [admission, audit], match: {gvk: [{group: '', version: v1, kind: ConfigMap}]}, rule: \"object.data?.x == 'bad'\"}}";
    feed(&mut site.kubectl_command("apply -f -"), rule).ok();
    site.shows("get pcr maps -o jsonpath={.status}", "lastApplied").await;
    site.shows("get validatingwebhookconfiguration portal -o jsonpath={.webhooks[0].rules[*].resources}", "configmaps")
        .await;
    site.shows("get lease portal-leader -n portal-system -o jsonpath={.spec.holderIdentity}", "first_").await;
    let bad = "---\n{apiVersion: v1, kind: ConfigMap, metadata: {name: bad, namespace: default}, data: {x: bad}}";
    // Nobody reaches the webhook here, by the Service that the registration names; so it goes first.
    site.kubectl("delete validatingwebhookconfiguration portal").ok();
    feed(&mut site.kubectl_command("apply -f -"), bad).ok();
    site.shows("get policyreport portal -n default -o jsonpath={.summary.fail}", "1").await;
    let refused: Vec<_> = running.log().into_iter().filter(|it| it.to_string().contains("forbidden")).collect();
    assert!(refused.is_empty(), "{refused:#?}");
    assert_eq!(running.stop(), Some(0));

    // With the definitions there, the chart's rights are enough.
    cluster.without_definitions();
    let mut running = Running::start(site.scratch.path(), "second", &mut cluster.run());
    running.logged("definitions of rules and reports are the installer's: this account may not write them");
}
