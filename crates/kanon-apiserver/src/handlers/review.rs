//! Reviews: questions that are answered and not stored (spec/kubernetes-api.md 4.12).

use kanon_apimachinery::{
    request::Resolved,
    status::{ApiError, Result},
};

use crate::{core::Core, reply::Reply, service::Asked};

pub(super) fn create(_core: &Core, _asked: &Asked, _target: &Resolved) -> Result<Reply> {
    Err(ApiError::no_such_path())
}
