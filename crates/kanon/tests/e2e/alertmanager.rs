//! An Alertmanager on loopback: the real one where the machine has it (Debian's `prometheus-alertmanager`; `.ci/run` gets it),
//! else a fake that keeps what is posted and answers as the real API does, and says that it is one.
#![allow(clippy::disallowed_macros, reason = "tests say what they could not run")]

use std::{
    fmt::Write as _,
    io::{BufRead, BufReader, Read, Write},
    net::{TcpListener, TcpStream},
    process::{Child, Command, Stdio},
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use serde_json::Value;
use tempfile::TempDir;

use crate::harness::{PATIENCE, http_get};

/// What Debian calls it, and what others do.
const NAMES: [&str; 2] = ["prometheus-alertmanager", "alertmanager"];

pub(crate) struct Alertmanager {
    address: String,
    /// The real one's process and folder; none for the fake.
    real: Option<(Child, TempDir)>,
}

impl Alertmanager {
    /// One at a free port.
    pub(crate) fn start() -> Alertmanager {
        Alertmanager::start_at("127.0.0.1:0")
    }

    pub(crate) fn start_at(listen: &str) -> Alertmanager {
        let found = NAMES.into_iter().find(|name| Command::new(name).arg("--version").output().is_ok());
        found.and_then(|name| real(name, listen)).unwrap_or_else(|| {
            println!("no Alertmanager runs on this machine: a fake takes its place");
            fake(listen)
        })
    }

    /// What is given to `--alertmanager-url`.
    pub(crate) fn url(&self) -> String {
        format!("http://{}/api/v2/alerts", self.address)
    }

    /// Alerts that fire now, in the API's form.
    pub(crate) fn firing(&self) -> Vec<Value> {
        let answer = http_get(&self.address, "/api/v2/alerts").unwrap_or_default();
        let all: Vec<Value> = serde_json::from_str(&answer).unwrap_or_default();
        all.into_iter().filter(|it| it["status"]["state"] != "suppressed").collect()
    }

    /// Waits until the alerts that fire are as wanted.
    #[track_caller]
    pub(crate) fn settles(&self, wanted: impl Fn(&[Value]) -> bool) -> Vec<Value> {
        let begun = Instant::now();
        loop {
            let firing = self.firing();
            if wanted(&firing) {
                return firing;
            }
            assert!(begun.elapsed() < PATIENCE, "{firing:#?}");
            std::thread::sleep(Duration::from_millis(50));
        }
    }
}

impl Drop for Alertmanager {
    fn drop(&mut self) {
        if let Some((child, _)) = &mut self.real {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

fn real(name: &str, listen: &str) -> Option<Alertmanager> {
    let folder = tempfile::tempdir().expect("a scratch folder");
    let config = folder.path().join("alertmanager.yml");
    std::fs::write(&config, "route: {receiver: none}\nreceivers: [{name: none}]\n").expect("a file");
    let mut child = Command::new(name)
        .args(["--cluster.listen-address=", "--web.listen-address", listen, "--config.file"])
        .arg(&config)
        .arg("--storage.path")
        .arg(folder.path().join("data"))
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .expect("Alertmanager starts");
    let mut lines = BufReader::new(child.stderr.take().expect("a pipe")).lines();
    let mut said = String::new();
    let address = loop {
        let Some(Ok(line)) = lines.next() else {
            println!("{name} does not run:\n{said}");
            let _ = child.wait();
            return None;
        };
        let _ = writeln!(said, "{line}");
        // `msg="Listening on" address=127.0.0.1:40123`
        if let Some((_, rest)) = line.split_once("address=127.0.0.1:").filter(|_| line.contains("Listening")) {
            break format!("127.0.0.1:{}", rest.split_whitespace().next().unwrap_or(rest));
        }
    };
    // What it says from now on must go somewhere.
    std::thread::spawn(move || lines.for_each(drop));
    let begun = Instant::now();
    while http_get(&address, "/-/ready").is_err() {
        assert!(begun.elapsed() < PATIENCE, "Alertmanager is not ready:\n{said}");
        std::thread::sleep(Duration::from_millis(20));
    }
    Some(Alertmanager { address, real: Some((child, folder)) })
}

/// A fake: it keeps the newest word about each set of labels. It ends with the test's process.
fn fake(listen: &str) -> Alertmanager {
    let listener = TcpListener::bind(listen).expect("a port");
    let address = listener.local_addr().expect("an address").to_string();
    let alerts: Arc<Mutex<Vec<Value>>> = Arc::default();
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let alerts = Arc::clone(&alerts);
            std::thread::spawn(move || while answer(&stream, &alerts).unwrap_or(false) {});
        }
    });
    Alertmanager { address, real: None }
}

/// Answers one request; whether the connection goes on.
fn answer(mut stream: &TcpStream, alerts: &Mutex<Vec<Value>>) -> std::io::Result<bool> {
    let mut reader = BufReader::new(stream);
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        if reader.read_line(&mut head)? == 0 {
            return Ok(false);
        }
    }
    let lower = head.to_ascii_lowercase();
    let len = lower.split_once("content-length: ").and_then(|it| it.1.lines().next()?.trim().parse().ok()).unwrap_or(0);
    let mut body = vec![0; len];
    reader.read_exact(&mut body)?;
    let mut alerts = alerts.lock().expect("no panic before");
    let text = if head.starts_with("POST") {
        for new in serde_json::from_slice::<Vec<Value>>(&body).unwrap_or_default() {
            alerts.retain(|it| it["labels"] != new["labels"]);
            alerts.push(new);
        }
        String::new()
    } else {
        Value::from(alerts.iter().filter(|it| it.get("endsAt").is_none()).cloned().collect::<Vec<_>>()).to_string()
    };
    write!(stream, "HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{text}", text.len())?;
    Ok(lower.contains("http/1.1"))
}
