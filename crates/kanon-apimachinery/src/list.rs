//! Lists: which entries (versions, selectors, pages), and their body as pieces of shared bytes (spec/kubernetes-api.md 4.3).
//!
//! Items of built-in kinds carry apiVersion and kind, which upstream leaves out: clients read both, and the stored bytes go
//! out as they are.

mod page;

use std::sync::Arc;

use bytes::Bytes;
use kanon_core::Object;
use kanon_store::{Entry, Key, ListOptions as Range, Memory, Revision};

use crate::{
    negotiate::MetaVersion,
    request::{ListOptions, VersionMatch},
    resource::Resource,
    status::{ApiError, Result},
};
use page::Token;

/// The entries of a list answer.
#[derive(Clone, Debug)]
pub struct Listing {
    /// The objects, as stored, in key order.
    pub entries: Vec<Arc<Entry>>,
    /// The version that the list reports.
    pub revision: Revision,
    /// Token of the next page; empty on the last.
    pub continue_token: String,
    /// How many come after this page; only without selectors.
    pub remaining: Option<usize>,
}

/// Reads a list. It clones pointers and, where there are selectors, looks at labels and fields through the objects' index:
/// the memory's lock is held for moments.
///
/// # Errors
/// 400 for a bad token, 410 when the version is gone, 504 when it lies ahead (a shell may wait up to 3 s and try again).
pub fn read(memory: &Memory, resource: &Resource, namespace: &str, options: &ListOptions) -> Result<Listing> {
    let prefix = resource.list_prefix(namespace);
    let token = Token::parse(&options.continue_token)?;
    if token.is_some() && options.version.is_some_and(|it| it.0 > 0) {
        return Err(ApiError::bad_request("specifying resource version is not allowed when using continue"));
    }
    if let (None, Some(asked)) = (&token, options.version)
        && asked > memory.revision()
    {
        return Err(ApiError::future_revision(asked.0, memory.revision().0));
    }
    let exact = options.version.filter(|_| options.version_match == Some(VersionMatch::Exact));
    let at = token.as_ref().map(|it| it.revision).or(exact);
    if at.is_none()
        && let Some(listing) = single(memory, resource, namespace, options)
    {
        return Ok(listing);
    }
    let after = token.as_ref().map(|it| format!("{prefix}{}", it.after));
    let selects = !options.selection.is_empty();
    // A list of any version comes whole, as from upstream's cache, whose first page has no second.
    let wanted = options.limit.filter(|_| options.version != Some(Revision(0)) || token.is_some());
    let limit = wanted.filter(|_| !selects);
    let range = Range { at, after: after.as_deref(), limit };
    let page = memory.list(&prefix, range).map_err(|_| gone(token.is_some()))?;
    let (mut entries, mut more) = (page.entries, page.more);
    if selects {
        entries.retain(|it| options.selection.matches(resource, &it.object));
        if let Some(limit) = wanted {
            more = entries.len() > limit;
            entries.truncate(limit);
        }
    }
    let last = entries.last().filter(|_| more);
    let continue_token = last.map(|it| page::token(page.revision, &it.key, &prefix)).unwrap_or_default();
    let remaining = (more && !selects).then_some(page.remaining);
    Ok(Listing { entries, revision: page.revision, continue_token, remaining })
}

/// A list of one name is one look-up.
fn single(memory: &Memory, resource: &Resource, namespace: &str, options: &ListOptions) -> Option<Listing> {
    let name = options.selection.fields.name()?;
    if resource.is_namespaced() && namespace.is_empty() {
        return None;
    }
    let key: Key = resource.key(namespace, name);
    let entries = memory.get(&key).into_iter().filter(|it| options.selection.matches(resource, &it.object)).collect();
    Some(Listing { entries, revision: memory.revision(), continue_token: String::new(), remaining: None })
}

fn gone(continued: bool) -> ApiError {
    if continued {
        ApiError::continue_expired()
    } else {
        ApiError::expired("The resourceVersion for the provided list is too old.")
    }
}

impl Listing {
    /// The body as JSON, in pieces.
    pub fn objects(&self, resource: &Resource) -> Vec<Bytes> {
        self.pieces(self.objects_head(resource), |it| resource.served(&it.object).text().clone())
    }

    /// The body as `PartialObjectMetadataList`.
    pub fn partial(&self, version: MetaVersion) -> Vec<Bytes> {
        self.pieces(self.partial_head(version), |it| partial(&it.object, version))
    }

    /// What comes before the items of [`Listing::objects`], for a shell that makes them one by one; [`TAIL`] ends them.
    pub fn objects_head(&self, resource: &Resource) -> Bytes {
        let mut metadata = self.metadata();
        // Upstream keeps lists of custom resources as trees, and sets the member in any case.
        if resource.custom().is_some() && self.continue_token.is_empty() {
            metadata.insert_str(1, r#""continue":"","#);
        }
        head(&resource.list_kind, &resource.api_version(), &metadata)
    }

    /// The same of [`Listing::partial`].
    pub fn partial_head(&self, version: MetaVersion) -> Bytes {
        head("PartialObjectMetadataList", version.api_version(), &self.metadata())
    }

    /// `metadata` of the list, as JSON text.
    pub(crate) fn metadata(&self) -> String {
        let mut text = format!(r#"{{"resourceVersion":"{}""#, self.revision);
        if !self.continue_token.is_empty() {
            // base64url needs no escapes.
            text.push_str(&format!(r#","continue":"{}""#, self.continue_token));
        }
        if let Some(remaining) = self.remaining.filter(|it| *it > 0) {
            text.push_str(&format!(r#","remainingItemCount":{remaining}"#));
        }
        text.push('}');
        text
    }

    fn pieces(&self, head: Bytes, item: impl Fn(&Entry) -> Bytes) -> Vec<Bytes> {
        joined(head, self.entries.iter().map(|it| item(it)))
    }
}

fn head(kind: &str, api_version: &str, metadata: &str) -> Bytes {
    format!(r#"{{"kind":"{kind}","apiVersion":"{api_version}","metadata":{metadata},"items":["#).into()
}

/// Ends the items of a list, and the list.
pub const TAIL: Bytes = Bytes::from_static(b"]}");

/// Pieces of a JSON text: a head that ends in `[`, items, and the end of list and object.
pub(crate) fn joined(head: Bytes, items: impl Iterator<Item = Bytes>) -> Vec<Bytes> {
    const COMMA: Bytes = Bytes::from_static(b",");
    let mut pieces = vec![head];
    for item in items {
        if pieces.len() > 1 {
            pieces.push(COMMA);
        }
        pieces.push(item);
    }
    pieces.push(TAIL);
    pieces
}

/// An object's `PartialObjectMetadata`.
pub fn partial(object: &Object, version: MetaVersion) -> Bytes {
    let metadata = object.at(&["metadata"]).map_or("{}", |it| it.raw());
    let api_version = version.api_version();
    format!(r#"{{"kind":"PartialObjectMetadata","apiVersion":"{api_version}","metadata":{metadata}}}"#).into()
}

#[cfg(test)]
mod tests;
