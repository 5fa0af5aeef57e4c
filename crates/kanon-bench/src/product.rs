//! The product as a whole, with the target and the nearest peer beside each figure: objects, admission, the process, the
//! embedded API server.

mod admission;
mod objects;
mod process;
mod samples;
mod server;

/// One line of the report.
fn report(what: &str, measured: &str, target: &str, peer: &str) {
    println!("{what:<52} {measured:<28} target {target:<26} peer {peer}");
}

/// The middle of several measurements.
fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

/// Measures and prints.
pub(crate) fn run() -> anyhow::Result<()> {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let reviews = samples::reviews();
    objects::run(&reviews)?;
    admission::engine(&reviews)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(admission::over_tls(&reviews))?;
    process::run()?;
    runtime.block_on(server::run())?;
    Ok(())
}
