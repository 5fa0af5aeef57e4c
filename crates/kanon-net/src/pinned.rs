//! Trust in a bundle that holds the server's very certificate. Whoever makes a certificate with `openssl req -x509` gets one that is an
//! authority and shows it as a server's own; Go's clients take it when it stands in the bundle, path building alone refuses it. It must
//! not trust anything that is not in the bundle.

use std::sync::Arc;

use rustls::{
    CertificateError, DigitallySignedStruct, Error as TlsError, RootCertStore, SignatureScheme,
    client::{
        WebPkiServerVerifier,
        danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
        verify_server_name,
    },
    server::ParsedCertificate,
};
use rustls_pki_types::{CertificateDer, ServerName, UnixTime};
use x509_parser::certificate::X509Certificate;

use crate::{Error, tls::provider};

/// Believes the certificates of a bundle, and what they have signed.
#[derive(Debug)]
pub(crate) struct Bundle {
    certificates: Vec<CertificateDer<'static>>,
    paths: Arc<WebPkiServerVerifier>,
}

impl Bundle {
    /// `roots` are the same certificates.
    pub(crate) fn new(certificates: Vec<CertificateDer<'static>>, roots: RootCertStore) -> Result<Bundle, Error> {
        let paths = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider()).build();
        Ok(Bundle { certificates, paths: paths.map_err(|error| Error::Tls(error.to_string()))? })
    }
}

impl ServerCertVerifier for Bundle {
    fn verify_server_cert(
        &self,
        shown: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, TlsError> {
        if !self.certificates.iter().any(|it| it == shown) {
            return self.paths.verify_server_cert(shown, intermediates, name, ocsp, now);
        }
        let (_, certificate) =
            x509_parser::parse_x509_certificate(shown).map_err(|_| TlsError::from(CertificateError::BadEncoding))?;
        if !certificate.is_ca() {
            return self.paths.verify_server_cert(shown, intermediates, name, ocsp, now);
        }
        check(&certificate, now)?;
        verify_server_name(&ParsedCertificate::try_from(shown)?, name)?;
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, TlsError> {
        self.paths.verify_tls12_signature(message, certificate, signed)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, TlsError> {
        self.paths.verify_tls13_signature(message, certificate, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.paths.supported_verify_schemes()
    }
}

/// What holds for a certificate whoever signed it: its time, and that it may be a server's.
fn check(certificate: &X509Certificate<'_>, now: UnixTime) -> Result<(), TlsError> {
    let now = i64::try_from(now.as_secs()).unwrap_or(i64::MAX);
    if now < certificate.validity().not_before.timestamp() {
        return Err(CertificateError::NotValidYet.into());
    }
    if now > certificate.validity().not_after.timestamp() {
        return Err(CertificateError::Expired.into());
    }
    match certificate.extended_key_usage() {
        Ok(None) => Ok(()),
        Ok(Some(usage)) if usage.value.any || usage.value.server_auth => Ok(()),
        Ok(Some(_)) => Err(CertificateError::InvalidPurpose.into()),
        Err(_) => Err(CertificateError::BadEncoding.into()),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use rcgen::{BasicConstraints, CertificateParams, ExtendedKeyUsagePurpose, IsCa, KeyPair};

    use super::*;

    const NOW: u64 = 1_800_000_000;

    /// A certificate of an authority, signed by itself, for the name `hook`.
    fn own(change: impl FnOnce(&mut CertificateParams)) -> CertificateDer<'static> {
        let mut params = CertificateParams::new(vec!["hook".to_owned()]).expect("a name");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        change(&mut params);
        params.self_signed(&KeyPair::generate().expect("a key")).expect("signed").into()
    }

    fn verdict(
        bundle: &CertificateDer<'static>,
        shown: &CertificateDer<'_>,
        name: &'static str,
        now: u64,
    ) -> Result<(), TlsError> {
        let mut roots = RootCertStore::empty();
        roots.add(bundle.clone()).expect("a root");
        let bundle = Bundle::new(vec![bundle.clone()], roots).expect("roots");
        let name = ServerName::try_from(name).expect("a name");
        let now = UnixTime::since_unix_epoch(Duration::from_secs(now));
        bundle.verify_server_cert(shown, &[], &name, &[], now).map(|_| ())
    }

    #[test]
    fn a_server_may_show_the_authority_that_is_trusted() {
        let shown = own(|_| {});
        assert_eq!(verdict(&shown, &shown, "hook", NOW), Ok(()));
    }

    #[test]
    fn but_no_other_name_time_purpose_or_certificate() {
        let shown = own(|it| it.extended_key_usages.push(ExtendedKeyUsagePurpose::ServerAuth));
        assert_eq!(verdict(&shown, &shown, "hook", NOW), Ok(()));
        assert!(verdict(&shown, &shown, "other", NOW).is_err());
        assert_eq!(verdict(&shown, &shown, "hook", 0), Err(CertificateError::NotValidYet.into()));
        assert_eq!(verdict(&shown, &shown, "hook", 1 << 40), Err(CertificateError::Expired.into()));
        assert!(verdict(&shown, &own(|_| {}), "hook", NOW).is_err());
        let client = own(|it| it.extended_key_usages.push(ExtendedKeyUsagePurpose::ClientAuth));
        assert_eq!(verdict(&client, &client, "hook", NOW), Err(CertificateError::InvalidPurpose.into()));
    }
}
