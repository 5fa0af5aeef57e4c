//! A server, a kubectl that talks to it, and plain HTTP.

use std::{
    fs::{self, File},
    io::Write as _,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::Bytes;
use http::{Method, Request, Response};
use http_body_util::{BodyExt as _, Full};
use kanon_apiserver::{Config, TestServer};
use kanon_cel::Cel;
use serde_json::Value;
use tempfile::TempDir;

/// Longer than anything here takes, so that a hang fails and does not hang.
pub(crate) const LIMIT: Duration = Duration::from_secs(60);

/// A running server and a home folder for its clients.
pub(crate) struct World {
    pub(crate) server: TestServer,
    home: TempDir,
}

/// What a command said.
#[derive(Debug)]
pub(crate) struct Said {
    pub(crate) ok: bool,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl World {
    pub(crate) async fn start() -> World {
        World::start_with(|_| {}).await
    }

    pub(crate) async fn start_with(adjust: impl FnOnce(&mut Config)) -> World {
        let server = TestServer::start_with(Arc::new(Cel::default()), adjust).await.expect("the server starts");
        let home = tempfile::tempdir().expect("a folder");
        let world = World { server, home };
        world.write("admin.kubeconfig", &world.server.kubeconfig());
        world
    }

    /// Puts a file into the home folder.
    pub(crate) fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.home.path().join(name);
        fs::write(&path, text).expect("written");
        path
    }

    /// Runs kubectl as the administrator.
    pub(crate) fn kubectl(&self, args: &str) -> Said {
        self.kubectl_with(args, "")
    }

    /// Runs kubectl with this on its standard input.
    pub(crate) fn kubectl_with(&self, args: &str, input: &str) -> Said {
        let args: Vec<&str> = args.split_whitespace().collect();
        self.kubectl_args(&args, input)
    }

    /// Runs kubectl with arguments that have spaces.
    pub(crate) fn kubectl_args(&self, args: &[&str], input: &str) -> Said {
        let mut child = Running::start(self.home.path(), args, input);
        child.end()
    }

    /// Starts kubectl, for commands that go on.
    pub(crate) fn start_kubectl(&self, args: &str) -> Running {
        let args: Vec<&str> = args.split_whitespace().collect();
        Running::start(self.home.path(), &args, "")
    }

    /// A request as the administrator, without a socket.
    pub(crate) async fn ask(&self, method: Method, path: &str, content_type: &str, body: &str) -> (u16, Value) {
        let request = Request::builder().method(method).uri(path).header("content-type", content_type);
        let response = self.send(request.body(Full::from(body.to_owned())).expect("a request")).await;
        let status = response.status().as_u16();
        let text = response.into_body().collect().await.expect("infallible").to_bytes();
        let value = serde_json::from_slice(&text)
            .unwrap_or_else(|_| Value::String(String::from_utf8_lossy(&text).into_owned()));
        (status, value)
    }

    /// A GET as the administrator.
    pub(crate) async fn get(&self, path: &str) -> (u16, Value) {
        self.ask(Method::GET, path, "", "").await
    }

    /// A POST of JSON as the administrator.
    pub(crate) async fn post(&self, path: &str, body: &Value) -> (u16, Value) {
        self.ask(Method::POST, path, "application/json", &body.to_string()).await
    }

    /// Any request as the administrator.
    pub(crate) async fn send(&self, request: Request<Full<Bytes>>) -> Response<kanon_apiserver::Body> {
        self.server.running().admin_service().handle(request).await
    }
}

/// A kubectl at work. Killed by its id when dropped.
pub(crate) struct Running {
    child: Child,
    out: PathBuf,
    err: PathBuf,
    _folder: TempDir,
}

impl Running {
    fn start(home: &Path, args: &[&str], input: &str) -> Running {
        let folder = tempfile::tempdir().expect("a folder");
        let (out, err) = (folder.path().join("out"), folder.path().join("err"));
        let mut child = Command::new("kubectl")
            .args(args)
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("HOME", home)
            .env("KUBECONFIG", home.join("admin.kubeconfig"))
            .stdin(Stdio::piped())
            .stdout(File::create(&out).expect("made"))
            .stderr(File::create(&err).expect("made"))
            .spawn()
            .expect("kubectl runs");
        child.stdin.take().expect("piped").write_all(input.as_bytes()).expect("taken");
        Running { child, out, err, _folder: folder }
    }

    /// What it printed so far.
    pub(crate) fn out(&self) -> String {
        fs::read_to_string(&self.out).expect("readable")
    }

    /// Waits until it printed this.
    pub(crate) fn prints(&self, text: &str) -> Duration {
        let begin = Instant::now();
        while !self.out().contains(text) {
            assert!(begin.elapsed() < LIMIT, "never printed {text:?}: {}", self.out());
            std::thread::sleep(Duration::from_millis(2));
        }
        begin.elapsed()
    }

    /// Waits for its end.
    pub(crate) fn end(&mut self) -> Said {
        let begin = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().expect("a child") {
                let err = fs::read_to_string(&self.err).expect("readable");
                return Said { ok: status.success(), out: self.out(), err };
            }
            assert!(begin.elapsed() < LIMIT, "kubectl hangs: {}", self.out());
            std::thread::sleep(Duration::from_millis(2));
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Whether there is a kubectl; says so where there is none.
pub(crate) fn has_kubectl() -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found = std::env::split_paths(&path).any(|it| it.join("kubectl").exists());
    if !found {
        println!("skipped: there is no kubectl here");
    }
    found
}
