//! Flags of a webhook whose certificates and configuration an installer brought, such as a chart.

use std::path::PathBuf;

use clap::Args;
use kanon_kube::SecretName;

use crate::control::Installed;

/// The heading of these flags.
pub(super) const HEADING: &str = "Certificates and registration by an installer";

/// Certificates and registration by an installer.
#[derive(Debug, Args)]
#[command(next_help_heading = HEADING)]
pub(crate) struct InstalledArgs {
    /// Secret that the replicas share: the leader renews its certificates, all write them into --cert-dir
    #[arg(long, value_name = "NAME", requires = "cert_dir")]
    pub(crate) cert_secret: Option<String>,
    /// ValidatingWebhookConfiguration whose rules are kept in step with the rules in force
    #[arg(long, value_name = "NAME", requires = "cert_dir")]
    pub(crate) webhook_config: Option<String>,
}

impl InstalledArgs {
    /// What was set up; `namespace` is that of the Secret.
    pub(crate) fn setup(&self, folder: PathBuf, namespace: &str) -> Installed {
        let named = |it: &Option<String>| it.clone().filter(|it| !it.is_empty());
        let secret = named(&self.cert_secret).map(|name| SecretName { namespace: namespace.to_owned(), name });
        Installed { folder, secret, configuration: named(&self.webhook_config) }
    }
}
