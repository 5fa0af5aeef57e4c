//! `kanon up` as a process: from start to ready, and its memory when idle.

use std::{
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use crate::{median, report};

/// A running `kanon up`.
pub(crate) struct Up {
    child: Child,
    _scratch: tempfile::TempDir,
    /// Its kubeconfig.
    pub(crate) kubeconfig: PathBuf,
    /// From spawn to ready.
    pub(crate) ready: Duration,
}

impl Up {
    pub(crate) fn start() -> anyhow::Result<Up> {
        let scratch = tempfile::tempdir()?;
        let (data, ready_file) = (scratch.path().join("data"), scratch.path().join("ready"));
        let started = Instant::now();
        let child = Command::new(binary()?)
            .args(["up", "--listen", "127.0.0.1:0", "--data-dir"])
            .arg(&data)
            .arg("--ready-file")
            .arg(&ready_file)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .spawn()?;
        let mut up = Up { child, _scratch: scratch, kubeconfig: data.join("kubeconfig"), ready: Duration::ZERO };
        while !ready_file.exists() {
            anyhow::ensure!(up.child.try_wait()?.is_none(), "kanon up ended");
            anyhow::ensure!(started.elapsed() < Duration::from_secs(60), "kanon up is not ready after a minute");
            std::thread::sleep(Duration::from_millis(1));
        }
        up.ready = started.elapsed();
        Ok(up)
    }

    /// Its process id.
    pub(crate) fn process(&self) -> String {
        self.child.id().to_string()
    }

    /// Resident memory in MB.
    pub(crate) fn resident(&self) -> anyhow::Result<f64> {
        resident(&self.process())
    }
}

/// Resident memory of a process, or of `self`, in MB.
pub(crate) fn resident(process: &str) -> anyhow::Result<f64> {
    let status = std::fs::read_to_string(format!("/proc/{process}/status"))?;
    let line = status.lines().find_map(|it| it.strip_prefix("VmRSS:"));
    let kib: f64 = line.and_then(|it| it.split_whitespace().next()).unwrap_or_default().parse()?;
    Ok(kib / 1024.0)
}

impl Drop for Up {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn binary() -> anyhow::Result<PathBuf> {
    let own = std::env::current_exe()?;
    let binary = own.parent().unwrap_or(Path::new(".")).join("kanon");
    anyhow::ensure!(binary.exists(), "there is no `{}`: run `cargo build --release` first", binary.display());
    Ok(binary)
}

/// Prints the figures.
pub(crate) fn run() -> anyhow::Result<()> {
    let (mut times, mut memory) = (Vec::new(), Vec::new());
    for _ in 0..5 {
        let up = Up::start()?;
        times.push(up.ready.as_secs_f64() * 1e3);
        // What start-up needed and gave back has settled by then.
        std::thread::sleep(Duration::from_secs(2));
        memory.push(up.resident()?);
    }
    let peer = "kube-apiserver + etcd";
    report("kanon up, start to ready", &format!("{:.0} ms", median(times)), "≤ 150 ms", &format!("{peer} 3.6 s"));
    report(
        "kanon up, idle memory",
        &format!("{:.1} MB resident", median(memory)),
        "≤ 25 MB",
        &format!("{peer} 297 MB"),
    );
    Ok(())
}
