//! The original's command, `portal`: each verb is one of ours, or here where only the original has it. Nothing is decided twice.

pub(crate) mod docgen;
mod init_certs;
pub(crate) mod run;
mod webhook;

use std::io::Write;

use clap::CommandFactory;
use kanon_kube::Api;
use kanon_plane::{Plane, Settings};

use crate::{
    cli::{
        check::CheckArgs,
        portal::{
            ApplyArgs, CompletionArgs, ExplainArgs, InstallCrdsArgs, PortalArgs, PortalCli, PortalCommand, source,
        },
    },
    commands::{check, migrate, policy, rbac},
    exit::{Exit, Failure},
    families, languages,
    output::print,
    runtime,
};

/// How the original is called.
pub(crate) const NAME: &str = "portal";

/// Does what was asked for, with the original's exit codes: 1 for whatever fails.
pub(crate) fn run(args: PortalArgs) -> Exit {
    let result = match args.command {
        PortalCommand::Run(args) => run::run(*args),
        PortalCommand::InitCerts(args) => init_certs::run(args),
        PortalCommand::InstallCrds(args) => install_crds(&args),
        PortalCommand::Rbac(args) => rbac::of_run(*args),
        PortalCommand::Webhook(args) => webhook::run(*args),
        PortalCommand::MigrateRules(args) => migrate::rules(args),
        PortalCommand::Lint(args) => policy::lint::run(&args),
        PortalCommand::Test(args) => policy::test::run(args),
        PortalCommand::Apply(args) => apply(args),
        PortalCommand::Explain(args) => explain(args),
        PortalCommand::Diff(args) => policy::diff::run(args),
        PortalCommand::Replay(args) => policy::replay::run(&args),
        PortalCommand::Docgen(args) => docgen::run(&args),
        PortalCommand::Completion(args) => completion(&args),
    };
    result.unwrap_or_else(|failure| {
        let _ = write!(anstream::stderr(), "{}", failure.into_report(NAME));
        Exit::Failure
    })
}

/// Whether the verb serves: then the process log is JSON, as the original writes it.
pub(crate) fn serves(args: &PortalArgs) -> bool {
    matches!(args.command, PortalCommand::Run(_) | PortalCommand::InitCerts(_) | PortalCommand::InstallCrds(_))
}

/// Tells of a command line that makes no sense, as the original does; help and version are no mistakes.
pub(crate) fn refuse(error: &clap::Error) -> Exit {
    use clap::error::ErrorKind::{DisplayHelp, DisplayHelpOnMissingArgumentOrSubcommand, DisplayVersion};
    let text = error.render();
    match error.kind() {
        DisplayHelp | DisplayVersion | DisplayHelpOnMissingArgumentOrSubcommand => {
            let _ = write!(anstream::stdout(), "{}", text.ansi());
            Exit::Fine
        }
        _ => {
            let text = text.to_string();
            let _ = write!(anstream::stderr(), "{NAME}: {}", text.strip_prefix("error: ").unwrap_or(&text));
            Exit::Failure
        }
    }
}

fn apply(args: ApplyArgs) -> Result<Exit, Failure> {
    let ApplyArgs { rules, manifests, options } = args;
    check::run(CheckArgs { manifests, rules: vec![rules], options })
}

fn explain(args: ExplainArgs) -> Result<Exit, Failure> {
    let ExplainArgs { rule, object, options } = args;
    check::explain(CheckArgs { manifests: vec![object], rules: vec![rule], options })
}

fn install_crds(args: &InstallCrdsArgs) -> Result<Exit, Failure> {
    let settings = families::Settings { only_rules: true, ..families::Settings::default() };
    let settings = families::Settings {
        responses: kanon_rules::Responses { reports: vec![kanon_rules::ReportApi::WgPolicy], ..settings.responses },
        ..settings
    };
    let crds = Plane::new(families::all(&languages::all(), &settings), Settings::default()).crds();
    runtime()?.block_on(async {
        let api = Api::connect(&source(&args.kubeconfig)).await?;
        kanon_kube::install_crds(&api, &crds).await
    })?;
    for crd in crds {
        print(&format!("{}\n", crd["metadata"]["name"].as_str().unwrap_or_default()))?;
    }
    Ok(Exit::Fine)
}

fn completion(args: &CompletionArgs) -> Result<Exit, Failure> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut PortalCli::command(), NAME, &mut script);
    print(&String::from_utf8_lossy(&script))?;
    Ok(Exit::Fine)
}
