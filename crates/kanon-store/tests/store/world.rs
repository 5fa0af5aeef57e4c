//! The store and the model side by side, and what a script does to both.

use kanon_store::{
    Batch, Change, Disk, Draft, Entry, EventKind, Expect, Key, Memory, Options, Rejected, Revision, Write, Writer,
    database,
};

use crate::{
    invariants,
    reference::{Past, Reference, State, object},
    script::{Claim, KEYS, Step, coins},
};

/// Both sides.
pub(crate) struct World {
    pub(crate) options: Options,
    pub(crate) disk: Disk,
    pub(crate) writer: Writer,
    pub(crate) memory: Memory,
    /// What was acknowledged.
    pub(crate) model: Reference,
    /// What is staged.
    pub(crate) pending: Vec<Past>,
    /// The highest revision that the script asked to compact.
    pub(crate) compact_to: u64,
    /// The highest revision ever given away.
    pub(crate) highest: u64,
    /// Events of the last commit that had any.
    pub(crate) last_batch: usize,
    /// Commits that are not published yet.
    batches: Vec<Batch>,
}

impl World {
    pub(crate) fn new(options: Options) -> World {
        let disk = Disk::new();
        let (writer, memory) = open(&disk, options);
        assert_eq!(memory.revision(), Revision(1));
        let (model, pending, batches) = (Reference::default(), Vec::new(), Vec::new());
        World { options, disk, writer, memory, model, pending, compact_to: 0, highest: 1, last_batch: 0, batches }
    }

    pub(crate) fn run(&mut self, step: &Step) {
        match step {
            Step::Put { key, claim, body } => self.write(*key, *claim, Some(*body)),
            Step::Delete { key, claim } => self.write(*key, *claim, None),
            Step::Commit { publish } => self.commit(*publish),
            Step::Fail { operation, power_cut } => self.fail(*operation, *power_cut),
            Step::Restart => self.stop_and_start(),
            Step::PowerCut { seed } => self.restart(self.disk.power_cut(coins(*seed))),
            Step::Compact { share } => self.compact(*share),
        }
    }

    /// Ends a script: everything lands, and still agrees after a restart.
    pub(crate) fn settle(&mut self) {
        self.commit(true);
        self.stop_and_start();
    }

    fn stop_and_start(&mut self) {
        self.publish();
        // Closing writes: it must be over before the file is opened again.
        let (elsewhere, _) = open(&Disk::new(), self.options);
        drop(std::mem::replace(&mut self.writer, elsewhere));
        invariants::the_disk_keeps_what_is_needed_and_no_more(self);
        self.restart(self.disk.clone());
    }

    fn write(&mut self, key: usize, claim: Claim, body: Option<u32>) {
        let (prefix, namespace, name) = KEYS[key];
        let key = Key::new(prefix, namespace, name);
        let (before, pending) = self.before(key.as_str());
        let expect = match (claim, &before) {
            (Claim::Right, Some(state)) => Expect::At(Revision(state.revision)),
            (Claim::Right | Claim::Absent, _) => Expect::Absent,
            (Claim::Stale, state) => Expect::At(Revision(state.as_ref().map_or(1, |state| state.revision - 1))),
        };
        let (kind, last) = match (&before, body) {
            (None, _) => (EventKind::Added, body.unwrap_or(0)),
            (Some(_), Some(body)) => (EventKind::Modified, body),
            (Some(state), None) => (EventKind::Deleted, state.body),
        };
        let draft = Draft::new(&object(key.as_str(), last, 0)).expect("an object");
        let change = if body.is_some() { Change::Put(draft) } else { Change::Delete(draft) };
        let holds = match expect {
            Expect::Absent => before.is_none() && body.is_some(),
            Expect::At(revision) => before.as_ref().is_some_and(|state| state.revision == revision.0),
        };
        let text = key.as_str().to_owned();
        match self.writer.stage(Write { key, expect, change }, &self.memory) {
            Ok(staged) => {
                assert!(holds, "{text}: accepted against {before:?}");
                assert!(staged.revision.0 > self.highest, "a revision went back");
                self.highest = staged.revision.0;
                let past = Past { revision: staged.revision.0, kind, key: text, body: last };
                assert_eq!(staged.entry.object.to_value(), past.object());
                self.pending.push(past);
            }
            Err(Rejected { current, pending: is_pending }) => {
                assert!(!holds, "{text}: refused against {before:?}");
                assert_eq!(is_pending, pending, "{text}");
                assert_eq!(current.as_deref().map(state_of), before, "{text}");
            }
        }
    }

    /// What the next write of a key meets, and whether that is still pending.
    fn before(&self, key: &str) -> (Option<State>, bool) {
        let mut all = self.model.clone();
        all.events.extend(self.pending.iter().cloned());
        (all.state("", u64::MAX).remove(key), self.pending.iter().any(|past| past.key == key))
    }

    fn commit(&mut self, publish: bool) {
        let batch = self.writer.commit().expect("a sound disk");
        assert_eq!(batch.events().len(), self.pending.len());
        self.accept();
        self.batches.push(batch);
        if publish {
            self.publish();
        }
    }

    /// What is staged is durable now.
    fn accept(&mut self) {
        if !self.pending.is_empty() {
            self.last_batch = self.pending.len();
        }
        self.model.events.append(&mut self.pending);
    }

    fn publish(&mut self) {
        for batch in self.batches.drain(..) {
            self.memory.publish(batch);
        }
        invariants::check_all(self);
    }

    fn fail(&mut self, operation: u64, power_cut: Option<u64>) {
        // A shell publishes before it commits again.
        self.publish();
        self.disk.fail_from(Some(self.disk.operations() + operation));
        let outcome = self.writer.commit();
        let failed = outcome.is_err();
        self.disk.fail_from(None);
        match outcome {
            Ok(batch) => {
                self.accept();
                self.batches.push(batch);
                self.publish();
            }
            Err(error) => {
                assert!(error.is_transient(), "{error:?}");
                // Nothing is staged after a failure; a request to compact still stands.
                assert!(self.writer.commit().is_ok() == self.writer.is_empty());
            }
        }
        if let Some(seed) = power_cut {
            self.disk = self.disk.power_cut(coins(seed));
        }
        if failed || power_cut.is_some() {
            let fresh = database(self.disk.clone(), &self.options).expect("what was synced opens");
            let batch = self.writer.reopen(fresh, &self.memory).expect("what was synced loads");
            self.adopt(batch);
        }
    }

    /// A failed batch is durable as a whole or not at all.
    fn adopt(&mut self, batch: Batch) {
        if batch.events().is_empty() {
            self.pending.clear();
        } else {
            assert_eq!(batch.events().len(), self.pending.len(), "half a batch survived");
            self.accept();
        }
        self.batches.push(batch);
        self.publish();
    }

    fn restart(&mut self, disk: Disk) {
        self.disk = disk;
        // What was staged was never acknowledged.
        self.pending.clear();
        self.batches.clear();
        (self.writer, self.memory) = open(&self.disk, self.options);
        // Revisions that nobody saw may come again after a restart.
        self.highest = self.model.revision();
        assert_eq!(self.memory.revision().0, self.model.revision());
        invariants::check_all(self);
    }

    fn compact(&mut self, share: u8) {
        let revision = self.model.revision() * u64::from(share) / 255;
        self.compact_to = self.compact_to.max(revision);
        self.writer.compact_to(Revision(revision));
    }
}

/// An entry as the model has it.
pub(crate) fn state_of(entry: &Entry) -> State {
    let body = entry.object.at(&["spec", "body"]).and_then(|node| node.as_i64()).expect("a body");
    State { created: entry.created.0, revision: entry.revision.0, body: u32::try_from(body).expect("32 bits") }
}

fn open(disk: &Disk, options: Options) -> (Writer, Memory) {
    let database = database(disk.clone(), &options).expect("opens");
    Writer::open(database, options).expect("loads")
}
