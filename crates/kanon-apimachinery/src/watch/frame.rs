//! Lines of a watch: `{"type":…,"object":…}` and a line feed.

use bytes::Bytes;
use jiff::Timestamp;
use kanon_core::Object;
use kanon_store::EventKind;

use super::Watcher;
use crate::{list::partial, negotiate::Form, status::ApiError, table};

impl Watcher {
    /// The line of an object in its stored form.
    pub(super) fn frame(&mut self, kind: EventKind, object: &Object, now: Timestamp) -> Bytes {
        match self.form {
            Form::Object => kind.frame(&self.resource.served(object)),
            Form::Partial(version) => line(kind.as_str(), &partial(object, version)),
            Form::Table(version) => {
                let with_columns = !std::mem::replace(&mut self.columns_sent, true);
                let row = table::Rows { resource: &self.resource, include: self.include, version, now };
                line(kind.as_str(), &row.event(object, with_columns))
            }
        }
    }

    /// A bookmark at the present position; `annotated` marks the end of the initial events.
    pub(super) fn bookmark_frame(&mut self, annotated: bool) -> Bytes {
        let (kind, api_version, rest) = match self.form {
            Form::Object => (self.resource.gvk.kind.as_str(), self.resource.api_version(), ""),
            Form::Partial(version) => ("PartialObjectMetadata", version.api_version().to_owned(), ""),
            Form::Table(version) => ("Table", version.api_version().to_owned(), r#","columnDefinitions":[],"rows":[]"#),
        };
        // Typed bookmarks have the member, trees do not.
        let created = if self.form == Form::Object && self.resource.custom().is_some() {
            ""
        } else {
            r#","creationTimestamp":null"#
        };
        let annotations = if annotated { r#","annotations":{"k8s.io/initial-events-end":"true"}"# } else { "" };
        let revision = self.position;
        let object = format!(
            r#"{{"kind":"{kind}","apiVersion":"{api_version}","metadata":{{"resourceVersion":"{revision}"{created}{annotations}}}{rest}}}"#
        );
        line("BOOKMARK", object.as_bytes())
    }
}

/// An ERROR line.
pub(super) fn error(error: &ApiError) -> Bytes {
    line("ERROR", &error.body())
}

fn line(kind: &str, object: &[u8]) -> Bytes {
    let mut line = Vec::with_capacity(object.len() + 40);
    line.extend_from_slice(br#"{"type":""#);
    line.extend_from_slice(kind.as_bytes());
    line.extend_from_slice(br#"","object":"#);
    line.extend_from_slice(object);
    line.extend_from_slice(b"}\n");
    line.into()
}
