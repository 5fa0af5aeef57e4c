//! What objects and requests are told apart by.

use std::sync::{
    LazyLock,
    atomic::{AtomicU64, Ordering},
};

use kanon_apimachinery::write::{SUFFIX_LETTERS, Stamp};
use uuid::{Builder, Uuid};

/// A new uid and a suffix for a generated name, both of the same random bytes: the system is asked once a write.
pub(crate) fn stamp() -> Stamp {
    let uid = Uuid::new_v4();
    // A byte modulo 27 favours some letters a little; names only have to differ.
    let letter = |it: &u8| char::from(SUFFIX_LETTERS[usize::from(*it) % SUFFIX_LETTERS.len()]);
    Stamp { uid: uid.to_string(), suffix: uid.as_bytes().iter().take(5).map(letter).collect() }
}

/// The id of a request that brought none, for answers and the audit log. These only have to differ, so the system is asked for
/// randomness once a process and not once a request.
pub(crate) fn request() -> String {
    static BEGIN: LazyLock<(u64, u64)> = LazyLock::new(|| Uuid::new_v4().as_u64_pair());
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    let (high, low) = *BEGIN;
    let bytes = u128::from(spread(high.wrapping_add(count))) << 64 | u128::from(spread(low ^ count));
    Builder::from_random_bytes(bytes.to_be_bytes()).into_uuid().to_string()
}

/// A bijection under which neighbours have nothing in common (the end of splitmix64).
fn spread(number: u64) -> u64 {
    let mixed = (number ^ (number >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    mixed ^ (mixed >> 31)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn requests_have_ids_of_their_own_in_the_form_of_random_ones() {
        let ids: BTreeSet<String> = (0..1000).map(|_| request()).collect();
        assert_eq!(ids.len(), 1000);
        assert!(ids.iter().all(|it| Uuid::parse_str(it).is_ok_and(|it| it.get_version_num() == 4)));
    }

    #[test]
    fn stamps_have_a_uid_and_five_letters() {
        let stamp = stamp();
        assert!(Uuid::parse_str(&stamp.uid).is_ok());
        assert!(stamp.suffix.len() == 5 && stamp.suffix.bytes().all(|it| SUFFIX_LETTERS.contains(&it)));
    }
}
