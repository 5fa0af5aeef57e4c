//! Times in a zone, and zones: what Go's `time.Time` carries besides a point in time. Times in UTC are plain values.

use std::{any::Any, borrow::Cow, cmp::Ordering};

use jiff::{
    Timestamp, civil,
    tz::{Offset, TimeZone},
};
use kanon_lang::{Arena, Opaque, Value};

use super::layout;

/// Longer names are not in the zone database.
const NAME_MAX: usize = 40;

/// A zone. It owns nothing, so that it can lie in an arena: names are looked up when they are needed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Zone {
    /// Seconds east of UTC; `None` for zones of the database, and UTC.
    fixed: Option<i32>,
    name: [u8; NAME_MAX],
    len: u8,
}

impl Zone {
    pub(crate) const UTC: Zone = Zone { fixed: None, name: [0; NAME_MAX], len: 0 };

    /// The zone that the database has under a name.
    pub(crate) fn load(name: &str) -> Option<Zone> {
        match name {
            "" | "UTC" | "Local" => Some(Zone::UTC),
            _ => {
                let found = TimeZone::get(name).ok()?;
                // Names have one spelling.
                (found.iana_name() == Some(name)).then(|| Zone::named(None, name))
            }
        }
    }

    /// A zone with an offset and, where it was given, an abbreviation.
    pub(crate) fn fixed(seconds: i32, name: &str) -> Zone {
        Zone::named(Some(seconds), name)
    }

    fn named(fixed: Option<i32>, name: &str) -> Zone {
        let mut zone = Zone { fixed, ..Zone::UTC };
        let len = name.len().min(NAME_MAX);
        zone.name[..len].copy_from_slice(&name.as_bytes()[..len]);
        zone.len = len as u8;
        zone
    }

    pub(crate) fn name(&self) -> &str {
        std::str::from_utf8(&self.name[..usize::from(self.len)]).unwrap_or_default()
    }

    pub(crate) fn is_utc(&self) -> bool {
        self.fixed.is_none() && self.len == 0
    }

    fn time_zone(&self) -> TimeZone {
        match self.fixed {
            Some(seconds) => Offset::from_seconds(seconds).map_or(TimeZone::UTC, TimeZone::fixed),
            None if self.len == 0 => TimeZone::UTC,
            None => TimeZone::get(self.name()).unwrap_or(TimeZone::UTC),
        }
    }

    /// Seconds east of UTC and the abbreviation at a time.
    pub(crate) fn offset(&self, at: Timestamp) -> (i32, String) {
        match self.fixed {
            Some(seconds) => (seconds, self.name().to_owned()),
            None => {
                let zone = self.time_zone();
                let info = zone.to_offset_info(at);
                (info.offset().seconds(), info.abbreviation().to_owned())
            }
        }
    }

    /// The date and time of day at a time.
    pub(crate) fn civil(&self, at: Timestamp) -> civil::DateTime {
        self.time_zone().to_datetime(at)
    }

    /// The time at which clocks show this; of two, or none, the one that Go takes: by the offset before the change.
    pub(crate) fn instant(&self, at: civil::DateTime) -> Option<Timestamp> {
        self.time_zone().to_timestamp(at).ok()
    }
}

/// A time in a zone other than UTC.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Zoned {
    pub(crate) at: Timestamp,
    pub(crate) zone: Zone,
}

impl Opaque for Zoned {
    fn type_name(&self) -> &'static str {
        "time.Time"
    }

    fn equals(&self, other: Value<'_>) -> Option<bool> {
        instant(other).map(|(at, _)| at == self.at)
    }

    fn compare(&self, other: Value<'_>) -> Option<Ordering> {
        instant(other).map(|(at, _)| self.at.cmp(&at))
    }

    fn text(&self) -> Cow<'_, str> {
        Cow::Owned(layout::format("2006-01-02T15:04:05.999999999Z07:00", self.at, &self.zone))
    }

    fn as_any(&self) -> Option<&dyn Any> {
        Some(self)
    }
}

/// A zone as a value.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Location(pub(crate) Zone);

impl Location {
    pub(crate) fn shown(&self) -> &str {
        if self.0.is_utc() { "UTC" } else { self.0.name() }
    }
}

impl Opaque for Location {
    fn type_name(&self) -> &'static str {
        "*time.Location"
    }

    fn equals(&self, other: Value<'_>) -> Option<bool> {
        location(other).map(|other| other.name() == self.0.name() && other.fixed == self.0.fixed)
    }

    fn text(&self) -> Cow<'_, str> {
        Cow::Borrowed(self.shown())
    }

    fn as_any(&self) -> Option<&dyn Any> {
        Some(self)
    }
}

/// The point in time that a value is, and its zone.
pub(crate) fn instant(value: Value<'_>) -> Option<(Timestamp, Zone)> {
    match value {
        Value::Time(at) => Some((at, Zone::UTC)),
        Value::Opaque(opaque) => opaque.as_any()?.downcast_ref::<Zoned>().map(|it| (it.at, it.zone)),
        _ => None,
    }
}

/// The zone that a value is.
pub(crate) fn location(value: Value<'_>) -> Option<Zone> {
    match value {
        Value::Opaque(opaque) => opaque.as_any()?.downcast_ref::<Location>().map(|it| it.0),
        _ => None,
    }
}

/// A time in a zone, as a value.
pub(crate) fn value<'a>(at: Timestamp, zone: Zone, arena: &'a Arena) -> Value<'a> {
    if zone.is_utc() { Value::Time(at) } else { Value::Opaque(arena.alloc(Zoned { at, zone })) }
}
