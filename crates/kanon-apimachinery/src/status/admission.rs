//! Failures that admission webhooks cause.

use std::borrow::Cow;

use super::{ApiError, Details};

impl ApiError {
    /// A webhook said no. `code` and `reason` are the webhook's, or 0 and empty.
    pub fn webhook_denied(webhook: &str, code: u16, reason: &str, message: &str, details: Option<Details>) -> ApiError {
        let text = match (message, reason) {
            ("", "") => format!("admission webhook {webhook:?} denied the request without explanation"),
            ("", reason) => format!("admission webhook {webhook:?} denied the request: {reason}"),
            (message, _) => format!("admission webhook {webhook:?} denied the request: {message}"),
        };
        // Codes of success make no failure.
        let code = if (400..600).contains(&code) { code } else { 403 };
        let reason = match (reason, code) {
            ("", 403) => Cow::Borrowed("Forbidden"),
            (reason, _) => Cow::Owned(reason.to_owned()),
        };
        ApiError { code, reason, message: text, details: details.map(Box::new) }
    }

    /// A webhook could not be asked, and its failurePolicy is Fail. `cause` ends the sentence.
    pub fn webhook_failed(webhook: &str, cause: &str) -> ApiError {
        ApiError::internal(format!("failed calling webhook {webhook:?}: {cause}"))
    }

    /// A dry-run request would reach a webhook with side effects.
    pub fn webhook_dry_run(webhook: &str) -> ApiError {
        ApiError::bad_request(format!("admission webhook {webhook:?} does not support dry run"))
    }
}
