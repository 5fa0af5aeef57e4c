//! Change windows: when they block, and when that changes (spec/promotion-gates 2.4.7). All times of day are wall-clock
//! times of the window's zone; local times that a change of the clocks skips do not occur, repeated ones count twice.

use jiff::{Timestamp, ToSpan, Zoned, civil, tz::TimeZone};

use crate::api::{ChangeWindowSpec, WindowSchedule};

/// Minutes of a day.
const DAY: u16 = 24 * 60;
/// How far a change of state is looked for: more than a week with its holes, and far enough for a rare leap in the zone.
const SEARCH_DAYS: i64 = 16;

/// A window, ready to be asked.
#[derive(Clone, Debug, PartialEq)]
pub struct Window {
    /// For people.
    pub reason: String,
    kind: Kind,
}

#[derive(Clone, Debug, PartialEq)]
enum Kind {
    /// Blocks from `start` until just before `end`.
    Blackout { start: Timestamp, end: Timestamp },
    /// Blocks outside the allowed times.
    Recurring { allowed: Weekly, zone: TimeZone },
    /// Given as it is: by a simulation, or by a stored status.
    Fixed(bool),
    /// Cannot be understood, and therefore blocks.
    Faulty(String),
}

impl Window {
    /// A window that is always or never active.
    pub fn fixed(active: bool) -> Window {
        Window { reason: String::new(), kind: Kind::Fixed(active) }
    }

    /// Reads a window; `stored` is its `status.active`, for a blackout without bounds.
    pub fn new(spec: &ChangeWindowSpec, stored: bool) -> Window {
        let kind = match spec.kind.as_str() {
            "blackout" => blackout(spec, stored),
            "recurring" => match &spec.schedule {
                None => Ok(Kind::Fixed(false)),
                Some(schedule) => recurring(schedule),
            },
            other => Err(format!("`spec.type` is `{other}`: write `blackout` or `recurring`")),
        };
        Window { reason: spec.reason.clone(), kind: kind.unwrap_or_else(Kind::Faulty) }
    }

    /// Whether it blocks.
    pub fn is_active(&self, now: Timestamp) -> bool {
        match &self.kind {
            Kind::Blackout { start, end } => *start <= now && now < *end,
            Kind::Recurring { allowed, zone } => !allowed.contains(&now.to_zoned(zone.clone())),
            Kind::Fixed(active) => *active,
            Kind::Faulty(_) => true,
        }
    }

    /// Why it cannot be understood.
    pub fn problem(&self) -> Option<&str> {
        match &self.kind {
            Kind::Faulty(problem) => Some(problem),
            Kind::Blackout { .. } | Kind::Recurring { .. } | Kind::Fixed(_) => None,
        }
    }

    /// The first instant after `now` at which it begins or ceases to block.
    pub fn next_change(&self, now: Timestamp) -> Option<Timestamp> {
        let active = self.is_active(now);
        let end = now.checked_add(jiff::SignedDuration::from_hours(24 * SEARCH_DAYS)).unwrap_or(Timestamp::MAX);
        self.boundaries(now, end).into_iter().find(|at| self.is_active(*at) != active)
    }

    /// Instants in `(from, to]` at which its state may change, in order.
    pub fn boundaries(&self, from: Timestamp, to: Timestamp) -> Vec<Timestamp> {
        let mut found = match &self.kind {
            Kind::Blackout { start, end } => vec![*start, *end],
            Kind::Recurring { allowed, zone } => allowed.boundaries(zone, from, to),
            Kind::Fixed(_) | Kind::Faulty(_) => Vec::new(),
        };
        // A blackout may lie far ahead: `next_change` of it has no horizon.
        let far = matches!(self.kind, Kind::Blackout { .. });
        found.retain(|at| *at > from && (far || *at <= to));
        found.sort();
        found.dedup();
        found
    }
}

fn blackout(spec: &ChangeWindowSpec, stored: bool) -> Result<Kind, String> {
    if spec.start.is_empty() || spec.end.is_empty() {
        return Ok(Kind::Fixed(stored));
    }
    let read = |name: &str, text: &str| {
        text.parse::<Timestamp>().map_err(|_| format!("`spec.{name}` is no RFC 3339 time: `{text}`"))
    };
    let (start, end) = (read("start", &spec.start)?, read("end", &spec.end)?);
    if end <= start {
        return Err("`spec.end` must come after `spec.start`".to_owned());
    }
    Ok(Kind::Blackout { start, end })
}

fn recurring(schedule: &WindowSchedule) -> Result<Kind, String> {
    let zone = zone(&schedule.timezone).map_err(|it| format!("`spec.schedule.timezone` {it}"))?;
    let mut days = [schedule.allowed_days.is_empty(); 7];
    for name in &schedule.allowed_days {
        let day = day(name).ok_or_else(|| format!("`spec.schedule.allowedDays` has no day `{name}`: write `Mon`"))?;
        days[day] = true;
    }
    let hours = match schedule.allowed_hours.as_str() {
        "" => None,
        text => Some(hours(text).ok_or_else(|| {
            format!("`spec.schedule.allowedHours` is `{text}`: write `HH:MM-HH:MM`, such as `09:00-17:00`")
        })?),
    };
    Ok(Kind::Recurring { allowed: Weekly { days, hours }, zone })
}

/// The zone called `name`; UTC when it is empty. The data is the one of this program.
///
/// # Errors
/// A fragment that follows the field's name.
pub fn zone(name: &str) -> Result<TimeZone, String> {
    if name.is_empty() || name == "UTC" {
        return Ok(TimeZone::UTC);
    }
    TimeZone::get(name)
        .map_err(|_| format!("is no zone that this version knows: `{name}`; write one such as `Europe/Berlin`"))
}

/// Times of a week.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Weekly {
    /// From Monday.
    days: [bool; 7],
    /// First minute of the day and the one after the last; all day when none. An end at or before the start lies on the next
    /// day, and the day that counts is the one on which the range begins.
    hours: Option<(u16, u16)>,
}

impl Weekly {
    /// Reads `Mon-Fri 09:00-17:00`, `Sat,Sun`, `22:00-06:00`.
    ///
    /// # Errors
    /// A sentence that says what is expected.
    pub fn parse(text: &str) -> Result<Weekly, String> {
        let wrong = || format!("`{text}` is no window: write `Mon-Fri 09:00-17:00`");
        let words: Vec<_> = text.split_whitespace().collect();
        let (first, second) = match words.as_slice() {
            [one] => (*one, None),
            [one, two] => (*one, Some(*two)),
            _ => return Err(wrong()),
        };
        if second.is_none() && first.contains(':') {
            return Ok(Weekly { days: [true; 7], hours: Some(hours(first).ok_or_else(wrong)?) });
        }
        let mut days = [false; 7];
        for part in first.split(',') {
            let (from, to) = part.split_once('-').unwrap_or((part, part));
            let (from, to) = (day(from).ok_or_else(wrong)?, day(to).ok_or_else(wrong)?);
            let count = (to + 7 - from) % 7;
            (0..=count).for_each(|it| days[(from + it) % 7] = true);
        }
        let hours = second.map(|it| hours(it).ok_or_else(wrong)).transpose()?;
        Ok(Weekly { days, hours })
    }

    /// Whether a local time lies inside.
    pub fn contains(&self, at: &Zoned) -> bool {
        let today = usize::from(at.weekday().to_monday_zero_offset().unsigned_abs());
        let yesterday = (today + 6) % 7;
        let minute = u16::from(at.hour().unsigned_abs()) * 60 + u16::from(at.minute().unsigned_abs());
        match self.hours {
            None => self.days[today],
            Some((from, to)) if from < to => self.days[today] && from <= minute && minute < to,
            Some((from, to)) => self.days[today] && minute >= from || self.days[yesterday] && minute < to,
        }
    }

    /// Instants at which the answer may change: midnights, the range's ends, and changes of the zone's offset.
    fn boundaries(&self, zone: &TimeZone, from: Timestamp, to: Timestamp) -> Vec<Timestamp> {
        let mut minutes = vec![0];
        minutes.extend(self.hours.map(|(start, _)| start));
        minutes.extend(self.hours.map(|(_, end)| end % DAY));
        let mut found: Vec<Timestamp> =
            zone.following(from).map(|it| it.timestamp()).take_while(|at| *at <= to).collect();
        let mut date = from.to_zoned(zone.clone()).date();
        let last = to.to_zoned(zone.clone()).date();
        while date <= last {
            let at = |minute: &u16| {
                let time = civil::time((minute / 60) as i8, (minute % 60) as i8, 0, 0);
                date.to_datetime(time).to_zoned(zone.clone()).ok().map(|it| it.timestamp())
            };
            found.extend(minutes.iter().filter_map(at));
            let Ok(next) = date.checked_add(1.day()) else { break };
            date = next;
        }
        found
    }
}

/// `Mon` … `Sun`, from 0.
fn day(name: &str) -> Option<usize> {
    ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"].iter().position(|it| it.eq_ignore_ascii_case(name))
}

/// `HH:MM-HH:MM` as minutes; the end may be `24:00`.
fn hours(text: &str) -> Option<(u16, u16)> {
    let minute = |text: &str| {
        let (hour, minute) = text.split_once(':')?;
        let digits = |it: &str| (it.len() == 2).then(|| it.parse::<u16>().ok())?;
        let (hour, minute) = (digits(hour)?, digits(minute)?);
        (minute < 60 && hour * 60 + minute <= DAY).then_some(hour * 60 + minute)
    };
    let (from, to) = text.split_once('-')?;
    let (from, to) = (minute(from)?, minute(to)?);
    (from < DAY).then_some((from, to))
}
