//! The one thread that writes: it gathers what came during the last sync, commits it at once, then answers.

use std::sync::{Arc, PoisonError};

use kanon_store::{Rejected, Revision, Staged, Write, Writer};
use tokio::sync::{mpsc, oneshot};

use super::{Shared, WriteError, file::Source};

/// Writes in one commit at most: bounds how long the first of them waits.
const BATCH: usize = 2048;

type Answer = oneshot::Sender<Result<Staged, WriteError>>;

/// What the writer is asked.
pub(super) enum Job {
    Write { write: Box<Write>, answer: Answer },
    WriteAll(Vec<(Box<Write>, Answer)>),
    Compact(Revision),
    Stop(oneshot::Sender<()>),
}

/// An answer that must wait for the commit.
struct Due {
    answer: Answer,
    outcome: Result<Staged, WriteError>,
}

pub(super) struct WriterLoop {
    writer: Writer,
    source: Source,
    shared: Arc<Shared>,
    /// A commit failed: the file must be opened again first.
    broken: bool,
    due: Vec<Due>,
}

impl WriterLoop {
    pub(super) fn new(writer: Writer, source: Source, shared: Arc<Shared>) -> WriterLoop {
        WriterLoop { writer, source, shared, broken: false, due: Vec::new() }
    }

    /// Runs until it is told to stop, or until nobody can ask any more.
    pub(super) fn run(mut self, mut jobs: mpsc::Receiver<Job>) {
        while let Some(first) = jobs.blocking_recv() {
            let mut next = Some(first);
            let mut stop = None;
            while let Some(job) = next {
                match job {
                    Job::Write { write, answer } => self.stage(*write, answer),
                    Job::WriteAll(writes) => writes.into_iter().for_each(|(write, answer)| self.stage(*write, answer)),
                    Job::Compact(revision) => self.writer.compact_to(revision),
                    Job::Stop(done) => {
                        stop = Some(done);
                        break;
                    }
                }
                next = if self.due.len() < BATCH { jobs.try_recv().ok() } else { None };
            }
            self.commit();
            if let Some(done) = stop {
                drop(self);
                // Whoever asked may have gone.
                let _ = done.send(());
                return;
            }
        }
    }

    fn stage(&mut self, write: Write, answer: Answer) {
        if self.broken
            && let Err(problem) = self.reopen()
        {
            respond(answer, Err(WriteError::Failed(problem)));
            return;
        }
        let staged = {
            let memory = self.shared.memory.read().unwrap_or_else(PoisonError::into_inner);
            self.writer.stage(write, &memory)
        };
        match staged {
            Ok(staged) => self.due.push(Due { answer, outcome: Ok(staged) }),
            Err(Rejected { current, pending: true }) => {
                // What it met is not durable yet: to answer now could tell of a state that never was.
                self.due.push(Due { answer, outcome: Err(WriteError::Rejected(current)) });
            }
            Err(Rejected { current, pending: false }) => respond(answer, Err(WriteError::Rejected(current))),
        }
    }

    fn commit(&mut self) {
        // While the file is closed there is nothing staged, and history can wait.
        if self.broken || self.writer.is_empty() {
            self.answer_all();
            return;
        }
        match self.writer.commit() {
            Ok(batch) => {
                let (events, revision) = (batch.events().to_vec(), batch.revision());
                self.shared.publish(batch);
                self.answer_all();
                self.shared.wake(&events, revision);
            }
            Err(error) => {
                self.broken = true;
                let problem = explain(&error);
                tracing::error!(%problem, "the store cannot be written: reads go on, writes fail");
                for due in self.due.drain(..) {
                    respond(due.answer, Err(WriteError::Failed(problem.clone())));
                }
            }
        }
    }

    fn answer_all(&mut self) {
        for due in self.due.drain(..) {
            respond(due.answer, due.outcome);
        }
    }

    /// Opens the file again, and shows what of the failed commit became durable all the same.
    fn reopen(&mut self) -> Result<(), String> {
        let batch = {
            let memory = self.shared.memory.read().unwrap_or_else(PoisonError::into_inner);
            self.source.reopen(&mut self.writer, &memory).map_err(|error| explain(&error))?
        };
        let (events, revision) = (batch.events().to_vec(), batch.revision());
        self.shared.publish(batch);
        self.shared.wake(&events, revision);
        self.broken = false;
        tracing::info!("the store can be written again");
        Ok(())
    }
}

fn respond(answer: Answer, outcome: Result<Staged, WriteError>) {
    // The client may have gone; its write stands all the same.
    let _ = answer.send(outcome);
}

/// The error and what caused it, in one line.
fn explain(error: &(dyn std::error::Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        let inner = error.to_string();
        if !text.contains(&inner) {
            text = format!("{text}: {inner}");
        }
        source = error.source();
    }
    text
}
