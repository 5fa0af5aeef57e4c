//! A server's whole material as one thing: certificate, key, and the authorities that vouch for it, as they stand together in a
//! Secret or a folder (spec/rules 4.8). What is made here has an authority of its own, whose key is thrown away: the next
//! certificate comes with the next authority.

use std::path::Path;

use jiff::{SignedDuration, Timestamp};
use rustls::server::ParsedCertificate;
use rustls_pki_types::{CertificateDer, ServerName, UnixTime, pem::PemObject};
use x509_parser::extensions::GeneralName;

use crate::{
    Authority, Error, Leaf, Validity,
    authority::{make_folder, parse_validity, read, write},
    tls,
};

/// File and Secret key of the certificate.
pub const CERTIFICATE: &str = "tls.crt";
/// File and Secret key of its private key.
pub const KEY: &str = "tls.key";
/// File and Secret key of the authorities.
pub const AUTHORITIES: &str = "ca.crt";

/// How long what is made here counts.
const LIFETIME: SignedDuration = SignedDuration::from_hours(365 * 24);
const COMMON_NAME: &str = "kanon webhook authority";

/// Certificate, key and authorities.
#[derive(Clone, Debug)]
pub struct Material {
    leaf: Leaf,
    authorities_pem: String,
}

impl Material {
    /// Makes an authority and a certificate of it for these DNS names, both for a year.
    ///
    /// # Errors
    /// A name that is not a DNS name, no randomness.
    pub fn generate(names: &[&str], now: Timestamp) -> Result<Material, Error> {
        let validity = Validity::starting(now, LIFETIME);
        let authority = Authority::create(COMMON_NAME, validity)?;
        let leaf = authority.issue_server(names, &[], validity)?;
        Ok(Material { leaf, authorities_pem: authority.certificate_pem().to_owned() })
    }

    /// From PEM texts.
    ///
    /// # Errors
    /// Text that is not that, a key that belongs to another certificate, no authority.
    pub fn from_pem(certificate: &str, key: &str, authorities: &str) -> Result<Material, Error> {
        let leaf = Leaf::from_pem(certificate, key)?;
        tls::roots(authorities)?;
        Ok(Material { leaf, authorities_pem: authorities.to_owned() })
    }

    /// The same authorities with another certificate, or the other way round.
    pub fn new(leaf: Leaf, authorities_pem: String) -> Material {
        Material { leaf, authorities_pem }
    }

    /// The same, with those authorities of other material trusted besides that count at this time: who shows its certificate
    /// for a while yet is believed.
    #[must_use]
    pub fn trusting(mut self, other: &Material, now: Timestamp) -> Material {
        let counts = authorities(&other.authorities_pem).into_iter().filter(|(_, it)| it.not_after > now);
        self.authorities_pem.extend(counts.map(|it| it.0));
        self
    }

    /// Writes the three files (mode 0600) into a folder, which is made (mode 0700) if absent. Each appears whole.
    ///
    /// # Errors
    /// A folder that cannot be written.
    pub fn save(&self, folder: &Path) -> Result<(), Error> {
        make_folder(folder).map_err(|source| Error::Write { path: folder.to_owned(), source })?;
        // Whoever reads between the two finds that they do not belong together, and reads again.
        write(&folder.join(AUTHORITIES), &self.authorities_pem, 0o600)?;
        write(&folder.join(KEY), self.leaf.key_pem(), 0o600)?;
        write(&folder.join(CERTIFICATE), self.leaf.certificate_pem(), 0o600)
    }

    /// Certificate and key.
    pub fn leaf(&self) -> &Leaf {
        &self.leaf
    }

    /// Whom clients are to trust, PEM.
    pub fn authorities_pem(&self) -> &str {
        &self.authorities_pem
    }

    /// Whether an authority vouches for the certificate at this time, and for this name.
    ///
    /// # Errors
    /// In words, why not.
    pub fn verify(&self, name: &str, now: Timestamp) -> Result<(), Error> {
        let bad = |problem: String| Error::Pem { what: "the certificate", problem };
        let chain = certificates(self.leaf.certificate_pem())?;
        let Some((first, others)) = chain.split_first() else { return Err(bad("there is none".to_owned())) };
        let parsed = ParsedCertificate::try_from(first).map_err(|error| bad(error.to_string()))?;
        let moment = std::time::Duration::from_secs(u64::try_from(now.as_second()).unwrap_or(0));
        let roots = tls::roots(&self.authorities_pem)?;
        let algorithms = tls::provider().signature_verification_algorithms.all;
        let since = UnixTime::since_unix_epoch(moment);
        rustls::client::verify_server_cert_signed_by_trust_anchor(&parsed, &roots, others, since, algorithms)
            .map_err(|error| bad(format!("its authorities do not vouch for it: {error}")))?;
        let server = ServerName::try_from(name).map_err(|error| bad(format!("`{name}`: {error}")))?;
        rustls::client::verify_server_name(&parsed, &server)
            .map_err(|_| bad(format!("it is not for `{name}`, but for {}", self.names().join(", "))))
    }

    /// The DNS names that the certificate is for.
    pub fn names(&self) -> Vec<String> {
        let Ok(der) = CertificateDer::from_pem_slice(self.leaf.certificate_pem().as_bytes()) else { return Vec::new() };
        let Ok((_, certificate)) = x509_parser::parse_x509_certificate(&der) else { return Vec::new() };
        let Ok(Some(names)) = certificate.subject_alternative_name() else { return Vec::new() };
        let dns =
            |it: &GeneralName<'_>| if let GeneralName::DNSName(name) = it { Some((*name).to_owned()) } else { None };
        names.value.general_names.iter().filter_map(dns).collect()
    }
}

/// Reads certificate and key of a folder; nothing where it has neither, or is not there.
///
/// # Errors
/// One without the other, text that is not that, a key that belongs to another certificate.
pub fn read_leaf(folder: &Path) -> Result<Option<Leaf>, Error> {
    let (certificate, key) = (folder.join(CERTIFICATE), folder.join(KEY));
    if !certificate.exists() && !key.exists() {
        return Ok(None);
    }
    Leaf::from_pem(read(&certificate)?, read(&key)?).map(Some)
}

fn certificates(pem: &str) -> Result<Vec<CertificateDer<'static>>, Error> {
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem.as_bytes()).collect();
    found.map_err(|error| Error::Pem { what: "the certificate", problem: error.to_string() })
}

/// Each authority of a bundle, PEM, with when it counts; those that cannot be read are left out.
pub(crate) fn authorities(bundle: &str) -> Vec<(String, Validity)> {
    const END: &str = "-----END CERTIFICATE-----";
    let parts = bundle.split_inclusive(END).filter_map(|it| it.find("-----BEGIN CERTIFICATE-----").map(|at| &it[at..]));
    parts.filter_map(|it| Some((format!("{it}\n"), parse_validity(it).ok()?))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn start() -> Timestamp {
        Timestamp::from_second(1_800_000_000).expect("in range")
    }

    #[test]
    fn what_is_made_verifies_for_its_names_and_its_time() {
        let made = Material::generate(&["localhost", "portal.portal-system.svc"], start()).expect("made");
        assert_eq!(made.names(), ["localhost", "portal.portal-system.svc"]);
        made.verify("portal.portal-system.svc", start()).expect("good");
        let year = SignedDuration::from_hours(366 * 24);
        for (name, at, want) in [
            ("portal.other.svc", start(), "it is not for `portal.other.svc`, but for localhost"),
            ("localhost", start() + year, "do not vouch for it"),
            ("localhost", start() - SignedDuration::from_hours(2), "do not vouch for it"),
        ] {
            let error = made.verify(name, at).expect_err(name).to_string();
            assert!(error.contains(want), "{error}");
        }
        let other = Material::generate(&["localhost"], start()).expect("made");
        let mixed = Material::new(made.leaf().clone(), other.authorities_pem().to_owned());
        assert!(mixed.verify("localhost", start()).is_err());
        let both = format!("{}{}", other.authorities_pem(), made.authorities_pem());
        Material::new(made.leaf().clone(), both.clone()).verify("localhost", start()).expect("one of both vouches");
        assert_eq!(authorities(&both).len(), 2);
        let next =
            Material::generate(&["localhost"], start() + year / 2).expect("made").trusting(&made, start() + year / 2);
        Material::new(made.leaf().clone(), next.authorities_pem().to_owned())
            .verify("localhost", start() + year / 2)
            .expect("still believed");
        let late = Material::generate(&["localhost"], start() + year).expect("made").trusting(&made, start() + year);
        assert_eq!(authorities(late.authorities_pem()).len(), 1, "what has ended is not carried on");
        assert_eq!(authorities(&both).iter().map(|it| it.0.as_str()).collect::<String>(), both);
    }

    #[test]
    fn files_are_private_and_read_back() {
        use std::os::unix::fs::PermissionsExt as _;
        let scratch = tempfile::tempdir().expect("a folder");
        let folder = scratch.path().join("certs");
        assert!(read_leaf(&folder).expect("nothing").is_none());
        let made = Material::generate(&["localhost"], start()).expect("made");
        made.save(&folder).expect("written");
        let mode = |path: &Path| std::fs::metadata(path).expect("there").permissions().mode() & 0o777;
        assert_eq!(mode(&folder), 0o700);
        for name in [CERTIFICATE, KEY, AUTHORITIES] {
            assert_eq!(mode(&folder.join(name)), 0o600, "{name}");
        }
        let read = read_leaf(&folder).expect("read").expect("there");
        assert_eq!(read.certificate_pem(), made.leaf().certificate_pem());
        std::fs::remove_file(folder.join(KEY)).expect("removed");
        assert!(read_leaf(&folder).expect_err("half").to_string().contains("tls.key"));
    }

    #[test]
    fn damaged_material_is_named() {
        let made = Material::generate(&["localhost"], start()).expect("made");
        let other = Material::generate(&["localhost"], start()).expect("made");
        let (certificate, key) = (made.leaf().certificate_pem(), made.leaf().key_pem());
        assert!(Material::from_pem(certificate, key, made.authorities_pem()).is_ok());
        for (certificate, key, authorities) in [
            ("", "", ""),
            (certificate, key, ""),
            (certificate, other.leaf().key_pem(), made.authorities_pem()),
            ("nonsense", key, made.authorities_pem()),
        ] {
            assert!(Material::from_pem(certificate, key, authorities).is_err());
        }
    }
}
