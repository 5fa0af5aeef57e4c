//! Runs scans of stored objects on a thread of their own: admission never waits for an audit, and the loop goes on meanwhile.
//! It ends with the loop, whose end closes both channels.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::mpsc as std_mpsc,
};

use kanon_core::Input;
use kanon_plane::{ObjectStore, Scan};
use tokio::sync::mpsc;

use crate::clock::Clock;

/// Where scans go in. Families ask for one after the other, so that few are ever here.
pub(crate) struct Scans(std_mpsc::Sender<(Scan, ObjectStore)>);

impl Scans {
    /// Has a scan run over a snapshot.
    pub(crate) fn run(&self, scan: Scan, objects: ObjectStore) {
        // The thread ends after the loop only.
        let _ = self.0.send((scan, objects));
    }
}

/// Starts the thread; results go to `inputs`.
pub(crate) fn start(clock: Clock, inputs: mpsc::Sender<Input>) -> std::io::Result<Scans> {
    let (scans, work) = std_mpsc::channel::<(Scan, ObjectStore)>();
    let run = move || {
        for (scan, objects) in work {
            // A bug in an engine must fail this one scan, not all audits.
            let result = catch_unwind(AssertUnwindSafe(|| scan.run(&objects, clock.now())));
            // Before waiting for the queue: a snapshot that is held makes changes copy.
            drop(objects);
            let input = result.unwrap_or_else(|_| {
                tracing::error!("a scan panicked; its objects are looked at again with the next change");
                scan.failed()
            });
            if inputs.blocking_send(input).is_err() {
                return;
            }
        }
    };
    std::thread::Builder::new().name("audit".into()).spawn(run)?;
    Ok(Scans(scans))
}
