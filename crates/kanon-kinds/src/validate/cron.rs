//! Schedules of cron jobs: five fields or a name, in the words of the parser that upstream uses.

use std::ops::RangeInclusive;

/// What a field may hold, and the names it may use for that.
struct Bounds {
    range: RangeInclusive<u32>,
    names: &'static [&'static str],
}

const FIELDS: [Bounds; 5] = [
    Bounds { range: 0..=59, names: &[] },
    Bounds { range: 0..=23, names: &[] },
    Bounds { range: 1..=31, names: &[] },
    Bounds {
        range: 1..=12,
        names: &["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"],
    },
    Bounds { range: 0..=6, names: &["sun", "mon", "tue", "wed", "thu", "fri", "sat"] },
];

const DESCRIPTORS: [&str; 7] = ["@yearly", "@annually", "@monthly", "@weekly", "@daily", "@midnight", "@hourly"];

/// What is wrong with a schedule, if anything.
pub(super) fn problem(schedule: &str) -> Option<String> {
    if schedule.contains("TZ") {
        return Some("cannot use TZ or CRON_TZ in schedule, use timeZone field instead".to_owned());
    }
    if schedule.starts_with('@') {
        let known = DESCRIPTORS.contains(&schedule) || schedule.starts_with("@every ");
        return (!known).then(|| format!("unrecognized descriptor: {schedule}"));
    }
    let fields: Vec<&str> = schedule.split_whitespace().collect();
    if fields.len() != FIELDS.len() {
        return Some(format!("expected exactly 5 fields, found {}: [{}]", fields.len(), fields.join(" ")));
    }
    fields.iter().zip(&FIELDS).find_map(|(text, bounds)| field(text, bounds).err())
}

/// Ranges with steps, between commas.
fn field(text: &str, bounds: &Bounds) -> Result<(), String> {
    text.split(',').filter(|it| !it.is_empty()).try_for_each(|it| range(it, bounds))
}

fn range(text: &str, bounds: &Bounds) -> Result<(), String> {
    let mut parts = text.split('/');
    let span = parts.next().unwrap_or_default();
    let step = parts.next();
    if parts.next().is_some() {
        return Err(format!("too many slashes: {text}"));
    }
    let (least, most) = (*bounds.range.start(), *bounds.range.end());
    let (from, to) = if matches!(span, "*" | "?") {
        (least, most)
    } else {
        let mut ends = span.split('-');
        let from = value(ends.next().unwrap_or_default(), bounds)?;
        let to = match (ends.next(), step) {
            (Some(end), _) => value(end, bounds)?,
            (None, Some(_)) => most,
            (None, None) => from,
        };
        if ends.next().is_some() {
            return Err(format!("too many hyphens: {text}"));
        }
        (from, to)
    };
    let step = step.map_or(Ok(1), number)?;
    if from < least {
        return Err(format!("beginning of range ({from}) below minimum ({least}): {text}"));
    }
    if to > most {
        return Err(format!("end of range ({to}) above maximum ({most}): {text}"));
    }
    if from > to {
        return Err(format!("beginning of range ({from}) beyond end of range ({to}): {text}"));
    }
    if step == 0 {
        return Err(format!("step of range should be a positive number: {text}"));
    }
    Ok(())
}

fn value(text: &str, bounds: &Bounds) -> Result<u32, String> {
    let named = bounds.names.iter().position(|it| text.eq_ignore_ascii_case(it));
    match named.and_then(|at| u32::try_from(at).ok()) {
        Some(at) => Ok(bounds.range.start() + at),
        None => number(text),
    }
}

fn number(text: &str) -> Result<u32, String> {
    let negative = text.strip_prefix('-').is_some_and(|it| it.parse::<u32>().is_ok());
    if negative {
        return Err(format!("negative number ({text}) not allowed: {text}"));
    }
    text.parse().map_err(|_| format!("failed to parse int from {text}: strconv.Atoi: parsing {text:?}: invalid syntax"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn schedules_are_judged_in_the_parsers_words() {
        for good in ["* * * * *", "*/5 0-6,12 1 jan-MAR sun", "@daily", "@every 5m", "0 0 ? * 1-5/2", "5/15 * * * *"] {
            assert_eq!(problem(good), None, "{good}");
        }
        for (schedule, want) in [
            ("1 2", "expected exactly 5 fields, found 2: [1 2]"),
            ("60 * * * *", "end of range (60) above maximum (59): 60"),
            ("* * 0 * *", "beginning of range (0) below minimum (1): 0"),
            ("5-1 * * * *", "beginning of range (5) beyond end of range (1): 5-1"),
            ("*/0 * * * *", "step of range should be a positive number: */0"),
            ("1-2-3 * * * *", "too many hyphens: 1-2-3"),
            ("1/2/3 * * * *", "too many slashes: 1/2/3"),
            ("x * * * *", r#"failed to parse int from x: strconv.Atoi: parsing "x": invalid syntax"#),
            ("@often", "unrecognized descriptor: @often"),
            ("TZ=UTC * * * * *", "cannot use TZ or CRON_TZ in schedule, use timeZone field instead"),
        ] {
            assert_eq!(problem(schedule).as_deref(), Some(want), "{schedule}");
        }
    }
}
