//! The command line of `kanon policy`.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use crate::output::Format;

/// `kanon policy`
#[derive(Debug, Args)]
pub(crate) struct PolicyArgs {
    /// What to do.
    #[command(subcommand)]
    pub(crate) command: PolicyCommand,
}

/// The verbs of `kanon policy`.
#[derive(Debug, Subcommand)]
pub(crate) enum PolicyCommand {
    /// List the policies of every family
    List(ListArgs),
    /// Check gate files, and run the unit tests of gates and rules
    Test(TestArgs),
    /// Look for mistakes in rules, and for what is legal in gates and probably not meant
    Lint(LintArgs),
    /// What a change of rules would newly deny or resolve in a cluster
    Diff(DiffArgs),
    /// What rules would have said to recorded requests
    Replay(ReplayArgs),
    /// Ask the gates before an environment under made-up conditions
    Simulate(Box<SimulateArgs>),
}

/// Which cluster.
#[derive(Debug, Args)]
pub(crate) struct ClusterArgs {
    /// Kubeconfig of the cluster [default: the one of `kanon up` if it is there, else as kubectl]
    #[arg(long, value_name = "FILE")]
    pub(crate) kubeconfig: Option<PathBuf>,
    /// Where `kanon up` keeps its kubeconfig
    #[arg(long, value_name = "DIR", env = "KANON_DATA_DIR")]
    pub(crate) data_dir: Option<PathBuf>,
}

/// `kanon policy list`
#[derive(Debug, Args)]
pub(crate) struct ListArgs {
    /// Only policies of this kind, such as `gate`, `portalclusterrule`, `pcp`
    #[arg(long, value_name = "KIND")]
    pub(crate) kind: Option<String>,
    /// Only gates in the namespaces that this Pipeline takes gates from
    #[arg(long, value_name = "NAME")]
    pub(crate) pipeline: Option<String>,
    /// Only policies of this namespace
    #[arg(long, short = 'n', value_name = "NAMESPACE")]
    pub(crate) namespace: Option<String>,
    /// Which cluster.
    #[command(flatten)]
    pub(crate) cluster: ClusterArgs,
    /// Output format
    #[arg(long, short, value_enum, default_value_t)]
    pub(crate) output: Format,
}

const TEST_EXAMPLES: &str = "\
Examples:
  kanon policy test my-gate.yaml
  kanon policy test gates/ --junit report.xml --coverage
  kanon policy test my-gate.yaml --time 'Saturday 3pm' --exit-code

Unit tests of gates stand in `spec.tests` of a gate or in files *.gatetest.yaml beside it, those of rules in
`tests` of a rule or in files *.ruletest.yaml, which name the rules (docs/portal.md).

Exit codes: 0 fine, 1 a policy is invalid, its evaluation failed or a unit test failed, 2 usage,
3 with --exit-code, a gate blocks.";

/// `kanon policy test`
#[derive(Debug, Args)]
#[command(after_help = TEST_EXAMPLES)]
pub(crate) struct TestArgs {
    /// Policies and their tests: files, folders, or `-` for standard input
    #[arg(required = true, value_name = "FILE")]
    pub(crate) files: Vec<PathBuf>,
    /// Conditions of the default evaluation, in the form of a test case
    #[arg(long, value_name = "FILE")]
    pub(crate) context: Option<PathBuf>,
    /// Time of the default evaluation: `Saturday 3pm`, RFC 3339, `+3h`
    #[arg(long, value_name = "TIME")]
    pub(crate) time: Option<String>,
    /// End with 3 when a gate blocks
    #[arg(long)]
    pub(crate) exit_code: bool,
    /// Write the unit tests' outcomes to this file
    #[arg(long, value_name = "FILE")]
    pub(crate) junit: Option<PathBuf>,
    /// Kinds.
    #[command(flatten)]
    pub(crate) shapes: super::ShapeArgs,
    /// Show which operands of && and || the unit tests saw true and false
    #[arg(long)]
    pub(crate) coverage: bool,
    /// Output format
    #[arg(long, short, value_enum, default_value_t)]
    pub(crate) output: Format,
}

/// `kanon policy lint`
#[derive(Debug, Args)]
pub(crate) struct LintArgs {
    /// Rules, gates, and the Pipelines, windows and metrics they go with: files, folders, or `-` for standard input
    #[arg(required = true, value_name = "FILE")]
    pub(crate) files: Vec<PathBuf>,
    /// The manifests go to a Kubernetes cluster, not to `kanon up`: labels must be legal there
    #[arg(long)]
    pub(crate) real_cluster: bool,
    /// Kinds.
    #[command(flatten)]
    pub(crate) shapes: super::ShapeArgs,
    /// Output format
    #[arg(long, short, value_enum, default_value_t)]
    pub(crate) output: Format,
}

const DIFF_EXAMPLES: &str = "\
Examples:
  kanon policy diff rules/
  kanon policy diff --whole rules/ -o json
  kanon policy diff --against rules-before/ -f manifests/ rules/

Every live object of the kinds that rules are about is asked about twice: by the rules as they are, and as they would be. In
admission as if it were created now; in audit as it is.

Exit codes: 0 nothing would newly be denied or violated, 1 failure, 2 usage, 3 something would.";

/// `kanon policy diff`
#[derive(Debug, Args)]
#[command(after_help = DIFF_EXAMPLES)]
pub(crate) struct DiffArgs {
    /// The changed rules: files or folders
    #[arg(required = true, value_name = "RULES")]
    pub(crate) rules: Vec<PathBuf>,
    /// The changed rules are all there will be: those of before that are not among them go
    #[arg(long)]
    pub(crate) whole: bool,
    /// The rules as they are, instead of the cluster's: files or folders; repeatable
    #[arg(long, value_name = "RULES")]
    pub(crate) against: Vec<PathBuf>,
    /// Objects instead of the cluster's: files, folders, or `-` for standard input; repeatable
    #[arg(long = "file", short, value_name = "MANIFEST", requires = "against")]
    pub(crate) files: Vec<PathBuf>,
    /// Look at the cluster's objects: the default
    #[arg(long, conflicts_with = "files")]
    pub(crate) cluster: bool,
    /// Which cluster.
    #[command(flatten)]
    pub(crate) which: ClusterArgs,
    /// Kinds.
    #[command(flatten)]
    pub(crate) shapes: super::ShapeArgs,
    /// Output format
    #[arg(long, short, value_enum, default_value_t)]
    pub(crate) output: Format,
}

const REPLAY_EXAMPLES: &str = "\
Examples:
  kanon policy replay -r rules/ reviews.jsonl
  kanon policy replay -r rules/ --all reviews/ -o json
  kanon policy replay -r rules/ /var/log/kubernetes/audit.log

A recording is a file of AdmissionReviews, or of the API server's audit events at level Request or RequestResponse; JSON lines or
YAML documents, both kinds mixed at will.

Exit codes: 0 nothing would newly be denied, 1 failure, 2 usage, 3 something would.";

/// `kanon policy replay`
#[derive(Debug, Args)]
#[command(after_help = REPLAY_EXAMPLES)]
pub(crate) struct ReplayArgs {
    /// Recordings: files, folders, or `-` for standard input
    #[arg(required = true, value_name = "RECORDING")]
    pub(crate) recordings: Vec<PathBuf>,
    /// Rules: files or folders; repeatable
    #[arg(long, short, required = true, value_name = "PATH")]
    pub(crate) rules: Vec<PathBuf>,
    /// Objects that lookups find: files or folders; repeatable
    #[arg(long, value_name = "PATH")]
    pub(crate) fixtures: Vec<PathBuf>,
    /// Show every request, not only those that rules have something to say about
    #[arg(long)]
    pub(crate) all: bool,
    /// Kinds.
    #[command(flatten)]
    pub(crate) shapes: super::ShapeArgs,
    /// Output format
    #[arg(long, short, value_enum, default_value_t)]
    pub(crate) output: Format,
}

const SIMULATE_EXAMPLES: &str = "\
Examples:
  kanon policy simulate --pipeline my-app --env prod --time 'Saturday 3pm'
  kanon policy simulate --pipeline my-app --env prod --soak-minutes 45 --label hotfix=true
  kanon policy simulate --pipeline my-app --env prod --file candidate.yaml --offline --explain

Exit codes: 0 answered, 1 failure, 2 usage, 3 with --exit-code, a gate blocks.";

/// `kanon policy simulate`
#[derive(Debug, Args)]
#[command(after_help = SIMULATE_EXAMPLES, disable_version_flag = true)]
pub(crate) struct SimulateArgs {
    /// The Pipeline
    #[arg(long, value_name = "NAME")]
    pub(crate) pipeline: String,
    /// The target environment
    #[arg(long, value_name = "NAME")]
    pub(crate) env: String,
    /// Namespace of the Pipeline [default: the first that has it]
    #[arg(long, short = 'n', value_name = "NAMESPACE", default_value = "")]
    pub(crate) namespace: String,
    /// When: `Saturday 3pm`, `Fri 23:30 Europe/Berlin`, RFC 3339, `+3h` [default: now]
    #[arg(long, value_name = "TIME")]
    pub(crate) time: Option<String>,
    /// Minutes since the upstream environment was verified
    #[arg(long, value_name = "MINUTES")]
    pub(crate) soak_minutes: Option<i64>,
    /// Take the context of this Bundle
    #[arg(long, value_name = "NAME", default_value = "")]
    pub(crate) bundle: String,
    /// bundle.provenance.author
    #[arg(long, value_name = "NAME")]
    pub(crate) author: Option<String>,
    /// bundle.version
    #[arg(long, value_name = "VERSION")]
    pub(crate) version: Option<String>,
    /// A label of the Bundle; repeatable
    #[arg(long, value_name = "KEY=VALUE")]
    pub(crate) label: Vec<String>,
    /// A metric's value; repeatable
    #[arg(long, value_name = "NAME=NUMBER")]
    pub(crate) metric: Vec<String>,
    /// Approvals of a stage's pull request; repeatable
    #[arg(long, value_name = "STAGE=COUNT")]
    pub(crate) approve: Vec<String>,
    /// Whether a change window blocks; repeatable
    #[arg(long, value_name = "NAME=BOOL")]
    pub(crate) window: Vec<String>,
    /// Minutes since the Bundle was verified in an environment; repeatable
    #[arg(long, value_name = "ENV=MINUTES")]
    pub(crate) soak: Vec<String>,
    /// Recent successes of an environment; repeatable
    #[arg(long, value_name = "ENV=COUNT")]
    pub(crate) success: Vec<String>,
    /// Recent failures of an environment; repeatable
    #[arg(long, value_name = "ENV=COUNT")]
    pub(crate) failure: Vec<String>,
    /// Further conditions, in the form of a test case
    #[arg(long, value_name = "FILE")]
    pub(crate) context: Option<PathBuf>,
    /// Objects besides those of the cluster, such as a gate that is not there yet; repeatable
    #[arg(long, value_name = "FILE")]
    pub(crate) file: Vec<PathBuf>,
    /// Ask no cluster: only what --file gives is known
    #[arg(long, requires = "file")]
    pub(crate) offline: bool,
    /// Show the value of every sub-expression
    #[arg(long)]
    pub(crate) explain: bool,
    /// End with 3 when a gate blocks
    #[arg(long)]
    pub(crate) exit_code: bool,
    /// Which cluster.
    #[command(flatten)]
    pub(crate) cluster: ClusterArgs,
    /// Output format
    #[arg(long, short, value_enum, default_value_t)]
    pub(crate) output: Format,
}
