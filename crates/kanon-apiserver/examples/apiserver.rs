//! A server to try things on: `cargo run -p kanon-apiserver --example apiserver [folder]`. Prints where its kubeconfig is; in memory
//! without a folder. Ends with its standard input.
#![allow(clippy::disallowed_methods, reason = "a program reads its arguments")]
#![allow(clippy::disallowed_macros, reason = "a program prints")]

use std::{error::Error, io::Read as _, path::PathBuf, sync::Arc, time::Instant};

use kanon_apiserver::TestServer;
use kanon_cel::Cel;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let folder = std::env::args().nth(1).map(PathBuf::from);
    let cel = Arc::new(Cel::default());
    let begin = Instant::now();
    let server = match &folder {
        Some(folder) => TestServer::start_in(cel, folder).await?,
        None => TestServer::start(cel).await?,
    };
    let ready = begin.elapsed();
    let path = std::env::temp_dir().join(format!("kanon-apiserver-{}.kubeconfig", std::process::id()));
    std::fs::write(&path, server.kubeconfig())?;
    println!("ready after {ready:?} at {}\nexport KUBECONFIG={}", server.url(), path.display());
    tokio::task::spawn_blocking(|| std::io::stdin().read_to_end(&mut Vec::new())).await??;
    server.stop().await;
    std::fs::remove_file(path)?;
    Ok(())
}
