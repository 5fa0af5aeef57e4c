//! `cargo xtask layout`: the functions that a start of `kanon up` runs, as a linker script that puts them together. The release
//! binary is linked with it (`crates/kanon/build.rs`), so that an idle process holds pages of these alone: the kernel maps
//! sixteen pages around each one that is touched (docs/decisions/0006-allocator.md). Needs valgrind and lld.
//!
//! It builds, lets callgrind watch a start, and writes `crates/kanon/layout/start.ld`. A script that is old does no harm: what it
//! does not name stands where it always did. `--check` says whether it is too old: what a start of the present binary maps.

mod order;
mod profile;

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::Duration,
};

use anyhow::{Context, bail, ensure};

const SCRIPT: &str = "crates/kanon/layout/start.ld";
/// A start under valgrind takes some ten seconds.
const TRIES: u32 = 600;
const PAUSE: Duration = Duration::from_millis(200);

/// How many times the code that runs a start may map before the script counts as too old. Without one it is four times, with a new one
/// 1.3 times.
const MAPPED_MOST: f64 = 1.8;

/// Builds, watches a start, and writes the script, or says how well the present one does.
pub(crate) fn run(root: &Path, check: bool) -> anyhow::Result<()> {
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root.join("target"), PathBuf::from);
    let folder = target.join("layout");
    if folder.exists() {
        fs::remove_dir_all(&folder)?;
    }
    fs::create_dir_all(&folder)?;
    let map = folder.join("kanon.map");
    let link = format!("link-arg=-Wl,-Map={}", map.display());
    let words = ["rustc", "--release", "--locked", "--package", "kanon", "--bin", "kanon", "--", "-C", &link];
    // Incremental builds cut crates in other pieces.
    let built = Command::new("cargo").args(words).env("CARGO_INCREMENTAL", "0").current_dir(root).status()?;
    ensure!(built.success(), "the build ended with {built}");
    let binary = target.join("release").join("kanon");
    let profile = watch(&binary, &folder)?;
    let functions = order::functions(&fs::read_to_string(&map).context("the linker wrote no map")?);
    let ran = profile::executed(&profile, &binary.to_string_lossy());
    if check {
        return judge(order::size_of(&functions, &ran), order::mapped_by(&ran));
    }
    let script = order::script(&functions, &ran);
    ensure!(script.lines().count() > 100, "the profile has hardly a function of the map: were both of one build?");
    fs::write(root.join(SCRIPT), script)?;
    println!("layout: wrote {SCRIPT}");
    Ok(())
}

/// Whether functions that run stand together well enough; both sizes in bytes.
fn judge(run: u64, mapped: u64) -> anyhow::Result<()> {
    let times = mapped as f64 / run.max(1) as f64;
    println!(
        "layout: a start runs functions of {} kB and maps {} kB of code, {times:.2} times as much",
        run / 1000,
        mapped / 1000
    );
    ensure!(
        times <= MAPPED_MOST,
        "that is more than {MAPPED_MOST} times: run `cargo xtask layout` and commit {SCRIPT}"
    );
    Ok(())
}

/// What callgrind saw of a start and of the moments after it.
fn watch(binary: &Path, folder: &Path) -> anyhow::Result<String> {
    let out = folder.join("callgrind");
    let mut child = Command::new("valgrind")
        .args(["--tool=callgrind", "--dump-instr=yes"])
        .arg(format!("--callgrind-out-file={}", out.display()))
        .arg(binary)
        .args(["up", "--listen", "127.0.0.1:0", "--data-dir"])
        .arg(folder.join("data"))
        .arg("--ready-file")
        .arg(folder.join("ready"))
        .env_remove("RUST_BACKTRACE")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .context("valgrind is not here")?;
    let watched = dump(&mut child, folder);
    child.kill()?;
    child.wait()?;
    watched?;
    fs::read_to_string(folder.join("callgrind.1")).context("callgrind wrote nothing")
}

/// Has callgrind write down what it saw once the start is over. The end of the process is not part of it.
#[expect(clippy::disallowed_methods, reason = "a tool that waits for a process")]
fn dump(child: &mut Child, folder: &Path) -> anyhow::Result<()> {
    for _ in 0..TRIES {
        ensure!(child.try_wait()?.is_none(), "`kanon up` ended");
        if folder.join("ready").exists() {
            std::thread::sleep(20 * PAUSE);
            let status = Command::new("callgrind_control").arg("-d").arg(child.id().to_string()).status()?;
            ensure!(status.success(), "callgrind_control ended with {status}");
            std::thread::sleep(10 * PAUSE);
            return Ok(());
        }
        std::thread::sleep(PAUSE);
    }
    bail!("`kanon up` is not ready")
}
