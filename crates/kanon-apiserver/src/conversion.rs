//! Conversion webhooks: objects of custom kinds on their way from and to the store. Kinds without a webhook pass untouched. What is
//! sent and what an answer means is `kanon_apimachinery::conversion`'s.

use std::sync::Arc;

use kanon_apimachinery::{
    conversion::{OBJECTS_MAX, Review},
    resource::Resource,
    status::{ApiError, Result},
};
use kanon_core::Object;
use kanon_store::{Change, Draft, Entry, Key, Revision, Write};
use serde_json::Value;
use uuid::Uuid;

use crate::{admission::Post, core::Core, handlers::write::Refused, storage::WriteError};

impl Core {
    /// The current state of an object in the version of `resource`.
    ///
    /// # Errors
    /// 500 where the webhook fails.
    pub(crate) async fn current(&self, resource: &Resource, key: &Key) -> Result<Option<Arc<Entry>>> {
        self.shown(resource, self.storage.get(key)).await
    }

    /// A state in the version of `resource`.
    ///
    /// # Errors
    /// 500 where the webhook fails.
    pub(crate) async fn shown(&self, resource: &Resource, entry: Option<Arc<Entry>>) -> Result<Option<Arc<Entry>>> {
        let Some(entry) = entry else { return Ok(None) };
        Ok(self.all_shown(resource, vec![entry]).await?.pop())
    }

    /// States in the version of `resource`, in the same order.
    ///
    /// # Errors
    /// 500 where the webhook fails.
    pub(crate) async fn all_shown(&self, resource: &Resource, mut entries: Vec<Arc<Entry>>) -> Result<Vec<Arc<Entry>>> {
        let version = resource.api_version();
        let is_other = |it: &Arc<Entry>| it.object.str_at(&["apiVersion"]) != version;
        if !is_converted(resource) || !entries.iter().any(is_other) {
            return Ok(entries);
        }
        let others: Vec<usize> = (0..entries.len()).filter(|at| is_other(&entries[*at])).collect();
        for some in others.chunks(OBJECTS_MAX) {
            let objects = some.iter().map(|at| entries[*at].object.to_value()).collect();
            let converted = self.convert(resource, &version, objects).await?;
            for (at, value) in some.iter().zip(converted) {
                entries[*at] = Arc::new(Entry { object: Object::from_value(&value), ..Entry::clone(&entries[*at]) });
            }
        }
        Ok(entries)
    }

    /// An object in the version of `resource`.
    ///
    /// # Errors
    /// 500 where the webhook fails.
    pub(crate) async fn value_shown(&self, resource: &Resource, value: Value) -> Result<Value> {
        let version = resource.api_version();
        if !is_converted(resource) || value["apiVersion"] == version.as_str() {
            return Ok(value);
        }
        Ok(self.convert(resource, &version, vec![value]).await?.pop().unwrap_or_default())
    }

    /// Stores what was written in the version of `resource`, in the version that is stored; gives it back in the first.
    pub(crate) async fn store_as(&self, resource: &Resource, write: Write) -> std::result::Result<Arc<Entry>, Refused> {
        if !is_converted(resource) {
            return self.store(write).await;
        }
        let write = self.storable(resource, write).await?;
        let stored = match self.storage.write(write).await {
            Ok(staged) => staged.entry,
            Err(WriteError::Rejected(current)) => return Err(Refused::Moved(self.shown(resource, current).await?)),
            Err(error @ WriteError::Failed(_)) => return Err(Refused::Error(error.into())),
        };
        let shown = self.shown(resource, Some(stored)).await?;
        shown.ok_or_else(|| Refused::Error(ApiError::internal("a stored object is lost")))
    }

    async fn storable(&self, resource: &Resource, write: Write) -> Result<Write> {
        let Write { key, expect, change } = write;
        let change = match change {
            Change::Put(draft) => Change::Put(self.draft(resource, draft).await?),
            Change::Delete(draft) => Change::Delete(self.draft(resource, draft).await?),
        };
        Ok(Write { key, expect, change })
    }

    async fn draft(&self, resource: &Resource, draft: Draft) -> Result<Draft> {
        let stored = resource.storage_api_version();
        let object = draft.with(Revision(0));
        if object.str_at(&["apiVersion"]) == stored {
            return Ok(draft);
        }
        let converted = self.convert(resource, &stored, vec![object.to_value()]).await?.pop().unwrap_or_default();
        Draft::new(&converted).map_err(|error| ApiError::bad_request(error.to_string()))
    }

    async fn convert(&self, resource: &Resource, version: &str, objects: Vec<Value>) -> Result<Vec<Value>> {
        let review = Review::new(resource, version, objects, Uuid::new_v4().to_string())?;
        let Some(converter) = resource.custom().and_then(|it| it.converter.as_deref()) else { return Ok(Vec::new()) };
        let post = Post {
            url: converter.url(),
            ca_bundle: converter.ca_bundle(),
            timeout: converter.timeout(),
            body: review.body(),
        };
        let answer = self.webhooks.post(post).await;
        review.finish(answer)
    }
}

fn is_converted(resource: &Resource) -> bool {
    resource.custom().is_some_and(|it| it.converter.is_some())
}
