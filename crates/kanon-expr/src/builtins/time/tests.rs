use super::{duration, layout, zoned::Zone};

/// Reads a text by a layout and writes the time by another.
fn check(read: &str, text: &str, zone: &str, write: &str) -> Option<String> {
    let zone = Zone::load(zone).unwrap();
    layout::parse(read, text, &zone).map(|(at, zone)| layout::format(write, at, &zone))
}

#[test]
fn layouts_read_and_write_as_in_go() {
    const ISO: &str = "2006-01-02T15:04:05Z07:00";
    const FULL: &str = "2006-01-02 15:04:05.999999999 -0700 MST";
    for (read, text, zone, write, want) in [
        (ISO, "2023-08-14T10:00:00Z", "", FULL, "2023-08-14 10:00:00 +0000 UTC"),
        (ISO, "2023-08-14T10:00:00.25+02:00", "", FULL, "2023-08-14 10:00:00.25 +0200 +0200"),
        (ISO, "2023-08-14T10:00:00+02:00", "Europe/Zurich", FULL, "2023-08-14 10:00:00 +0200 CEST"),
        ("2006-01-02", "2023-01-14", "America/Chicago", FULL, "2023-01-14 00:00:00 -0600 CST"),
        ("Jan _2 2006", "Feb  3 2024", "", "Monday, 02-Jan-06", "Saturday, 03-Feb-24"),
        ("Jan 2, 2006 at 3:04pm (MST)", "Feb 3, 2013 at 7:54pm (PST)", "", FULL, "2013-02-03 19:54:00 +0000 PST"),
        ("2006-01-02 MST", "2023-08-14 CEST", "Europe/Zurich", FULL, "2023-08-14 00:00:00 +0200 CEST"),
        ("2006-01-02 MST", "2023-08-14 GMT+3", "", FULL, "2023-08-14 00:00:00 +0300 GMT+3"),
        ("15:04", "07:30", "", "2006 3:04 PM", "0000 7:30 AM"),
        ("06 002", "24 060", "", "2006-01-02 __2", "2024-02-29  60"),
        ("2006-01-02", "2024-02-29", "", "Jan _2 06 15h04 .000 ,999", "Feb 29 24 00h00 .000 "),
        ("January 2", "august 9", "", "Jan 2 Mon", "Aug 9 Wed"),
        ("2006-01-02T15:04:05.000", "2023-08-14T10:00:00.123", "", "05.00", "00.12"),
        ("2006-01-02T15:04:05-0700", "2023-04-23T00:30:00.000+0100", "America/Chicago", "2006-01-02", "2023-04-23"),
        ("3:04:05PM", "12:00:09AM", "", "15:04:05", "00:00:09"),
        ("_2006-1-2", "_2023-8-4", "", "_2006 Janet", "_2023 Janet"),
        ("02.01.2006  x", "04.08.2023 x", "", "1/2", "8/4"),
    ] {
        assert_eq!(check(read, text, zone, write).as_deref(), Some(want), "{read} {text}");
    }
    for (read, text) in [
        ("2006-01-02", "2023-13-01"),
        ("2006-01-02", "2023-02-29"),
        ("2006-01-02", "2023-1-01"),
        ("2006-01-02", "2023-01-01x"),
        ("2006-01-02", "23-01-01"),
        ("15:04", "24:00"),
        ("15:04:05", "10:00:60"),
        ("Mon", "Xon"),
        ("MST", "xst"),
        ("-07:00", "+2500"),
        ("2006-01-02T15:04:05.000", "2023-08-14T10:00:00"),
    ] {
        assert_eq!(check(read, text, "", "2006"), None, "{read} {text}");
    }
    assert!(Zone::load("Nowhere/Land").is_none() && Zone::load("europe/zurich").is_none());
}

#[test]
fn durations_read_as_in_go() {
    let check = duration::parse;
    assert_eq!(check("1h30m"), Ok(5_400_000_000_000));
    assert_eq!(check("-1.5s"), Ok(-1_500_000_000));
    assert_eq!(check("+5µs"), Ok(5_000));
    assert_eq!(check(".5h1ns"), Ok(1_800_000_000_001));
    assert_eq!(check("0"), Ok(0));
    assert_eq!(check("-9223372036854775808ns"), Ok(i64::MIN));
    assert_eq!(check("9223372036854775807ns"), Ok(i64::MAX));
    assert_eq!(check("0.3333333333333333333h"), Ok(1_200_000_000_000));
    for (text, message) in [
        ("", "time: invalid duration \"\""),
        ("3", "time: missing unit in duration \"3\""),
        ("3x", "time: unknown unit \"x\" in duration \"3x\""),
        (".s", "time: invalid duration \".s\""),
        ("-", "time: invalid duration \"-\""),
        ("9223372036854775808ns", "time: invalid duration \"9223372036854775808ns\""),
        ("1h x", "time: unknown unit \"h x\" in duration \"1h x\""),
    ] {
        assert_eq!(check(text), Err(message.to_owned()));
    }
}
