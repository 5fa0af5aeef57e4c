//! The command line of the original, `portal`: its verbs, flags and defaults (spec/rules 10). It is what the binary takes when it
//! is called by that name, and as `kanon portal`. Flags with more words than the original has are ours.

use std::path::PathBuf;

use clap::{ArgAction, Args, Parser, Subcommand};

use super::{
    AdmissionArgs, ClientArgs, InstalledArgs, RuleArgs, RuntimeArgs, ShutdownArgs, SinkArgs, SweepArgs, TimingArgs,
    VetArgs,
    check::CheckOptions,
    installed::HEADING,
    migrate::MigrateRulesArgs,
    network::LoopArgs,
    policy::{DiffArgs, LintArgs, ReplayArgs, TestArgs},
    rules::kind,
    switch,
};

/// Rules over Kubernetes objects: admission, audit, network and what follows from violations.
#[derive(Debug, Parser)]
#[command(name = "portal", version = concat!("version ", env!("CARGO_PKG_VERSION")), arg_required_else_help = true)]
pub(crate) struct PortalCli {
    /// What to do.
    #[command(flatten)]
    pub(crate) args: PortalArgs,
    /// Log filter for standard error, such as `debug` or `warn`
    #[arg(long, global = true, env = "KANON_LOG", default_value = "info,kube_client=off", value_name = "FILTER")]
    pub(crate) log_level: String,
}

/// `kanon portal`: the original's command.
#[derive(Debug, Args)]
pub(crate) struct PortalArgs {
    /// What to do.
    #[command(subcommand)]
    pub(crate) command: PortalCommand,
}

/// The verbs of the original, and those of ours that its users would look for there.
#[derive(Debug, Subcommand)]
pub(crate) enum PortalCommand {
    /// Run the admission webhook and the loops against a cluster
    Run(Box<RunArgs>),
    /// Make or adopt the webhook's certificates, before `run`
    InitCerts(InitCertsArgs),
    /// Put the definitions of rules and reports into the cluster, or bring them up to date
    InstallCrds(InstallCrdsArgs),
    /// Print the rights that `run` needs with these flags and rules, as manifests
    Rbac(Box<super::rbac::PortalRbacArgs>),
    /// Print the webhook configuration that an administrator installs for `run` with these flags and rules
    Webhook(Box<super::rbac::WebhookArgs>),
    /// The same as `kanon migrate rules`
    MigrateRules(MigrateRulesArgs),
    /// Look for mistakes in rules: the same as `kanon policy lint`
    Lint(LintArgs),
    /// Run the tests of rules: the same as `kanon policy test`
    Test(TestArgs),
    /// Apply rules to manifests, offline: the same as `kanon check`
    Apply(ApplyArgs),
    /// Show what a rule says about an object, with the value of every sub-expression
    Explain(ExplainArgs),
    /// What a change of rules would newly deny or resolve: the same as `kanon policy diff`
    Diff(DiffArgs),
    /// What rules would have said to recorded requests: the same as `kanon policy replay`
    Replay(ReplayArgs),
    /// Write the reference of this command line as Markdown
    #[command(hide = true)]
    Docgen(DocgenArgs),
    /// Print a completion script for a shell
    Completion(CompletionArgs),
}

/// `portal run`
#[derive(Debug, Args)]
#[command(args_override_self = true)]
pub(crate) struct RunArgs {
    /// Run the admission webhook
    #[arg(long, value_name = "BOOL", default_value_t = true, default_missing_value = "true", num_args = 0..=1,
        require_equals = true, value_parser = switch, action = ArgAction::Set)]
    pub(crate) admission: bool,
    /// Look at stored objects
    #[arg(long, value_name = "BOOL", default_value_t = false, default_missing_value = "true", num_args = 0..=1,
        require_equals = true, value_parser = switch, action = ArgAction::Set)]
    pub(crate) audit: bool,
    /// Folder with rule files, in addition to rules in the cluster
    #[arg(long, value_name = "DIR", default_value = "", hide_default_value = true)]
    pub(crate) rules_folder: String,
    /// Load the rules in the cluster
    #[arg(long, value_name = "BOOL", default_value_t = true, default_missing_value = "true", num_args = 0..=1,
        require_equals = true, value_parser = switch, action = ArgAction::Set)]
    pub(crate) rules_cr: bool,
    /// Kubeconfig of the cluster [default: the pod's service account, or as kubectl]
    #[arg(long, value_name = "FILE", default_value = "", hide_default_value = true)]
    pub(crate) kubeconfig: String,
    /// Address of the webhook
    #[arg(long, value_name = "ADDRESS", default_value = ":8443")]
    pub(crate) listen: String,
    /// Address of metrics and probes
    #[arg(long, value_name = "ADDRESS", default_value = ":9090")]
    pub(crate) metrics_addr: String,
    /// Further name in the webhook's certificate, where it is made here; repeatable
    #[arg(long, value_name = "NAME", value_delimiter = ',')]
    pub(crate) webhook_dns: Vec<String>,
    /// How the webhook is registered: requests are refused when it cannot be asked
    #[arg(long, value_name = "BOOL", default_value_t = true, default_missing_value = "true", num_args = 0..=1,
        require_equals = true, value_parser = switch, action = ArgAction::Set)]
    pub(crate) fail_closed: bool,
    /// Contend for the lease `portal-leader`, so that of several replicas one writes
    #[arg(long, value_name = "BOOL", default_value_t = true, default_missing_value = "true", num_args = 0..=1,
        require_equals = true, value_parser = switch, action = ArgAction::Set)]
    pub(crate) leader_election: bool,
    /// Namespace of this process: holds the lease, and is never asked about
    #[arg(long, value_name = "NAMESPACE", default_value = "portal-system")]
    pub(crate) install_namespace: String,
    /// Kind to watch whatever the rules read, as GROUP/VERSION/KIND (`/v1/ConfigMap`); repeatable
    #[arg(long, value_name = "KIND", value_delimiter = ',')]
    pub(crate) watched_gvk: Vec<String>,
    /// How often verdicts that may change by themselves are asked for again
    #[arg(long, value_name = "TIME", default_value = "10m", value_parser = super::duration)]
    pub(crate) resync_period: std::time::Duration,
    /// Where.
    #[command(flatten)]
    pub(crate) within: super::WithinArgs,
    /// How the audit is spread.
    #[command(flatten)]
    pub(crate) shards: super::ShardArgs,
    /// The first look.
    #[command(flatten)]
    pub(crate) sweep: SweepArgs,
    /// What rules cost.
    #[command(flatten)]
    pub(crate) timing: TimingArgs,
    /// Kinds.
    #[command(flatten)]
    pub(crate) shapes: super::ShapeArgs,
    /// Where the decision log is kept; without it there is none
    #[arg(long, value_name = "DIR", env = "KANON_DATA_DIR")]
    pub(crate) data_dir: Option<PathBuf>,
    /// Actions and sinks.
    #[command(flatten)]
    pub(crate) sinks: SinkArgs,
    /// The network loop.
    #[command(flatten)]
    pub(crate) network: LoopArgs,
    /// The runtime loop.
    #[command(flatten)]
    pub(crate) runtime: RuntimeArgs,
    /// How requests are decided.
    #[command(flatten)]
    pub(crate) decisions: AdmissionArgs,
    /// Rules that are being stored.
    #[command(flatten)]
    pub(crate) vet: VetArgs,
    /// How the process ends.
    #[command(flatten)]
    pub(crate) shutdown: ShutdownArgs,
    /// Folder with `tls.crt` and `tls.key`, read again when they change; made where there are none
    #[arg(long, value_name = "DIR", default_value = "/etc/portal/certs", help_heading = HEADING)]
    pub(crate) cert_dir: String,
    /// Certificates and registration.
    #[command(flatten)]
    pub(crate) installed: InstalledArgs,
    /// Calls of the API server.
    #[command(flatten)]
    pub(crate) client: ClientArgs,
}

impl RunArgs {
    /// The rules' loops; kinds that are none are passed over, each with a warning.
    pub(crate) fn rules(&self) -> RuleArgs {
        let mut watched_gvk = Vec::new();
        for text in self.watched_gvk.iter().map(|it| it.trim()).filter(|it| !it.is_empty()) {
            match kind(text) {
                Ok(kind) => watched_gvk.push(kind),
                Err(problem) => tracing::warn!(problem, "--watched-gvk is ignored"),
            }
        }
        RuleArgs { watched_gvk, cache_whole_objects: false, resync_period: self.resync_period }
    }
}

/// `portal init-certs`
#[derive(Debug, Args)]
#[command(args_override_self = true)]
pub(crate) struct InitCertsArgs {
    /// Namespace of the Secret and the Service
    #[arg(long, value_name = "NAMESPACE", default_value = "portal-system")]
    pub(crate) namespace: String,
    /// The Secret that holds the certificates
    #[arg(long, value_name = "NAME", default_value = "portal-webhook-cert")]
    pub(crate) secret: String,
    /// The ValidatingWebhookConfiguration that is told the authority
    #[arg(long, value_name = "NAME", default_value = "portal")]
    pub(crate) webhook_config: String,
    /// The Service through which the webhook is reached
    #[arg(long, value_name = "NAME", default_value = "portal")]
    pub(crate) service: String,
    /// Folder that the certificates are written to
    #[arg(long, value_name = "DIR", default_value = "/etc/portal/certs")]
    pub(crate) cert_dir: String,
    /// Further name in the certificate; repeatable
    #[arg(long, value_name = "NAME", value_delimiter = ',')]
    pub(crate) dns: Vec<String>,
    /// Kubeconfig of the cluster [default: the pod's service account, or as kubectl]
    #[arg(long, value_name = "FILE", default_value = "", hide_default_value = true)]
    pub(crate) kubeconfig: String,
}

/// `portal install-crds`
#[derive(Debug, Args)]
pub(crate) struct InstallCrdsArgs {
    /// Kubeconfig of the cluster [default: the pod's service account, or as kubectl]
    #[arg(long, value_name = "FILE", default_value = "", hide_default_value = true)]
    pub(crate) kubeconfig: String,
}

/// `portal apply`
#[derive(Debug, Args)]
pub(crate) struct ApplyArgs {
    /// Rules: a file or a folder
    #[arg(value_name = "RULES")]
    pub(crate) rules: PathBuf,
    /// Manifests: files, folders, or `-` for standard input
    #[arg(required = true, value_name = "MANIFEST")]
    pub(crate) manifests: Vec<PathBuf>,
    /// How.
    #[command(flatten)]
    pub(crate) options: CheckOptions,
}

/// `portal explain`
#[derive(Debug, Args)]
pub(crate) struct ExplainArgs {
    /// The rule's file
    #[arg(value_name = "RULE")]
    pub(crate) rule: PathBuf,
    /// The object's file, or `-` for standard input
    #[arg(value_name = "OBJECT")]
    pub(crate) object: PathBuf,
    /// How.
    #[command(flatten)]
    pub(crate) options: CheckOptions,
}

/// `portal docgen`
#[derive(Debug, Args)]
pub(crate) struct DocgenArgs {
    /// One file with everything [default: standard output]
    #[arg(long, value_name = "FILE", conflicts_with = "dir")]
    pub(crate) out: Option<PathBuf>,
    /// A folder with a file for each verb
    #[arg(long, value_name = "DIR")]
    pub(crate) dir: Option<PathBuf>,
}

/// `portal completion`
#[derive(Debug, Args)]
pub(crate) struct CompletionArgs {
    /// The shell
    #[arg(value_enum)]
    pub(crate) shell: clap_complete::Shell,
}

/// A cluster as the original names it: an empty text is none.
pub(crate) fn source(kubeconfig: &str) -> kanon_kube::Source {
    match kubeconfig {
        "" => kanon_kube::Source::Infer,
        path => kanon_kube::Source::File(path.into()),
    }
}
