//! `cargo run --release -p kanon-bench`: what the design's targets name, measured on this machine, with the target and the
//! nearest peer beside each figure. Ratios are taken in one interleaved run; absolute times vary with the neighbours.
//!
//! The binary under test is `target/release/kanon`; build it first (`cargo build --release`).
#![allow(clippy::disallowed_methods, reason = "a bench: it reads the clock")]
#![allow(clippy::disallowed_macros, reason = "a bench: it prints its figures")]

mod admission;
mod objects;
mod process;
mod samples;
mod server;

/// One line of the report.
pub(crate) fn report(what: &str, measured: &str, target: &str, peer: &str) {
    println!("{what:<52} {measured:<28} target {target:<26} peer {peer}");
}

/// The middle of several measurements.
pub(crate) fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

fn main() -> anyhow::Result<()> {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let load = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    println!("load at the start: {}", load.trim());
    let reviews = samples::reviews();
    objects::run(&reviews)?;
    admission::engine(&reviews)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(admission::over_tls(&reviews))?;
    process::run()?;
    runtime.block_on(server::run())?;
    Ok(())
}
