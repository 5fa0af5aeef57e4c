//! The product as a whole, with the target and the nearest peer beside each figure: objects, admission, the process, the
//! embedded API server.

mod admission;
#[cfg(test)]
mod agreement;
mod audit;
mod beside;
mod edits;
mod objects;
mod process;
mod samples;
mod server;
mod world;

/// Measures and prints.
pub(crate) fn run() -> anyhow::Result<()> {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let reviews = samples::reviews();
    objects::run(&reviews)?;
    admission::engine(&reviews)?;
    audit::run()?;
    crate::gates::run()?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(admission::over_tls(&reviews))?;
    process::run()?;
    runtime.block_on(edits::run())?;
    runtime.block_on(server::run())?;
    Ok(())
}

/// The audit alone.
pub(crate) fn audit() -> anyhow::Result<()> {
    audit::run()
}

/// The admission engine alone.
pub(crate) fn engine() -> anyhow::Result<()> {
    admission::engine(&samples::reviews())
}

/// Edits of rules alone.
pub(crate) fn edits() -> anyhow::Result<()> {
    let _ = rustls::crypto::ring::default_provider().install_default();
    tokio::runtime::Runtime::new()?.block_on(edits::run())
}

/// The embedded API server beside another one.
pub(crate) fn beside() -> anyhow::Result<()> {
    let _ = rustls::crypto::ring::default_provider().install_default();
    tokio::runtime::Runtime::new()?.block_on(beside::run())
}

/// The embedded API server alone.
pub(crate) fn server() -> anyhow::Result<()> {
    let _ = rustls::crypto::ring::default_provider().install_default();
    tokio::runtime::Runtime::new()?.block_on(server::run())
}
