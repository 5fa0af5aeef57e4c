//! The README's first command.

use crate::harness::{Ran, kanon};

#[test]
fn demo_shows_every_expected_outcome_and_ends() {
    let args = ["up", "--demo", "--once", "--ephemeral", "--listen", "127.0.0.1:0"];
    let out = Ran::of(kanon().args(args).output().expect("kanon runs")).ok();
    for line in [
        "Pod production/debug-shell",
        "deny privileged-container",
        "warn pinned-image",
        "dryrun owner-label",
        "PortalClusterRule `broken`: compile: ",
    ] {
        assert!(out.contains(line), "`{line}` in\n{out}");
    }
    assert!(!out.contains("NOT EXPECTED"), "{out}");
}
