//! Durations as Go writes them (`500ms`, `2s`, `1m30s`): the real runner's `--fetch-interval` takes them.

use std::time::Duration;

/// Units of Go's `time.ParseDuration` with their length in seconds; longer names first, so that `ms` is not read as `m`.
const UNITS: [(&str, f64); 8] =
    [("ns", 1e-9), ("us", 1e-6), ("µs", 1e-6), ("μs", 1e-6), ("ms", 1e-3), ("h", 3600.0), ("m", 60.0), ("s", 1.0)];

/// Reads a positive duration; `None` if the text is none, is zero or is out of range.
pub(crate) fn parse(text: &str) -> Option<Duration> {
    let mut rest = text;
    let mut seconds = 0.0;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit() && c != '.').filter(|end| *end > 0)?;
        let number: f64 = rest[..digits].parse().ok()?;
        rest = &rest[digits..];
        let (unit, length) = UNITS.iter().find(|(unit, _)| rest.starts_with(unit))?;
        seconds += number * length;
        rest = &rest[unit.len()..];
    }
    Duration::try_from_secs_f64(seconds).ok().filter(|duration| !duration.is_zero())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::parse;

    #[test]
    fn go_durations_are_read() {
        let cases = [("500ms", 500), ("2s", 2_000), ("1m", 60_000), ("1m30s", 90_000), ("1.5h", 5_400_000)];
        for (text, milliseconds) in cases {
            assert_eq!(parse(text), Some(Duration::from_millis(milliseconds)), "{text}");
        }
    }

    #[test]
    fn what_is_no_duration_is_refused() {
        for text in ["", "0s", "5", "s", "-1s", "1 s", "1d", "1..2s", "9999999999999999999h"] {
            assert_eq!(parse(text), None, "{text}");
        }
    }
}
