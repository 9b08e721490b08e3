//! Durations as people write them: `90s`, `3h`, `1m30s`, `500ms`.

use std::fmt::Write as _;
use std::time::Duration;

use super::problem::Complaint;

/// Units with their milliseconds, longest first; text must use them in this order, each at most once.
const UNITS: [(&str, u64); 5] = [("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1_000), ("ms", 1)];

/// More than this is a slip of the finger, not a span that anything here should take.
const LONGEST: Duration = Duration::from_hours(365 * 24);

/// Reads a duration of one year at most.
pub(super) fn read(text: &str) -> Result<Duration, Complaint> {
    let milliseconds = sum(text).ok_or_else(|| {
        Complaint::new(format!("`{text}` is no duration")).hint("write it like \"90s\", \"3h\", \"1m30s\" or \"500ms\"")
    })?;
    let span = Duration::from_millis(milliseconds);
    if span > LONGEST {
        return Err(Complaint::new(format!("`{text}` is more than a year")).hint("write 365d or less"));
    }
    Ok(span)
}

/// The milliseconds of numbers with falling units; nothing when the text is anything else or overflows.
fn sum(text: &str) -> Option<u64> {
    let mut rest = text;
    let mut units = UNITS.iter();
    let mut total = 0_u64;
    while !rest.is_empty() {
        let digits = rest.len() - rest.trim_start_matches(|c: char| c.is_ascii_digit()).len();
        let number: u64 = rest[..digits].parse().ok()?;
        let word = rest[digits..].split(|c: char| c.is_ascii_digit()).next()?;
        let (_, factor) = units.by_ref().find(|(name, _)| *name == word)?;
        total = total.checked_add(number.checked_mul(*factor)?)?;
        rest = &rest[digits + word.len()..];
    }
    (!text.is_empty()).then_some(total)
}

/// Writes it back so that [`read`] gives the same, to the millisecond.
pub(super) fn text(span: Duration) -> String {
    let mut rest = u64::try_from(span.as_millis()).unwrap_or(u64::MAX);
    if rest == 0 {
        return "0s".to_owned();
    }
    let mut text = String::new();
    for (name, factor) in UNITS {
        if rest >= factor {
            // Writing to a String cannot fail.
            let _ = write!(text, "{}{name}", rest / factor);
            rest %= factor;
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{read, text};

    #[test]
    fn durations_are_read_and_written_back() {
        for (written, milliseconds, canonical) in [
            ("90s", 90_000, "1m30s"),
            ("3h", 10_800_000, "3h"),
            ("1m30s", 90_000, "1m30s"),
            ("500ms", 500, "500ms"),
            ("1d2h3m4s5ms", 93_784_005, "1d2h3m4s5ms"),
            ("0s", 0, "0s"),
        ] {
            let span = read(written).unwrap();
            assert_eq!(span, Duration::from_millis(milliseconds), "{written}");
            assert_eq!(text(span), canonical);
        }
    }

    #[test]
    fn what_is_no_duration_is_refused() {
        for wrong in
            ["", "5", "s", "5 s", "1.5h", "30s1m", "1h1h", "-5s", "5S", "99999999999999999999s", "400d", "5m\u{301}"]
        {
            assert!(read(wrong).is_err(), "{wrong}");
        }
    }
}
