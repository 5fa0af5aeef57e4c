//! The few ConfigMaps that the process reads are watched where they stand. When rules read all of them, one watch of the whole kind takes
//! the place of these, and nothing that is told meanwhile is lost.

use serde_json::{Value, json};

use super::{
    Running,
    account::{Site, Told},
    portal, settles,
};
use crate::harness::{Ran, feed, file, http_get};

const NARROW: [&str; 3] = [
    "/api/v1/namespaces/portal-system/configmaps alert-templates",
    "/api/v1/namespaces/portal-system/configmaps kanon-accounts",
    "/api/v1/namespaces/portal-system/configmaps kanon-brake",
];
const WIDE: [&str; 1] = ["/api/v1/configmaps "];

struct Cluster {
    site: Site,
    told: Told,
}

impl Cluster {
    fn run(&self, name: &str) -> Running {
        self.run_as(name, "admin")
    }

    fn run_as(&self, name: &str, kubeconfig: &str) -> Running {
        let mut command = portal(self.site.scratch.path());
        command.args(["run", "--audit", "--listen=127.0.0.1:0", "--metrics-addr=127.0.0.1:0"]);
        command.arg(format!("--cert-dir={}", self.site.path("certs").display()));
        command.arg(format!("--kubeconfig={}", self.site.path(kubeconfig).display()));
        Running::start(self.site.scratch.path(), name, &mut command)
    }

    async fn watches(&mut self, want: &[&str]) {
        let Cluster { site, told } = self;
        let mut seen = Vec::new();
        settles(&format!("{want:?}"), async || {
            seen = told.watches(site, "configmaps").await;
            // Never both.
            assert!(seen.len() < 2 || !seen.iter().any(|it| it == WIDE[0]), "{seen:?}");
            (seen == want).then_some(())
        })
        .await;
    }

    fn rule(&self, name: &str, kind: &str, rule: &str, actions: &Value) {
        let rule = rule_of(name, kind, rule, actions);
        feed(&mut self.site.kubectl_command("apply -f -"), &rule.to_string()).ok();
    }

    fn pod(&self, name: &str) {
        let pod = json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "namespace": "shop"},
            "spec": {"containers": [{"name": "c", "image": "x"}]}});
        feed(&mut self.site.kubectl_command("apply -f -"), &pod.to_string()).ok();
    }

    fn brake(&self) {
        self.site.kubectl("create configmap kanon-brake -n portal-system --from-literal=brake=on").ok();
    }

    fn release(&self) {
        self.site.kubectl("delete configmap kanon-brake -n portal-system").ok();
    }
}

fn rule_of(name: &str, kind: &str, rule: &str, actions: &Value) -> Value {
    json!({"apiVersion": "portal.io/v1alpha1", "kind": "PortalClusterRule", "metadata": {"name": name}, "spec": {
        "name": name, "enabled": true, "mode": ["audit"], "match": {"gvk": [{"group": "", "version": "v1", "kind": kind}],
        "namespaces": {"include": ["shop"]}}, "rule": rule, "actions": actions}})
}

async fn counts(running: &mut Running, line: &str) {
    let metrics = running.address("metrics");
    let has = |it: &String| it.lines().any(|it| it == line);
    settles(line, async || http_get(&metrics, "/metrics").ok().filter(has)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn config_maps_are_watched_where_they_stand_until_a_rule_reads_them_all() {
    let site = Site::audited().await;
    let mut cluster = Cluster { told: Told::of(&site), site };
    cluster.brake();
    let mut running = cluster.run("one");
    cluster.watches(&NARROW).await;
    cluster.rule("evicts", "Pod", "true", &json!([{"type": "evict"}]));
    cluster.pod("a");
    counts(&mut running, "portal_actions_total{action=\"evict\",result=\"braked\"} 1").await;

    // A rule reads all of them: what is told of the brake goes on.
    cluster.rule("maps", "ConfigMap", "object.data?.bad != nil", &json!([]));
    cluster.site.kubectl("create configmap x -n shop --from-literal=bad=1").ok();
    counts(&mut running, "portal_open_findings{rule=\"maps\",severity=\"\",namespace=\"shop\"} 1").await;
    cluster.watches(&WIDE).await;
    cluster.release();
    counts(&mut running, "portal_actions_total{action=\"evict\",result=\"ok\"} 1").await;
    cluster.brake();

    // The rule goes: so does what only it needed.
    cluster.site.kubectl("delete pcr maps").ok();
    cluster.watches(&NARROW).await;
    let metrics = http_get(&running.address("metrics"), "/metrics").expect("metrics");
    assert!(metrics.contains("portal_cache_objects{gvk=\"/v1, Kind=ConfigMap\"} 1"), "{metrics}");
    cluster.pod("b");
    counts(&mut running, "portal_actions_total{action=\"evict\",result=\"braked\"} 2").await;
    cluster.release();
    counts(&mut running, "portal_actions_total{action=\"evict\",result=\"ok\"} 2").await;
    cluster.brake();
    assert_eq!(running.stop(), Some(0));
    cluster.watches(&[]).await;

    let mut again = cluster.run("two");
    cluster.watches(&NARROW).await;
    cluster.pod("c");
    counts(&mut again, "portal_actions_total{action=\"evict\",result=\"braked\"} 1").await;
    assert_eq!(again.stop(), Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn without_the_right_to_list_them_all_the_few_are_watched_on() {
    let site = Site::audited().await;
    let evict = json!([{"type": "evict"}]);
    let rules = file(site.scratch.path(), "rules.yaml", &rule_of("evicts", "Pod", "true", &evict).to_string());
    let mut rbac = portal(site.scratch.path());
    let rights = Ran::of(rbac.args(["rbac", "--audit", "-r", &rules]).output().expect("it runs")).ok();
    feed(&mut site.kubectl_command("apply -f -"), &rights).ok();
    site.log_in("portal-system");
    let mut cluster = Cluster { told: Told::of(&site), site };
    cluster.brake();
    let mut running = cluster.run_as("one", "account");
    cluster.rule("evicts", "Pod", "true", &evict);
    cluster.rule("maps", "ConfigMap", "object.data?.bad != nil", &json!([]));
    cluster.site.kubectl("create configmap x -n shop --from-literal=bad=1").ok();
    cluster.pod("a");
    counts(&mut running, "portal_actions_total{action=\"evict\",result=\"braked\"} 1").await;
    let reason = "get pcr maps -o jsonpath={.status.conditions[?(@.type==\"Evaluating\")].reason}";
    cluster.site.shows(reason, "KindNotWatched").await;
    cluster.watches(&NARROW).await;
    cluster.release();
    counts(&mut running, "portal_actions_total{action=\"evict\",result=\"ok\"} 1").await;

    // A right that is given later counts.
    cluster.site.kubectl("create clusterrole maps --verb=list,watch --resource=configmaps").ok();
    let bind = "create clusterrolebinding maps --clusterrole=maps --serviceaccount=portal-system:portal";
    cluster.site.kubectl(bind).ok();
    counts(&mut running, "portal_open_findings{rule=\"maps\",severity=\"\",namespace=\"shop\"} 1").await;
    cluster.watches(&WIDE).await;
    assert_eq!(running.stop(), Some(0));
}
