//! Tables (spec/kubernetes-api.md 4.10): columns and cells for objects, lists and watch events.

mod custom;

use bytes::Bytes;
use jiff::Timestamp;
use kanon_core::Object;
use serde_json::{Value, json};

use crate::{
    list::{Listing, joined, partial},
    negotiate::MetaVersion,
    request::IncludeObject,
    resource::{BuiltinKind, Origin, Resource},
};

/// What the rows of one answer share.
#[derive(Clone, Copy, Debug)]
pub struct Rows<'a> {
    /// The resource.
    pub resource: &'a Resource,
    /// What goes beside the cells.
    pub include: IncludeObject,
    /// Version of the Table.
    pub version: MetaVersion,
    /// Ages are counted from here.
    pub now: Timestamp,
}

impl Rows<'_> {
    /// The Table of a list.
    pub fn list(&self, listing: &Listing) -> Vec<Bytes> {
        joined(self.list_head(listing), listing.entries.iter().map(|it| self.row(&it.object)))
    }

    /// What comes before the rows of [`Rows::list`], for a shell that makes them one by one; [`crate::list::TAIL`] ends them.
    pub fn list_head(&self, listing: &Listing) -> Bytes {
        self.head(&listing.metadata(), true)
    }

    /// The Table of one object in its stored form.
    pub fn object(&self, object: &Object) -> Bytes {
        self.event(object, true)
    }

    /// The Table of one object; watches send the columns once.
    pub fn event(&self, object: &Object, with_columns: bool) -> Bytes {
        let version = object.str_at(&["metadata", "resourceVersion"]);
        let head = self.head(&format!(r#"{{"resourceVersion":"{version}"}}"#), with_columns);
        joined(head, std::iter::once(self.row(object))).concat().into()
    }

    fn head(&self, metadata: &str, with_columns: bool) -> Bytes {
        let api_version = self.version.api_version();
        let columns = if with_columns { columns(self.resource) } else { Value::Null };
        format!(
            r#"{{"kind":"Table","apiVersion":"{api_version}","metadata":{metadata},"columnDefinitions":{columns},"rows":["#
        )
        .into()
    }

    /// One row.
    pub fn row(&self, object: &Object) -> Bytes {
        let cells = Value::Array(self.cells(object));
        let beside = match self.include {
            IncludeObject::None => return format!(r#"{{"cells":{cells},"object":null}}"#).into(),
            IncludeObject::Metadata => partial(&object.without(&["metadata", "managedFields"]), self.version),
            IncludeObject::Object => self.resource.served(object).text().clone(),
        };
        let mut row = format!(r#"{{"cells":{cells},"object":"#).into_bytes();
        row.extend_from_slice(&beside);
        row.push(b'}');
        row.into()
    }

    fn cells(&self, object: &Object) -> Vec<Value> {
        match &self.resource.origin {
            Origin::Builtin(kind) => kanon_kinds::cells(stored_kind(kind), object, self.now),
            Origin::Custom(custom) => custom::cells(custom, &self.resource.served(object), self.now),
        }
    }
}

/// The column definitions of a resource.
pub fn columns(resource: &Resource) -> Value {
    match &resource.origin {
        Origin::Custom(custom) => custom::columns(custom),
        Origin::Builtin(kind) => kanon_kinds::columns(stored_kind(kind))
            .iter()
            .map(|it| {
                json!({"name": it.name, "type": it.type_, "format": it.format, "description": it.description, "priority": it.priority})
            })
            .collect(),
    }
}

/// The kind whose form is stored: rows of both event APIs are those of the core one, rows of both autoscalers the newer one's.
fn stored_kind(kind: &'static BuiltinKind) -> &'static BuiltinKind {
    let stored = match (kind.gvk.group.as_str(), kind.plural) {
        ("events.k8s.io", "events") => kanon_kinds::find("", "v1", "events"),
        ("autoscaling", "horizontalpodautoscalers") => kanon_kinds::find("autoscaling", "v2", kind.plural),
        _ => None,
    };
    stored.unwrap_or(kind)
}

#[cfg(test)]
mod tests;
