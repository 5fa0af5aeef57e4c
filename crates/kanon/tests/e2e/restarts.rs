//! Findings over the end of a process and over a change of the lead: nothing is lost, nothing is told twice.

use std::{
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::Arc,
    time::{Duration, Instant},
};

use kanon_apiserver::TestServer;
use serde_json::Value;
use tempfile::TempDir;

use crate::{
    alertmanager::Alertmanager,
    harness::{PATIENCE, Ran, feed, kanon},
};

/// A cluster that outlives its controllers.
struct Cluster {
    _server: TestServer,
    scratch: TempDir,
    kubeconfig: PathBuf,
    alertmanager: Alertmanager,
}

/// One replica of the controllers.
struct Replica(Child);

impl Cluster {
    async fn start() -> Cluster {
        let server = TestServer::start(Arc::new(kanon_cel::Cel::default())).await.expect("a server");
        let scratch = tempfile::tempdir().expect("a folder");
        let kubeconfig = scratch.path().join("kubeconfig");
        std::fs::write(&kubeconfig, server.kubeconfig()).expect("a kubeconfig");
        let cluster = Cluster { _server: server, scratch, kubeconfig, alertmanager: Alertmanager::start() };
        cluster.kubectl("create namespace kanon-system").ok();
        cluster.kubectl("create namespace shop").ok();
        cluster
    }

    /// Starts a replica with a data folder of its own, or goes on with that of an earlier one of the name.
    fn replica(&self, name: &str) -> Replica {
        self.replicas(&[name], 1).pop().expect("one")
    }

    /// Starts replicas together, which share the audit by so many shards.
    fn replicas(&self, names: &[&str], shards: u32) -> Vec<Replica> {
        let started: Vec<_> = names.iter().map(|it| self.spawn(it, shards)).collect();
        names.iter().zip(started).map(|(name, child)| self.ready(name, child)).collect()
    }

    fn spawn(&self, name: &str, shards: u32) -> Child {
        let path = |suffix: &str| self.scratch.path().join(format!("{name}.{suffix}"));
        let ready = path("ready");
        let _ = std::fs::remove_file(&ready);
        let log = std::fs::File::create(path("log")).expect("a log file");
        kanon()
            .args(["serve", "--listen", "127.0.0.1:0", "--metrics-addr", "127.0.0.1:0", "--audit"])
            .arg(format!("--audit-shards={shards}"))
            .args(["--alertmanager-url", &self.alertmanager.url(), "--kubeconfig"])
            .arg(&self.kubeconfig)
            .arg("--data-dir")
            .arg(self.scratch.path().join(name))
            .arg("--ready-file")
            .arg(&ready)
            .env("HOSTNAME", name)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .expect("the binary starts")
    }

    fn ready(&self, name: &str, mut child: Child) -> Replica {
        let path = |suffix: &str| self.scratch.path().join(format!("{name}.{suffix}"));
        let begun = Instant::now();
        while !path("ready").exists() {
            let ended = child.try_wait().expect("the child can be asked");
            let said = || std::fs::read_to_string(path("log")).unwrap_or_default();
            assert!(ended.is_none() && begun.elapsed() < PATIENCE, "{name} is not ready: {ended:?}\n{}", said());
            std::thread::sleep(Duration::from_millis(10));
        }
        Replica(child)
    }

    fn command(&self, line: &str) -> Command {
        let mut command = Command::new("kubectl");
        command.env("KUBECONFIG", &self.kubeconfig).env("HOME", self.scratch.path()).args(line.split_whitespace());
        command
    }

    fn kubectl(&self, line: &str) -> Ran {
        Ran::of(self.command(line).stdin(Stdio::null()).output().expect("kubectl runs"))
    }

    fn apply(&self, manifest: &str) {
        feed(&mut self.command("apply -f -"), manifest).ok();
    }

    #[track_caller]
    fn settles(&self, line: &str, wanted: impl Fn(&str) -> bool) {
        let begun = Instant::now();
        loop {
            let ran = self.kubectl(line);
            if ran.code == Some(0) && wanted(&ran.out) {
                return;
            }
            assert!(begun.elapsed() < PATIENCE, "`kubectl {line}` does not settle: {ran:#?}");
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// The objects that the report of `shop` has rows about.
    #[track_caller]
    fn reported(&self, objects: &[&str]) {
        self.settles("get polr portal -n shop -o jsonpath={.results[*].resources[0].name}", |it| {
            let mut found: Vec<_> = it.split_whitespace().collect();
            found.sort_unstable();
            found == objects
        });
    }

    /// What the decision log of a replica says of the audit, `object reason`, sorted.
    fn decisions(&self, replica: &str) -> Vec<String> {
        let folder = self.scratch.path().join(replica);
        decisions(&folder)
    }

    /// Waits until the decision log of a replica says that.
    #[track_caller]
    fn decided(&self, replica: &str, wanted: &[&str]) {
        let begun = Instant::now();
        while self.decisions(replica) != wanted {
            assert!(begun.elapsed() < PATIENCE, "{replica}: {:?}, not {wanted:?}", self.decisions(replica));
            std::thread::sleep(Duration::from_millis(100));
        }
    }
}

fn decisions(folder: &Path) -> Vec<String> {
    let mut command = kanon();
    command.env("KANON_DATA_DIR", folder).args(["log", "show", "-o", "json", "--last", "0"]).stdin(Stdio::null());
    let records = Ran::of(command.output().expect("kanon runs")).ok();
    let records: Vec<Value> = serde_json::from_str(&records).expect("JSON");
    let text = |it: &Value| {
        let text = |pointer: &str| it["record"].pointer(pointer).and_then(Value::as_str).unwrap_or_default();
        (text("/occasion") == "audit").then(|| format!("{} {}", text("/subject/name"), text("/reason")))
    };
    let mut told: Vec<_> = records.iter().filter_map(text).collect();
    told.sort();
    told
}

impl Replica {
    /// Without a chance to tidy up.
    fn kill(mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }

    /// In order.
    fn stop(mut self) {
        let asked = Command::new("kill").arg(self.0.id().to_string()).status().expect("kill runs");
        assert!(asked.success() && self.0.wait().expect("it ends").success());
    }
}

impl Drop for Replica {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn rule(name: &str, label: &str) -> String {
    format!(
        "---\napiVersion: portal.io/v1alpha1\nkind: PortalClusterRule\nmetadata: {{name: {name}}}\nspec:\n  name: {name}\n  \
         enabled: true\n  severity: high\n  mode: [audit]\n  match: {{gvk: [{{group: '', version: v1, kind: Pod}}]}}\n  \
         rule: metadata.labels?.{label} == 'yes'\n  alert: {name}\n  \
         actions: [{{type: label, key: marked-by-{name}, removeOnResolve: true}}]\n"
    )
}

fn pod(name: &str, label: &str) -> String {
    format!(
        "---\n{{apiVersion: v1, kind: Pod, metadata: {{name: {name}, namespace: shop, labels: {{{label}: 'yes'}}}}, spec: {{\
         containers: [{{name: c, image: 'registry.example.com/c:1'}}]}}}}\n"
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn what_ended_while_no_process_looked_is_resolved_and_what_stayed_is_no_news() {
    let cluster = Cluster::start().await;
    let pods = ["stays", "fixed", "deleted"].map(|it| pod(it, "bad")).concat() + &pod("let-off", "odd");
    cluster.apply(&pods);
    let replica = cluster.replica("one");
    cluster.apply(&(rule("bad", "bad") + &rule("odd", "odd")));
    let began = cluster.alertmanager.settles(|it| it.len() == 4);
    cluster.reported(&["deleted", "fixed", "let-off", "stays"]);
    cluster.settles("get pods -n shop -l marked-by-bad=true -o name", |it| it.lines().count() == 3);
    let opened = ["deleted RuleViolated", "fixed RuleViolated", "let-off RuleViolated", "stays RuleViolated"];
    cluster.decided("one", &opened);
    replica.kill();

    cluster.kubectl("label pod fixed -n shop bad-").ok();
    cluster.kubectl("delete pod deleted -n shop --now").ok();
    cluster.kubectl("delete pcr odd").ok();
    let _replica = cluster.replica("one");
    // The same alert goes on; the others end.
    let firing = cluster.alertmanager.settles(|it| it.len() == 1);
    let of = |it: &[Value]| it.iter().find(|it| it["labels"]["name"] == "stays").map(|it| it["startsAt"].clone());
    assert_eq!(of(&firing), of(&began));
    cluster.reported(&["stays"]);
    cluster.decided(
        "one",
        &[
            "deleted EndedUnseen",
            "deleted RuleViolated",
            "fixed EndedUnseen",
            "fixed RuleViolated",
            "let-off RuleViolated",
            "let-off RuleWithdrawn",
            "stays RuleViolated",
        ],
    );
    // What was done about it is taken back, as if somebody had looked.
    cluster.settles("get pods -n shop -l marked-by-bad=true -o name", |it| it == "pod/stays\n");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_leader_goes_on_where_the_last_one_ended() {
    let cluster = Cluster::start().await;
    cluster.apply(&["stays", "goes"].map(|it| pod(it, "bad")).concat());
    let first = cluster.replica("first");
    cluster.apply(&rule("bad", "bad"));
    let began = cluster.alertmanager.settles(|it| it.len() == 2);
    let _second = cluster.replica("second");
    cluster.reported(&["goes", "stays"]);
    // The follower sees the reports; what the leader takes out is no business of its own.
    cluster.kubectl("delete pod goes -n shop --now").ok();
    cluster.reported(&["stays"]);
    cluster.decided("first", &["goes ObjectDeleted", "goes RuleViolated", "stays RuleViolated"]);
    first.stop();
    cluster
        .settles("get lease kanon -n kanon-system -o jsonpath={.spec.holderIdentity}", |it| it.starts_with("second_"));
    // Something to see that it leads, and has looked.
    cluster.apply(&pod("new", "bad"));
    cluster.reported(&["new", "stays"]);
    cluster.decided("second", &["new RuleViolated"]);
    let firing = cluster.alertmanager.settles(|it| it.len() == 2);
    let of = |it: &[Value]| it.iter().find(|it| it["labels"]["name"] == "stays").map(|it| it["startsAt"].clone());
    assert_eq!(of(&firing), of(&began));
    cluster.kubectl("delete pod stays new -n shop --now").ok();
    cluster.alertmanager.settles(<[_]>::is_empty);
    cluster.decided("second", &["new ObjectDeleted", "new RuleViolated", "stays ObjectDeleted"]);
    cluster.reported(&[]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rule_may_wait_before_a_finding_ends_and_a_restart_does_not_shorten_that() {
    let cluster = Cluster::start().await;
    cluster.apply(&["back", "deleted"].map(|it| pod(it, "bad")).concat());
    cluster.apply(&pod("quick", "odd"));
    let replica = cluster.replica("one");
    let waits =
        |label: &str, time: &str| rule(label, label).replace("  alert:", &format!("  resolveAfter: {time}\n  alert:"));
    cluster.apply(&(waits("bad", "1h") + &waits("odd", "2s")));
    let began = cluster.alertmanager.settles(|it| it.len() == 3);
    cluster.reported(&["back", "deleted", "quick"]);

    // Clean: the short wait comes to its end, the long one does not.
    let cleaned = Instant::now();
    cluster.kubectl("label pod back deleted -n shop bad-").ok();
    cluster.kubectl("label pod quick -n shop odd-").ok();
    cluster.reported(&["back", "deleted"]);
    assert!(cleaned.elapsed() >= Duration::from_secs(2), "{:?}", cleaned.elapsed());
    let since = "get polr portal -n shop -o jsonpath={.results[*].properties.cleanSince}";
    cluster.settles(since, |it| it.split_whitespace().count() == 2);
    let before = cluster.kubectl(since).ok();
    replica.kill();

    // One is gone when the next process looks; the other still rests, under the same alert.
    cluster.kubectl("delete pod deleted -n shop --now").ok();
    let _replica = cluster.replica("one");
    cluster.reported(&["back"]);
    let firing = cluster.alertmanager.settles(|it| it.len() == 1);
    let of = |it: &[Value]| it.iter().find(|it| it["labels"]["name"] == "back").map(|it| it["startsAt"].clone());
    assert_eq!(of(&firing), of(&began));
    assert!(before.contains(&cluster.kubectl(since).ok()), "{before}");

    // It comes back within the hour: the same finding.
    cluster.kubectl("label pod back -n shop bad=yes").ok();
    cluster.settles(since, str::is_empty);
    cluster.reported(&["back"]);
    let told = [
        "back RuleViolated",
        "deleted ObjectDeleted",
        "deleted RuleViolated",
        "quick FindingFixed",
        "quick RuleViolated",
    ];
    cluster.decided("one", &told);
}

/// The replica that holds a lease.
fn holder(cluster: &Cluster, lease: &str) -> Option<&'static str> {
    let ran = cluster.kubectl(&format!("get lease {lease} -n kanon-system -o jsonpath={{.spec.holderIdentity}}"));
    ["first", "second"].into_iter().find(|it| ran.out.starts_with(it))
}

/// Waits until two leases are held as is wanted.
#[track_caller]
fn held(cluster: &Cluster, wanted: impl Fn(&str, &str) -> bool) -> (&'static str, &'static str) {
    let begun = Instant::now();
    loop {
        let holders = (holder(cluster, "kanon"), holder(cluster, "kanon-1"));
        if let (Some(leader), Some(other)) = holders
            && wanted(leader, other)
        {
            return (leader, other);
        }
        assert!(begun.elapsed() < PATIENCE, "{holders:?}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn replicas_share_the_audit_and_one_takes_over_when_the_other_dies() {
    let cluster = Cluster::start().await;
    // Of two shards, `shop` is in that of the leader, and `default` in the other.
    let elsewhere = |name: &str| pod(name, "bad").replace("namespace: shop", "namespace: default");
    cluster.apply(&(pod("here", "bad") + &elsewhere("there") + &elsewhere("goes")));
    let mut replicas: Vec<_> = ["first", "second"].into_iter().zip(cluster.replicas(&["first", "second"], 2)).collect();
    let (leader, other) = held(&cluster, |leader, other| leader != other);
    cluster.apply(&rule("bad", "bad"));
    let once = "actions: [{type: label, key: once, rateLimit: 1/h}, ";
    cluster.apply(&rule("odd", "bad").replace("  alert: odd\n", "").replace("actions: [", once));

    let began = cluster.alertmanager.settles(|it| it.len() == 3);
    cluster.reported(&["here", "here"]);
    let rows = "get polr portal -n default -o jsonpath={.results[*].resources[0].name}";
    cluster.settles(rows, |it| it.split_whitespace().count() == 4);
    // Each tells of its own namespaces, and the leader acts in both, as often as is allowed in all.
    cluster.decided(leader, &["here RuleViolated", "here RuleViolated"]);
    let of_default = ["goes RuleViolated", "goes RuleViolated", "there RuleViolated", "there RuleViolated"];
    cluster.decided(other, &of_default);
    cluster.settles("get pods -A -l marked-by-bad=true -o name", |it| it.lines().count() == 3);
    let once = "get pods -A -l once -o name";
    cluster.settles(once, |it| it.lines().count() == 1);
    let acted_on = cluster.kubectl(once).ok().replace("pod/goes\n", "");

    // One dies, and something ends before its lease does.
    let at = replicas.iter().position(|it| it.0 == other).expect("it runs");
    replicas.swap_remove(at).1.kill();
    let died = Instant::now();
    cluster.kubectl("delete pod goes -n default --now").ok();
    held(&cluster, |_, it| it == leader);
    let took = died.elapsed();
    assert!(took < Duration::from_secs(25), "{took:?}");
    cluster.settles(rows, |it| it == "there there");
    let firing = cluster.alertmanager.settles(|it| it.len() == 2);
    let of = |it: &[Value]| it.iter().find(|it| it["labels"]["name"] == "there").map(|it| it["startsAt"].clone());
    assert_eq!(of(&firing), of(&began));
    cluster.apply(&elsewhere("new"));
    cluster.settles(rows, |it| it.split_whitespace().filter(|it| *it == "new").count() == 2);
    cluster.settles("get pods -n default -l marked-by-bad=true -o name", |it| it == "pod/new\npod/there\n");
    assert_eq!(cluster.kubectl(once).ok(), acted_on);
    let told = ["goes EndedUnseen", "goes EndedUnseen", "here RuleViolated", "here RuleViolated"];
    cluster.decided(leader, &[&told[..], &["new RuleViolated", "new RuleViolated"]].concat());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replica_with_another_number_of_shards_waits_until_it_leads() {
    let cluster = Cluster::start().await;
    let first = cluster.replicas(&["first"], 2).pop().expect("one");
    cluster.apply(&(pod("web", "bad") + &rule("bad", "bad")));
    cluster.reported(&["web"]);
    held(&cluster, |leader, other| leader == "first" && other == "first");
    // It is ready, says why it does nothing, and holds no lease: of its own number there is none.
    let _second = cluster.replica("second");
    let log = cluster.scratch.path().join("second.log");
    let begun = Instant::now();
    let said = || std::fs::read_to_string(&log).unwrap_or_default();
    while !said().contains("--audit-shards is 1 here and 2 at the leader first_") {
        assert!(begun.elapsed() < PATIENCE, "{}", said());
        std::thread::sleep(Duration::from_millis(50));
    }
    held(&cluster, |leader, other| leader == "first" && other == "first");
    // When the others are gone it leads, and its number holds.
    first.stop();
    let shards = "get lease kanon -n kanon-system -o jsonpath={.metadata.annotations}";
    cluster.settles(shards, |it| it.contains("\"kanon.dev/audit-shards\":\"1\""));
    cluster.apply(&pod("new", "bad"));
    cluster.reported(&["new", "web"]);
    cluster.decided("second", &["new RuleViolated"]);
}
