//! Random scripts: everything that can happen to a store, as data.

use kanon_store::Options;
use proptest::prelude::*;

/// Objects of two kinds in two namespaces, one kind without namespaces, and names that sort awkwardly.
pub(crate) const KEYS: &[(&str, &str, &str)] = &[
    ("apps/deployments", "a", "x"),
    ("apps/deployments", "a", "y"),
    ("apps/deployments", "a-b", "x"),
    ("apps/deployments", "b", "x.y"),
    ("apps/deployments-extra", "a", "x"),
    ("core/nodes", "", "n1"),
    ("core/nodes", "", "n2"),
];

/// Prefixes to read: a kind, a namespace, a group, all, nothing.
pub(crate) const PREFIXES: &[&str] =
    &["apps/deployments/", "apps/deployments/a/", "apps/deployments-extra/", "core/nodes/", "apps/", "", "core/pods/"];

/// What a write claims to know.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Claim {
    /// The truth.
    Right,
    /// That there is nothing.
    Absent,
    /// A revision that is not the object's.
    Stale,
}

/// One thing that happens.
#[derive(Clone, Debug)]
pub(crate) enum Step {
    Put {
        key: usize,
        claim: Claim,
        body: u32,
    },
    Delete {
        key: usize,
        claim: Claim,
    },
    Commit {
        publish: bool,
    },
    /// A commit whose n-th disk operation fails; then the power goes, if there is a seed for what it leaves.
    Fail {
        operation: u64,
        power_cut: Option<u64>,
    },
    /// An orderly stop and start.
    Restart,
    /// Power cut between commits; the seed says what unsynced writes are left.
    PowerCut {
        seed: u64,
    },
    /// Drops history up to this share (of 255) of all revisions.
    Compact {
        share: u8,
    },
}

fn any_claim() -> impl Strategy<Value = Claim> {
    prop_oneof![8 => Just(Claim::Right), 1 => Just(Claim::Absent), 1 => Just(Claim::Stale)]
}

fn any_step() -> impl Strategy<Value = Step> {
    let key = 0..KEYS.len();
    prop_oneof![
        12 => (key.clone(), any_claim(), any::<u32>()).prop_map(|(key, claim, body)| Step::Put { key, claim, body }),
        5 => (key, any_claim()).prop_map(|(key, claim)| Step::Delete { key, claim }),
        6 => any::<bool>().prop_map(|publish| Step::Commit { publish }),
        2 => (0..12_u64, any::<Option<u64>>()).prop_map(|(operation, power_cut)| Step::Fail { operation, power_cut }),
        1 => Just(Step::Restart),
        1 => any::<u64>().prop_map(|seed| Step::PowerCut { seed }),
        1 => any::<u8>().prop_map(|share| Step::Compact { share }),
    ]
}

/// Scripts of up to `len` steps.
pub(crate) fn any_script(len: usize) -> impl Strategy<Value = Vec<Step>> {
    prop::collection::vec(any_step(), 1..len)
}

/// Small bounds, so that history runs out within a script.
pub(crate) fn any_options() -> impl Strategy<Value = Options> {
    let bytes = prop_oneof![3 => Just(usize::MAX), 1 => 0..2000_usize];
    (0..24_usize, bytes).prop_map(|(history_events, history_bytes)| Options {
        cache_bytes: 1 << 20,
        history_events,
        history_bytes,
    })
}

/// A stream of yes and no from a seed.
pub(crate) fn coins(seed: u64) -> impl FnMut() -> bool {
    let mut state = seed | 1;
    move || {
        // xorshift64
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.count_ones().is_multiple_of(2)
    }
}
