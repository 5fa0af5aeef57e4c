//! The store beside a simple reference model, under random scripts and injected faults.
//!
//! `KANON_STORE_CASES` sets the number of scripts for each property; the default is a size for every build.

mod damage;
mod faults;
mod invariants;
mod reference;
mod restore;
mod script;
mod world;

use proptest::prelude::*;

use script::{any_options, any_script};
use world::World;

/// Scripts for each property.
#[expect(clippy::disallowed_methods, reason = "the size of a test run is set from outside")]
fn cases(default: u32) -> ProptestConfig {
    let cases = std::env::var("KANON_STORE_CASES").ok().and_then(|text| text.parse().ok()).unwrap_or(default);
    ProptestConfig { cases, failure_persistence: None, ..ProptestConfig::default() }
}

proptest! {
    #![proptest_config(cases(48))]

    #[test]
    fn the_store_behaves_like_the_model(options in any_options(), script in any_script(60)) {
        let mut world = World::new(options);
        for step in &script {
            world.run(step);
        }
        world.settle();
    }
}
