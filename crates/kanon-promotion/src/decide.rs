//! The one decision: may a Bundle pass this gate, now? The controller, `policy test`, `policy simulate` and `explain` all ask
//! here (spec/promotion-gates 2.5.2).

use jiff::{SignedDuration, Timestamp};
use kanon_core::EvidenceValue;
use kanon_lang::{Arena, EvalError, Limits, Value};

use crate::{
    facts::Target,
    gate::{Gate, Override},
    inputs::Inputs,
    values::Records,
};

/// Freshness is never less than this (2.5.3).
const FRESH_MIN: SignedDuration = SignedDuration::from_mins(2);
/// How far ahead of us the clock that wrote a status may be.
const FUTURE_MAX: SignedDuration = SignedDuration::from_mins(1);

/// How a gate stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum State {
    /// Its expression is true.
    Pass,
    /// An exception lets everything through.
    Overridden,
    /// It would block, and only tells.
    Warn,
    /// Its expression is false.
    Block,
    /// It could not be told, and therefore blocks.
    Error,
}

impl State {
    /// Whether the promotion goes on.
    pub fn is_ready(self) -> bool {
        match self {
            State::Pass | State::Overridden | State::Warn => true,
            State::Block | State::Error => false,
        }
    }

    /// The word for metrics and records.
    pub fn as_str(self) -> &'static str {
        match self {
            State::Pass => "allowed",
            State::Overridden => "overridden",
            State::Warn => "warned",
            State::Block => "blocked",
            State::Error => "error",
        }
    }
}

/// What a gate said.
#[derive(Clone, Debug, PartialEq)]
pub struct Decision {
    /// How it stands.
    pub state: State,
    /// Why, as 2.5.4 words it.
    pub reason: String,
    /// Windows that it names and that do not exist.
    pub unknown_windows: Vec<String>,
    /// When the exception that lets it pass ends.
    pub override_ends: Option<Timestamp>,
}

impl Decision {
    /// A decision without an evaluation.
    pub fn error(reason: impl Into<String>) -> Decision {
        Decision { state: State::Error, reason: reason.into(), unknown_windows: Vec::new(), override_ends: None }
    }
}

/// Decides about a gate at a place.
pub fn decide(gate: &Gate, target: &Target, inputs: &Result<Inputs, String>, now: Timestamp) -> Decision {
    if let Some(exception) = active_override(gate, target, now) {
        let expires = exception.expires_at.map(|at| at.strftime("%Y-%m-%dT%H:%MZ").to_string()).unwrap_or_default();
        return Decision {
            state: State::Overridden,
            reason: format!("OVERRIDDEN by {}: {} (expires {expires})", exception.by, exception.reason),
            unknown_windows: Vec::new(),
            override_ends: exception.expires_at,
        };
    }
    let inputs = match inputs {
        Ok(inputs) => inputs,
        Err(problem) => return Decision::error(format!("context error: {problem}")),
    };
    let (state, reason) = match evaluate(gate, inputs, now) {
        Ok(passes) => {
            let state = if passes { State::Pass } else { State::Block };
            let text = format!("{} = {passes}", one_line(&gate.expression));
            let version = &inputs.bundle.version;
            (state, if version.is_empty() { text } else { format!("bundle.version={version}: {text}") })
        }
        Err(error) => (State::Error, error_text(&error)),
    };
    let (state, reason) = match (gate.warn_only, state) {
        (true, State::Block | State::Error) => (State::Warn, format!("would block: {reason}")),
        _ => (state, reason),
    };
    Decision { state, reason, unknown_windows: unknown_windows(gate, inputs), override_ends: None }
}

/// The expression's result at an instant.
///
/// # Errors
/// Whatever keeps it from being a boolean.
pub fn evaluate(gate: &Gate, inputs: &Inputs, now: Timestamp) -> Result<bool, EvalError> {
    evaluate_within(gate, inputs, now, &Limits::default(), &mut Arena::new())
}

/// The same within other limits than a decision has, in memory that was used before.
pub(crate) fn evaluate_within(
    gate: &Gate,
    inputs: &Inputs,
    now: Timestamp,
    limits: &Limits,
    arena: &mut Arena,
) -> Result<bool, EvalError> {
    arena.reset();
    let records = Records::new(inputs, &gate.zone, now);
    let values = records.values(arena);
    boolean(gate.program.evaluate(&values, limits, arena)?)
}

/// The same, with the value of every sub-expression.
pub fn explain(gate: &Gate, inputs: &Inputs, now: Timestamp) -> (Result<bool, EvalError>, Vec<EvidenceValue>) {
    let arena = Arena::new();
    let records = Records::new(inputs, &gate.zone, now);
    let (values, limits) = (records.values(&arena), Limits::default());
    let explained = gate.program.explain(&values, &limits, &arena);
    (explained.result.and_then(boolean), explained.values)
}

fn boolean(value: Value<'_>) -> Result<bool, EvalError> {
    match value {
        Value::Bool(bool) => Ok(bool),
        _ => Err(EvalError::value("expression returned non-boolean", kanon_lang::Span::default())),
    }
}

/// A run-time error as `status.reason` has it.
pub fn error_text(error: &EvalError) -> String {
    format!("CEL evaluation error: {}", one_line(&error.message))
}

/// The first exception that counts at a place (2.8).
pub fn active_override<'g>(gate: &'g Gate, target: &Target, now: Timestamp) -> Option<&'g Override> {
    let same = |wanted: &str, is: &str| wanted.is_empty() || wanted == is;
    gate.overrides.iter().find(|it| {
        !it.revoked
            && it.expires_at.is_some_and(|at| now <= at)
            && same(&it.stage, &target.environment)
            && same(&it.pipeline, &target.pipeline)
            && same(&it.bundle, &target.bundle)
    })
}

/// Whether an evaluation is recent enough to count (2.5.3). `started` is when this process began: what another one wrote
/// before does not count.
pub fn is_fresh(evaluated: Option<Timestamp>, recheck: SignedDuration, started: Timestamp, now: Timestamp) -> bool {
    let Some(at) = evaluated else { return false };
    let window = recheck.checked_mul(2).unwrap_or(SignedDuration::MAX).max(FRESH_MIN);
    let age = now.duration_since(at);
    age <= window && age >= -FUTURE_MAX && at >= started
}

fn unknown_windows(gate: &Gate, inputs: &Inputs) -> Vec<String> {
    let Ok(windows) = &inputs.windows else { return Vec::new() };
    let unknown = gate.references.windows().into_iter().filter(|it| !windows.contains_key(*it));
    unknown.map(str::to_owned).collect()
}

/// A text without line breaks and runs of blanks outside of what is quoted being told apart: for reasons of one line.
pub(crate) fn one_line(text: &str) -> String {
    if text.contains(['\n', '\t']) { text.split_whitespace().collect::<Vec<_>>().join(" ") } else { text.to_owned() }
}
