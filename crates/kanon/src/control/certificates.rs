//! The webhook's certificates: an authority of our own and a leaf, both for a year, renewed at two thirds of it
//! (spec/rules 4.8). While a new authority takes over, the API server trusts the old one too.

use std::{net::IpAddr, path::Path, sync::Arc};

use jiff::{SignedDuration, Timestamp};
use kanon_net::{Authority, Error, ServerCertificate, Validity};

const LIFETIME: SignedDuration = SignedDuration::from_hours(365 * 24);
const COMMON_NAME: &str = "kanon webhook authority";

/// The certificates in use.
pub(super) struct Certificates {
    authority: Authority,
    /// The authority before this one, as long as it is valid.
    previous: Option<Authority>,
    /// What the listener shows.
    pub(super) server: Arc<ServerCertificate>,
    names: Vec<String>,
    addresses: Vec<IpAddr>,
}

impl Certificates {
    /// Loads the authority from `folder` or makes one, and issues a leaf for these names and addresses.
    pub(super) fn load(
        folder: &Path,
        names: Vec<String>,
        addresses: Vec<IpAddr>,
        now: Timestamp,
    ) -> Result<Certificates, Error> {
        let authority = Authority::load_or_create(folder, COMMON_NAME, Validity::starting(now, LIFETIME), now)?;
        let (authority, previous) = renew(authority, folder, now)?;
        let server = ServerCertificate::new(&leaf(&authority, &names, &addresses, now)?)?;
        Ok(Certificates { authority, previous, server, names, addresses })
    }

    /// Everything the API server is to trust, PEM.
    pub(super) fn bundle(&self) -> String {
        let mut bundle = self.authority.certificate_pem().to_owned();
        if let Some(previous) = &self.previous {
            bundle += previous.certificate_pem();
        }
        bundle
    }

    /// Renews the authority when it is time; whether [`Certificates::bundle`] is new and must be published before
    /// [`Certificates::renew_leaf`].
    pub(super) fn renew_authority(&mut self, folder: &Path, now: Timestamp) -> Result<bool, Error> {
        if !self.authority.validity().should_rotate(now) {
            return Ok(false);
        }
        let new = Authority::create(COMMON_NAME, Validity::starting(now, LIFETIME))?;
        new.save(folder)?;
        self.previous = Some(std::mem::replace(&mut self.authority, new));
        Ok(true)
    }

    /// Issues a new leaf when it is time, or when the authority is new (`force`).
    pub(super) fn renew_leaf(&self, force: bool, now: Timestamp) -> Result<(), Error> {
        if !force && !self.server.should_rotate(now) {
            return Ok(());
        }
        self.server.replace(&leaf(&self.authority, &self.names, &self.addresses, now)?)
    }
}

/// An authority that was old when it was loaded gives way to a new one.
fn renew(authority: Authority, folder: &Path, now: Timestamp) -> Result<(Authority, Option<Authority>), Error> {
    if !authority.validity().should_rotate(now) {
        return Ok((authority, None));
    }
    let new = Authority::create(COMMON_NAME, Validity::starting(now, LIFETIME))?;
    new.save(folder)?;
    Ok((new, Some(authority).filter(|it| it.validity().not_after > now)))
}

fn leaf(
    authority: &Authority,
    names: &[String],
    addresses: &[IpAddr],
    now: Timestamp,
) -> Result<kanon_net::Leaf, Error> {
    let names: Vec<_> = names.iter().map(String::as_str).collect();
    authority.issue_server(&names, addresses, Validity::starting(now, LIFETIME))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_old_authority_is_replaced_and_stays_trusted_meanwhile() {
        let folder = tempfile::tempdir().unwrap();
        let start = Timestamp::from_second(1_800_000_000).unwrap();
        let late = start + SignedDuration::from_hours(300 * 24);
        let load = |now| Certificates::load(folder.path(), vec!["localhost".into()], vec![], now).unwrap();
        let mut first = load(start);
        let bundle = first.bundle();
        assert!(!first.renew_authority(folder.path(), start).unwrap());
        assert!(first.renew_authority(folder.path(), late).unwrap());
        assert!(first.bundle().contains(&bundle) && first.bundle() != bundle);
        first.renew_leaf(true, late).unwrap();
        assert!(!first.server.should_rotate(late));
        assert!(first.bundle().starts_with(load(late).bundle().trim_end()));
    }
}
