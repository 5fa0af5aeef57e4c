//! What all requests and controllers share, and the writes that the server makes by itself.

use std::{net::IpAddr, sync::Arc};

use arc_swap::ArcSwap;
use kanon_apimachinery::{
    lifecycle::{self, Service},
    rbac::Rules,
    resource::Registry,
    status::{ApiError, Result},
};
use kanon_core::{GroupVersionKind, Now};
use kanon_lang::Language;
use kanon_net::CancellationToken;
use kanon_store::{Change, Draft, Expect, Write};
use serde_json::Value;
use uuid::Uuid;

use crate::{
    access::StaticTokens,
    admission::Webhooks,
    audit::Auditor,
    cached::Cached,
    controllers::crd::Served,
    handlers::Documents,
    inflight::{Gate, RequestLimits},
    metrics::Metrics,
    numbers::Numbers,
    quotas::Quotas,
    storage::{Storage, WriteError},
    tokens::Signer,
};

/// A clock, given from outside so that tests can hold it.
pub type Clock = Arc<dyn Fn() -> Now + Send + Sync>;

/// What all requests and controllers share.
pub(crate) struct Core {
    pub(crate) storage: Storage,
    /// All resources at this moment; the CRD controller swaps it.
    pub(crate) registry: ArcSwap<Registry>,
    /// The built-in ones.
    pub(crate) builtin: Registry,
    pub(crate) clock: Clock,
    pub(crate) cel: Arc<dyn Language>,
    pub(crate) tokens: StaticTokens,
    pub(crate) webhooks: Webhooks,
    pub(crate) rules: Cached<Rules>,
    pub(crate) served: Served,
    pub(crate) documents: Documents,
    pub(crate) signer: Signer,
    pub(crate) metrics: Metrics,
    /// What services were given.
    pub(crate) numbers: Numbers,
    /// What is used of quotas.
    pub(crate) quotas: Quotas,
    pub(crate) audit: Arc<Auditor>,
    pub(crate) inflight: Gate,
    pub(crate) limits: RequestLimits,
    pub(crate) authority_pem: String,
    /// Where the server listens.
    pub(crate) url: String,
    pub(crate) shutdown: CancellationToken,
}

impl Core {
    pub(crate) fn now(&self) -> Now {
        (self.clock)()
    }

    /// Writes what a new cluster begins with, in one commit; what is there already stays as it is. `service` is the address of the
    /// API's own service.
    ///
    /// # Errors
    /// The disk failed.
    pub(crate) async fn bootstrap(&self, service: IpAddr, port: u16) -> Result<()> {
        let service = Service { cluster_ip: service.to_string(), port };
        let objects = lifecycle::bootstrap(self.now().wall, &service, &mut || Uuid::new_v4().to_string());
        let mut writes = Vec::with_capacity(objects.len());
        for object in &objects {
            let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
            let gvk = GroupVersionKind::from_api_version(&text(&object["apiVersion"]), &text(&object["kind"]));
            let resource = self.builtin.by_kind(&gvk).ok_or_else(ApiError::no_such_path)?;
            let metadata = &object["metadata"];
            let key = resource.key(&text(&metadata["namespace"]), &text(&metadata["name"]));
            if self.storage.get(&key).is_none() {
                let draft = Draft::new(object).map_err(ApiError::internal)?;
                writes.push(Write { key, expect: Expect::Absent, change: Change::Put(draft) });
            }
        }
        for outcome in self.storage.write_all(writes).await {
            match outcome {
                Ok(_) | Err(WriteError::Rejected(_)) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }
}

impl From<WriteError> for ApiError {
    fn from(error: WriteError) -> ApiError {
        match error {
            WriteError::Rejected(_) => ApiError::internal("the object changed while it was written"),
            WriteError::Failed(problem) => {
                ApiError::internal(format!("the write could not be made durable: {problem}"))
            }
        }
    }
}
