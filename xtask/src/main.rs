//! The project's own tools: `cargo xtask tidy | codegen [--check] | conformance [--check] | layout [--check] | verify`.
//!
//! `tidy` holds the rules of CONTRIBUTING.md that a compiler does not, `codegen` writes the files under `deploy/crds`,
//! `conformance` measures the languages and writes docs/conformance.md, `layout` writes down which functions a start runs, and `verify` runs everything that a change must pass.

#![allow(clippy::disallowed_macros, reason = "a command-line tool prints")]

mod codegen;
mod conformance;
mod layout;
mod tidy;
mod verify;

use std::{path::PathBuf, process::ExitCode};

use anyhow::Context;

const USAGE: &str = "usage: cargo xtask tidy | codegen [--check] | conformance [--check] | layout [--check] | verify";

fn main() -> ExitCode {
    let words: Vec<_> = std::env::args().skip(1).collect();
    let words: Vec<_> = words.iter().map(String::as_str).collect();
    let result = root().and_then(|root| match words.as_slice() {
        ["tidy"] => tidy::run(&root),
        ["codegen"] => codegen::run(&root, false),
        ["codegen", "--check"] => codegen::run(&root, true),
        ["conformance"] => conformance::run(&root, false),
        ["conformance", "--check"] => conformance::run(&root, true),
        ["layout"] => layout::run(&root, false),
        ["layout", "--check"] => layout::run(&root, true),
        ["verify"] => verify::run(&root),
        _ => Err(anyhow::anyhow!(USAGE)),
    });
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// The checkout that this tool was built in.
fn root() -> anyhow::Result<PathBuf> {
    let parent = PathBuf::from(env!("CARGO_MANIFEST_DIR")).parent().map(PathBuf::from);
    parent.context("xtask has no parent folder")
}
