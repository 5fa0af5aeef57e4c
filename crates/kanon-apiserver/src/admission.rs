//! Admission webhooks: the HTTP calls. Which webhooks a request has to pass, what they are sent and what their answers mean is
//! `kanon_apimachinery::admission`'s.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
};

use bytes::Bytes;
use futures_util::future::join_all;
use http::{Request, StatusCode, header};
use http_body_util::Full;
use kanon_apimachinery::{
    admission::{Attributes, Call, Hooks, Surroundings, USER_AGENT, http_problem},
    request::Address,
    status::Result,
};
use kanon_net::{CallError, HttpsClient, Resolve, Trust, tls_client_config};
use kanon_store::Key;
use serde_json::Value;
use uuid::Uuid;

use crate::{cached::Cached, core::Core};

/// What the webhooks are compiled from.
const SOURCES: &[&str] = &[
    "admissionregistration.k8s.io/mutatingwebhookconfigurations/",
    "admissionregistration.k8s.io/validatingwebhookconfigurations/",
];
/// Longest answer of a webhook in bytes: an object and its patch fit.
const ANSWER_MAX: usize = 16 << 20;
/// Clients kept, one for each CA bundle.
const CLIENTS_MAX: usize = 64;

/// What is said besides the answer, also when the request fails: warnings for the client, annotations for the audit.
#[derive(Debug, Default)]
pub(crate) struct Warnings {
    list: Mutex<Vec<String>>,
    annotations: Mutex<BTreeMap<String, String>>,
}

impl Warnings {
    pub(crate) fn add(&self, warnings: impl IntoIterator<Item = String>) {
        let mut list = self.list.lock().unwrap_or_else(PoisonError::into_inner);
        for warning in warnings {
            if !list.contains(&warning) {
                list.push(warning);
            }
        }
    }

    pub(crate) fn take(&self) -> Vec<String> {
        std::mem::take(&mut *self.list.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Notes for the audit log.
    pub(crate) fn annotate(&self, annotations: BTreeMap<String, String>) {
        self.annotations.lock().unwrap_or_else(PoisonError::into_inner).extend(annotations);
    }

    pub(crate) fn take_annotations(&self) -> BTreeMap<String, String> {
        std::mem::take(&mut *self.annotations.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// The webhooks of this moment, and connections to them.
pub(crate) struct Webhooks {
    hooks: Cached<Hooks>,
    resolve: Option<Resolve>,
    clients: Mutex<BTreeMap<Option<Bytes>, HttpsClient>>,
}

/// A review on its way to a webhook of any kind.
pub(crate) struct Post<'a> {
    pub(crate) url: String,
    /// What its certificate must be signed by, PEM; the system's authorities when absent.
    pub(crate) ca_bundle: Option<&'a Bytes>,
    pub(crate) timeout: std::time::Duration,
    pub(crate) body: Bytes,
}

impl Webhooks {
    pub(crate) fn new(resolve: Option<Resolve>) -> Webhooks {
        Webhooks { hooks: Cached::new(SOURCES), resolve, clients: Mutex::default() }
    }

    /// The client that believes what a webhook's configuration says.
    fn client(&self, bundle: Option<&Bytes>) -> std::result::Result<HttpsClient, String> {
        let mut clients = self.clients.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(client) = clients.get(&bundle.cloned()) {
            return Ok(client.clone());
        }
        let trust = match bundle {
            Some(pem) => Trust::Bundle(String::from_utf8_lossy(pem).into_owned()),
            None => Trust::System,
        };
        let tls = tls_client_config(&trust, None).map_err(|error| error.to_string())?;
        let client = HttpsClient::new(tls, self.resolve.clone());
        if clients.len() >= CLIENTS_MAX {
            clients.clear();
        }
        clients.insert(bundle.cloned(), client.clone());
        Ok(client)
    }

    async fn call(&self, call: &Call) -> std::result::Result<Bytes, String> {
        let (url, ca_bundle) = (call.url(), call.ca_bundle());
        self.post(Post { url, ca_bundle, timeout: call.timeout(), body: call.body.clone() }).await
    }

    /// Makes a call: the answer's body, or why there is none, in upstream's words where it has some.
    pub(crate) async fn post(&self, post: Post<'_>) -> std::result::Result<Bytes, String> {
        let Post { url, ca_bundle, timeout, body } = post;
        let failed = |why: String| format!("Post {url:?}: {why}");
        let client = self.client(ca_bundle).map_err(&failed)?;
        let request = Request::post(url.as_str())
            .header(header::CONTENT_TYPE, "application/json")
            .header(header::ACCEPT, "application/json")
            .header(header::USER_AGENT, USER_AGENT)
            .body(Full::new(body))
            .map_err(|error| failed(error.to_string()))?;
        let answer = client.call(request, timeout, ANSWER_MAX).await.map_err(|error| {
            failed(match error {
                CallError::Timeout(_) => "context deadline exceeded".to_owned(),
                error @ (CallError::Transport(_) | CallError::TooLong(_)) => error.to_string(),
            })
        })?;
        match answer.status() {
            StatusCode::OK => Ok(answer.into_body()),
            // Redirects are not followed: whoever answers must be whom the configuration trusts.
            status => Err(http_problem(status.as_u16(), answer.body())),
        }
    }
}

impl Core {
    /// All webhooks now.
    pub(crate) fn hooks(&self) -> Arc<Hooks> {
        self.webhooks.hooks.get(&self.storage, |memory| Hooks::from_memory(memory, &*self.cel))
    }

    /// Takes a request through the mutating webhooks: what they made of the object.
    ///
    /// # Errors
    /// The first refusal or failure.
    pub(crate) async fn mutate(
        &self,
        hooks: &Hooks,
        attributes: &Attributes<'_>,
        object: Value,
        old: Option<&Value>,
        warnings: &Warnings,
    ) -> Result<(Value, bool)> {
        if hooks.len().0 == 0 {
            return Ok((object, false));
        }
        // In a place of its own: most clusters have no such webhook, and every write would be as large as a call of one.
        Box::pin(self.mutate_by(hooks, attributes, object, old, warnings)).await
    }

    async fn mutate_by(
        &self,
        hooks: &Hooks,
        attributes: &Attributes<'_>,
        object: Value,
        old: Option<&Value>,
        warnings: &Warnings,
    ) -> Result<(Value, bool)> {
        let registry = self.registry.load_full();
        let namespace = self.namespace_of(attributes.address);
        let rules = self.rules();
        let around = Surroundings { registry: &registry, namespace: namespace.as_ref(), rules: &rules };
        let mut mutation = hooks.mutation(*attributes, around, object, old);
        let passed = self.pass(&mut mutation).await;
        warnings.add(mutation.notes().warnings.clone());
        warnings.annotate(mutation.notes().audit_annotations.clone());
        passed?;
        let mutated = mutation.finish();
        Ok((mutated.object, mutated.changed))
    }

    async fn pass(&self, mutation: &mut kanon_apimachinery::admission::Mutation<'_>) -> Result<()> {
        while let Some(call) = mutation.next(uid)? {
            let result = self.webhooks.call(&call).await;
            mutation.answer(&call, result)?;
        }
        Ok(())
    }

    /// Asks the validating webhooks, all at once.
    ///
    /// # Errors
    /// The first refusal or failure, in the order of webhooks.
    pub(crate) async fn validate(
        &self,
        hooks: &Hooks,
        attributes: &Attributes<'_>,
        object: Option<&Value>,
        old: Option<&Value>,
        warnings: &Warnings,
    ) -> Result<()> {
        if hooks.len().1 == 0 {
            return Ok(());
        }
        Box::pin(self.validate_by(hooks, attributes, object, old, warnings)).await
    }

    async fn validate_by(
        &self,
        hooks: &Hooks,
        attributes: &Attributes<'_>,
        object: Option<&Value>,
        old: Option<&Value>,
        warnings: &Warnings,
    ) -> Result<()> {
        let registry = self.registry.load_full();
        let namespace = self.namespace_of(attributes.address);
        let rules = self.rules();
        let around = Surroundings { registry: &registry, namespace: namespace.as_ref(), rules: &rules };
        let validation = hooks.validation(attributes, &around, object, old, uid)?;
        let results = join_all(validation.calls.iter().map(|call| self.webhooks.call(call))).await;
        let validated = validation.finish(results);
        warnings.add(validated.notes.warnings);
        warnings.annotate(validated.notes.audit_annotations);
        validated.result
    }

    fn namespace_of(&self, address: &Address) -> Option<kanon_core::Object> {
        let key = Key::new("core/namespaces", "", &address.namespace);
        let entry = (!address.namespace.is_empty()).then(|| self.storage.get(&key)).flatten();
        entry.map(|it| it.object.clone())
    }
}

fn uid() -> String {
    Uuid::new_v4().to_string()
}
