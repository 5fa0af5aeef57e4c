//! Flags of a webhook whose certificates and configuration an installer brought, such as a chart.

use std::path::PathBuf;

use clap::Args;
use kanon_kube::SecretName;

use crate::{commands::rbac::Registration, control::Installed};

/// The heading of these flags.
pub(super) const HEADING: &str = "Certificates and registration by an installer";

/// Certificates and registration by an installer.
#[derive(Debug, Args)]
#[command(next_help_heading = HEADING)]
pub(crate) struct InstalledArgs {
    /// Secret that the replicas share: the leader renews its certificates, all write them into --cert-dir
    #[arg(long, value_name = "NAME")]
    pub(crate) cert_secret: Option<String>,
    /// ValidatingWebhookConfiguration whose rules are kept in step with the rules in force
    #[arg(long, value_name = "NAME")]
    pub(crate) webhook_config: Option<String>,
}

impl InstalledArgs {
    /// The first of these flags that is given: they say nothing without --cert-dir.
    pub(crate) fn first(&self) -> Option<&'static str> {
        let secret = self.cert_secret.as_ref().map(|_| "--cert-secret");
        secret.or_else(|| self.webhook_config.as_ref().map(|_| "--webhook-config"))
    }

    /// What was set up; `namespace` is that of the Secret.
    pub(crate) fn setup(&self, folder: PathBuf, namespace: &str) -> Installed {
        let named = |it: &Option<String>| it.clone().filter(|it| !it.is_empty());
        let secret = named(&self.cert_secret).map(|name| SecretName { namespace: namespace.to_owned(), name });
        Installed { folder, secret, configuration: named(&self.webhook_config) }
    }

    /// Who registers the webhook; where only `init-certs` knows the configuration, it has the usual name.
    pub(crate) fn registration(&self, usual: &str) -> Registration {
        match (&self.webhook_config, &self.cert_secret) {
            (Some(name), _) if !name.is_empty() => Registration::Followed(name.clone()),
            (_, Some(secret)) if !secret.is_empty() => Registration::Followed(usual.to_owned()),
            _ => Registration::None,
        }
    }
}
