//! Continue tokens: base64url of `{"v":"meta.k8s.io/v1","rv":N,"start":"<key>\0"}`.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use kanon_store::{Key, Revision};
use serde::{Deserialize, Serialize};

use crate::status::{ApiError, Result};

const VERSION: &str = "meta.k8s.io/v1";

#[derive(Serialize, Deserialize)]
struct Wire {
    v: String,
    rv: i64,
    start: String,
}

/// Where a list goes on.
pub(super) struct Token {
    /// The first page's version.
    pub(super) revision: Revision,
    /// The last key of the page before, below the list's prefix.
    pub(super) after: String,
}

impl Token {
    /// Reads a token; `None` when empty.
    pub(super) fn parse(text: &str) -> Result<Option<Token>> {
        if text.is_empty() {
            return Ok(None);
        }
        let invalid = |problem: String| {
            ApiError::bad_request(format!("invalid continue token: continue key is not valid: {problem}"))
        };
        let bytes = URL_SAFE_NO_PAD.decode(text.trim_end_matches('=')).map_err(|it| invalid(it.to_string()))?;
        let wire: Wire = serde_json::from_slice(&bytes).map_err(|it| invalid(it.to_string()))?;
        if wire.v != VERSION {
            return Err(invalid(format!("server does not recognize this encoded version {:?}", wire.v)));
        }
        let revision = u64::try_from(wire.rv).ok().filter(|it| *it > 0);
        let revision = revision.ok_or_else(|| invalid("incorrect encoded start resourceVersion".to_owned()))?;
        let after = wire.start.strip_suffix('\0').unwrap_or(&wire.start);
        if after.is_empty() {
            return Err(invalid("no start key".to_owned()));
        }
        Ok(Some(Token { revision: Revision(revision), after: after.to_owned() }))
    }
}

/// The token of the page after `last`.
pub(super) fn token(revision: Revision, last: &Key, prefix: &str) -> String {
    let start = last.as_str().strip_prefix(prefix).unwrap_or_default();
    let wire =
        Wire { v: VERSION.to_owned(), rv: i64::try_from(revision.0).unwrap_or(i64::MAX), start: format!("{start}\0") };
    URL_SAFE_NO_PAD.encode(serde_json::to_vec(&wire).unwrap_or_default())
}
