//! A certificate with its key, and when to replace it.

use std::{fmt, path::Path};

use jiff::{SignedDuration, Timestamp};

use crate::{Error, authority::parse_validity, tls};

/// From when to when a certificate counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Validity {
    /// Its first moment.
    pub not_before: Timestamp,
    /// Its last moment.
    pub not_after: Timestamp,
}

impl Validity {
    /// Clocks of clients may lag: certificates count from an hour before they are made (spec/rules 4.8).
    const BACKDATED: SignedDuration = SignedDuration::from_hours(1);

    /// For `lifetime` from `now` on.
    pub fn starting(now: Timestamp, lifetime: SignedDuration) -> Validity {
        let not_before = now.checked_sub(Self::BACKDATED).unwrap_or(Timestamp::MIN);
        let not_after = now.checked_add(lifetime).unwrap_or(Timestamp::MAX);
        Validity { not_before, not_after }
    }

    /// When it was made, by [`Validity::starting`].
    pub(crate) fn made(&self) -> Timestamp {
        self.not_before.checked_add(Self::BACKDATED).unwrap_or(Timestamp::MAX)
    }

    /// Whether two thirds of the time are over (spec/rules 4.8), or the time has not come.
    pub fn should_rotate(&self, now: Timestamp) -> bool {
        let whole = self.not_after.duration_since(self.not_before);
        let gone = now.duration_since(self.not_before);
        gone.is_negative() || gone >= whole / 3 * 2
    }
}

/// A certificate chain and its private key. The key is not shown by `Debug`.
#[derive(Clone)]
pub struct Leaf {
    certificate_pem: String,
    key_pem: String,
    validity: Validity,
}

impl Leaf {
    /// From PEM text: the leaf first, then what connects it to its authority; PKCS#8, SEC1 or PKCS#1 for the key.
    ///
    /// # Errors
    /// Text that is not that, a key that belongs to another certificate.
    pub fn from_pem(certificate_pem: impl Into<String>, key_pem: impl Into<String>) -> Result<Leaf, Error> {
        let (certificate_pem, key_pem) = (certificate_pem.into(), key_pem.into());
        let validity = parse_validity(&certificate_pem)?;
        let leaf = Leaf { certificate_pem, key_pem, validity };
        tls::certified_key(&leaf)?;
        Ok(leaf)
    }

    /// Reads two PEM files, such as cert-manager's `tls.crt` and `tls.key`.
    ///
    /// # Errors
    /// Unreadable files; as of [`Leaf::from_pem`].
    pub fn load(certificate: &Path, key: &Path) -> Result<Leaf, Error> {
        Leaf::from_pem(crate::authority::read(certificate)?, crate::authority::read(key)?)
    }

    pub(crate) fn issued(certificate_pem: String, key_pem: String, validity: Validity) -> Leaf {
        Leaf { certificate_pem, key_pem, validity }
    }

    /// The chain, leaf first.
    pub fn certificate_pem(&self) -> &str {
        &self.certificate_pem
    }

    /// The private key. Give it to files with mode 0600 and kubeconfigs only.
    pub fn key_pem(&self) -> &str {
        &self.key_pem
    }

    /// When the leaf counts.
    pub fn validity(&self) -> Validity {
        self.validity
    }
}

impl fmt::Debug for Leaf {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Leaf").field("validity", &self.validity).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rotation_is_due_after_two_thirds() {
        let start = Timestamp::from_second(1_800_000_000).expect("in range");
        let validity = Validity::starting(start, SignedDuration::from_hours(8));
        assert_eq!(validity.not_before, start - SignedDuration::from_hours(1));
        for (hours, want) in [(-2, true), (0, false), (4, false), (5, true), (9, true)] {
            assert_eq!(validity.should_rotate(start + SignedDuration::from_hours(hours)), want, "{hours} h");
        }
    }
}
