//! The whole product from outside: the real binary as a process, driven by unmodified kubectl, the `kube` crate and plain
//! files. Every server binds port 0 on loopback and is ended by its process id.
#![allow(clippy::disallowed_methods, reason = "it watches real processes, by polling against the real clock")]

mod accounts;
mod actions;
mod admission;
mod alertmanager;
mod audit;
mod backup;
mod check;
mod commands;
mod cookbook;
mod deadline;
mod demo;
mod docs;
mod durability;
mod effects;
mod exceptions;
mod failures;
mod harness;
mod integrity;
mod kube_client;
mod kubectl;
mod migrate;
mod network;
mod network_rules;
mod parts;
mod portal;
mod prometheus;
mod promotion;
mod public;
mod readme;
mod restarts;
mod rules;
mod runtime;
mod serve;
mod signals;
mod surface;
mod timing;
mod vet;
