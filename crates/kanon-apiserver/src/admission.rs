//! Admission.

use kanon_apimachinery::{request::Address, resource::Resource, status::Result};
use kanon_core::{GroupVersionKind, Operation, UserInfo};
use kanon_net::Resolve;
use serde_json::Value;

use crate::core::Core;

/// What admission is asked about, besides the objects.
pub(crate) struct Attributes<'a> {
    pub(crate) operation: Operation,
    pub(crate) resource: &'a Resource,
    pub(crate) address: &'a Address,
    pub(crate) kind: &'a GroupVersionKind,
    pub(crate) options: &'a Value,
    pub(crate) dry_run: bool,
    pub(crate) user: &'a UserInfo,
}

pub(crate) struct Webhooks;

impl Webhooks {
    pub(crate) fn new(_resolve: Option<Resolve>) -> Webhooks {
        Webhooks
    }
}

impl Core {
    pub(crate) async fn mutate(
        &self,
        _attributes: &Attributes<'_>,
        object: Value,
        _old: Option<&Value>,
        _warnings: &mut Vec<String>,
    ) -> Result<Value> {
        Ok(object)
    }

    pub(crate) async fn validate(
        &self,
        _attributes: &Attributes<'_>,
        _object: Option<&Value>,
        _old: Option<&Value>,
        _warnings: &mut Vec<String>,
    ) -> Result<()> {
        Ok(())
    }
}
