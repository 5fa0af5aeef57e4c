//! The own certificate authority: ECDSA P-256, files as PEM, leafs for servers and clients (spec/rules 4.8).

use std::{
    fs,
    io::{self, Write as _},
    net::IpAddr,
    path::Path,
    time::Duration,
};

use jiff::Timestamp;
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, SanType, SerialNumber,
};
use rustls_pki_types::{CertificateDer, pem::PemObject};

use crate::{Error, Leaf, Validity, tls};

/// The certificate's file name in the authority's folder.
const CERTIFICATE_FILE: &str = "ca.crt";
/// The key's file name in the authority's folder.
const KEY_FILE: &str = "ca.key";
/// The object identifier of organizationName, for a second value: the library keeps one value a name.
const ORGANIZATION_OID: [u64; 4] = [2, 5, 4, 10];

/// A certificate authority of our own.
pub struct Authority {
    issuer: Issuer<'static, KeyPair>,
    certificate_pem: String,
    validity: Validity,
}

impl Authority {
    /// Makes a new one.
    ///
    /// # Errors
    /// No randomness, a name that X.509 cannot hold.
    pub fn create(common_name: &str, validity: Validity) -> Result<Authority, Error> {
        let key = KeyPair::generate().map_err(|error| issue(common_name, error))?;
        let mut params = params(common_name, &[], validity)?;
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages =
            vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign, KeyUsagePurpose::DigitalSignature];
        let certificate_pem = params.self_signed(&key).map_err(|error| issue(common_name, error))?.pem();
        Ok(Authority { issuer: Issuer::new(params, key), certificate_pem, validity })
    }

    /// From PEM text.
    ///
    /// # Errors
    /// Text that is not a certificate or key, a key that belongs to another certificate.
    pub fn from_pem(certificate_pem: &str, key_pem: &str) -> Result<Authority, Error> {
        // Checks that the two belong together.
        Leaf::from_pem(certificate_pem, key_pem)?;
        let unusable = |error: rcgen::Error| Error::Pem { what: "the CA", problem: error.to_string() };
        let key = KeyPair::from_pem(key_pem).map_err(unusable)?;
        let validity = parse_validity(certificate_pem)?;
        let issuer = Issuer::from_ca_cert_pem(certificate_pem, key).map_err(unusable)?;
        Ok(Authority { issuer, certificate_pem: certificate_pem.to_owned(), validity })
    }

    /// Reads `ca.crt` and `ca.key` from a folder.
    ///
    /// # Errors
    /// Unreadable files; as of [`Authority::from_pem`].
    pub fn load(folder: &Path) -> Result<Authority, Error> {
        Authority::from_pem(&read(&folder.join(CERTIFICATE_FILE))?, &read(&folder.join(KEY_FILE))?)
    }

    /// Reads the folder's authority; where there is none, or its time is up, makes one and saves it.
    ///
    /// # Errors
    /// Damaged or unreadable files (nothing is overwritten then), an unwritable folder.
    pub fn load_or_create(
        folder: &Path,
        common_name: &str,
        validity: Validity,
        now: Timestamp,
    ) -> Result<Authority, Error> {
        if folder.join(CERTIFICATE_FILE).exists() && folder.join(KEY_FILE).exists() {
            let authority = Authority::load(folder)?;
            if authority.validity.not_after > now {
                return Ok(authority);
            }
        }
        let authority = Authority::create(common_name, validity)?;
        authority.save(folder)?;
        Ok(authority)
    }

    /// Writes `ca.crt` and `ca.key` (mode 0600) into a folder, which is made (mode 0700) if absent.
    ///
    /// # Errors
    /// An unwritable folder.
    pub fn save(&self, folder: &Path) -> Result<(), Error> {
        make_folder(folder).map_err(|source| Error::Write { path: folder.to_owned(), source })?;
        write(&folder.join(KEY_FILE), &self.issuer.key().serialize_pem(), 0o600)?;
        write(&folder.join(CERTIFICATE_FILE), &self.certificate_pem, 0o644)
    }

    /// The authority's certificate: what clients trust.
    pub fn certificate_pem(&self) -> &str {
        &self.certificate_pem
    }

    /// When the authority itself counts.
    pub fn validity(&self) -> Validity {
        self.validity
    }

    /// A server's certificate for these DNS names and addresses; the first name is its common name.
    ///
    /// # Errors
    /// A name that is not a DNS name.
    pub fn issue_server(&self, names: &[&str], addresses: &[IpAddr], validity: Validity) -> Result<Leaf, Error> {
        let common_name = names.first().copied().unwrap_or("server");
        let mut params = params(common_name, &[], validity)?;
        for name in names {
            let name = (*name).try_into().map_err(|error| issue(name, error))?;
            params.subject_alt_names.push(SanType::DnsName(name));
        }
        params.subject_alt_names.extend(addresses.iter().copied().map(SanType::IpAddress));
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        self.issue(common_name, params, validity)
    }

    /// A client's certificate: Kubernetes reads the common name as the user and each organisation as a group.
    ///
    /// # Errors
    /// A name that X.509 cannot hold, more than two groups.
    pub fn issue_client(&self, user: &str, groups: &[&str], validity: Validity) -> Result<Leaf, Error> {
        let mut params = params(user, groups, validity)?;
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        self.issue(user, params, validity)
    }

    fn issue(&self, common_name: &str, mut params: CertificateParams, validity: Validity) -> Result<Leaf, Error> {
        let failed = |error| issue(common_name, error);
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.use_authority_key_identifier_extension = true;
        let key = KeyPair::generate().map_err(failed)?;
        let certificate = params.signed_by(&key, &self.issuer).map_err(failed)?;
        Ok(Leaf::issued(certificate.pem(), key.serialize_pem(), validity))
    }
}

impl std::fmt::Debug for Authority {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Authority").field("validity", &self.validity).finish_non_exhaustive()
    }
}

fn issue(subject: &str, error: impl std::fmt::Display) -> Error {
    Error::Issue { subject: subject.to_owned(), problem: error.to_string() }
}

fn params(common_name: &str, groups: &[&str], validity: Validity) -> Result<CertificateParams, Error> {
    let mut params = CertificateParams::default();
    let mut name = DistinguishedName::new();
    name.push(DnType::CommonName, common_name);
    let kinds = [DnType::OrganizationName, DnType::CustomDnType(ORGANIZATION_OID.to_vec())];
    if groups.len() > kinds.len() {
        return Err(issue(common_name, "at most two groups fit a certificate"));
    }
    for (kind, group) in kinds.into_iter().zip(groups) {
        name.push(kind, *group);
    }
    params.distinguished_name = name;
    let epoch = rcgen::date_time_ymd(1970, 1, 1);
    params.not_before = epoch + since_epoch(validity.not_before);
    params.not_after = epoch + since_epoch(validity.not_after);
    params.serial_number = Some(SerialNumber::from_slice(&serial(common_name)?));
    Ok(params)
}

/// 128 random bits (spec/rules 4.8); the first is cleared, because a serial is positive (RFC 5280 4.1.2.2).
fn serial(subject: &str) -> Result<[u8; 16], Error> {
    let mut serial = [0; 16];
    tls::provider().secure_random.fill(&mut serial).map_err(|_| issue(subject, "no randomness to be had"))?;
    serial[0] &= 0x7f;
    Ok(serial)
}

/// X.509 knows whole seconds; what lies before 1970 is of no use to us.
fn since_epoch(at: Timestamp) -> Duration {
    Duration::from_secs(u64::try_from(at.as_second()).unwrap_or(0))
}

/// Reads when the first certificate of a PEM text counts.
pub(crate) fn parse_validity(certificate_pem: &str) -> Result<Validity, Error> {
    let bad = |problem: String| Error::Pem { what: "the certificate", problem };
    let der = CertificateDer::from_pem_slice(certificate_pem.as_bytes()).map_err(|error| bad(error.to_string()))?;
    let (_, certificate) = x509_parser::parse_x509_certificate(&der).map_err(|error| bad(error.to_string()))?;
    let moment = |seconds: i64| Timestamp::from_second(seconds).map_err(|error| bad(error.to_string()));
    Ok(Validity {
        not_before: moment(certificate.validity.not_before.timestamp())?,
        not_after: moment(certificate.validity.not_after.timestamp())?,
    })
}

pub(crate) fn read(path: &Path) -> Result<String, Error> {
    fs::read_to_string(path).map_err(|source| Error::Read { path: path.to_owned(), source })
}

#[cfg(unix)]
pub(crate) fn make_folder(folder: &Path) -> io::Result<()> {
    use std::os::unix::fs::DirBuilderExt as _;
    fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)
}

#[cfg(not(unix))]
pub(crate) fn make_folder(folder: &Path) -> io::Result<()> {
    fs::create_dir_all(folder)
}

/// Writes beside the file and renames, so that nobody ever sees half of it or a key with a wider mode.
pub(crate) fn write(path: &Path, text: &str, mode: u32) -> Result<(), Error> {
    let beside = path.with_extension("new");
    let written = write_new(&beside, text, mode).and_then(|()| fs::rename(&beside, path));
    written.map_err(|source| Error::Write { path: path.to_owned(), source })
}

fn write_new(path: &Path, text: &str, mode: u32) -> io::Result<()> {
    // A leftover may have any mode.
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut options = fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, mode);
    let mut file = options.open(path)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()
}

#[cfg(test)]
mod tests {
    use jiff::SignedDuration;

    use super::*;
    use crate::Identity;

    fn validity() -> Validity {
        Validity::starting(
            Timestamp::from_second(1_800_000_000).expect("in range"),
            SignedDuration::from_hours(24 * 365),
        )
    }

    #[test]
    fn an_authority_survives_its_files() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("pki");
        let now = validity().not_before;
        let first = Authority::load_or_create(&path, "kanon", validity(), now).expect("made");
        let second = Authority::load_or_create(&path, "kanon", validity(), now).expect("read");
        assert_eq!(first.certificate_pem(), second.certificate_pem());
        assert_eq!(second.validity(), validity());
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            let mode = |path: &Path| fs::metadata(path).expect("there").permissions().mode() & 0o777;
            assert_eq!((mode(&path), mode(&path.join(KEY_FILE))), (0o700, 0o600));
        }
        let third = Authority::load_or_create(&path, "kanon", validity(), validity().not_after).expect("made");
        assert_ne!(third.certificate_pem(), second.certificate_pem());
    }

    #[test]
    fn damaged_files_are_an_error_not_a_new_authority() {
        let folder = tempfile::tempdir().expect("a folder");
        let now = validity().not_before;
        Authority::load_or_create(folder.path(), "kanon", validity(), now).expect("made");
        fs::write(folder.path().join(CERTIFICATE_FILE), "nonsense").expect("written");
        assert!(Authority::load_or_create(folder.path(), "kanon", validity(), now).is_err());
        let other = Authority::create("other", validity()).expect("made");
        fs::write(folder.path().join(CERTIFICATE_FILE), other.certificate_pem()).expect("written");
        assert!(Authority::load(folder.path()).is_err(), "the key belongs to another certificate");
    }

    #[test]
    fn a_client_certificate_names_user_and_groups() {
        let authority = Authority::create("kanon", validity()).expect("made");
        let leaf = authority.issue_client("admin", &["system:masters", "ops"], validity()).expect("issued");
        let der = CertificateDer::from_pem_slice(leaf.certificate_pem().as_bytes()).expect("PEM");
        let identity = Identity::of(&der).expect("X.509");
        assert_eq!(identity.common_name, "admin");
        assert_eq!(identity.organizations, ["system:masters", "ops"]);
        assert!(authority.issue_client("admin", &["a", "b", "c"], validity()).is_err());
    }
}
