//! Certificates that stand in a folder, and a webhook configuration that an installer brought: what a chart sets up (spec/rules
//! 4.7, 4.8). Whoever puts the files there, they are shown as they are and read again when they change: a mounted Secret, an init
//! container, cert-manager. A folder without any gets material of its own.
//!
//! With a Secret named, the leader renews what is in it, and every replica writes it into its folder. With a configuration named,
//! the leader keeps its rules in step with the rules in force, and its authorities with the Secret.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use jiff::Timestamp;
use kanon_kube::{Adoption, Api, Error, SecretName, adopt_webhook, read_material, renew_material};
use kanon_net::{CancellationToken, Due, Leaf, Material, Renewal, ServerCertificate, read_leaf};
use kanon_plane::AdmissionRule;
use kanon_runtime::Shared;
use tokio::task::JoinSet;

use crate::exit::Failure;

/// How often the folder is read: kubelets write mounted Secrets within a minute or two, so this is soon.
const FOLDER_LOOK: Duration = Duration::from_secs(5);
/// How often the Secret is read while nothing is under way, and while something is.
const SECRET_LOOK: Duration = Duration::from_secs(600);
const SECRET_LOOK_SOON: Duration = Duration::from_secs(5);
/// Pause before a call that failed is tried again.
const RETRY: Duration = Duration::from_secs(5);
/// How often the configuration is looked at though nothing changed here: an upgrade of the chart may have written it.
const CONFIGURATION_LOOK: Duration = Duration::from_secs(600);

/// What the installer set up.
#[derive(Clone, Debug)]
pub(crate) struct Installed {
    /// Folder with `tls.crt` and `tls.key`.
    pub(crate) folder: PathBuf,
    /// The Secret that replicas share, where this process is to renew it.
    pub(crate) secret: Option<SecretName>,
    /// The ValidatingWebhookConfiguration whose rules follow the rules in force; others are left alone.
    pub(crate) configuration: Option<String>,
}

/// Certificates of a folder, in use.
pub(super) struct FolderCertificates {
    installed: Installed,
    /// What the listener shows.
    pub(super) server: Arc<ServerCertificate>,
    /// The certificate that it shows, PEM.
    shown: String,
}

impl FolderCertificates {
    /// Reads the folder; makes material for these names where it has none.
    pub(super) fn load(installed: Installed, names: &[String], now: Timestamp) -> Result<FolderCertificates, Failure> {
        let folder = &installed.folder;
        let leaf = match read_leaf(folder)? {
            Some(leaf) => leaf,
            None => {
                let names: Vec<_> = names.iter().map(String::as_str).collect();
                let made = Material::generate(&names, now)?;
                made.save(folder)?;
                tracing::info!(folder = %folder.display(), "there were no certificates: some were made");
                made.leaf().clone()
            }
        };
        let server = ServerCertificate::new(&leaf)?;
        Ok(FolderCertificates { installed, server, shown: leaf.certificate_pem().to_owned() })
    }

    /// Starts what keeps certificates and configuration current.
    pub(super) fn follow(self, tasks: &mut JoinSet<()>, api: &Api, shared: &Arc<Shared>, stop: &CancellationToken) {
        let Installed { folder, secret, configuration } = self.installed.clone();
        if let Some(secret) = secret {
            let follower = SecretFollower {
                api: api.clone(),
                secret,
                folder,
                configuration: configuration.clone(),
                shared: Arc::clone(shared),
            };
            tasks.spawn(follower.run(stop.clone()));
        }
        if let Some(name) = configuration {
            tasks.spawn(keep_rules(api.clone(), name, Arc::clone(shared), stop.clone()));
        }
        tasks.spawn(self.reload(stop.clone()));
    }

    async fn reload(mut self, stop: CancellationToken) {
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep(FOLDER_LOOK) => {}
            }
            match read_leaf(&self.installed.folder) {
                Ok(Some(leaf)) if leaf.certificate_pem() != self.shown => self.show(&leaf),
                Ok(_) => {}
                // Files that change one after the other do not fit for a moment; what lasts is said again and again.
                Err(error) => tracing::warn!(%error, "the certificates cannot be read: the last good ones are shown"),
            }
        }
    }

    fn show(&mut self, leaf: &Leaf) {
        match self.server.replace(leaf) {
            Ok(()) => {
                leaf.certificate_pem().clone_into(&mut self.shown);
                tracing::info!(until = %leaf.validity().not_after, "new certificates are shown");
            }
            Err(error) => tracing::warn!(%error, "the new certificates cannot be used: the last good ones are shown"),
        }
    }
}

/// Renews the Secret where we lead, and writes it into the folder.
struct SecretFollower {
    api: Api,
    secret: SecretName,
    folder: PathBuf,
    configuration: Option<String>,
    shared: Arc<Shared>,
}

impl SecretFollower {
    async fn run(self, stop: CancellationToken) {
        let mut published = self.shared.published.subscribe();
        loop {
            let led = self.leads();
            let pause = match self.look(led, Timestamp::now()).await {
                Ok(pause) => pause,
                Err(error) => {
                    tracing::warn!(%error, secret = self.secret.name, "the Secret of the certificates cannot be followed");
                    RETRY
                }
            };
            let mut sleep = std::pin::pin!(tokio::time::sleep(pause));
            loop {
                tokio::select! {
                    () = stop.cancelled() => return,
                    () = &mut sleep => break,
                    // Whoever begins to lead has work at once.
                    _ = published.changed() => if self.leads() != led { break },
                }
            }
        }
    }

    fn leads(&self) -> bool {
        self.shared.leads()
    }

    async fn look(&self, leads: bool, now: Timestamp) -> Result<Duration, Error> {
        let before = read_material(&self.api, &self.secret).await?;
        // A certificate is shown only after its authority was published.
        if leads && let Some(it) = before.as_ref().filter(|it| it.due(now) != Due::Nothing) {
            self.publish(it).await?;
        }
        let found = if leads { renew_material(&self.api, &self.secret, now).await? } else { before };
        let Some(found) = found else { return Ok(SECRET_LOOK) };
        if leads {
            self.publish(&found).await?;
        }
        save(&self.folder, &found.current).map_err(|error| Error::Answer(error.to_string()))?;
        let soon = found.due(now) == Due::Soon || !leads && found.next.is_some();
        Ok(if soon { SECRET_LOOK_SOON } else { SECRET_LOOK })
    }

    async fn publish(&self, renewal: &Renewal) -> Result<(), Error> {
        let Some(name) = &self.configuration else { return Ok(()) };
        let authorities_pem = Some(renewal.current.authorities_pem().to_owned());
        adopt_webhook(&self.api, name, &Adoption { authorities_pem, rules: None }).await.map(|_| ())
    }
}

/// Writes material that the folder does not hold yet.
fn save(folder: &Path, material: &Material) -> Result<(), kanon_net::Error> {
    let is_known =
        matches!(read_leaf(folder), Ok(Some(leaf)) if leaf.certificate_pem() == material.leaf().certificate_pem());
    if is_known { Ok(()) } else { material.save(folder) }
}

/// Keeps the configuration's rules in step with the rules in force, where we lead.
async fn keep_rules(api: Api, name: String, shared: Arc<Shared>, stop: CancellationToken) {
    let mut published = shared.published.subscribe();
    let mut known: Option<Vec<AdmissionRule>> = None;
    let mut complained = false;
    loop {
        let rules = shared.views.load().admission_rules();
        let mut pause = CONFIGURATION_LOOK;
        if !shared.leads() {
            known = None;
        } else if known.as_ref() != Some(&rules) {
            let adoption = Adoption { authorities_pem: None, rules: Some(rules.clone()) };
            match adopt_webhook(&api, &name, &adoption).await {
                Ok(_) => {
                    known = Some(rules);
                    complained = false;
                }
                Err(error) => {
                    if !std::mem::replace(&mut complained, true) {
                        tracing::warn!(%error, "the webhook configuration does not follow the rules, trying again");
                    }
                    pause = RETRY;
                }
            }
        }
        tokio::select! {
            () = stop.cancelled() => return,
            _ = published.changed() => {}
            () = tokio::time::sleep(pause) => known = None,
        }
    }
}
