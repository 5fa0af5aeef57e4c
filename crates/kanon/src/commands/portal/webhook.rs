//! `portal webhook`: the ValidatingWebhookConfiguration that an administrator installs for a process that may not, or is not to, write one.
//! It asks about what the given rules are about, in the namespaces that the process looks after.

use std::{collections::BTreeMap, path::PathBuf};

use kanon_kube::{Endpoint, Webhook, webhook_manifest};
use kanon_plane::{Plane, Settings};

use super::run as of_run;
use crate::{
    cli::{
        portal::source,
        rbac::{Manifests, WebhookArgs},
    },
    commands::given,
    exit::{Exit, Failure},
    families, languages,
    output::{Format, print_data},
};

/// Prints it; 3 where a rule cannot be in force.
pub(super) fn run(args: WebhookArgs) -> Result<Exit, Failure> {
    let WebhookArgs { given, service, account, ca, output, run: args } = args;
    let ca_pem = match ca {
        Some(file) => std::fs::read_to_string(&file)
            .map_err(|error| Failure::new(format!("--ca: failed to read `{}`: {error}", file.display())))?,
        None => String::new(),
    };
    let namespace = args.install_namespace.clone();
    let settings = of_run::settings(&args, args.sinks.possible(&namespace), None);
    let mut plane = Plane::new(families::all(&languages::all(), &settings), Settings::default());
    let folder = Some(args.rules_folder.as_str()).filter(|it| !it.is_empty()).map(PathBuf::from);
    let (is_complete, kinds) =
        given::load(&mut plane, &given, folder, &source(&args.kubeconfig), &args.within.namespaces())?;
    let own = plane.kinds();
    let plurals: BTreeMap<_, _> = kinds.into_iter().chain(own).map(|it| (it.gvk, it.plural)).collect();
    let webhook = Webhook {
        name: args.installed.webhook_config.clone().filter(|it| !it.is_empty()).unwrap_or_else(|| "portal".to_owned()),
        endpoint: Endpoint::Service { namespace: namespace.clone(), name: service },
        ca_pem,
        fail_closed: args.fail_closed,
        namespaces: args.within.namespaces(),
        own_user: Some(format!("system:serviceaccount:{namespace}:{account}")),
        own_namespace: namespace,
        own_groups: vec![kanon_rules::api::GROUP],
    };
    let manifest = webhook_manifest(&plane.views().admission_rules(), &plurals, &webhook);
    print_data(if output == Manifests::Json { Format::Json } else { Format::Yaml }, &manifest)?;
    Ok(if is_complete { Exit::Fine } else { Exit::Findings })
}
