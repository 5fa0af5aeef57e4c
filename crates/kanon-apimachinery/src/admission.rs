//! Admission webhooks (spec/kubernetes-api.md 4.11), all but the HTTP calls: which ones a request has to pass, what they are sent,
//! and what their answers mean.
//!
//! [`Hooks`] is compiled from the configurations when one changes. A shell asks [`Hooks::mutation`] for one [`Call`] after
//! another, and [`Hooks::validation`] for all at once; it makes the calls and hands back what came of them.

mod answer;
mod authorizer;
mod compile;
mod condition;
mod matching;
mod mutation;
mod refused;
mod review;
mod validation;

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use bytes::Bytes;
use kanon_core::{GroupVersionKind, Object, Operation, UserInfo};
use serde_json::Value;

pub use mutation::{Mutated, Mutation};
pub use refused::http_problem;
pub use validation::{Validated, Validation};

use crate::{
    rbac::Rules,
    request::Address,
    resource::{Registry, Resource},
};
pub(crate) use compile::endpoint;
use condition::Condition;
pub(crate) use condition::validate_conditions;
use matching::Rule;

/// `User-Agent` of calls.
pub const USER_AGENT: &str = "kube-apiserver-admission";

/// What a request is, for every webhook.
#[derive(Clone, Copy, Debug)]
pub struct Attributes<'a> {
    /// What it does: PATCH and apply are Create or Update.
    pub operation: Operation,
    /// The resource addressed, in the version of the request.
    pub resource: &'a Resource,
    /// Which object or subresource of it.
    pub address: &'a Address,
    /// Kind of the object sent (of a subresource its own: `autoscaling/v1 Scale`).
    pub kind: &'a GroupVersionKind,
    /// CreateOptions, UpdateOptions, DeleteOptions, or a CONNECT's own options.
    pub options: &'a Value,
    /// Whether nothing will be stored.
    pub dry_run: bool,
    /// Who asks.
    pub user: &'a UserInfo,
}

/// What matching looks at besides the request.
#[derive(Clone, Copy, Debug)]
pub struct Surroundings<'a> {
    /// For `matchPolicy: Equivalent`: which other versions there are.
    pub registry: &'a Registry,
    /// The request's namespace as stored; none for cluster-wide requests, and where it is not there.
    pub namespace: Option<&'a Object>,
    /// For conditions that ask what the user may do.
    pub rules: &'a Rules,
}

/// All webhooks at one moment, in the order in which they are called. Never changes; swap it when a configuration changes.
#[derive(Clone, Debug, Default)]
pub struct Hooks {
    mutating: Vec<Arc<Hook>>,
    validating: Vec<Arc<Hook>>,
}

/// One webhook of a configuration.
#[derive(Debug)]
pub(crate) struct Hook {
    /// Its full name: the word in messages.
    name: String,
    /// Name of the object it is in.
    configuration: String,
    is_mutating: bool,
    endpoint: Endpoint,
    /// PEM.
    ca_bundle: Option<Bytes>,
    timeout: Duration,
    rules: Vec<Rule>,
    /// `matchPolicy: Exact`.
    is_exact: bool,
    namespaces: matching::Selector,
    objects: matching::Selector,
    conditions: Vec<Condition>,
    on_failure: OnFailure,
    /// `sideEffects` is None or NoneOnDryRun.
    dry_runs: bool,
    /// `reinvocationPolicy: IfNeeded`.
    reinvoke: bool,
    /// `v1` or `v1beta1`: the first of `admissionReviewVersions` that is known here.
    version: &'static str,
}

/// `failurePolicy`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum OnFailure {
    Fail,
    Ignore,
}

/// Where a webhook is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Endpoint {
    /// `clientConfig.url`, as written.
    Url(String),
    /// `clientConfig.service`.
    Service {
        /// Its namespace.
        namespace: String,
        /// Its name.
        name: String,
        /// Path on it, with its slash; empty when not given.
        path: String,
        /// Its port.
        port: u16,
    },
}

impl Endpoint {
    /// The URL, with `?timeout=<n>s`.
    pub(crate) fn url(&self, timeout: Duration) -> String {
        let base = match self {
            Endpoint::Url(url) => url.clone(),
            Endpoint::Service { namespace, name, path, port } => format!("https://{name}.{namespace}.svc:{port}{path}"),
        };
        let separator = if base.contains('?') { '&' } else { '?' };
        format!("{base}{separator}timeout={}s", timeout.as_secs())
    }
}

/// One call to make: `POST` [`Call::url`] with [`Call::body`] as `application/json`.
#[derive(Clone, Debug)]
pub struct Call {
    hook: Arc<Hook>,
    /// The review's uid: the answer has to repeat it.
    uid: String,
    /// The AdmissionReview.
    pub body: Bytes,
}

impl Call {
    /// The webhook's name, for records and metrics.
    pub fn webhook(&self) -> &str {
        &self.hook.name
    }

    /// Name of the configuration it is in.
    pub fn configuration(&self) -> &str {
        &self.hook.configuration
    }

    /// Where it is. A shell that knows the service's address connects there, with `<name>.<namespace>.svc` as the TLS name.
    pub fn endpoint(&self) -> &Endpoint {
        &self.hook.endpoint
    }

    /// What its certificate must be signed by, PEM; the system's authorities when absent.
    pub fn ca_bundle(&self) -> Option<&Bytes> {
        self.hook.ca_bundle.as_ref()
    }

    /// How long the call may take.
    pub fn timeout(&self) -> Duration {
        self.hook.timeout
    }

    /// The URL, with `?timeout=<n>s`.
    pub fn url(&self) -> String {
        self.hook.endpoint.url(self.hook.timeout)
    }
}

/// What webhooks said besides yes and no.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Notes {
    /// For `Warning` headers, in the order of calls. Also there when the request is refused.
    pub warnings: Vec<String>,
    /// `<webhook>/<key>` to value, and what upstream notes of each call.
    pub audit_annotations: BTreeMap<String, String>,
}

impl Hooks {
    /// Whether no webhook is configured: then nothing has to be looked up for a request.
    pub fn is_empty(&self) -> bool {
        self.mutating.is_empty() && self.validating.is_empty()
    }

    /// How many webhooks there are: mutating, validating.
    pub fn len(&self) -> (usize, usize) {
        (self.mutating.len(), self.validating.len())
    }
}

#[cfg(test)]
mod tests;
