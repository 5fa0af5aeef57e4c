//! Kanon's vocabulary, shared by every crate: objects as bytes, names, time, what comes in ([`Input`]), what goes out
//! ([`Effect`]), and what was decided ([`Verdict`]).
//!
//! This crate does no I/O, reads no clock and holds no policy family's words.

mod digest;
mod effect;
mod figures;
mod input;
mod labels;
mod names;
mod object;
mod place;
mod rate;
mod review;
mod shards;
mod time;
mod verdict;

pub use digest::Digest;
pub use effect::{ACCOUNTS_MAP, Action, Cause, Delivery, Done, Effect, EffectId, EventType, Failure, Guard, Sink};
pub use figures::{Figure, FigureKind, Figures, Histogram, Series, Spread, Spreads};
pub use input::{Change, Input, PolicyFile, UnreadableFile};
pub use labels::{Labels, Selector, labels};
pub use names::{FamilyId, GroupVersionKind, Kind, NameError, ObjectRef, PolicyRef, Scope};
pub use object::{Elements, Keep, MAX_DEPTH, Members, Name, Node, NodeKind, Number, Object, ParseError};
pub use place::Place;
pub use rate::{ParseRateError, Rate, TokenBucket};
pub use review::{Operation, Resource, Review, UserInfo};
pub use shards::Shards;
pub use time::{Mono, Now, Stopwatch, rfc3339};
pub use verdict::{Evidence, EvidenceValue, ExceptionEvidence, Outcome, ReadEvidence, Verdict};
