//! `/metrics`: a few figures in Prometheus' text format.

use std::{
    collections::BTreeMap,
    fmt::Write as _,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicI64, Ordering},
    },
};

/// Verbs of resources, and methods of other paths in lower case.
const VERBS: [&str; 13] = [
    "create",
    "delete",
    "deletecollection",
    "get",
    "head",
    "list",
    "none",
    "options",
    "patch",
    "post",
    "put",
    "update",
    "watch",
];

/// Figures of the server.
#[derive(Debug, Default)]
pub(crate) struct Metrics {
    /// Answers by verb and status.
    requests: Mutex<BTreeMap<(&'static str, u16), u64>>,
    watches: AtomicI64,
}

impl Metrics {
    /// Counts an answer. Methods that nobody knows count as one: a client must not fill memory with them.
    pub(crate) fn count(&self, verb: &str, status: u16) {
        let verb = VERBS.into_iter().find(|it| *it == verb).unwrap_or("other");
        let mut requests = self.requests.lock().unwrap_or_else(PoisonError::into_inner);
        *requests.entry((verb, status)).or_default() += 1;
    }

    pub(crate) fn watch_began(&self) {
        self.watches.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn watch_ended(&self) {
        self.watches.fetch_sub(1, Ordering::Relaxed);
    }

    /// The text, with what the store says of itself.
    pub(crate) fn render(&self, revision: u64, objects: usize) -> String {
        let mut text = String::from("# TYPE apiserver_request_total counter\n");
        let requests = self.requests.lock().unwrap_or_else(PoisonError::into_inner);
        for ((verb, status), count) in requests.iter() {
            // Writing to a string does not fail.
            let _ = writeln!(text, "apiserver_request_total{{verb=\"{verb}\",code=\"{status}\"}} {count}");
        }
        let watches = self.watches.load(Ordering::Relaxed);
        let _ = writeln!(text, "# TYPE apiserver_longrunning_requests gauge");
        let _ = writeln!(text, "apiserver_longrunning_requests{{verb=\"watch\"}} {watches}");
        let _ = writeln!(text, "# TYPE kanon_store_revision gauge\nkanon_store_revision {revision}");
        let _ = writeln!(text, "# TYPE apiserver_storage_objects gauge\napiserver_storage_objects {objects}");
        text
    }
}
