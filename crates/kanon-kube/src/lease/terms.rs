//! How many shards there are: replicas that differ in that would look after the same namespaces. The holder of the first lease says its
//! number in an annotation of it; whoever has another number holds no shard until the two agree, and goes on answering admission. So a
//! rolling update to another number goes through, and one that was set by mistake does no harm. Pure.

use std::sync::{Mutex, PoisonError};

use kanon_core::{Mono, Node, Object};
use serde_json::{Value, json};

use super::LEASE;

/// The annotation.
const SHARDS: &str = "kanon.dev/audit-shards";

/// What this process and the holder of the first lease say.
pub(super) struct Terms {
    ours: u32,
    state: Mutex<State>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    /// The first lease was not seen yet.
    Unknown,
    /// Its holder, another process, has another number.
    Other(u32),
    /// From then on: before, processes with the number of before may not have seen that it is another.
    Agreed(Mono),
}

impl Terms {
    pub(super) fn new(ours: u32) -> Terms {
        Terms { ours, state: Mutex::new(State::Unknown) }
    }

    /// Whether the first lease was looked at.
    pub(super) fn are_known(&self) -> bool {
        *self.lock() != State::Unknown
    }

    /// Whether shards may be held.
    pub(super) fn agree(&self, now: Mono) -> bool {
        matches!(*self.lock(), State::Agreed(from) if from <= now)
    }

    /// The first lease as another process holds it.
    pub(super) fn held_by_another(&self, lease: Option<&Object>) {
        let Some(lease) = lease.filter(|it| !it.str_at(&["spec", "holderIdentity"]).is_empty()) else { return };
        let (ours, holder) = (self.ours, lease.str_at(&["spec", "holderIdentity"]));
        let mut state = self.lock();
        match said(lease).filter(|it| *it != ours) {
            None if matches!(*state, State::Agreed(_)) => {}
            None => *state = State::Agreed(Mono::default()),
            Some(other) => {
                if *state != State::Other(other) {
                    tracing::error!(
                        "--audit-shards is {ours} here and {other} at the leader {holder}: this process audits nothing until both are the \
                         same; give all replicas the same number"
                    );
                }
                *state = State::Other(other);
            }
        }
    }

    /// The first lease is ours; this is how it was before.
    pub(super) fn held_by_us(&self, before: Option<&Object>, now: Mono) {
        let mut state = self.lock();
        let differs = before.and_then(said).is_some_and(|it| it != self.ours);
        if differs {
            *state = State::Agreed(now.after(LEASE));
        } else if !matches!(*state, State::Agreed(_)) {
            *state = State::Agreed(now);
        }
    }

    /// Says our number in the lease that is about to be written.
    pub(super) fn write(&self, lease: &mut Value) {
        lease["metadata"]["annotations"][SHARDS] = json!(self.ours.to_string());
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The number in a lease; none in one of earlier versions.
fn said(lease: &Object) -> Option<u32> {
    lease.at(&["metadata", "annotations", SHARDS]).and_then(Node::as_plain_str)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn lease(holder: &str, said: Option<u32>) -> Object {
        let annotations = said.map_or(json!({}), |it| json!({SHARDS: it.to_string()}));
        Object::from_value(&json!({"metadata": {"annotations": annotations}, "spec": {"holderIdentity": holder}}))
    }

    fn at(secs: u64) -> Mono {
        Mono(Duration::from_secs(secs))
    }

    #[test]
    fn whoever_has_another_number_holds_nothing() {
        let terms = Terms::new(4);
        assert!(!terms.agree(at(9)), "before the lease was seen");
        for (holder, said, want) in [
            ("a", Some(2), false),
            ("", Some(4), false),
            ("a", Some(4), true),
            ("", Some(2), true),
            ("b", Some(2), false),
            ("b", None, true),
        ] {
            terms.held_by_another(Some(&lease(holder, said)));
            assert_eq!(terms.agree(at(9)), want, "{holder} {said:?}");
        }
    }

    #[test]
    fn a_new_number_counts_when_all_others_have_had_time_to_see_it() {
        let terms = Terms::new(4);
        terms.held_by_us(Some(&lease("", Some(2))), at(10));
        // Renewed, with our number.
        terms.held_by_us(Some(&lease("us", Some(4))), at(12));
        assert_eq!([10, 24, 25].map(|secs| terms.agree(at(secs))), [false, false, true]);
        for before in [None, Some(lease("", None)), Some(lease("", Some(4)))] {
            let terms = Terms::new(4);
            terms.held_by_us(before.as_ref(), at(10));
            assert!(terms.agree(at(10)));
        }
    }

    #[test]
    fn the_lease_says_the_number() {
        let mut body = json!({"metadata": {"name": "kanon", "annotations": {"a": "b"}}});
        Terms::new(4).write(&mut body);
        assert_eq!(body["metadata"]["annotations"], json!({"a": "b", SHARDS: "4"}));
        let mut body = json!({"metadata": {"name": "kanon"}});
        Terms::new(4).write(&mut body);
        assert_eq!(said(&Object::from_value(&body)), Some(4));
    }
}
