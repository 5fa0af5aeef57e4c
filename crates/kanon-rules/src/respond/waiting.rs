//! Runs that have to wait: for a moment, for the brake, for what is still to be learnt.

use std::collections::{BTreeMap, BTreeSet};

use kanon_core::{Digest, Mono};

use super::job::Job;

/// The runs that wait, by number: in order of their violations.
#[derive(Default)]
pub(super) struct Waiting {
    /// With the moment they wait for; `None` until they are let go on.
    jobs: BTreeMap<u64, (Option<Mono>, Job)>,
    due: BTreeSet<(Mono, u64)>,
    /// What waits because of each finding that lasts.
    because: BTreeMap<Digest, BTreeSet<u64>>,
}

impl Waiting {
    pub(super) fn len(&self) -> usize {
        self.jobs.len()
    }

    pub(super) fn put(&mut self, number: u64, job: Job, until: Option<Mono>) {
        if let Some(at) = until {
            self.due.insert((at, number));
        }
        if let Some(finding) = job.finding {
            self.because.entry(finding).or_default().insert(number);
        }
        self.jobs.insert(number, (until, job));
    }

    /// The next one whose moment has come.
    pub(super) fn next(&mut self, now: Mono) -> Option<(u64, Job)> {
        let (_, number) = self.due.first().copied().filter(|(at, _)| *at <= now)?;
        Some((number, self.take(number)?))
    }

    /// Takes out everything that waits because of a finding.
    pub(super) fn call_off(&mut self, finding: Digest) -> Vec<Job> {
        let numbers = self.because.get(&finding).cloned().unwrap_or_default();
        numbers.into_iter().filter_map(|it| self.take(it)).collect()
    }

    /// Takes out everything of which `is_over` says so.
    pub(super) fn call_off_all(&mut self, is_over: impl Fn(&Job) -> bool) -> Vec<Job> {
        let over: Vec<_> = self.jobs.iter().filter(|it| is_over(&it.1.1)).map(|it| *it.0).collect();
        over.into_iter().filter_map(|it| self.take(it)).collect()
    }

    /// Lets go on what waits for no moment.
    pub(super) fn release(&mut self, now: Mono) {
        for (number, (until, _)) in &mut self.jobs {
            if until.is_none() {
                *until = Some(now);
                self.due.insert((now, *number));
            }
        }
    }

    pub(super) fn next_deadline(&self) -> Option<Mono> {
        self.due.first().map(|(at, _)| *at)
    }

    fn take(&mut self, number: u64) -> Option<Job> {
        let (until, job) = self.jobs.remove(&number)?;
        if let Some(at) = until {
            self.due.remove(&(at, number));
        }
        if let Some(finding) = job.finding
            && let Some(numbers) = self.because.get_mut(&finding)
        {
            numbers.remove(&number);
            if numbers.is_empty() {
                self.because.remove(&finding);
            }
        }
        Some(job)
    }
}
