//! `regex.globs_match`: whether two patterns of characters, `.`, sets, `+` and `*` have a text in common that is not empty.
//!
//! Each pattern is a chain of steps; a text in common is a path through both at once. Places are pairs, each is seen once.

use std::collections::BTreeSet;

use regorus::Value;

use super::{State, text};

/// Longer patterns are refused.
const MAX_LEN: usize = 2_000;

/// Which characters a step takes.
#[derive(Clone, Debug)]
enum Class {
    Any,
    /// Ranges, sorted or not.
    Of(Vec<(char, char)>),
}

#[derive(Clone, Debug)]
struct Step {
    class: Class,
    /// May be taken again.
    again: bool,
    /// May be left out.
    skip: bool,
}

fn parse(pattern: &str) -> Result<Vec<Step>, String> {
    if pattern.len() > MAX_LEN {
        return Err(format!("the pattern is longer than {MAX_LEN} bytes"));
    }
    let broken = |at: usize, what: &str| format!("input:{pattern}, pos:{at}, {what}: the input provided is invalid");
    let chars: Vec<char> = pattern.chars().collect();
    let mut steps: Vec<Step> = Vec::new();
    let mut at = 0;
    while let Some(c) = chars.get(at).copied() {
        at += 1;
        let class = match c {
            '.' => Class::Any,
            '\\' => {
                let escaped = chars.get(at).copied().ok_or_else(|| broken(at, "input ends with an escape"))?;
                at += 1;
                Class::Of(vec![(escaped, escaped)])
            }
            '[' => {
                let mut ranges = Vec::new();
                loop {
                    let mut next = || {
                        let mut c = chars.get(at).copied();
                        at += 1;
                        if c == Some('\\') {
                            c = chars.get(at).copied();
                            at += 1;
                            return c.map(|c| (c, true));
                        }
                        c.map(|c| (c, false))
                    };
                    match next() {
                        None => return Err(broken(chars.len(), "set-open '[' is not closed")),
                        Some((']', false)) => break,
                        Some((first, _)) => {
                            let range = chars.get(at) == Some(&'-') && chars.get(at + 1).is_some_and(|it| *it != ']');
                            if range {
                                let last = chars.get(at + 1).copied().unwrap_or(first);
                                at += 2;
                                if last < first {
                                    return Err(broken(at, "range is out of order"));
                                }
                                ranges.push((first, last));
                            } else {
                                ranges.push((first, first));
                            }
                        }
                    }
                }
                Class::Of(ranges)
            }
            ']' => return Err(broken(at, "set-close ']' with no preceding '['")),
            '+' | '*' => return Err(broken(at, "flag with nothing before it")),
            c => Class::Of(vec![(c, c)]),
        };
        let (again, skip) = match chars.get(at) {
            Some('+') => (true, false),
            Some('*') => (true, true),
            _ => (false, false),
        };
        at += usize::from(again);
        steps.push(Step { class, again, skip });
    }
    Ok(steps)
}

fn meet(a: &Class, b: &Class) -> bool {
    match (a, b) {
        (Class::Any, Class::Any) => true,
        (Class::Any, Class::Of(ranges)) | (Class::Of(ranges), Class::Any) => !ranges.is_empty(),
        (Class::Of(a), Class::Of(b)) => a.iter().any(|a| b.iter().any(|b| a.0 <= b.1 && b.0 <= a.1)),
    }
}

/// Places from which a character may be taken, and whether the end can be reached without one.
fn reachable(steps: &[Step], from: usize) -> (Vec<usize>, bool) {
    let mut places = Vec::new();
    let mut at = from;
    while let Some(step) = steps.get(at) {
        places.push(at);
        if !step.skip {
            return (places, false);
        }
        at += 1;
    }
    (places, true)
}

pub(super) fn globs_match(_: &State, args: &[Value]) -> Result<Value, String> {
    let (left, right) = (parse(text(args, 0)?)?, parse(text(args, 1)?)?);
    let mut seen = BTreeSet::from([(0, 0)]);
    let mut open = vec![(0, 0)];
    while let Some((a, b)) = open.pop() {
        let ((places_a, end_a), (places_b, end_b)) = (reachable(&left, a), reachable(&right, b));
        // The empty text does not count.
        if end_a && end_b && (a, b) != (0, 0) {
            return Ok(Value::from(true));
        }
        for i in &places_a {
            for j in &places_b {
                let (Some(x), Some(y)) = (left.get(*i), right.get(*j)) else { continue };
                if !meet(&x.class, &y.class) {
                    continue;
                }
                for next_a in [Some(i + 1), x.again.then_some(*i)].into_iter().flatten() {
                    for next_b in [Some(j + 1), y.again.then_some(*j)].into_iter().flatten() {
                        if seen.insert((next_a, next_b)) {
                            open.push((next_a, next_b));
                        }
                    }
                }
            }
        }
    }
    Ok(Value::from(false))
}
