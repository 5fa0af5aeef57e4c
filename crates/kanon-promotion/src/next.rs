//! When a gate's answer would change by itself, with everything but the time left as it is (spec/promotion-gates 4.5, 7.3):
//! found by asking the same decision at later instants, never by reading the expression. Its text only says which instants
//! can matter: full hours, minutes, window boundaries, minutes of soak, the end of a metric's life.

use jiff::{SignedDuration, Timestamp};
use kanon_lang::{Arena, Limits};

use crate::{
    decide::{active_override, evaluate_within},
    facts::Target,
    gate::Gate,
    inputs::Inputs,
    references::Grain,
    window::Window,
};

/// How far `simulate` and `explain` look ahead.
pub const HORIZON: SignedDuration = SignedDuration::from_hours(24 * 30);

/// Steps of one look ahead. A search looks many times: a gate that costs more is asked again at its interval, not exactly.
const LOOK_STEPS: u64 = 20_000;

/// Whether the gate lets the Bundle pass at an instant; what cannot be told does not.
pub fn passes(gate: &Gate, target: &Target, inputs: &Inputs, at: Timestamp) -> bool {
    passes_in(gate, target, inputs, at, &mut Arena::new())
}

fn passes_in(gate: &Gate, target: &Target, inputs: &Inputs, at: Timestamp, arena: &mut Arena) -> bool {
    let limits = Limits { steps: LOOK_STEPS, ..Limits::default() };
    let mut look = || evaluate_within(gate, inputs, at, &limits, arena).unwrap_or(false);
    gate.warn_only || active_override(gate, target, at).is_some() || look()
}

/// The first instant in `(now, now + horizon]` at which `all` gives what it does not give now.
pub fn next_change(
    gates: &[(&Gate, &Target, &Inputs)],
    now: Timestamp,
    horizon: SignedDuration,
    mut all: impl FnMut(Timestamp) -> bool,
) -> Option<Timestamp> {
    let end = now.checked_add(horizon).unwrap_or(Timestamp::MAX);
    let mut instants = Instants::default();
    for (gate, target, inputs) in gates {
        instants.add(gate, target, inputs, now, end);
    }
    let mut at = now;
    // Where no instant can matter, nothing is asked.
    let mut before = None;
    loop {
        at = instants.after(at).filter(|at| *at <= end)?;
        let before = *before.get_or_insert_with(|| all(now));
        if all(at) != before {
            return Some(at);
        }
    }
}

/// When one gate's answer changes.
pub fn gate_changes(
    gate: &Gate,
    target: &Target,
    inputs: &Inputs,
    now: Timestamp,
    horizon: SignedDuration,
) -> Option<Timestamp> {
    gate_changes_in(gate, target, inputs, now, horizon, &mut Arena::new())
}

/// The same in memory that was used before.
pub(crate) fn gate_changes_in(
    gate: &Gate,
    target: &Target,
    inputs: &Inputs,
    now: Timestamp,
    horizon: SignedDuration,
    arena: &mut Arena,
) -> Option<Timestamp> {
    next_change(&[(gate, target, inputs)], now, horizon, |at| passes_in(gate, target, inputs, at, arena))
}

/// Instants that can matter.
#[derive(Default)]
struct Instants {
    single: Vec<Timestamp>,
    /// Series: an instant of each, and its step in seconds.
    series: Vec<(i64, i64)>,
}

impl Instants {
    fn add(&mut self, gate: &Gate, target: &Target, inputs: &Inputs, now: Timestamp, end: Timestamp) {
        let times = &gate.times;
        match times.grain {
            Grain::None => {}
            Grain::Hour => self.add_series(0, 3600),
            Grain::Quarter => self.add_series(0, 900),
            Grain::Minute => self.add_series(0, 60),
        }
        if times.soak
            && let Ok(upstream) = &inputs.upstream
        {
            let verified = upstream.values().filter_map(|it| it.verified_at);
            verified.for_each(|at| self.add_series(soak_phase(at), 60));
        }
        if let Ok(windows) = &inputs.windows {
            let mut add = |window: &Window| self.single.extend(window.boundaries(now, end));
            match &times.windows {
                Some(names) => names.iter().filter_map(|it| windows.get(it)).for_each(add),
                None => windows.values().for_each(&mut add),
            }
        }
        if let Ok(metrics) = &inputs.metrics {
            let named = times.metrics.iter().filter_map(|it| metrics.get(it));
            // A metric is stale after that instant.
            self.single.extend(named.filter_map(|it| it.stale_at).map(just_after));
        }
        let relevant = active_override(gate, target, now).and_then(|it| it.expires_at);
        self.single.extend(relevant.map(just_after));
    }

    fn add_series(&mut self, phase: i64, step: i64) {
        if !self.series.contains(&(phase, step)) {
            self.series.push((phase, step));
        }
    }

    /// The first of them after `at`.
    fn after(&self, at: Timestamp) -> Option<Timestamp> {
        let single = self.single.iter().copied().filter(|it| *it > at);
        let second = at.as_second();
        let next = |(phase, step): &(i64, i64)| {
            let next = second - (second - phase).rem_euclid(*step) + step;
            Timestamp::from_second(next).ok()
        };
        self.series.iter().filter_map(next).chain(single).min()
    }
}

/// Second of the minute at which a soak grows; a verification within a second counts from the next one.
fn soak_phase(at: Timestamp) -> i64 {
    let second = at.as_second();
    (if at.subsec_nanosecond() > 0 { second + 1 } else { second }).rem_euclid(60)
}

fn just_after(at: Timestamp) -> Timestamp {
    at.checked_add(SignedDuration::from_secs(1)).unwrap_or(Timestamp::MAX)
}
