//! Kubernetes' libraries. Addresses are in `network`: cel-go has the same functions.

pub(super) mod format;
pub(super) mod lists;
pub(super) mod quantity;
pub(super) mod regex;
pub(super) mod semver;
pub(super) mod url;
