//! The server against its clients: unmodified kubectl, raw HTTP, watchers under load, a power cut by `kill -9`.
#![allow(clippy::disallowed_methods, reason = "tests of a shell")]
#![allow(clippy::disallowed_macros, reason = "a test that cannot run here says so")]

mod admission;
mod audit;
mod clients;
mod conversion;
mod custom;
mod durability;
mod events;
mod go;
mod history;
mod hook;
mod hostile;
mod http;
mod killed;
mod kubectl;
mod linear;
mod quotas;
mod services;
mod store;
mod streams;
mod test_server;
mod webhooks;
mod workloads;
mod world;
