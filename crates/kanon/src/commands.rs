//! One module a command.

pub(crate) mod audit;
pub(crate) mod backup;
pub(crate) mod brake;
pub(crate) mod check;
pub(crate) mod completions;
pub(crate) mod demo;
pub(crate) mod eval;
pub(crate) mod explain;
pub(crate) mod fmt;
pub(crate) mod given;
pub(crate) mod lint;
pub(crate) mod log;
pub(crate) mod migrate;
pub(crate) mod network;
pub(crate) mod policy;
pub(crate) mod portal;
pub(crate) mod rbac;
pub(crate) mod serve;
pub(crate) mod signals;
pub(crate) mod texts;
pub(crate) mod up;
pub(crate) mod version;
