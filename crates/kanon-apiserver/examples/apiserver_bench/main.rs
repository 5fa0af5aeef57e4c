//! Figures of the server on this machine (design §6): start to ready, durable writes, reads, lists, watch fan-out, memory. In one
//! process, over TLS and HTTP/2 on loopback where it says so, so that figures over TLS pay for the client too.
//! `cargo run --release -p kanon-apiserver --example apiserver_bench [folder [section…]]`; sections: start, creates, apply, get, list,
//! fan-out, large.
#![allow(clippy::disallowed_methods, reason = "a bench reads clocks and arguments")]
#![allow(clippy::disallowed_macros, reason = "a bench prints")]

mod client;
mod lists;
mod start;
mod watches;
mod writes;

use std::{path::PathBuf, sync::Arc};

use client::Res;
use kanon_apiserver::TestServer;
use kanon_cel::Cel;

#[tokio::main]
async fn main() -> Res<()> {
    let mut args = std::env::args().skip(1);
    let folder = args.next().map_or_else(std::env::temp_dir, PathBuf::from);
    let folder = folder.join(format!("apiserver_bench_{}", std::process::id()));
    let sections: Vec<String> = args.collect();
    let wants = |name: &str| sections.is_empty() || sections.iter().any(|it| it == name);
    if wants("start") {
        start::empty(&folder.join("start")).await?;
        start::for_tests().await?;
    }
    if wants("creates") || wants("apply") || wants("get") {
        let server = TestServer::start_in(Arc::new(Cel::default()), folder.join("writes")).await?;
        if wants("creates") {
            writes::creates(&server).await?;
        }
        if wants("apply") {
            writes::applies(&server).await?;
        }
        if wants("get") {
            writes::gets(&server).await?;
        }
        server.stop().await;
    }
    if wants("list") {
        lists::pods(&folder.join("lists")).await?;
    }
    if wants("fan-out") {
        for watchers in [100, 1000] {
            watches::fan_out(&folder.join(format!("watches-{watchers}")), watchers).await?;
        }
    }
    if wants("large") {
        start::large(&folder.join("large")).await?;
    }
    std::fs::remove_dir_all(folder)?;
    Ok(())
}
