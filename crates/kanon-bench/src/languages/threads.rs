//! Two threads on shared programs and documents: only windows count in which both threads really held a core, since other
//! work on the machine says nothing about the engine.

use std::{
    hint::spin_loop,
    sync::atomic::{AtomicUsize, Ordering},
    thread,
    time::{Duration, Instant},
};

use kanon_lang::{Arena, Memo, RuleSet};

use super::{
    audit,
    inputs::Inputs,
    report::Report,
    rules::{Engines, RULES},
    stopwatch::{QUICK, core_time},
};

/// Windows tried with each number of threads.
const TRIED: usize = 400;
/// How long a window is, about.
const LENGTH: Duration = Duration::from_millis(1);
/// The share of a window that a thread must have had a core.
const HELD: f64 = 0.96;
/// Fewer good windows than this prove nothing.
const ENOUGH: usize = 15;

/// What one thread did in one window.
#[derive(Clone, Copy)]
struct Turn {
    rate: f64,
    held: bool,
}

/// Calls a second of `threads` threads together, the median of the good windows, and how many of those there were.
fn rate<W: FnMut()>(threads: usize, tried: usize, worker: &(impl Fn(usize) -> W + Sync)) -> (f64, usize) {
    let arrived = AtomicUsize::new(0);
    let turns: Vec<Vec<Turn>> = thread::scope(|scope| {
        let run = |number| {
            let arrived = &arrived;
            scope.spawn(move || turns(&mut worker(number), threads, tried, arrived))
        };
        let all: Vec<_> = (0..threads).map(run).collect();
        all.into_iter().map(|it| it.join().unwrap_or_default()).collect()
    });
    let window = |at: usize| turns.iter().map(|it| it.get(at).copied()).collect::<Option<Vec<Turn>>>();
    let good = (0..tried).filter_map(window).filter(|window| window.iter().all(|it| it.held));
    let mut rates: Vec<f64> = good.map(|window| window.iter().map(|it| it.rate).sum()).collect();
    rates.sort_by(f64::total_cmp);
    (rates.get(rates.len() / 2).copied().unwrap_or(f64::NAN), rates.len())
}

fn turns(work: &mut impl FnMut(), threads: usize, tried: usize, arrived: &AtomicUsize) -> Vec<Turn> {
    // Everything warm, and the number of calls that fills a window.
    let (started, mut calls) = (Instant::now(), 0u32);
    while started.elapsed() < LENGTH * 20 {
        work();
        calls += 1;
    }
    let calls = (calls / 20).max(1);
    let turn = |at: usize| {
        arrived.fetch_add(1, Ordering::SeqCst);
        while arrived.load(Ordering::SeqCst) < threads * (at + 1) {
            spin_loop();
        }
        let (core, wall) = (core_time(), Instant::now());
        for _ in 0..calls {
            work();
        }
        let (wall, core) = (wall.elapsed().as_secs_f64(), (core_time().saturating_sub(core)).as_secs_f64());
        Turn { rate: f64::from(calls) / wall, held: core / wall > HELD }
    };
    (0..tried).map(turn).collect()
}

fn ratio<W: FnMut()>(report: &mut Report, name: &str, worker: impl Fn(usize) -> W + Sync) {
    let tried = if report.windows().count == QUICK.count { TRIED / 10 } else { TRIED };
    let (one, good_one) = rate(1, tried, &worker);
    let (two, good_two) = rate(2, tried, &worker);
    let measured = format!("{one:.0}/s alone ({good_one} windows), {two:.0}/s on two ({good_two} windows)");
    if good_one < ENOUGH || good_two < ENOUGH {
        return report.line(name, &format!("{measured}: too few good windows, the machine is busy"), None);
    }
    report.line(name, &format!("{measured}: {:.2} ×", two / one), Some(("≥ 1.9 ×", two / one >= 1.9)));
}

/// Prints the rows.
pub(crate) fn run(report: &mut Report, inputs: &Inputs, engines: &Engines) -> anyhow::Result<()> {
    report.heading("Two threads, programs and documents shared");
    for id in ["C1", "C2", "E1", "E2"] {
        let rule = RULES.iter().find(|it| it.id == id).ok_or_else(|| anyhow::anyhow!("no rule {id}"))?;
        let prepared = engines.prepare(rule, inputs)?;
        let prepared = &prepared;
        ratio(report, id, |_| {
            let mut arena = Arena::new();
            move || {
                // A hundred at a time: a call through the closure costs as much as a small rule.
                for _ in 0..100 {
                    std::hint::black_box(prepared.evaluate(&mut arena).is_ok());
                }
            }
        });
    }
    let pods = audit::pods(inputs, 200)?;
    let set = RuleSet::new(audit::rules(engines)?);
    let (pods, set) = (&pods, &set);
    // Shared objects would show a shared counter; objects of one's own would show only caches that are too small.
    for (name, apart) in [("audit, 100 pods × 50 rules, shared pods", 0), ("the same, each thread its own pods", 100)]
    {
        ratio(report, name, |number| {
            let (mut arena, mut room) = (Arena::new(), Memo::default());
            let own = pods.get(number * apart..).unwrap_or_default();
            let own = own.get(..100).unwrap_or(own);
            move || {
                std::hint::black_box(audit::as_set(set, own, &mut arena, &mut room));
            }
        });
    }
    Ok(())
}
