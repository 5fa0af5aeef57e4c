//! The commands of `docs/`, as they stand there, with the output that stands below them.

use std::{
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use crate::harness::Ran;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// Each command with the text block below it.
fn commands(document: &str) -> Vec<(String, String)> {
    let text = std::fs::read_to_string(root().join(document)).expect("a document");
    let mut found = Vec::new();
    let mut rest = text.as_str();
    while let Some((_, after)) = rest.split_once("```sh\n") {
        let (command, after) = after.split_once("\n```\n").expect("an end of the block");
        let output = after.strip_prefix("\n```text\n").and_then(|it| it.split_once("```\n")).map(|it| it.0);
        found.push((command.to_owned(), output.unwrap_or_default().to_owned()));
        rest = after;
    }
    found
}

/// Runs a command in a shell that finds the binary under test, in the repository's folder.
fn shell(line: &str) -> Ran {
    let binary = Path::new(env!("CARGO_BIN_EXE_kanon")).parent().expect("a folder");
    let path = format!("{}:{}", binary.display(), std::env::var("PATH").unwrap_or_default());
    let mut command = Command::new("sh");
    command.args(["-c", line]).current_dir(root()).env("PATH", path).stdin(Stdio::null());
    Ran::of(command.output().expect("a shell"))
}

fn check(document: &str, at_least: usize) {
    let commands = commands(document);
    assert!(commands.len() >= at_least, "{document} lost its examples");
    for (command, want) in commands {
        let ran = shell(&command);
        assert!(matches!(ran.code, Some(0 | 3)), "{document}: {command}: {ran:#?}");
        if command.ends_with("# ends with 3") {
            assert_eq!(ran.code, Some(3), "{document}: {command}");
        }
        assert_eq!(ran.out, want, "{document}: {command}");
    }
}

#[test]
fn the_examples_of_check_print_what_stands_there() {
    check("docs/check.md", 3);
}

#[test]
fn the_examples_of_network_print_what_stands_there() {
    check("docs/network.md", 4);
}

#[test]
fn the_example_of_migrate_rules_prints_what_stands_there() {
    check("docs/migrate-rules.md", 1);
}

#[test]
fn the_examples_of_portal_print_what_stands_there() {
    check("docs/portal.md", 2);
}

#[test]
fn the_example_of_exceptions_prints_what_stands_there() {
    check("docs/exceptions.md", 1);
}

#[test]
fn the_example_of_rules_prints_what_stands_there() {
    check("docs/rules.md", 1);
}

#[test]
fn the_example_of_the_cookbook_prints_what_stands_there() {
    check("docs/cookbook.md", 1);
}
