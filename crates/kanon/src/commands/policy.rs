//! `kanon policy`: list, test, lint and simulate. The decisions are the families'; here are files, clusters and tables.

mod lint;
mod list;
mod simulate;
mod test;
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
        PolicyCommand::Simulate(args) => simulate::run(*args),
    }
}
