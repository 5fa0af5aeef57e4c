//! A manager as a process: what it is told, what it says, and its end.

use std::{
    io::{BufRead as _, BufReader, Write as _},
    path::Path,
    process::{Child, Command, Stdio},
    sync::{Arc, Mutex, PoisonError},
    thread,
    time::Duration,
};

use jiff::Timestamp;
use serde_json::Value;
use tokio::time::{Instant, interval};

use crate::world::LIMIT;

/// A running manager. Killed by its id when dropped.
pub(super) struct Manager {
    id: String,
    accept: String,
    child: Child,
    said: Arc<Mutex<Vec<Value>>>,
    listener: Option<thread::JoinHandle<()>>,
    killed: Option<Timestamp>,
}

impl Manager {
    pub(super) fn start(program: &Path, id: &str, kubeconfig: &Path, accept: &str, lease: Duration) -> Manager {
        let mut child = Command::new(program)
            .args(["--id", id, "--accept", accept, "--lease", &format!("{}s", lease.as_secs())])
            .arg("--kubeconfig")
            .arg(kubeconfig)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("the manager runs");
        let (said, out) = (Arc::new(Mutex::new(Vec::new())), BufReader::new(child.stdout.take().expect("piped")));
        let lines = Arc::clone(&said);
        let listener = thread::spawn(move || {
            // The last line of one that is killed may be cut off.
            for line in out.lines().map_while(Result::ok) {
                if let Ok(line) = serde_json::from_str(&line) {
                    lines.lock().unwrap_or_else(PoisonError::into_inner).push(line);
                }
            }
        });
        Manager { id: id.to_owned(), accept: accept.to_owned(), child, said, listener: Some(listener), killed: None }
    }

    pub(super) fn id(&self) -> &str {
        &self.id
    }

    /// What it accepts of built-in kinds.
    pub(super) fn accepts(&self) -> &str {
        &self.accept
    }

    /// When it was killed.
    pub(super) fn killed(&self) -> Option<Timestamp> {
        self.killed
    }

    /// All that it said.
    pub(super) fn lines(&self) -> Vec<Value> {
        self.said.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn count(&self, event: &str) -> usize {
        let said = self.said.lock().unwrap_or_else(PoisonError::into_inner);
        said.iter().filter(|it| it["event"] == event).count()
    }

    /// Whether it leads, as far as it said.
    pub(super) fn leads(&self) -> bool {
        self.count("leads") > self.count("leads-no-more")
    }

    /// Tells it something and waits until it said one more line of this sort, which is handed out.
    async fn tell(&self, what: &str, answer: &str) -> Value {
        let before = self.count(answer);
        let mut input = self.child.stdin.as_ref().expect("piped");
        input.write_all(format!("{what}\n").as_bytes()).unwrap_or_else(|it| panic!("{} is gone: {it}", self.id));
        let (end, mut tick) = (Instant::now() + LIMIT * 2, interval(Duration::from_millis(5)));
        loop {
            tick.tick().await;
            let found = self.lines().into_iter().filter(|it| it["event"] == answer).nth(before);
            if let Some(line) = found {
                return line;
            }
            assert!(Instant::now() < end, "{} never said {answer}: {:#?}", self.id, self.lines());
        }
    }

    /// What is in its caches, and what it counted.
    pub(super) async fn state(&self) -> Value {
        self.tell("state", "state").await
    }

    /// One round of chores; all of them must come out well.
    pub(super) async fn chores(&self) {
        let before = self.lines().len();
        self.tell("chores", "chores-done").await;
        let chores: Vec<Value> = self.lines().into_iter().skip(before).filter(|it| it["event"] == "chore").collect();
        assert!(chores.len() > 15, "{chores:#?}");
        let failed: Vec<&Value> = chores.iter().filter(|it| it.get("error").is_some()).collect();
        assert!(failed.is_empty(), "chores of {}: {failed:#?}", self.id);
    }

    /// Tells it to stop, and waits until it did, in good order.
    pub(super) async fn stop(&mut self) {
        self.tell("stop", "stopped").await;
        let status = self.child.wait().expect("a child");
        assert!(status.success(), "{} ended with {status}", self.id);
        self.hear_out();
    }

    /// Kills it in the middle of everything.
    pub(super) fn kill(&mut self) {
        assert!(self.child.try_wait().expect("a child").is_none(), "{} has ended: {:#?}", self.id, self.lines());
        self.killed = Some(Timestamp::now());
        let _ = self.child.kill();
        let _ = self.child.wait();
        self.hear_out();
    }

    /// Takes in what is still in the pipe.
    fn hear_out(&mut self) {
        if let Some(listener) = self.listener.take() {
            listener.join().expect("listens");
        }
    }
}

impl Drop for Manager {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
