//! `kanon signals`: the policies of signals, offline. The same two questions that controllers ask.

mod read;
mod show;

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand, ValueEnum};
use kanon_lang::{Language, LanguageId};
use kanon_runtime::Clock;
use kanon_signals::{
    SignalModes, SignalsView, Surface,
    api::{ApprovalInput, ClassificationInput},
    check, surface_of,
};
use serde_json::json;

use crate::{
    exit::{Exit, Failure},
    languages,
    output::{Format, print},
};
use read::PolicyText;

/// `kanon signals`
#[derive(Debug, Args)]
pub(crate) struct SignalsArgs {
    /// What to do.
    #[command(subcommand)]
    command: SignalsCommand,
}

/// The verbs of `kanon signals`.
#[derive(Debug, Subcommand)]
enum SignalsCommand {
    /// Say what a signal is: environment, severity, priority, labels
    Classify(ClassifyArgs),
    /// Say whether a remediation needs approval, and why
    Decide(DecideArgs),
    /// Check policies as they are checked before they come into force
    Lint(LintArgs),
    /// Print a policy of this version: the text to start an own one from
    Default(DefaultArgs),
}

/// `kanon signals classify`
#[derive(Debug, Args)]
struct ClassifyArgs {
    /// The signal: a SignalProcessing object or the policy's input document, YAML or JSON; `-` for standard input
    #[arg(value_name = "FILE")]
    input: PathBuf,
    /// Policy in place of the default: Rego, or a ConfigMap that holds it
    #[arg(long, value_name = "FILE")]
    policy: Option<PathBuf>,
    /// Table of signal modes in place of the default
    #[arg(long, value_name = "FILE")]
    modes: Option<PathBuf>,
    /// Output format; JSON and YAML give the values by rule name
    #[arg(long, short, value_enum, default_value_t)]
    output: Format,
}

/// `kanon signals decide`
#[derive(Debug, Args)]
struct DecideArgs {
    /// The analysis: an AIAnalysis object or the policy's input document, YAML or JSON; `-` for standard input
    #[arg(value_name = "FILE")]
    input: PathBuf,
    /// Policy in place of the default: Rego, or a ConfigMap that holds it
    #[arg(long, value_name = "FILE")]
    policy: Option<PathBuf>,
    /// Confidence from which on an analysis counts as confident; above 0, at most 1
    #[arg(long, value_name = "NUMBER")]
    confidence_threshold: Option<f64>,
    /// Output format; JSON and YAML give the values by rule name
    #[arg(long, short, value_enum, default_value_t)]
    output: Format,
}

/// `kanon signals lint`
#[derive(Debug, Args)]
struct LintArgs {
    /// Policies: Rego, or ConfigMaps that hold them; `-` for standard input
    #[arg(required = true, value_name = "FILE")]
    policies: Vec<PathBuf>,
    /// Output format
    #[arg(long, short, value_enum, default_value_t)]
    output: Format,
}

/// `kanon signals default`
#[derive(Debug, Args)]
struct DefaultArgs {
    /// Which
    #[arg(value_enum)]
    which: Which,
}

/// A policy of this version.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Which {
    /// The classification policy
    Classification,
    /// The approval policy
    Approval,
    /// The table of signal modes
    Modes,
}

/// Runs the verb.
pub(crate) fn run(args: SignalsArgs) -> Result<Exit, Failure> {
    let language = languages::all()[&LanguageId::REGO].clone();
    match args.command {
        SignalsCommand::Classify(args) => classify(&args, &*language),
        SignalsCommand::Decide(args) => decide(&args, &*language),
        SignalsCommand::Lint(args) => lint(&args, &*language),
        SignalsCommand::Default(args) => {
            print(match args.which {
                Which::Classification => kanon_signals::CLASSIFICATION_POLICY,
                Which::Approval => kanon_signals::APPROVAL_POLICY,
                Which::Modes => kanon_signals::SIGNAL_MODES,
            })?;
            Ok(Exit::Fine)
        }
    }
}

/// Ends with 1 when a rule has no value.
fn classify(args: &ClassifyArgs, language: &dyn Language) -> Result<Exit, Failure> {
    let now = Clock::start().now();
    let named = |error: &dyn std::fmt::Display| read::failure(&args.input, error);
    let document = read::document(&args.input)?;
    let input = ClassificationInput::read(&document).map_err(|error| named(&error))?;
    warn_of(&ClassificationInput::unknown_members(&document), &args.input)?;
    let mut view = view(Surface::Classification, args.policy.as_deref(), language)?;
    if let Some(path) = &args.modes {
        let modes = SignalModes::parse(&read::text(path)?).map_err(|error| read::failure(path, &error))?;
        view = view.with_modes(modes, &path.display().to_string());
    }
    let classification = view.classify(&input, now);
    let mode = (!input.signal.name.is_empty()).then(|| view.modes.modes.of(&input.signal.name));
    show::classification(&classification, mode.as_ref(), &view, args.output)?;
    Ok(if classification.failures().is_empty() { Exit::Fine } else { Exit::Failure })
}

/// Ends with 1 when the policy could not be asked; the decision is printed all the same.
fn decide(args: &DecideArgs, language: &dyn Language) -> Result<Exit, Failure> {
    let now = Clock::start().now();
    let mut document = read::document(&args.input)?;
    if let (Some(threshold), Some(members)) = (args.confidence_threshold, document.as_object_mut()) {
        members.insert("confidence_threshold".to_owned(), json!(threshold));
    }
    let input = ApprovalInput::read(&document).map_err(|error| read::failure(&args.input, &error))?;
    warn_of(&ApprovalInput::unknown_members(&document), &args.input)?;
    let view = view(Surface::Approval, args.policy.as_deref(), language)?;
    let approval = view.decide(&input, now);
    show::approval(&approval, &view, args.output)?;
    Ok(if approval.degraded { Exit::Failure } else { Exit::Fine })
}

fn warn_of(problems: &[String], input: &Path) -> Result<(), Failure> {
    problems.iter().try_for_each(|it| show::warn(&format!("`{}`: {it}", input.display())))
}

/// The policies of this version, or the file in place of one. What keeps a file from coming into force is told on standard
/// error; it is asked all the same, if it compiles.
fn view(surface: Surface, policy: Option<&Path>, language: &dyn Language) -> Result<SignalsView, Failure> {
    let view = SignalsView::built_in(language);
    let Some(path) = policy else { return Ok(view) };
    let now = Clock::start().now();
    let name = path.display().to_string();
    let read = PolicyText::read(path, Some(surface));
    let text = match &read {
        Ok(it) => Ok(it.text.as_bytes()),
        Err(failure) => Err(failure.message.clone()),
    };
    let view = view.with_policy(language, surface, &name, text, now);
    if let Ok(it) = &read {
        let tests = it.tests.as_deref().map(str::as_bytes);
        for problem in check(language, surface, it.text.as_bytes(), tests, now).problems {
            show::warn(&format!("`{name}` would not come into force: {problem}"))?;
        }
    }
    Ok(view)
}

/// Ends with 3 when a policy may not come into force.
fn lint(args: &LintArgs, language: &dyn Language) -> Result<Exit, Failure> {
    let now = Clock::start().now();
    let mut findings = Vec::new();
    for path in &args.policies {
        let found = PolicyText::read(path, None)?;
        let surface = found.surface.or_else(|| surface_of(language, &found.text)).or_else(|| by_name(path));
        // A text that does not parse has the same mistakes on either surface.
        let surface = surface.unwrap_or(Surface::Classification);
        let tests = found.tests.as_deref().map(str::as_bytes);
        findings.push((path.clone(), surface, check(language, surface, found.text.as_bytes(), tests, now)));
    }
    show::findings(&findings, args.output)?;
    let broken = findings.iter().any(|(_, _, it)| !it.problems.is_empty());
    Ok(if broken { Exit::Findings } else { Exit::Fine })
}

/// Which policy a file is by its name: for those that do not parse.
fn by_name(path: &Path) -> Option<Surface> {
    let name = path.file_name()?.to_str()?;
    let surfaces = [Surface::Classification, Surface::Approval];
    surfaces.into_iter().find(|it| name == it.key() || name.starts_with(it.as_str()))
}
