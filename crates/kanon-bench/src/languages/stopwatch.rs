//! Times of short calls: sides that do the same work take turns in windows, so that a busy neighbour hits all of them.
//! What counts is the time that the thread had a core, since other work on the machine says nothing about the engine.

use std::{hint::black_box, time::Duration};

use rustix::time::{ClockId, clock_gettime};

/// The time this thread has had a core.
pub(crate) fn core_time() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(time.tv_sec.unsigned_abs(), u32::try_from(time.tv_nsec).unwrap_or_default())
}

/// How long and how often.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Windows {
    /// Windows of each side.
    pub(crate) count: usize,
    /// How long one lasts, at least one call.
    pub(crate) length: Duration,
}

/// As the figures of the others were taken.
pub(crate) const WINDOWS: Windows = Windows { count: 21, length: Duration::from_millis(30) };
/// To see that everything runs.
pub(crate) const QUICK: Windows = Windows { count: 3, length: Duration::from_millis(3) };

/// Windows of calls that last longer than ten windows.
const SLOW: usize = 3;

/// One way to do the work of a row.
pub(crate) struct Side<'a> {
    /// Who does it.
    pub(crate) name: String,
    call: Box<dyn FnMut(u64) + 'a>,
}

impl<'a> Side<'a> {
    /// A side that calls `work`.
    pub(crate) fn new<R>(name: &str, mut work: impl FnMut() -> R + 'a) -> Side<'a> {
        // The loop is in the box, not around it: what is measured is the work alone.
        let call = move |times| {
            for _ in 0..times {
                black_box(work());
            }
        };
        Side { name: name.to_owned(), call: Box::new(call) }
    }

    fn time(&mut self, calls: u64) -> Duration {
        let started = core_time();
        (self.call)(calls);
        core_time().saturating_sub(started)
    }

    /// Calls in a window.
    fn calls(&mut self, windows: Windows) -> u64 {
        let mut calls = 1;
        loop {
            let took = self.time(calls);
            if took * 8 >= windows.length {
                let each = took.as_secs_f64() / calls as f64;
                return ((windows.length.as_secs_f64() / each) as u64).max(1);
            }
            calls *= 4;
        }
    }
}

/// What a call takes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Figure {
    /// Nanoseconds, the least of all windows.
    pub(crate) min: f64,
    /// Nanoseconds, the middle of all windows.
    pub(crate) median: f64,
    /// Blocks taken from the heap; `None` where nobody counts.
    pub(crate) allocations: Option<f64>,
}

/// The figures of all sides, in their order.
pub(crate) fn measure(sides: &mut [Side<'_>], windows: Windows) -> Vec<Figure> {
    let calls: Vec<u64> = sides.iter_mut().map(|side| side.calls(windows)).collect();
    let mut times = vec![Vec::with_capacity(windows.count); sides.len()];
    for window in 0..windows.count {
        for ((side, calls), times) in sides.iter_mut().zip(&calls).zip(&mut times) {
            // One call as long as many windows needs no more of them.
            let is_slow = times.first().is_some_and(|it| *it > 10.0 * windows.length.as_nanos() as f64);
            if is_slow && window >= SLOW {
                continue;
            }
            times.push(side.time(*calls).as_secs_f64() * 1e9 / *calls as f64);
        }
    }
    let figure = |(side, mut times): (&mut Side<'_>, Vec<f64>)| {
        times.sort_by(f64::total_cmp);
        let at = |index: usize| times.get(index).copied().unwrap_or(f64::NAN);
        Figure { min: at(0), median: at(times.len() / 2), allocations: allocations(side) }
    };
    sides.iter_mut().zip(times).map(figure).collect()
}

/// Blocks a call takes from the heap, once everything is warm.
///
/// The counter replaces the allocator of the whole process and costs some nanoseconds a block, which would make the crates
/// that allocate look slower than they are: so it is there on request only.
#[cfg(feature = "allocations")]
fn allocations(side: &mut Side<'_>) -> Option<f64> {
    const CALLS: u64 = 10;
    let counted = allocation_counter::measure(|| (side.call)(CALLS));
    Some(counted.count_total as f64 / CALLS as f64)
}

#[cfg(not(feature = "allocations"))]
fn allocations(_: &mut Side<'_>) -> Option<f64> {
    None
}
