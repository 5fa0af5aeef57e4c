//! What a pod is to pretend, said by an annotation on it (mostly by way of its template):
//!
//! ```yaml
//! metadata:
//!   annotations:
//!     kanon.dev/simulate: start=5s, ready=10s
//! ```
//!
//! | word | meaning |
//! |---|---|
//! | `start=5s` | the containers start that long after the pod got its node (at once) |
//! | `pull=fail` | the image cannot be pulled: the containers never start |
//! | `ready=10s`, `ready=never` | the pod is ready that long after its start (at once) |
//! | `run=30s` | the containers end that long after each start (pods of jobs: after 1s; others: never) |
//! | `exit=3` | with that code (0) |
//! | `crash` | the same as `run=1s, exit=1`, where neither is said |
//! | `stop=20s` | a deleted pod takes that long to stop, at most its grace period (nothing) |

use crate::{Kind, cluster::Known};

/// The annotation.
pub const SIMULATE: &str = "kanon.dev/simulate";

/// What a pod is to pretend. Times in seconds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Behaviour {
    /// From the binding to the start.
    pub start: i64,
    /// Whether the image cannot be pulled.
    pub pull_fails: bool,
    /// From the start until it is ready; never where absent.
    pub ready: Option<i64>,
    /// From a start to its end; never where absent.
    pub run: Option<i64>,
    /// With which code it ends.
    pub exit: i64,
    /// From the deletion to the end; at once where absent.
    pub stop: Option<i64>,
}

impl Behaviour {
    /// Reads the annotation's text: what was understood, and what was not.
    pub fn parse(text: &str) -> (Behaviour, Vec<String>) {
        let mut behaviour = Behaviour { ready: Some(0), ..Behaviour::default() };
        let mut problems = Vec::new();
        let mut crash = false;
        let mut exit = None;
        for word in text.split([',', ';']).map(str::trim).filter(|it| !it.is_empty()) {
            let (name, value) = word.split_once('=').map_or((word, ""), |(name, value)| (name.trim(), value.trim()));
            let time = seconds(value);
            let code = value.parse::<i64>().ok().filter(|it| (0..=255).contains(it));
            match (name, value) {
                ("pull", "fail") => behaviour.pull_fails = true,
                ("ready", "never") => behaviour.ready = None,
                ("crash", "") => crash = true,
                ("start", _) => behaviour.start = time.unwrap_or(behaviour.start),
                ("ready", _) => behaviour.ready = time.or(behaviour.ready),
                ("run", _) => behaviour.run = time.or(behaviour.run),
                ("stop", _) => behaviour.stop = time.or(behaviour.stop),
                ("exit", _) => exit = code.or(exit),
                _ => {}
            }
            let understood = match name {
                "pull" => value == "fail",
                "crash" => value.is_empty(),
                "ready" => value == "never" || time.is_some(),
                "start" | "run" | "stop" => time.is_some(),
                "exit" => code.is_some(),
                _ => false,
            };
            if !understood {
                problems.push(format!("annotation `{SIMULATE}` has `{word}`: want start, ready, run or stop with a duration such as `5s`, `ready=never`, `pull=fail`, `exit=` with a code, or `crash`"));
            }
        }
        behaviour.exit = exit.unwrap_or(i64::from(crash));
        if crash {
            behaviour.run = behaviour.run.or(Some(1));
        }
        (behaviour, problems)
    }

    /// What a pod is to pretend. Pods of jobs end by themselves.
    pub(crate) fn of(pod: &Known) -> (Behaviour, Vec<String>) {
        let (mut behaviour, problems) = Behaviour::parse(&pod.annotation(SIMULATE));
        if pod.owner.as_ref().is_some_and(|it| it.kind == Some(Kind::Job)) {
            behaviour.run = behaviour.run.or(Some(1));
        }
        (behaviour, problems)
    }
}

/// `5s`, `2m`, `1h`; parts of a second count as one.
fn seconds(text: &str) -> Option<i64> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at(digits);
    let number: i64 = number.parse().ok()?;
    match unit {
        "ms" => Some(number.checked_add(999)? / 1000),
        "s" => Some(number),
        "m" => number.checked_mul(60),
        "h" => number.checked_mul(3600),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn annotations_are_read_word_by_word() {
        let plain = || Behaviour { ready: Some(0), ..Behaviour::default() };
        for (text, want, problems) in [
            ("", plain(), 0),
            ("start=5s, ready=2m", Behaviour { start: 5, ready: Some(120), ..plain() }, 0),
            ("pull=fail;ready=never", Behaviour { pull_fails: true, ready: None, ..plain() }, 0),
            ("crash", Behaviour { run: Some(1), exit: 1, ..plain() }, 0),
            ("crash, run=1h, exit=137", Behaviour { run: Some(3600), exit: 137, ..plain() }, 0),
            ("stop=500ms", Behaviour { stop: Some(1), ..plain() }, 0),
            ("start=soon, exit=256, jump, start=5s", Behaviour { start: 5, ..plain() }, 3),
            ("start=99999999999999999999s", plain(), 1),
        ] {
            let (found, said) = Behaviour::parse(text);
            assert_eq!((found, said.len()), (want, problems), "{text}");
        }
    }
}
