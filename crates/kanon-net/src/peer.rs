//! Who is at the other end of a connection.

use std::{net::SocketAddr, sync::Arc};

use rustls_pki_types::CertificateDer;

/// The other end of the connection a request came in on. Every request that [`crate::serve()`] hands on has an
/// `Arc<Peer>` among its extensions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Peer {
    /// Its address.
    pub address: SocketAddr,
    /// What its certificate says; none without one. The certificate was verified against the listener's authorities.
    pub identity: Option<Identity>,
}

impl Peer {
    /// The peer of a request, if [`crate::serve()`] (or a test) put one there.
    pub fn of<B>(request: &http::Request<B>) -> Option<&Arc<Peer>> {
        request.extensions().get::<Arc<Peer>>()
    }
}

/// What a client certificate says about its holder.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Identity {
    /// The subject's common name.
    pub common_name: String,
    /// The subject's organisations, in order.
    pub organizations: Vec<String>,
}

impl Identity {
    /// Reads the subject of a certificate; none where it is unreadable.
    pub fn of(certificate: &CertificateDer<'_>) -> Option<Identity> {
        let (_, certificate) = x509_parser::parse_x509_certificate(certificate).ok()?;
        let subject = certificate.subject();
        let text = |it: &x509_parser::x509::AttributeTypeAndValue<'_>| it.as_str().ok().map(str::to_owned);
        let common_name = subject.iter_common_name().find_map(text).unwrap_or_default();
        let organizations = subject.iter_organization().filter_map(text).collect();
        Some(Identity { common_name, organizations })
    }
}
