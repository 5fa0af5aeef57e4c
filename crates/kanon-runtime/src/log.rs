//! The decision log on disk: append-only segments of chained lines (`kanon_plane::Chain`) under one folder.
//!
//! - `<first seq, 20 digits>.log`: one record a line. The newest is being written; it is closed at [`Options::segment_bytes`].
//! - `dropped.json`: number and hash of the last record that retention dropped, so that what is left still verifies.
//! - `lock`: held while a process writes, so that two never chain onto one end.

mod files;
mod read;
mod write;

pub use files::Error;
pub use read::{Entry, Report, entries, verify};
pub use write::{DecisionLog, Options};
