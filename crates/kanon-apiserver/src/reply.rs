//! An answer on its way out: status, media type, warnings, body; and failures as `Status`.

mod warnings;

use bytes::Bytes;
use http::{
    HeaderValue, Response, StatusCode,
    header::{self, HeaderName},
};
use kanon_apimachinery::{negotiate::Encoding, protobuf, request::RequestInfo, status::ApiError};

use crate::{
    body::{Body, accepts_gzip},
    indent::Indenter,
    yaml,
};

/// An answer before its headers are written.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: StatusCode,
    pub(crate) content_type: &'static str,
    pub(crate) headers: Vec<(HeaderName, HeaderValue)>,
    pub(crate) warnings: Vec<String>,
    pub(crate) body: Body,
    /// The answer as compact JSON, however it is sent: for the audit log.
    pub(crate) json: Option<Bytes>,
}

impl Reply {
    /// An answer in one piece.
    pub(crate) fn new(status: StatusCode, content_type: &'static str, body: impl Into<Bytes>) -> Reply {
        Reply { status, content_type, headers: Vec::new(), warnings: Vec::new(), body: Body::whole(body), json: None }
    }

    /// JSON text, written as the client wants it.
    pub(crate) fn json(status: StatusCode, encoding: Encoding, pretty: bool, text: Bytes) -> Reply {
        let body = match (encoding, pretty) {
            (Encoding::Json, false) => text.clone(),
            (Encoding::Json, true) => indent(&text),
            (Encoding::Yaml, _) => yaml::whole(&text),
            (Encoding::Protobuf, _) => match protobuf::object(&text) {
                Some(body) => body,
                // What has no other form than JSON is better than nothing.
                None => return Reply::new(status, Encoding::Json.content_type(), text),
            },
        };
        let mut reply = Reply::new(status, encoding.content_type(), body);
        reply.json = Some(text);
        reply
    }

    /// Plain text.
    pub(crate) fn text(status: StatusCode, body: impl Into<Bytes>) -> Reply {
        Reply::new(status, "text/plain; charset=utf-8", body)
    }

    /// A failure, in the encoding that the client accepts; unknown paths answer plain text, as upstream does.
    pub(crate) fn failure(error: &ApiError, info: Option<&RequestInfo>) -> Reply {
        if *error == ApiError::no_such_path() {
            return Reply::text(StatusCode::NOT_FOUND, "404 page not found\n");
        }
        let status = StatusCode::from_u16(error.code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let wants_yaml = info.is_some_and(|it| it.accept.starts_with(Encoding::Yaml.content_type()));
        let encoding = if wants_yaml { Encoding::Yaml } else { Encoding::Json };
        let mut reply = Reply::json(status, encoding, info.is_some_and(RequestInfo::is_pretty), error.body());
        if let Some(seconds) = error.details.as_ref().and_then(|it| it.retry_after) {
            reply.headers.push((header::RETRY_AFTER, HeaderValue::from(seconds)));
        }
        reply
    }

    /// The same answer with warnings for the user.
    #[must_use]
    pub(crate) fn warn(mut self, warnings: impl IntoIterator<Item = String>) -> Reply {
        self.warnings.extend(warnings);
        self
    }

    /// The same answer in gzip, where the client takes it and the body is large enough.
    #[must_use]
    pub(crate) fn compressed(mut self, accept_encoding: &str) -> Reply {
        if !accepts_gzip(accept_encoding) {
            return self;
        }
        let (body, compressed) = self.body.gzipped();
        self.body = body;
        if compressed {
            self.headers.push((header::CONTENT_ENCODING, HeaderValue::from_static("gzip")));
            self.headers.push((header::VARY, HeaderValue::from_static("Accept-Encoding")));
        }
        self
    }

    /// The answer as it goes out, with what every answer has.
    pub(crate) fn into_response(self, audit_id: &str) -> Response<Body> {
        let mut response = Response::new(self.body);
        *response.status_mut() = self.status;
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(self.content_type));
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache, private"));
        if let Ok(id) = HeaderValue::from_str(audit_id) {
            headers.insert(HeaderName::from_static("audit-id"), id);
        }
        for (name, value) in self.headers {
            if name == header::VARY {
                headers.append(name, value);
            } else {
                headers.insert(name, value);
            }
        }
        for warning in warnings::values(&self.warnings) {
            if let Ok(value) = HeaderValue::from_str(&warning) {
                headers.append(header::WARNING, value);
            }
        }
        response
    }
}

fn indent(text: &Bytes) -> Bytes {
    let mut out = Vec::with_capacity(text.len() * 3 / 2);
    Indenter::default().push(text, &mut out);
    out.push(b'\n');
    out.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failures_are_status_objects_and_unknown_paths_text() {
        let reply = Reply::failure(&ApiError::too_many_requests("slow down", Some(3)), None).into_response("id");
        assert_eq!(reply.status().as_u16(), 429);
        assert_eq!(reply.headers()["retry-after"], "3");
        assert_eq!(reply.headers()["content-type"], "application/json");
        assert_eq!(reply.headers()["audit-id"], "id");
        let reply = Reply::failure(&ApiError::no_such_path(), None);
        assert_eq!((reply.status.as_u16(), reply.content_type), (404, "text/plain; charset=utf-8"));
    }

    #[test]
    fn the_client_chooses_how_json_is_written() {
        let text = Bytes::from_static(br#"{"a":[1]}"#);
        assert_eq!(indent(&text), "{\n  \"a\": [\n    1\n  ]\n}\n");
        assert_eq!(Reply::json(StatusCode::OK, Encoding::Yaml, false, text).content_type, "application/yaml");
    }
}
