//! `runtime`: which events of running workloads a rule is asked about (spec/rules 7.3).

use super::Mistakes;
use crate::{
    api,
    rule::{Events, Mode},
};

/// Checks the field. Without mode `runtime` it says nothing, which the author should know.
pub(super) fn check(
    wire: &api::RuntimeSpec,
    modes: &[Mode],
    mistakes: &mut Mistakes,
    warnings: &mut Vec<String>,
) -> Events {
    let mut classes = Vec::new();
    for (at, text) in wire.events.iter().enumerate() {
        match text.parse() {
            Ok(class) if classes.contains(&class) => {}
            Ok(class) => classes.push(class),
            Err(error) => mistakes.add(format!("runtime.events[{at}]"), error),
        }
    }
    let events = Events { classes, include_denied: wire.include_denied };
    if events != Events::default() && !modes.contains(&Mode::Runtime) {
        warnings.push("`runtime` says nothing: `mode` does not name `runtime`".to_owned());
    }
    events
}
