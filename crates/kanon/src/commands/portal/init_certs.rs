//! `portal init-certs`: certificates for the webhook before it starts (spec/rules 4.8). Several replicas may run it at once: one
//! makes the material, all end with the same.

use std::path::Path;

use jiff::Timestamp;
use kanon_kube::{Adoption, Api, Claim, SecretName, adopt_webhook, claim_material};

use crate::{
    cli::portal::{InitCertsArgs, source},
    exit::{Exit, Failure},
    runtime,
};

/// Claims or adopts the Secret, publishes the authority, writes the files.
pub(super) fn run(args: InitCertsArgs) -> Result<Exit, Failure> {
    for (flag, text) in [
        ("--namespace", &args.namespace),
        ("--secret", &args.secret),
        ("--webhook-config", &args.webhook_config),
        ("--service", &args.service),
        ("--cert-dir", &args.cert_dir),
    ] {
        if text.is_empty() {
            return Err(Failure::usage(format!("{flag} is required")));
        }
    }
    runtime()?.block_on(init(args))
}

async fn init(args: InitCertsArgs) -> Result<Exit, Failure> {
    let InitCertsArgs { namespace, secret, webhook_config, service, cert_dir, dns, kubeconfig } = args;
    let api = Api::connect(&source(&kubeconfig)).await?;
    // The first is the one that the API server calls.
    let mut names = vec![format!("{service}.{namespace}.svc"), "localhost".to_owned(), service.clone()];
    names.extend([format!("{service}.{namespace}"), format!("{service}.{namespace}.svc.cluster.local")]);
    names.extend(dns);
    let names: Vec<_> = names.iter().map(String::as_str).collect();
    let secret = SecretName { namespace, name: secret };
    let (material, claim) = claim_material(&api, &secret, &names, Timestamp::now()).await?;
    let authorities_pem = Some(material.authorities_pem().to_owned());
    let told = adopt_webhook(&api, &webhook_config, &Adoption { authorities_pem, rules: None }).await?;
    material.save(Path::new(&cert_dir))?;
    let made = claim == Claim::Made;
    tracing::info!(secret = secret.name, made, webhook_config, told, cert_dir, "certificates are in place");
    Ok(Exit::Fine)
}
