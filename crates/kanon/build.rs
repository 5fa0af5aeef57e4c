//! Tells the linker of a release binary where functions go: those that a start runs stand together, at fixed addresses
//! (docs/decisions/0006-allocator.md). `cargo xtask layout` makes the list.
#![allow(clippy::disallowed_methods, clippy::disallowed_macros, reason = "this is how cargo and a build script talk")]

use std::env::var;

fn main() {
    println!("cargo::rerun-if-changed=layout/start.ld");
    if is_release() && links_with_lld() {
        let folder = var("CARGO_MANIFEST_DIR").unwrap_or_default();
        println!("cargo::rustc-link-arg-bins=-Wl,-T,{folder}/layout/start.ld");
        println!("cargo::rustc-link-arg-bins=-no-pie");
    }
}

fn is(name: &str, value: &str) -> bool {
    var(name).is_ok_and(|it| it == value)
}

fn is_release() -> bool {
    is("PROFILE", "release")
}

/// Whether the linker is the one that comes with Rust, as it is on this platform since 1.90 where nobody asks for another. Others take
/// the script for all there is to say of the binary, or do not read it.
fn links_with_lld() -> bool {
    let asked = var("CARGO_ENCODED_RUSTFLAGS").unwrap_or_default();
    is("TARGET", "x86_64-unknown-linux-gnu") && var("RUSTC_LINKER").is_err() && !asked.contains("link")
}
