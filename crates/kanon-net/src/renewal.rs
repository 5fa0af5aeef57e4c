//! When material gives way to new, without a moment at which a client would not trust what it is shown (spec/rules 4.8). Pure but
//! for the making of keys.
//!
//! New authorities are trusted beside the old ones first; then the new certificate is shown; a day later the old ones are
//! dropped. Each step is read off the material itself, so that whoever leads next goes on where the last one stopped.

use jiff::{SignedDuration, Timestamp};

use crate::{
    Error, Leaf,
    material::{Material, authorities},
};

/// How long clients may take to learn of new authorities before the certificate changes.
const LEARN: SignedDuration = SignedDuration::from_secs(10);
/// How long old authorities are trusted beside new ones.
const OVERLAP: SignedDuration = SignedDuration::from_hours(24);

/// Material, and the certificate that is to follow.
#[derive(Clone, Debug)]
pub struct Renewal {
    /// What is shown, and who is trusted.
    pub current: Material,
    /// What will be shown.
    pub next: Option<Leaf>,
}

/// What is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Due {
    /// Nothing.
    Nothing,
    /// New authorities are to be trusted besides.
    Begin,
    /// The new certificate is to be shown.
    Switch,
    /// Old authorities are to be dropped.
    Drop,
    /// Nothing now, but soon: a renewal is under way.
    Soon,
}

impl Renewal {
    /// What is due at this time.
    pub fn due(&self, now: Timestamp) -> Due {
        let made = |leaf: &Leaf| leaf.validity().made();
        if let Some(next) = &self.next {
            return if now.duration_since(made(next)) >= LEARN { Due::Switch } else { Due::Soon };
        }
        if self.current.leaf().validity().should_rotate(now) {
            return Due::Begin;
        }
        let is_double = authorities(self.current.authorities_pem()).len() > 1;
        match is_double && now.duration_since(made(self.current.leaf())) >= OVERLAP {
            true => Due::Drop,
            false => Due::Nothing,
        }
    }

    /// The step that is due; the same where nothing is.
    ///
    /// # Errors
    /// Keys or certificates that cannot be made.
    pub fn step(self, now: Timestamp) -> Result<Renewal, Error> {
        let Renewal { current, next } = self.clone();
        Ok(match (self.due(now), next) {
            (Due::Begin, _) => {
                let names = current.names();
                let names: Vec<_> = names.iter().map(String::as_str).collect();
                let new = Material::generate(&names, now)?;
                let trusted = format!("{}{}", new.authorities_pem(), current.authorities_pem());
                Renewal { current: Material::new(current.leaf().clone(), trusted), next: Some(new.leaf().clone()) }
            }
            (Due::Switch, Some(next)) => {
                Renewal { current: Material::new(next, current.authorities_pem().to_owned()), next: None }
            }
            (Due::Drop, _) => {
                // Those count that came with the certificate.
                let own = current.leaf().validity();
                let mut kept = authorities(current.authorities_pem());
                kept.retain(|(_, validity)| *validity == own);
                let trusted: String = kept.into_iter().map(|it| it.0).collect();
                // Material that somebody else made has authorities of other times: it is left as it is.
                let trusted = if trusted.is_empty() { current.authorities_pem().to_owned() } else { trusted };
                Renewal { current: Material::new(current.leaf().clone(), trusted), next: None }
            }
            (Due::Nothing | Due::Soon | Due::Switch, next) => Renewal { current, next },
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn new_authorities_are_trusted_before_and_old_ones_after_the_switch() {
        let start = Timestamp::from_second(1_800_000_000).expect("in range");
        let first = Material::generate(&["localhost", "portal.portal-system.svc"], start).expect("made");
        let verifies = |it: &Renewal, leaf: &Leaf, now| {
            Material::new(leaf.clone(), it.current.authorities_pem().to_owned()).verify("localhost", now).is_ok()
        };
        let mut now = start;
        let mut it = Renewal { current: first.clone(), next: None };
        assert_eq!(it.due(now), Due::Nothing);
        now += SignedDuration::from_hours(300 * 24);
        assert_eq!(it.due(now), Due::Begin);
        it = it.step(now).expect("begun");
        let second = it.next.clone().expect("a new certificate");
        assert_eq!(it.current.leaf().certificate_pem(), first.leaf().certificate_pem());
        assert!(verifies(&it, first.leaf(), now) && verifies(&it, &second, now));
        assert_eq!(it.due(now), Due::Soon);
        now += SignedDuration::from_secs(11);
        assert_eq!(it.due(now), Due::Switch);
        it = it.step(now).expect("switched");
        assert_eq!(it.current.names(), first.names());
        assert_eq!(it.current.leaf().certificate_pem(), second.certificate_pem());
        assert!(verifies(&it, first.leaf(), now) && verifies(&it, &second, now));
        assert_eq!((it.due(now), it.next.is_none()), (Due::Nothing, true));
        now += SignedDuration::from_hours(25);
        assert_eq!(it.due(now), Due::Drop);
        it = it.step(now).expect("dropped");
        assert!(!verifies(&it, first.leaf(), now) && verifies(&it, &second, now));
        assert_eq!(it.due(now), Due::Nothing);
    }
}
