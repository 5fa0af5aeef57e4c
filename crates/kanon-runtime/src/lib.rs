//! The loop: it owns the plane, reads the clock once per input, makes records durable before effects leave, and publishes
//! views to the webhook. The files of the decision log and the policy folder are its too.
//!
//! It knows no policy family, and no API server: inputs come and effects go over channels that the binary wires.
#![allow(clippy::disallowed_methods, reason = "a shell: it reads clocks and starts threads for the pure middle")]

mod clock;
mod drive;
mod folder;
pub mod log;
mod observer;
mod scanner;
mod tail;

pub use clock::Clock;
pub use drive::{Handle, Intake, Shared, start};
pub use folder::{Content, FolderError, Meant, read_folder, watch_folder};
pub use observer::{Events, Feed, Told, events, observe};
pub use tail::{LogFollower, TailError};
