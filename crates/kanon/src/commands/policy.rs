//! `kanon policy`: list, test, lint, diff, replay and simulate. The decisions are the families'; here are files, clusters and tables.

pub(crate) mod diff;
pub(crate) mod lint;
mod list;
mod recording;
pub(crate) mod replay;
mod rules;
mod simulate;
pub(crate) mod test;
mod world;

use crate::{
    cli::policy::{PolicyArgs, PolicyCommand},
    exit::{Exit, Failure},
};

/// Does what was asked for.
pub(crate) fn run(args: PolicyArgs) -> Result<Exit, Failure> {
    match args.command {
        PolicyCommand::List(args) => list::run(args),
        PolicyCommand::Test(args) => test::run(args),
        PolicyCommand::Lint(args) => lint::run(&args),
        PolicyCommand::Diff(args) => diff::run(args),
        PolicyCommand::Replay(args) => replay::run(&args),
        PolicyCommand::Simulate(args) => simulate::run(*args),
    }
}
