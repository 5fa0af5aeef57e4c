//! Cluster roles that gather the rules of others (`aggregationRule`).

use kanon_apimachinery::{lifecycle::aggregate, status::Result};

use super::{Next, carry_out};
use crate::core::Core;

/// What wakes it.
pub(super) const ROLES: &str = "rbac.authorization.k8s.io/clusterroles/";

pub(super) async fn reconcile(core: &Core) -> Result<Next> {
    let registry = core.registry.load_full();
    let intents = core.storage.read(|memory| aggregate(&registry, memory));
    carry_out(core, intents).await?;
    Ok(Next::Own)
}
