//! Where a policy's text comes from, in order of precedence.

use std::fmt;

/// Where a text was found. The first of several that are there counts.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Place {
    /// A ConfigMap; `rank` is the order of its namespace and name among those that are looked at.
    ConfigMap {
        /// Its order.
        rank: usize,
        /// Its namespace.
        namespace: String,
        /// Its name.
        name: String,
        /// Its UID, which Events name.
        uid: String,
    },
    /// A file of the policy folder, or one named on a command line.
    File {
        /// Its path.
        path: String,
    },
    /// Part of this version.
    BuiltIn,
}

impl Place {
    /// The kind in lists of policies.
    pub fn kind(&self) -> &'static str {
        match self {
            Place::ConfigMap { .. } => "ConfigMap",
            Place::File { .. } => "folder",
            Place::BuiltIn => "built-in",
        }
    }

    /// Whether both are the same ConfigMap or file, perhaps made anew.
    pub(crate) fn is_same(&self, other: &Place) -> bool {
        match (self, other) {
            (
                Place::ConfigMap { namespace, name, .. },
                Place::ConfigMap { namespace: other_namespace, name: other_name, .. },
            ) => (namespace, name) == (other_namespace, other_name),
            (one, other) => one == other,
        }
    }
}

/// `ConfigMap kanon-system/signalprocessing-policy`, `file policy.rego`, `built-in`.
impl fmt::Display for Place {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Place::ConfigMap { namespace, name, .. } => write!(out, "ConfigMap {namespace}/{name}"),
            Place::File { path } => write!(out, "file {path}"),
            Place::BuiltIn => out.write_str("built-in"),
        }
    }
}
