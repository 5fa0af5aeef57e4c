//! Numbers of services: what a write was given is held until its outcome stands in the store. Which numbers, and what is refused,
//! is `kanon_apimachinery::services`'s.

use std::sync::{Mutex, PoisonError};

use kanon_apimachinery::{
    services::{AddressRanges, Allocator, Claim, NodePorts},
    status::Result,
    write::{Context, Part, Prepared},
};
use serde_json::Value;

use crate::core::Core;

/// The allocator that all writes share.
#[derive(Debug)]
pub(crate) struct Numbers(Mutex<Allocator>);

impl Numbers {
    pub(crate) fn new(addresses: &AddressRanges, node_ports: NodePorts) -> Numbers {
        Numbers(Mutex::new(Allocator::new(addresses, node_ports)))
    }
}

/// A claim that goes back when the write is over, however it ends.
pub(crate) struct Held<'c> {
    numbers: &'c Numbers,
    /// Taken out when it goes back.
    claim: Option<Claim>,
}

impl Core {
    /// Completes a service that is about to be validated and stored; nothing for other objects and for parts of a service.
    ///
    /// # Errors
    /// 422 for numbers that cannot be had.
    pub(crate) fn give_numbers(
        &self,
        ctx: &Context<'_>,
        prepared: &Prepared,
        object: &mut Value,
        seed: &str,
    ) -> Result<Option<Held<'_>>> {
        if !ctx.resource.is_core("Service") || prepared.part != Part::Object {
            return Ok(None);
        }
        let old = prepared.old.as_ref().map(|it| &it.value);
        let mut allocator = self.numbers.0.lock().unwrap_or_else(PoisonError::into_inner);
        let claim = self.storage.read(|memory| allocator.complete(memory, object, old, seed))?;
        Ok(Some(Held { numbers: &self.numbers, claim: Some(claim) }))
    }
}

impl Drop for Held<'_> {
    fn drop(&mut self) {
        if let Some(claim) = self.claim.take() {
            self.numbers.0.lock().unwrap_or_else(PoisonError::into_inner).release(claim);
        }
    }
}
