//! When a gate's answer would change by itself, with everything but the time left as it is (spec/promotion-gates 4.5, 7.3):
//! found by asking the same decision at later instants, never by reading the expression. Its text only says which instants
//! can matter: full hours, minutes, window boundaries, minutes of soak, the end of a metric's life.

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};

use crate::{
    decide::{active_override, evaluate},
    facts::Target,
    gate::Gate,
    inputs::Inputs,
    references::Grain,
};

/// How far `simulate` and `explain` look ahead.
pub const HORIZON: SignedDuration = SignedDuration::from_hours(24 * 30);

/// Whether the gate lets the Bundle pass at an instant; what cannot be told does not.
pub fn passes(gate: &Gate, target: &Target, inputs: &Inputs, at: Timestamp) -> bool {
    gate.warn_only || active_override(gate, target, at).is_some() || evaluate(gate, inputs, at).unwrap_or(false)
}

/// The first instant in `(now, now + horizon]` at which `all` gives what it does not give now.
pub fn next_change(
    gates: &[(&Gate, &Target, &Inputs)],
    now: Timestamp,
    horizon: SignedDuration,
    all: impl Fn(Timestamp) -> bool,
) -> Option<Timestamp> {
    let end = now.checked_add(horizon).unwrap_or(Timestamp::MAX);
    let mut instants = Instants::default();
    for (gate, target, inputs) in gates {
        instants.add(gate, target, inputs, now, end);
    }
    let before = all(now);
    let mut at = now;
    loop {
        at = instants.after(at).filter(|at| *at <= end)?;
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
    next_change(&[(gate, target, inputs)], now, horizon, |at| passes(gate, target, inputs, at))
}

/// Instants that can matter.
#[derive(Default)]
struct Instants {
    single: BTreeSet<Timestamp>,
    /// Series: an instant of each, and its step in seconds.
    series: BTreeSet<(i64, i64)>,
}

impl Instants {
    fn add(&mut self, gate: &Gate, target: &Target, inputs: &Inputs, now: Timestamp, end: Timestamp) {
        match gate.references.grain() {
            Grain::None => {}
            Grain::Hour => _ = self.series.insert((0, 3600)),
            Grain::Quarter => _ = self.series.insert((0, 900)),
            Grain::Minute => _ = self.series.insert((0, 60)),
        }
        if gate.references.soak()
            && let Ok(upstream) = &inputs.upstream
        {
            let verified = upstream.values().filter_map(|it| it.verified_at);
            self.series.extend(verified.map(|at| (soak_phase(at), 60)));
        }
        if gate.references.mentions("changewindow")
            && let Ok(windows) = &inputs.windows
        {
            let named = gate.references.windows();
            let all = !gate.references.windows_are_named();
            let wanted = windows.iter().filter(|(name, _)| all || named.contains(name.as_str()));
            self.single.extend(wanted.flat_map(|(_, window)| window.boundaries(now, end)));
        }
        if let Ok(metrics) = &inputs.metrics {
            let named = gate.references.metrics();
            let stale = metrics.iter().filter(|(name, _)| named.contains(name.as_str()));
            // A metric is stale after that instant.
            self.single.extend(stale.filter_map(|(_, it)| it.stale_at).map(just_after));
        }
        let relevant = active_override(gate, target, now).and_then(|it| it.expires_at);
        self.single.extend(relevant.map(just_after));
    }

    /// The first of them after `at`.
    fn after(&self, at: Timestamp) -> Option<Timestamp> {
        let single = self.single.range((std::ops::Bound::Excluded(at), std::ops::Bound::Unbounded)).next().copied();
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
