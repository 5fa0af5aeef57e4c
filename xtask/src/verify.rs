//! Everything that a change must pass, in the order in which it fails fastest. The same in every checkout and in CI.

use std::{
    path::Path,
    process::{Command, Stdio},
    time::Instant,
};

use anyhow::{Context, bail};

use crate::{codegen, conformance, tidy};

/// Runs every step; stops at the first that fails.
pub(crate) fn run(root: &Path) -> anyhow::Result<()> {
    step("format", || cargo(root, &["fmt", "--all", "--check"], &[]))?;
    step("tidy", || tidy::run(root))?;
    step("codegen", || codegen::run(root, true))?;
    step("clippy", || {
        cargo(root, &["clippy", "--workspace", "--all-targets", "--locked", "--", "--deny", "warnings"], &[])
    })?;
    step("tests", || tests(root))?;
    step("conformance", || conformance::run(root, true))?;
    let doc = ["doc", "--workspace", "--no-deps", "--locked", "--document-private-items"];
    step("docs", || cargo(root, &doc, &[("RUSTDOCFLAGS", "--deny warnings")]))?;
    println!("verify: all steps passed");
    Ok(())
}

/// nextest where it is installed, else the standard runner; doc tests come apart in nextest.
fn tests(root: &Path) -> anyhow::Result<()> {
    let has_nextest = Command::new("cargo")
        .args(["nextest", "--version"])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|it| it.success());
    if has_nextest {
        cargo(root, &["test", "--workspace", "--locked", "--doc", "--quiet"], &[])?;
        cargo(root, &["nextest", "run", "--workspace", "--locked", "--no-fail-fast"], &[])
    } else {
        cargo(root, &["test", "--workspace", "--locked", "--no-fail-fast"], &[])
    }
}

#[expect(clippy::disallowed_methods, reason = "a tool that says how long a step took")]
fn step(name: &str, run: impl FnOnce() -> anyhow::Result<()>) -> anyhow::Result<()> {
    println!("verify: {name} …");
    let start = Instant::now();
    let result = run();
    let seconds = start.elapsed().as_secs_f64();
    println!("verify: {name} {} in {seconds:.1} s", if result.is_ok() { "passed" } else { "failed" });
    result.with_context(|| format!("step `{name}` failed"))
}

fn cargo(root: &Path, words: &[&str], env: &[(&str, &str)]) -> anyhow::Result<()> {
    let status = Command::new("cargo").args(words).envs(env.iter().copied()).current_dir(root).status()?;
    if !status.success() {
        bail!("`cargo {}` ended with {status}", words.join(" "));
    }
    Ok(())
}
