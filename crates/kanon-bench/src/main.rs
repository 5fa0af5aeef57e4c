//! `cargo run --release -p kanon-bench`: what the design's targets name, measured on this machine, with the target and the
//! nearest peer beside each figure. Ratios are taken in one interleaved run; absolute times vary with the neighbours.
//! The binary under test is `target/release/kanon`; build it first (`cargo build --release`).
//!
//! `… -- languages` measures the policy languages instead, `… -- languages quick` only shows that this runs, `… -- gates`,
//! `… -- engine`, `… -- audit`, `… -- edits` and `… -- server` measure gates, admission, the audit, edits of rules and the API
//! server alone, `… -- beside` measures that server beside upstream's (`.ci/real-server`), `… -- cluster 10000 1` prints a generated cluster of 10,000 objects as a List, and `… -- instructions` holds the number of instructions of a few rules against the committed ones.
#![allow(clippy::disallowed_methods, reason = "a bench: it reads the clock")]
#![allow(clippy::disallowed_macros, reason = "a bench: it prints its figures")]

#[cfg(feature = "product")]
mod cluster;
#[cfg(feature = "gates")]
mod gates;
mod instructions;
mod languages;
#[cfg(feature = "product")]
mod product;

fn main() -> anyhow::Result<()> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    match words.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        #[cfg(feature = "product")]
        [] => load().and_then(|()| product::run()),
        #[cfg(feature = "product")]
        ["engine"] => load().and_then(|()| product::engine()),
        #[cfg(feature = "product")]
        ["audit"] => load().and_then(|()| product::audit()),
        #[cfg(feature = "product")]
        ["server"] => load().and_then(|()| product::server()),
        #[cfg(feature = "product")]
        ["beside"] => load().and_then(|()| product::beside()),
        #[cfg(feature = "product")]
        ["edits"] => load().and_then(|()| product::edits()),
        #[cfg(feature = "product")]
        ["cluster", count, seed] => cluster::print(count.parse()?, seed.parse()?),
        #[cfg(feature = "gates")]
        ["gates"] => load().and_then(|()| gates::run()),
        ["languages"] => load().and_then(|()| languages::run(false)),
        ["languages", "quick"] => load().and_then(|()| languages::run(true)),
        ["instructions"] => instructions::gate(false),
        ["instructions", "write"] => instructions::gate(true),
        ["instructions", case, calls] => instructions::work(case, calls.parse()?),
        _ => anyhow::bail!(
            "unknown arguments: none, `cluster COUNT SEED`, `engine`, `audit`, `edits`, `server`, `beside`, `gates`, `languages`, `languages quick`, `instructions` or \
             `instructions write`"
        ),
    }
}

/// Says how busy the machine is.
fn load() -> anyhow::Result<()> {
    let load = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    println!("load at the start: {}", load.trim());
    Ok(())
}

/// One line of the report.
#[cfg(feature = "gates")]
fn report(what: &str, measured: &str, target: &str, peer: &str) {
    println!("{what:<52} {measured:<28} target {target:<26} peer {peer}");
}

/// The middle of several measurements.
#[cfg(feature = "gates")]
fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}
