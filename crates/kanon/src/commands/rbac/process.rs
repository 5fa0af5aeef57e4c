//! What the process needs besides what its policies want: the lease, its registration, its certificates, its definitions. Each line here
//! has its call in `control`, `kanon-kube` or `portal init-certs`.

use kanon_plane::{Need, Needs, Plane, Right};

/// A process as far as its rights go.
pub(super) struct Process {
    /// Name of the account and the roles.
    pub(super) name: String,
    /// The namespace it runs in.
    pub(super) namespace: String,
    /// The only namespaces that it looks after; where there are none, all are.
    pub(super) namespaces: Vec<String>,
    /// The leases that it contends for.
    pub(super) leases: Vec<String>,
    /// How it is registered.
    pub(super) webhook: Registration,
    /// The Secret with its certificates.
    pub(super) secret: Option<String>,
    /// Whether it asks about the rights of authors.
    pub(super) authors: bool,
}

/// Who registers the webhook.
pub(crate) enum Registration {
    /// Nobody.
    None,
    /// It itself.
    Own,
    /// An installer, under this name; the process follows it.
    Followed(String),
}

/// The configuration that `kanon serve` writes itself.
const OWN: &str = "kanon";
const WEBHOOKS: (&str, &str) = ("admissionregistration.k8s.io", "validatingwebhookconfigurations");

impl Process {
    /// Adds what it needs.
    pub(super) fn add(&self, needs: &mut Needs, plane: &Plane) {
        let mut add =
            |verbs: &[&'static str], (group, resource): (&str, &str), names: &[String], here: bool, reason: &str| {
                for verb in verbs {
                    let right = Right::new(verb, group, resource);
                    let namespace = here.then(|| self.namespace.clone());
                    needs.rights.insert(Need { right, names: names.to_vec(), namespace, reason: reason.to_owned() });
                }
            };
        if !self.leases.is_empty() {
            let leases = ("coordination.k8s.io", "leases");
            add(&["get", "update"], leases, &self.leases, true, "the lead");
            // The name of what is yet to be created is not known to authorization.
            add(&["create"], leases, &[], true, "the lead");
        }
        match &self.webhook {
            Registration::None => {}
            Registration::Own => {
                add(&["create", "patch"], WEBHOOKS, &[OWN.to_owned()], false, "its registration");
            }
            Registration::Followed(name) => {
                add(
                    &["get", "patch"],
                    WEBHOOKS,
                    std::slice::from_ref(name),
                    false,
                    "rules and authority of the registration",
                );
            }
        }
        if let Some(secret) = &self.secret {
            add(&["get", "update"], ("", "secrets"), std::slice::from_ref(secret), true, "its certificates");
            add(&["create"], ("", "secrets"), &[], true, "its certificates");
        }
        if self.authors {
            let reviews = ("authorization.k8s.io", "subjectaccessreviews");
            add(&["create"], reviews, &[], false, "rights of authors");
        }
        if !self.namespaces.is_empty() {
            // Definitions are an administrator's affair.
            return;
        }
        let names =
            plane.crds().iter().filter_map(|it| it["metadata"]["name"].as_str().map(str::to_owned)).collect::<Vec<_>>();
        let definitions = ("apiextensions.k8s.io", "customresourcedefinitions");
        add(&["get", "create", "patch"], definitions, &names, false, "definitions, kept up to date at every start");
    }
}
