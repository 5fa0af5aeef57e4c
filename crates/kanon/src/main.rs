//! `kanon`: one policy plane for a workload's whole life on Kubernetes. The command line, and the wiring of the shells.
#![allow(clippy::disallowed_methods, reason = "the binary: it reads clocks and the environment for everybody below")]

mod cli;
mod commands;
mod control;
mod exit;
mod families;
mod languages;
mod output;
mod paths;
mod report;

use std::{ffi::OsString, io::Write, path::Path, process::ExitCode};

use clap::Parser;

use crate::{
    cli::{Cli, Command, portal::PortalCli},
    commands::portal,
    exit::Failure,
};

fn main() -> ExitCode {
    let words: Vec<_> = std::env::args_os().collect();
    if let Some(words) = called_portal(&words) {
        return match PortalCli::try_parse_from(words) {
            Ok(cli) => {
                logging(&cli.log_level, portal::serves(&cli.args));
                portal::run(cli.args).into()
            }
            Err(error) => portal::refuse(&error).into(),
        };
    }
    // Prints help, version and usage errors itself, and ends with 2 on the latter.
    let cli = Cli::parse_from(words);
    logging(&cli.log_level, false);
    let result = match cli.command {
        Command::Up(args) => commands::up::run(args),
        Command::Serve(args) => commands::serve::run(args),
        Command::Check(args) => commands::check::run(args),
        Command::Eval(args) => commands::eval::run(args),
        Command::Fmt(args) => commands::fmt::run(args),
        Command::Lint(args) => commands::lint::run(args),
        Command::Policy(args) => commands::policy::run(args),
        Command::Network(args) => commands::network::run(args),
        Command::Explain(args) => commands::explain::run(args),
        Command::Brake(args) => commands::brake::run(args),
        Command::Backup(args) => commands::backup::run(&args),
        Command::Restore(args) => commands::backup::run_restore(&args),
        Command::Log(args) => commands::log::run(args),
        Command::Migrate(args) => commands::migrate::run(args),
        Command::Rbac(args) => commands::rbac::of_serve(*args),
        Command::Portal(args) => Ok(portal::run(args)),
        Command::Signals(args) => commands::signals::run(args),
        Command::Version(args) => commands::version::run(args),
        Command::Completions(args) => commands::completions::run(args),
    };
    match result {
        Ok(exit) => exit.into(),
        Err(failure) => {
            let exit = failure.exit;
            let _ = write!(anstream::stderr(), "{}", failure.into_report("kanon"));
            exit.into()
        }
    }
}

/// The original's command line, where that is what was called: by its name, which a link or an image gives the binary, or as the
/// first word. Help then names what was typed.
fn called_portal(words: &[OsString]) -> Option<Vec<OsString>> {
    let (first, others) = words.split_first()?;
    if Path::new(first).file_stem().is_some_and(|it| it == portal::NAME) {
        return Some(words.to_vec());
    }
    let (verb, others) = others.split_first()?;
    let name = OsString::from(format!("kanon {}", portal::NAME));
    (verb == portal::NAME).then(|| std::iter::once(name).chain(others.iter().cloned()).collect())
}

/// Log lines go to standard error; standard output is for answers.
fn logging(level: &str, json: bool) {
    let filter = tracing_subscriber::EnvFilter::try_new(level).unwrap_or_else(|_| "warn".into());
    let json = json || std::env::var("KANON_LOG_FORMAT").is_ok_and(|it| it == "json");
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    // A second logger can only be there when tests share a process; the first one serves.
    let _ = if json { builder.json().try_init() } else { builder.try_init() };
}

/// A runtime for commands that talk to servers.
pub(crate) fn runtime() -> Result<tokio::runtime::Runtime, Failure> {
    // One crypto provider in the process; a second installation only says that it is there.
    let _ = rustls::crypto::ring::default_provider().install_default();
    Ok(tokio::runtime::Builder::new_multi_thread().enable_all().build()?)
}
