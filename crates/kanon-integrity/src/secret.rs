//! Credentials that cannot be printed: no `Display`, no `Serialize`, and a `Debug` that says nothing.

use std::{fmt, sync::Arc};

/// What stands wherever a credential would.
pub const REDACTED: &str = "<redacted>";

/// A credential.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Arc<str>);

impl Secret {
    /// Takes a credential in.
    pub fn new(text: &str) -> Secret {
        Secret(text.into())
    }

    /// The credential itself: for the request that needs it, never for a message.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(REDACTED)
    }
}

/// Where an integration's credential is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Endpoint {
    /// Set to the empty string: switched off, whatever a lower layer says.
    Off,
    /// In a Secret of the policy's namespace, written `secret:<name>/<key>`.
    Reference {
        /// The Secret's name.
        name: String,
        /// The key in it.
        key: String,
    },
    /// In the text itself.
    Inline(Secret),
}

/// Whose credential, for its own rules.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Integration {
    Slack,
    PagerDuty,
}

impl Integration {
    /// Longest text (1.2), in characters.
    fn max_len(self) -> usize {
        match self {
            Integration::Slack => 2048,
            Integration::PagerDuty => 256,
        }
    }

    /// What a valid text looks like.
    pub(crate) fn expected(self) -> &'static str {
        match self {
            Integration::Slack => {
                "must be empty, an `http://` or `https://` URL, or `secret:<name>/<key>`, at most 2048 characters"
            }
            Integration::PagerDuty => "must be empty, a routing key, or `secret:<name>/<key>`, at most 256 characters",
        }
    }

    /// Reads an integration's text; nothing when it is not as [`Integration::expected`] says.
    pub(crate) fn parse(self, text: &str) -> Option<Endpoint> {
        if text.is_empty() {
            return Some(Endpoint::Off);
        }
        if text.chars().count() > self.max_len() {
            return None;
        }
        if let Some(reference) = text.strip_prefix("secret:") {
            let (name, key) = reference.split_once('/')?;
            let name_fits = !name.is_empty()
                && name.bytes().all(|it| it.is_ascii_lowercase() || it.is_ascii_digit() || matches!(it, b'.' | b'-'));
            let fits = name_fits && !key.is_empty();
            return fits.then(|| Endpoint::Reference { name: name.to_owned(), key: key.to_owned() });
        }
        let has_host = |scheme| text.strip_prefix(scheme).is_some_and(|rest: &str| !rest.is_empty());
        let fits = match self {
            Integration::Slack => has_host("http://") || has_host("https://"),
            Integration::PagerDuty => true,
        };
        fits.then(|| Endpoint::Inline(Secret::new(text)))
    }
}

impl Endpoint {
    /// What may be shown: a reference as written, a credential never.
    pub fn shown(&self) -> String {
        match self {
            Endpoint::Off => "off".to_owned(),
            Endpoint::Reference { name, key } => format!("secret:{name}/{key}"),
            Endpoint::Inline(_) => REDACTED.to_owned(),
        }
    }

    /// Whether something can be sent there.
    pub fn is_on(&self) -> bool {
        match self {
            Endpoint::Off => false,
            Endpoint::Reference { .. } | Endpoint::Inline(_) => true,
        }
    }
}
