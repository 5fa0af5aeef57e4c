//! Tells the linker of a release binary where functions go: those that a start runs stand together, at fixed addresses
//! (docs/decisions/0006-allocator.md). `cargo xtask layout` makes the list.
#![allow(clippy::disallowed_methods, clippy::disallowed_macros, reason = "this is how cargo and a build script talk")]

use std::env::var;

fn main() {
    println!("cargo::rerun-if-changed=layout/start.ld");
    let is = |name: &str, value: &str| var(name).is_ok_and(|it| it == value);
    if is("PROFILE", "release") && is("CARGO_CFG_TARGET_OS", "linux") && is("CARGO_CFG_TARGET_ENV", "gnu") {
        let folder = var("CARGO_MANIFEST_DIR").unwrap_or_default();
        println!("cargo::rustc-link-arg-bins=-Wl,-T,{folder}/layout/start.ld");
        println!("cargo::rustc-link-arg-bins=-no-pie");
    }
}
