//! The README's commands, as they stand there: what a newcomer types first must work.

use std::{
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use crate::harness::{Ran, Up, kanon};

/// The lines of the README's `sh` blocks.
fn lines() -> Vec<String> {
    let readme = std::fs::read_to_string(root().join("README.md")).expect("a README");
    let blocks = readme.split("```sh\n").skip(1).filter_map(|it| it.split("```").next());
    blocks.flat_map(str::lines).map(str::to_owned).collect()
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// Runs a line in a shell that finds the binary under test, in the repository's folder.
fn shell(line: &str, up: &Up) -> Ran {
    let binary = Path::new(env!("CARGO_BIN_EXE_kanon")).parent().expect("a folder");
    let path = format!("{}:{}", binary.display(), std::env::var("PATH").unwrap_or_default());
    let mut command = Command::new("sh");
    command.args(["-c", line]).current_dir(root()).env("PATH", path).env("HOME", up.scratch.path());
    command.env("KUBECONFIG", up.kubeconfig()).env("KANON_DATA_DIR", &up.dir).stdin(Stdio::null());
    Ran::of(command.output().expect("a shell"))
}

#[test]
fn every_command_works_as_it_stands_there() {
    let lines = lines();
    let first = lines.iter().find_map(|it| it.strip_prefix("cargo run --release --bin kanon -- up "));
    let flags: Vec<_> = first.expect("the first command").split(' ').collect();
    let up = Up::start_with(tempfile::tempdir().expect("a folder"), &flags);
    let mut ran = 0;
    for line in &lines {
        if line.starts_with("cargo ") || line.starts_with("export ") {
            continue;
        }
        let result = shell(line, &up);
        if line.ends_with("# denied") {
            assert!(result.fails(1).contains("denied the request"), "{line}");
        } else {
            assert!(!result.ok().is_empty(), "{line} prints nothing");
        }
        ran += 1;
    }
    assert!(ran >= 10, "the README lost its commands: {lines:#?}");
}

#[test]
fn the_default_data_folder_is_the_one_that_the_readme_names() {
    let home = tempfile::tempdir().expect("a folder");
    let mut command = kanon();
    command.args(["log", "verify"]).env("HOME", home.path()).env_remove("XDG_STATE_HOME");
    let error = Ran::of(command.output().expect("kanon runs")).fails(1);
    assert!(error.contains(&home.path().join(".local/state/kanon/log").display().to_string()), "{error}");
}
