//! A real Prometheus on loopback scrapes `kanon up` and is asked: the names are those that dashboards use. Where the machine has
//! none (Debian's `prometheus`; `.ci/run` gets it) the test says so, and reads the page itself.
#![allow(clippy::disallowed_macros, reason = "tests say what they could not run")]

use std::{
    fmt::Write as _,
    io::{BufRead, BufReader},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use serde_json::Value;
use tempfile::TempDir;

use crate::harness::{PATIENCE, Up, http_get};

/// A Prometheus that scrapes one address every second.
struct Prometheus {
    child: Child,
    address: String,
    _folder: TempDir,
}

impl Prometheus {
    /// `None` where there is none on this machine.
    fn start(target: &str) -> Option<Prometheus> {
        if Command::new("prometheus").arg("--version").output().is_err() {
            return None;
        }
        let folder = tempfile::tempdir().expect("a scratch folder");
        let config = folder.path().join("prometheus.yml");
        let text = format!(
            "global: {{scrape_interval: 1s, scrape_timeout: 1s}}\n\
             scrape_configs: [{{job_name: kanon, static_configs: [{{targets: ['{target}']}}]}}]\n"
        );
        std::fs::write(&config, text).expect("a file");
        // It does not tell which port it was given for 0, so it is given one that was free a moment ago.
        let free = std::net::TcpListener::bind("127.0.0.1:0").and_then(|it| it.local_addr()).expect("a free port");
        let address = free.to_string();
        let mut child = Command::new("prometheus")
            .arg(format!("--config.file={}", config.display()))
            .arg(format!("--storage.tsdb.path={}", folder.path().join("data").display()))
            .arg(format!("--web.listen-address={address}"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .expect("Prometheus starts");
        let stderr = child.stderr.take().expect("a pipe");
        let said = std::sync::Arc::new(std::sync::Mutex::new(String::new()));
        let hears = std::sync::Arc::clone(&said);
        std::thread::spawn(move || {
            for line in BufReader::new(stderr).lines().map_while(Result::ok) {
                let _ = writeln!(hears.lock().expect("no panic before"), "{line}");
            }
        });
        let begun = Instant::now();
        while http_get(&address, "/-/ready").is_err() {
            let ended = child.try_wait().expect("the child can be asked");
            let text = said.lock().expect("no panic before").clone();
            assert!(ended.is_none() && begun.elapsed() < PATIENCE, "Prometheus is not ready: {ended:?}\n{text}");
            std::thread::sleep(Duration::from_millis(20));
        }
        Some(Prometheus { child, address, _folder: folder })
    }

    /// The value of an instant query that gives one series, or nothing.
    fn ask(&self, query: &str) -> Option<String> {
        let encoded: String = query.bytes().map(|it| format!("%{it:02X}")).collect();
        let answer = http_get(&self.address, &format!("/api/v1/query?query={encoded}")).ok()?;
        let answer: Value = serde_json::from_str(&answer).ok()?;
        assert_eq!(answer["status"], "success", "{query}: {answer}");
        let result = answer["data"]["result"].as_array()?;
        assert!(result.len() < 2, "{query} gives more than one series: {answer}");
        Some(result.first()?["value"][1].as_str()?.to_owned())
    }

    /// Waits until a query gives a value; the empty one for no series.
    #[track_caller]
    fn gives(&self, query: &str, value: &str) {
        let begun = Instant::now();
        loop {
            let found = self.ask(query).unwrap_or_default();
            if found == value {
                return;
            }
            assert!(begun.elapsed() < PATIENCE, "`{query}` gives `{found}`, not `{value}`");
            std::thread::sleep(Duration::from_millis(100));
        }
    }
}

impl Drop for Prometheus {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

const RULE: &str = "
apiVersion: portal.io/v1alpha1
kind: PortalClusterRule
metadata: {name: privileged}
spec:
  name: privileged
  enabled: true
  severity: high
  mode: [admission, audit]
  enforcementAction: deny
  match: {gvk: [{group: '', version: v1, kind: Pod}]}
  rule: container.securityContext.privileged == true
  actions: [{type: label, on: [audit], key: seen}]
";

fn pod(name: &str, privileged: bool) -> String {
    format!(
        "---\n{{apiVersion: v1, kind: Pod, metadata: {{name: {name}, namespace: shop}}, spec: {{containers: [
           {{name: c, image: 'registry.example.com/c:1', securityContext: {{privileged: {privileged}}}}}]}}}}\n"
    )
}

#[test]
fn prometheus_answers_the_queries_that_dashboards_ask() {
    let up = Up::start();
    up.kubectl("create namespace shop").ok();
    up.kubectl_with("apply -f -", &(pod("a", true) + &pod("b", true))).ok();
    up.kubectl_with("apply -f -", RULE).ok();
    up.settles("get validatingwebhookconfiguration kanon -o jsonpath={.webhooks[*].rules[*].resources}", |it| {
        it.contains("pods")
    });
    let Some(prometheus) = Prometheus::start(&up.metrics_address()) else {
        println!("no Prometheus on this machine: its part of the test does not run");
        up.counts(r#"portal_open_findings{rule="privileged",severity="high",namespace="shop"} 2"#);
        return;
    };
    up.kubectl_with("apply -f -", &pod("refused", true)).fails(1);
    up.kubectl_with("apply -f -", &pod("fine", false)).ok();
    prometheus.gives("up{job='kanon'}", "1");
    // The two counters whose documented names lack `_total` keep them.
    prometheus.gives("portal_audit_violations{rule='privileged',severity='high',gvk='/v1, Kind=Pod'}", "2");
    prometheus.gives("sum by (rule) (portal_open_findings{rule='privileged'})", "2");
    prometheus.gives("portal_actions_total{action='label',result='ok'}", "2");
    prometheus.gives("portal_admission_requests_total{decision='deny'}", "1");
    prometheus.gives("sum(portal_admission_requests_total{decision='allow'}) > bool 0", "1");
    prometheus.gives("portal_admission_violations_total{rule='privileged',action='deny'}", "1");
    prometheus.gives("portal_admission_latency_seconds_count >= bool 2", "1");
    prometheus.gives("portal_sink_errors_total{sink='alertmanager'}", "");
    up.kubectl("delete pod a -n shop --now").ok();
    prometheus.gives("portal_open_findings{rule='privileged',namespace='shop'}", "1");
    prometheus.gives("portal_audit_violations{rule='privileged'}", "2");
    up.kubectl("delete pod b -n shop --now").ok();
    prometheus.gives("portal_open_findings{rule='privileged'}", "");
}
