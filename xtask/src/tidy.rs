//! The rules of this repository that no compiler checks: ranks, purity, module docs, file sizes, what text may not say.
//!
//! Every check is a pure function from text to findings; only [`run`] reads the checkout.

mod bans;
mod files;
mod manifest;
mod map;
mod purity;

use std::{fmt, fs, path::Path, process::Command};

use anyhow::{Context, bail};

use manifest::Manifest;

/// One breach of a rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Finding {
    /// File, relative to the checkout, with a line where there is one; or a crate's name.
    place: String,
    /// What is wrong and what would be right.
    message: String,
}

impl Finding {
    fn new(place: impl Into<String>, message: impl Into<String>) -> Finding {
        Finding { place: place.into(), message: message.into() }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}: {}", self.place, self.message)
    }
}

/// Files that every checkout has.
const REQUIRED: [&str; 6] = ["ARCHITECTURE.md", "CHANGELOG.md", "CONTRIBUTING.md", "LICENSE", "README.md", "deny.toml"];

/// Checks the checkout; prints every finding and fails when there is one.
pub(crate) fn run(root: &Path) -> anyhow::Result<()> {
    let tracked = tracked(root)?;
    let manifests = manifests(root, &tracked)?;
    let mut findings: Vec<_> =
        REQUIRED.iter().filter(|it| !root.join(it).is_file()).map(|it| Finding::new(*it, "is missing")).collect();
    findings.extend(manifest::check(&manifests));
    findings.extend(map::check(&manifests, &read(root, "ARCHITECTURE.md"), &read(root, "CHANGELOG.md")));
    findings.extend(bans::check(&read(root, "deny.toml"), &read(root, "Cargo.lock"))?);
    let forbidden = forbidden(root);
    for path in &tracked {
        // A file may be gone from the folder and still be in the index.
        let Ok(bytes) = fs::read(root.join(path)) else { continue };
        let Ok(text) = String::from_utf8(bytes) else { continue };
        findings.extend(files::check(path, &text, &forbidden));
    }
    for it in manifests.iter().filter(|it| it.rank.is_some_and(|rank| rank <= purity::PURE_RANK)) {
        findings.extend(purity::check(&it.name, &tree(root, &it.name)?));
    }
    for finding in &findings {
        println!("{finding}");
    }
    if !findings.is_empty() {
        bail!("{} findings", findings.len());
    }
    println!("tidy: {} crates, {} files, no findings", manifests.len(), tracked.len());
    Ok(())
}

/// Tracked files, and new ones that are not ignored.
fn tracked(root: &Path) -> anyhow::Result<Vec<String>> {
    let words = ["ls-files", "--cached", "--others", "--exclude-standard"];
    let text = output(Command::new("git").args(words).current_dir(root))?;
    let mut paths: Vec<_> = text.lines().map(str::to_owned).collect();
    paths.sort();
    paths.dedup();
    Ok(paths)
}

fn manifests(root: &Path, tracked: &[String]) -> anyhow::Result<Vec<Manifest>> {
    // Fuzzing needs another compiler and is a workspace of its own.
    let is_crate =
        |path: &&String| path.ends_with("/Cargo.toml") && *path != "fuzz/Cargo.toml" && root.join(path).is_file();
    let folder = |path: &str| path.trim_end_matches("/Cargo.toml").to_owned();
    let read = |path: &String| {
        let text = fs::read_to_string(root.join(path))?;
        Manifest::parse(&folder(path), &text).with_context(|| format!("failed to read `{path}`"))
    };
    tracked.iter().filter(is_crate).map(read).collect()
}

fn read(root: &Path, path: &str) -> String {
    fs::read_to_string(root.join(path)).unwrap_or_default()
}

/// Paths of this machine that must not be in any file: the checkout's, the user's, cargo's.
fn forbidden(root: &Path) -> Vec<String> {
    let folder = root.to_string_lossy().into_owned();
    let variable = |name| std::env::var_os(name).map(|it| it.to_string_lossy().into_owned());
    let homes = ["CARGO_HOME", "CARGO_TARGET_DIR"].into_iter().filter_map(variable);
    let mut all: Vec<_> = homes.chain([folder]).filter(|it| it.len() > 3 && it.starts_with('/')).collect();
    all.extend(variable("HOME").map(|it| format!("{it}/.")));
    all
}

/// Every crate that a crate links, as cargo resolves it for that crate alone.
fn tree(root: &Path, name: &str) -> anyhow::Result<String> {
    let words = ["tree", "--locked", "--package", name, "--edges", "normal", "--prefix", "none", "--format", "{p}"];
    output(Command::new("cargo").args(words).current_dir(root))
}

fn output(command: &mut Command) -> anyhow::Result<String> {
    let output = command.output().with_context(|| format!("failed to start {command:?}"))?;
    if !output.status.success() {
        bail!("{command:?} failed: {}", String::from_utf8_lossy(&output.stderr).trim());
    }
    Ok(String::from_utf8(output.stdout)?)
}

#[cfg(test)]
mod tests {
    #[test]
    fn this_checkout_is_tidy() {
        let result = crate::root().and_then(|root| super::run(&root));
        assert!(result.is_ok(), "`cargo xtask tidy` says: {result:?}");
    }
}
