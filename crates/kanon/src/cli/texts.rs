//! The command line of policy texts: `eval`, `fmt`, `lint`.

use std::path::PathBuf;

use clap::{ArgAction, Args, ValueEnum};

use crate::output::Format;

/// A policy language by name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Lang {
    /// expr-lang, as rules use it
    Expr,
    /// Common Expression Language
    Cel,
    /// Rego
    Rego,
}

/// A policy text: on the command line, or in a file.
#[derive(Debug, Args)]
pub(crate) struct TextArgs {
    /// The expression
    #[arg(value_name = "EXPR")]
    pub(crate) expression: Option<String>,
    /// File with the text instead; `-` for standard input
    #[arg(long, short, value_name = "FILE", conflicts_with = "expression")]
    pub(crate) file: Option<PathBuf>,
    /// Language of the text [default: what the file's name ends with (.expr, .cel, .rego), else expr]
    #[arg(long, value_enum)]
    pub(crate) lang: Option<Lang>,
    /// JSON or YAML file whose members are the variables; `-` for standard input
    #[arg(long, value_name = "FILE")]
    pub(crate) context: Option<PathBuf>,
}

const EVAL_EXAMPLES: &str = "\
Examples:
  kanon eval --lang cel '[1, 2, 3].exists(x, x > 2)'
  kanon eval --lang expr --context pod.json 'any(spec.containers, .securityContext?.privileged)'
  kanon eval --lang cel --context gate.yaml --explain '!schedule.isWeekend && metrics.successRate >= 0.995'
  kanon eval --lang cel --context gate.yaml --cost=1000 'names.all(n, n != \"\")'
  kanon eval --file policy.rego --context review.json --query data.policy.allow

With one of --explain, --cost, --reads, --ast, `-o json` prints an object with what was asked for; without them, the value.

Exit codes: 0 there is a value, 1 the text does not compile or its evaluation failed, 2 usage.";

/// `kanon eval`
#[derive(Debug, Args)]
#[command(after_help = EVAL_EXAMPLES)]
pub(crate) struct EvalArgs {
    /// The text and its variables.
    #[command(flatten)]
    pub(crate) text: TextArgs,
    /// Read `{"id","expr","context","check"}` a line from standard input, write `{"id","value"}` or `{"id","error"}`
    #[arg(long, conflicts_with_all = ["expression", "file", "explain", "cost", "reads", "ast", "query", "now"])]
    pub(crate) batch: bool,
    /// Show the value of every part, indented by what it is part of; what decided is marked
    #[arg(long)]
    pub(crate) explain: bool,
    /// Show what the evaluation cost, and what it may cost when every list has SIZE elements
    #[arg(long, value_name = "SIZE", num_args = 0..=1, require_equals = true, default_missing_value = "100")]
    pub(crate) cost: Option<u64>,
    /// Show which variables and paths the text reads; alone or with --ast, nothing is evaluated
    #[arg(long)]
    pub(crate) reads: bool,
    /// Show the syntax tree; alone or with --reads, nothing is evaluated
    #[arg(long)]
    pub(crate) ast: bool,
    /// Give the clock this reading (RFC 3339); without one, reading the clock is an error
    #[arg(long, value_name = "TIME")]
    pub(crate) now: Option<jiff::Timestamp>,
    /// What to ask a Rego module, such as `data.policy.allow` [default: its whole package]
    #[arg(long, value_name = "QUERY")]
    pub(crate) query: Option<String>,
    /// Output format; the value itself is always JSON in a table
    #[arg(long, short, value_enum, default_value_t)]
    pub(crate) output: Format,
}

const FMT_EXAMPLES: &str = "\
Examples:
  kanon fmt policies/                        rewrites every .cel, .expr and .rego file below it that needs it
  kanon fmt --check rule.expr                only says whether it would be rewritten
  echo 'a&&b' | kanon fmt --lang cel -       prints the text in canonical layout

A file holds one text; Rego is laid out as by `opa fmt`. Expressions inside of YAML manifests are left as they are.

Exit codes: 0 all is in canonical layout now, 1 a text does not parse, 2 usage, 3 --check found files to rewrite.";

/// `kanon fmt`
#[derive(Debug, Args)]
#[command(after_help = FMT_EXAMPLES)]
pub(crate) struct FmtArgs {
    /// Files, which are rewritten; folders, with all policy texts below; `-` for standard input to standard output
    #[arg(required = true, value_name = "FILE")]
    pub(crate) files: Vec<PathBuf>,
    /// Language of the texts [default: what a file's name ends with: .expr, .cel, .rego]
    #[arg(long, value_enum)]
    pub(crate) lang: Option<Lang>,
    /// Write nothing; name the files that would be rewritten
    #[arg(long)]
    pub(crate) check: bool,
}

const LINT_EXAMPLES: &str = "\
Examples:
  kanon lint --lang cel --variables object,params 'object.spec.replicas <= params.max'
  kanon lint --lang expr --context pod.json --boolean 'spec.hostNetwork == true'
  kanon lint --file policy.rego -o json

Exit codes: 0 nothing was found, 1 failure, 2 usage, 3 findings: mistakes (the text does not compile) or warnings.";

/// `kanon lint`
#[derive(Debug, Args)]
#[command(after_help = LINT_EXAMPLES)]
pub(crate) struct LintArgs {
    /// The text and its variables.
    #[command(flatten)]
    pub(crate) text: TextArgs,
    /// Names of the variables, where there is no context to take them from
    #[arg(long, value_name = "NAMES", value_delimiter = ',', action = ArgAction::Append, conflicts_with = "context")]
    pub(crate) variables: Vec<String>,
    /// The result must be a boolean, as in rules and gates
    #[arg(long)]
    pub(crate) boolean: bool,
    /// Output format
    #[arg(long, short, value_enum, default_value_t)]
    pub(crate) output: Format,
}
