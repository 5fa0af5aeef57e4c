//! TLS settings of both sides, with the `ring` provider named in every one of them.

use std::sync::Arc;

use rustls::{
    ClientConfig, RootCertStore, ServerConfig, crypto::CryptoProvider, server::WebPkiClientVerifier, sign::CertifiedKey,
};
use rustls_pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject};

use crate::{Error, Leaf, ServerCertificate, pinned::Bundle};

/// What both sides offer, best first.
pub(crate) const PROTOCOLS: [&[u8]; 2] = [b"h2", b"http/1.1"];

/// Whose certificates a client believes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Trust {
    /// The authorities of a PEM text (`caBundle`), and no others.
    Bundle(String),
    /// The authorities that the system trusts.
    System,
    /// No one: for a client that speaks plain HTTP only.
    Nobody,
}

/// The one crypto provider.
pub(crate) fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::ring::default_provider())
}

/// A server's settings: HTTP/2 and HTTP/1.1, TLS 1.2 and 1.3. With `client_authorities` (PEM) a client may show a certificate
/// of theirs; a client with another authority's certificate is refused, one without any is let in.
///
/// # Errors
/// Authorities that are not PEM certificates.
pub fn tls_server_config(
    certificate: Arc<ServerCertificate>,
    client_authorities: Option<&str>,
) -> Result<Arc<ServerConfig>, Error> {
    let builder =
        ServerConfig::builder_with_provider(provider()).with_safe_default_protocol_versions().map_err(setup)?;
    let builder = match client_authorities {
        None => builder.with_no_client_auth(),
        Some(pem) => {
            let roots = Arc::new(roots(pem)?);
            let verifier = WebPkiClientVerifier::builder_with_provider(roots, provider()).allow_unauthenticated();
            builder.with_client_cert_verifier(verifier.build().map_err(setup)?)
        }
    };
    let mut config = builder.with_cert_resolver(certificate);
    config.alpn_protocols = PROTOCOLS.map(<[u8]>::to_vec).to_vec();
    Ok(Arc::new(config))
}

/// A client's settings: whom it believes, and what it shows if asked.
///
/// # Errors
/// A bundle without a certificate, an identity whose key does not sign, a system without a store of certificates.
pub fn tls_client_config(trust: &Trust, identity: Option<&Leaf>) -> Result<Arc<ClientConfig>, Error> {
    let builder =
        ClientConfig::builder_with_provider(provider()).with_safe_default_protocol_versions().map_err(setup)?;
    let builder = match trust {
        Trust::Bundle(pem) => {
            let bundle = Arc::new(Bundle::new(chain(pem)?, roots(pem)?)?);
            builder.dangerous().with_custom_certificate_verifier(bundle)
        }
        Trust::System => builder.with_root_certificates(system_roots()?),
        Trust::Nobody => builder.with_root_certificates(RootCertStore::empty()),
    };
    let mut config = match identity {
        None => builder.with_no_client_auth(),
        Some(leaf) => builder.with_client_auth_cert(chain(leaf.certificate_pem())?, key(leaf)?).map_err(setup)?,
    };
    config.alpn_protocols = PROTOCOLS.map(<[u8]>::to_vec).to_vec();
    Ok(Arc::new(config))
}

/// A leaf ready to sign with; checks that chain and key belong together.
pub(crate) fn certified_key(leaf: &Leaf) -> Result<CertifiedKey, Error> {
    CertifiedKey::from_der(chain(leaf.certificate_pem())?, key(leaf)?, &provider())
        .map_err(|error| Error::Pem { what: "the certificate and its key", problem: error.to_string() })
}

fn setup(error: impl std::fmt::Display) -> Error {
    Error::Tls(error.to_string())
}

fn chain(pem: &str) -> Result<Vec<CertificateDer<'static>>, Error> {
    let bad = |problem: String| Error::Pem { what: "the certificate", problem };
    let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem.as_bytes()).collect();
    let chain = chain.map_err(|error| bad(error.to_string()))?;
    if chain.is_empty() { Err(bad("there is none in the text".to_owned())) } else { Ok(chain) }
}

fn key(leaf: &Leaf) -> Result<PrivateKeyDer<'static>, Error> {
    PrivateKeyDer::from_pem_slice(leaf.key_pem().as_bytes())
        .map_err(|error| Error::Pem { what: "the private key", problem: error.to_string() })
}

/// The authorities of a PEM text; there is at least one.
pub(crate) fn roots(pem: &str) -> Result<RootCertStore, Error> {
    let mut roots = RootCertStore::empty();
    for certificate in chain(pem)? {
        roots
            .add(certificate)
            .map_err(|error| Error::Pem { what: "the CA certificate", problem: error.to_string() })?;
    }
    Ok(roots)
}

fn system_roots() -> Result<RootCertStore, Error> {
    let mut roots = RootCertStore::empty();
    let found = rustls_native_certs::load_native_certs();
    let (added, _) = roots.add_parsable_certificates(found.certs);
    if added == 0 {
        let problem = found.errors.first().map_or_else(String::new, |error| format!(": {error}"));
        return Err(Error::Tls(format!("the system has no trusted certificates{problem}")));
    }
    Ok(roots)
}
