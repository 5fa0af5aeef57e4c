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

use std::{io::Write, process::ExitCode};

use clap::Parser;

use crate::{
    cli::{Cli, Command},
    exit::Failure,
};

fn main() -> ExitCode {
    // Prints help, version and usage errors itself, and ends with 2 on the latter.
    let cli = Cli::parse();
    logging(&cli.log_level);
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
        Command::Portal(args) => commands::migrate::run_portal(args),
        Command::Signals(args) => commands::signals::run(args),
        Command::Version(args) => commands::version::run(args),
        Command::Completions(args) => commands::completions::run(args),
    };
    match result {
        Ok(exit) => exit.into(),
        Err(failure) => {
            let exit = failure.exit;
            let _ = write!(anstream::stderr(), "{}", failure.into_report());
            exit.into()
        }
    }
}

/// Log lines go to standard error; standard output is for answers.
fn logging(level: &str) {
    let filter = tracing_subscriber::EnvFilter::try_new(level).unwrap_or_else(|_| "warn".into());
    let json = std::env::var("KANON_LOG_FORMAT").is_ok_and(|it| it == "json");
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
