//! From configuration objects to [`Hooks`]. Writes of configurations are validated (`kanon_kinds`), so what cannot be read here is
//! rare; it never lets a request slip through that the webhook would have seen.

use std::{sync::Arc, time::Duration};

use base64::{Engine, engine::general_purpose::STANDARD};
use kanon_lang::Language;
use kanon_store::{ListOptions, Memory};
use serde_json::Value;

use super::{
    Endpoint, Hook, Hooks, OnFailure,
    condition::Condition,
    matching::{Rule, selector},
};

const MUTATING: &str = "admissionregistration.k8s.io/mutatingwebhookconfigurations/";
const VALIDATING: &str = "admissionregistration.k8s.io/validatingwebhookconfigurations/";
/// Seconds, when a webhook does not say (spec 4.11).
const TIMEOUT_DEFAULT: u64 = 10;
/// Seconds, at most.
const TIMEOUT_MAX: u64 = 30;

impl Hooks {
    /// Compiles what is stored. `cel` is the language of matchConditions.
    pub fn from_memory(memory: &Memory, cel: &dyn Language) -> Hooks {
        let list = |prefix: &str| -> Vec<Value> {
            let page = memory.list(prefix, ListOptions::default());
            page.map(|it| it.entries.iter().map(|it| it.object.to_value()).collect()).unwrap_or_default()
        };
        Hooks::compile(&list(MUTATING), &list(VALIDATING), cel)
    }

    /// Compiles configurations. Webhooks are called by name of their configuration, then in its order.
    pub fn compile(mutating: &[Value], validating: &[Value], cel: &dyn Language) -> Hooks {
        Hooks { mutating: hooks(mutating, true, cel), validating: hooks(validating, false, cel) }
    }
}

fn hooks(configurations: &[Value], is_mutating: bool, cel: &dyn Language) -> Vec<Arc<Hook>> {
    let name = |it: &&Value| it["metadata"]["name"].as_str().unwrap_or_default().to_owned();
    let mut sorted: Vec<&Value> = configurations.iter().collect();
    sorted.sort_by_key(name);
    let mut hooks = Vec::new();
    for configuration in sorted {
        for webhook in configuration["webhooks"].as_array().into_iter().flatten() {
            hooks.push(Arc::new(hook(name(&configuration), webhook, is_mutating, cel)));
        }
    }
    hooks
}

fn hook(configuration: String, webhook: &Value, is_mutating: bool, cel: &dyn Language) -> Hook {
    let text = |name: &str| webhook[name].as_str().unwrap_or_default();
    let list = |name: &str| webhook[name].as_array().into_iter().flatten();
    let config = &webhook["clientConfig"];
    let bundle = config["caBundle"].as_str().filter(|it| !it.is_empty());
    Hook {
        name: text("name").to_owned(),
        configuration,
        is_mutating,
        endpoint: endpoint(config),
        // A bundle that is no base64 trusts nobody, rather than everybody.
        ca_bundle: bundle.map(|it| STANDARD.decode(it).unwrap_or_default().into()),
        timeout: Duration::from_secs(
            webhook["timeoutSeconds"].as_u64().unwrap_or(TIMEOUT_DEFAULT).clamp(1, TIMEOUT_MAX),
        ),
        rules: list("rules").map(Rule::from_value).collect(),
        is_exact: text("matchPolicy") == "Exact",
        namespaces: selector(&webhook["namespaceSelector"]),
        objects: selector(&webhook["objectSelector"]),
        conditions: list("matchConditions").map(|it| Condition::compile(it, cel)).collect(),
        on_failure: if text("failurePolicy") == "Ignore" { OnFailure::Ignore } else { OnFailure::Fail },
        dry_runs: matches!(text("sideEffects"), "None" | "NoneOnDryRun"),
        reinvoke: text("reinvocationPolicy") == "IfNeeded",
        version: list("admissionReviewVersions")
            .find_map(|it| ["v1", "v1beta1"].into_iter().find(|known| it == known))
            .unwrap_or("v1"),
    }
}

/// Where a `clientConfig` points.
pub(crate) fn endpoint(config: &Value) -> Endpoint {
    let service = &config["service"];
    let text = |name: &str| service[name].as_str().unwrap_or_default();
    if !service.is_object() {
        return Endpoint::Url(config["url"].as_str().unwrap_or_default().to_owned());
    }
    let path = text("path");
    let slash = if path.is_empty() || path.starts_with('/') { "" } else { "/" };
    Endpoint::Service {
        namespace: text("namespace").to_owned(),
        name: text("name").to_owned(),
        path: format!("{slash}{path}"),
        port: service["port"].as_u64().and_then(|it| u16::try_from(it).ok()).unwrap_or(443),
    }
}
