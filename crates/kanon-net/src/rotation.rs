//! The certificate of a running listener, replaceable at any time.

use std::{fmt, sync::Arc};

use arc_swap::ArcSwap;
use jiff::Timestamp;
use rustls::{
    server::{ClientHello, ResolvesServerCert},
    sign::CertifiedKey,
};

use crate::{Error, Leaf, Validity, tls};

/// Hands the newest leaf to every handshake; connections that stand keep theirs.
pub struct ServerCertificate {
    current: ArcSwap<Current>,
}

struct Current {
    key: Arc<CertifiedKey>,
    validity: Validity,
}

impl ServerCertificate {
    /// Starts with `leaf`.
    ///
    /// # Errors
    /// A key of a kind that TLS here does not sign with.
    pub fn new(leaf: &Leaf) -> Result<Arc<ServerCertificate>, Error> {
        Ok(Arc::new(ServerCertificate { current: ArcSwap::from_pointee(current(leaf)?) }))
    }

    /// Uses `leaf` for all handshakes from now on.
    ///
    /// # Errors
    /// As of [`ServerCertificate::new`]; the old leaf stays then.
    pub fn replace(&self, leaf: &Leaf) -> Result<(), Error> {
        self.current.store(Arc::new(current(leaf)?));
        Ok(())
    }

    /// Whether it is time for a new leaf: two thirds of its lifetime are over.
    pub fn should_rotate(&self, now: Timestamp) -> bool {
        self.current.load().validity.should_rotate(now)
    }
}

fn current(leaf: &Leaf) -> Result<Current, Error> {
    Ok(Current { key: Arc::new(tls::certified_key(leaf)?), validity: leaf.validity() })
}

impl ResolvesServerCert for ServerCertificate {
    fn resolve(&self, _hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.current.load().key))
    }
}

impl fmt::Debug for ServerCertificate {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("ServerCertificate").field("validity", &self.current.load().validity).finish_non_exhaustive()
    }
}
