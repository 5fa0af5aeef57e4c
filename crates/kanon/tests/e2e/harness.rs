//! A running `kanon up`, and the commands that talk to it.

use std::{
    ffi::OsStr,
    io::Write,
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
    time::{Duration, Instant},
};

use tempfile::TempDir;

/// How long anything may take on a busy machine before the test says that it never came.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// The binary under test.
pub(crate) fn kanon() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_kanon"));
    command.env_remove("KUBECONFIG").env_remove("KANON_DATA_DIR");
    command
}

/// What a command printed and how it ended.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) out: String,
    pub(crate) err: String,
    pub(crate) code: Option<i32>,
}

impl Ran {
    pub(crate) fn of(output: Output) -> Ran {
        let text = |bytes| String::from_utf8_lossy(bytes).into_owned();
        Ran { out: text(&output.stdout), err: text(&output.stderr), code: output.status.code() }
    }

    /// Standard output of a command that must succeed.
    #[track_caller]
    pub(crate) fn ok(self) -> String {
        assert_eq!(self.code, Some(0), "{self:#?}");
        self.out
    }

    /// Standard error of a command that must fail with this code.
    #[track_caller]
    pub(crate) fn fails(self, code: i32) -> String {
        assert_eq!(self.code, Some(code), "{self:#?}");
        self.err
    }
}

/// A control plane in a process of its own.
pub(crate) struct Up {
    child: Child,
    pub(crate) dir: PathBuf,
    /// Home and caches of kubectl; of the whole test.
    pub(crate) scratch: TempDir,
}

impl Up {
    /// Starts one that keeps its data in the test's scratch folder.
    pub(crate) fn start() -> Up {
        Up::start_with::<&str>(tempfile::tempdir().expect("a scratch folder"), &[])
    }

    /// Starts one with further flags; on the data of an earlier one when `scratch` is that one's.
    pub(crate) fn start_with<S: AsRef<OsStr>>(scratch: TempDir, args: &[S]) -> Up {
        let dir = scratch.path().join("data");
        let ready = scratch.path().join("ready");
        let _ = std::fs::remove_file(&ready);
        let log = std::fs::File::create(scratch.path().join("stderr")).expect("a log file");
        let told = std::fs::File::create(scratch.path().join("stdout")).expect("a file");
        let mut child = kanon()
            .args(["up", "--listen", "127.0.0.1:0", "--data-dir"])
            .arg(&dir)
            .arg("--ready-file")
            .arg(&ready)
            .args(args)
            .stdin(Stdio::null())
            .stdout(told)
            .stderr(log)
            .spawn()
            .expect("the binary starts");
        let begun = Instant::now();
        while !ready.exists() {
            let ended = child.try_wait().expect("the child can be asked");
            let stderr = || std::fs::read_to_string(scratch.path().join("stderr")).unwrap_or_default();
            assert!(ended.is_none(), "kanon up ended early: {ended:?}\n{}", stderr());
            assert!(begun.elapsed() < PATIENCE, "kanon up is not ready\n{}", stderr());
            std::thread::sleep(Duration::from_millis(10));
        }
        Up { child, dir, scratch }
    }

    pub(crate) fn kubeconfig(&self) -> PathBuf {
        self.dir.join("kubeconfig")
    }

    /// Where metrics are scraped.
    pub(crate) fn metrics_address(&self) -> String {
        let told = std::fs::read_to_string(self.scratch.path().join("stdout")).expect("what it told");
        told.split_once("probes at http://").and_then(|it| it.1.lines().next()).expect("an address").to_owned()
    }

    /// The page of metrics, as Prometheus scrapes it.
    pub(crate) fn metrics(&self) -> String {
        http_get(&self.metrics_address(), "/metrics").expect("metrics answer")
    }

    /// Waits for a line of the metrics.
    #[track_caller]
    pub(crate) fn counts(&self, line: &str) {
        let begun = Instant::now();
        while !self.metrics().lines().any(|it| it == line) {
            assert!(begun.elapsed() < PATIENCE, "no `{line}` in\n{}", self.metrics());
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// A kubectl command line; words are split at blanks.
    pub(crate) fn kubectl(&self, line: &str) -> Ran {
        let words: Vec<_> = line.split_whitespace().collect();
        Ran::of(self.kubectl_command(&words).output().expect("kubectl runs"))
    }

    /// The same with a manifest on standard input.
    pub(crate) fn kubectl_with(&self, line: &str, input: &str) -> Ran {
        let words: Vec<_> = line.split_whitespace().collect();
        let mut command = self.kubectl_command(&words);
        feed(command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()), input)
    }

    pub(crate) fn kubectl_command(&self, words: &[&str]) -> Command {
        let mut command = Command::new("kubectl");
        command.env("KUBECONFIG", self.kubeconfig()).env("HOME", self.scratch.path()).args(words).stdin(Stdio::null());
        command
    }

    /// Runs a kubectl command again until its output is what is wanted.
    #[track_caller]
    pub(crate) fn settles(&self, line: &str, wanted: impl Fn(&str) -> bool) -> String {
        let begun = Instant::now();
        loop {
            let ran = self.kubectl(line);
            if ran.code == Some(0) && wanted(&ran.out) {
                return ran.out;
            }
            assert!(begun.elapsed() < PATIENCE, "`kubectl {line}` does not settle: {ran:#?}");
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// A command of our own binary against this control plane.
    pub(crate) fn kanon(&self, words: &[&str]) -> Ran {
        Ran::of(kanon().env("KANON_DATA_DIR", &self.dir).args(words).stdin(Stdio::null()).output().expect("kanon runs"))
    }

    /// Kills the process (SIGKILL) while others still use it.
    pub(crate) fn crash(&self) {
        let kill = Command::new("kill").args(["-9", &self.child.id().to_string()]).status().expect("kill runs");
        assert!(kill.success());
    }

    /// Makes sure that the process is dead, without a chance to tidy up, and gives back its folder.
    pub(crate) fn kill(mut self) -> TempDir {
        let _ = self.child.kill();
        self.child.wait().expect("the child ends");
        std::mem::replace(&mut self.scratch, tempfile::tempdir().expect("a scratch folder"))
    }

    /// Asks the process to end and waits; its exit code.
    pub(crate) fn stop(mut self) -> (Option<i32>, TempDir) {
        let kill = Command::new("kill").arg(self.child.id().to_string()).status().expect("kill runs");
        assert!(kill.success());
        let status = self.child.wait().expect("the child ends");
        (status.code(), std::mem::replace(&mut self.scratch, tempfile::tempdir().expect("a scratch folder")))
    }
}

impl Drop for Up {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The body of a plain HTTP answer. HTTP/1.0, so that it comes in one piece.
pub(crate) fn http_get(address: &str, path: &str) -> std::io::Result<String> {
    use std::io::Read;
    let mut stream = std::net::TcpStream::connect(address)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    write!(stream, "GET {path} HTTP/1.0\r\nHost: {address}\r\n\r\n")?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((answer.as_str(), ""));
    if head.contains(" 200 ") { Ok(body.to_owned()) } else { Err(std::io::Error::other(answer.clone())) }
}

/// Runs a command with text on its standard input.
pub(crate) fn feed(command: &mut Command, input: &str) -> Ran {
    let mut child =
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it starts");
    child.stdin.take().expect("a pipe").write_all(input.as_bytes()).expect("it reads its input");
    Ran::of(child.wait_with_output().expect("it ends"))
}

/// Writes a file into a folder and gives its path as text.
pub(crate) fn file(folder: &Path, name: &str, text: &str) -> String {
    let path = folder.join(name);
    std::fs::write(&path, text).expect("a file");
    path.display().to_string()
}
