//! Ages as kubectl writes them: `5s`, `4m42s`, `3h12m`, `2d4h`.

const MINUTE: i64 = 60;
const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;
const YEAR: i64 = 365 * DAY;

/// A number of seconds in at most two units. A moment up to a second ahead counts as now (clocks differ); one further ahead
/// is `<invalid>`.
pub fn human_duration(seconds: i64) -> String {
    match seconds {
        ..-1 => "<invalid>".to_owned(),
        -1 => "0s".to_owned(),
        it if it < 2 * MINUTE => format!("{it}s"),
        it if it < 10 * MINUTE => two(it / MINUTE, "m", it % MINUTE, "s"),
        it if it < 3 * HOUR => format!("{}m", it / MINUTE),
        it if it < 8 * HOUR => two(it / HOUR, "h", it / MINUTE % 60, "m"),
        it if it < 2 * DAY => format!("{}h", it / HOUR),
        it if it < 8 * DAY => two(it / DAY, "d", it / HOUR % 24, "h"),
        it if it < 2 * YEAR => format!("{}d", it / DAY),
        it if it < 8 * YEAR => two(it / YEAR, "y", it / DAY % 365, "d"),
        it => format!("{}y", it / YEAR),
    }
}

/// The smaller unit is left out when it is zero.
fn two(large: i64, large_unit: &str, small: i64, small_unit: &str) -> String {
    if small == 0 { format!("{large}{large_unit}") } else { format!("{large}{large_unit}{small}{small_unit}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ages_read_as_kubectl_writes_them() {
        for (seconds, want) in [
            (-5, "<invalid>"),
            (-1, "0s"),
            (0, "0s"),
            (5, "5s"),
            (119, "119s"),
            (120, "2m"),
            (282, "4m42s"),
            (600, "10m"),
            (10_799, "179m"),
            (10_800, "3h"),
            (11_520, "3h12m"),
            (28_800, "8h"),
            (172_799, "47h"),
            (187_200, "2d4h"),
            (691_200, "8d"),
            (63_072_000, "2y"),
            (63_158_400, "2y1d"),
            (252_288_000, "8y"),
        ] {
            assert_eq!(human_duration(seconds), want, "{seconds}");
        }
    }
}
