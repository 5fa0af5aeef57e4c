//! What the tests share: the language, and a clock to push.
#![allow(dead_code, reason = "each test binary uses a part")]
#![allow(clippy::unwrap_used, reason = "test support: a panic is the report")]

use std::{sync::Arc, time::Duration};

use kanon_core::{Mono, Now};
use kanon_lang::Language;

pub(crate) fn language() -> Arc<dyn Language> {
    Arc::new(kanon_rego::Rego)
}

/// A moment so many seconds after the beginning.
pub(crate) fn now(secs: u64) -> Now {
    let start: jiff::Timestamp = "2026-11-21T09:00:00Z".parse().unwrap();
    Now::new(start + Duration::from_secs(secs), Mono(Duration::from_secs(secs)))
}
