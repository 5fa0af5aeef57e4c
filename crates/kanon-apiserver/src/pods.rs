//! New pods on their way to admission. What they get is `kanon_apimachinery::pods`'s.

use std::time::Duration;

use kanon_apimachinery::{
    pods,
    status::Result,
    write::{Context, Prepared},
};
use kanon_core::Operation;
use serde_json::Value;

use crate::{core::Core, ids};

/// How often, and how far apart, the account of a namespace that was just made is looked for (upstream: for a second or two).
const LOOKS: usize = 15;
const PAUSE: Duration = Duration::from_millis(100);

impl Core {
    /// Completes a pod that is about to be made; nothing for other writes.
    ///
    /// # Errors
    /// 403 without what it needs.
    pub(crate) async fn complete_pod(&self, ctx: &Context<'_>, prepared: &Prepared, object: &mut Value) -> Result<()> {
        if prepared.operation != Operation::Create || !ctx.resource.is_core("Pod") {
            return Ok(());
        }
        let namespace = ctx.address.object_namespace();
        for _ in 0..LOOKS {
            if !self.storage.read(|memory| pods::is_early(memory, namespace, object)) {
                break;
            }
            tokio::time::sleep(PAUSE).await;
        }
        let suffix = ids::stamp().suffix;
        self.storage.read(|memory| pods::complete(memory, namespace, object, &suffix))
    }
}
