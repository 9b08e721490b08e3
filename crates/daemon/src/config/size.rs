//! Sizes as people write them: `2GiB`, `64KiB`, `10MB`, `4096B`.

use super::problem::Complaint;

/// A number of bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Size(pub(super) u64);

/// Units with their bytes. Those of 1024 come first: they are the ones that a size is written back with.
const UNITS: [(&str, u64); 9] = [
    ("TiB", 1 << 40),
    ("GiB", 1 << 30),
    ("MiB", 1 << 20),
    ("KiB", 1 << 10),
    ("TB", 1_000_000_000_000),
    ("GB", 1_000_000_000),
    ("MB", 1_000_000),
    ("kB", 1_000),
    ("B", 1),
];

impl Size {
    pub(super) fn read(text: &str) -> Result<Self, Complaint> {
        let wrong =
            || Complaint::new(format!("`{text}` is no size")).hint("write it like \"2GiB\", \"64KiB\" or \"10MB\"");
        let digits = text.len() - text.trim_start_matches(|c: char| c.is_ascii_digit()).len();
        let (number, unit) = text.split_at(digits);
        let number: u64 = number.parse().map_err(|_| wrong())?;
        let (_, factor) = UNITS.iter().find(|(name, _)| *name == unit).ok_or_else(wrong)?;
        number.checked_mul(*factor).map(Self).ok_or_else(wrong)
    }

    /// Writes it with the largest unit of 1024 that it is a whole number of.
    pub(super) fn text(self) -> String {
        let whole = UNITS[..4].iter().find(|(_, factor)| self.0 >= *factor && self.0.is_multiple_of(*factor));
        let (name, factor) = whole.copied().unwrap_or(("B", 1));
        format!("{}{name}", self.0 / factor)
    }
}

#[cfg(test)]
mod tests {
    use super::Size;

    #[test]
    fn sizes_are_read_and_written_back() {
        for (written, bytes, canonical) in [
            ("2GiB", 2 << 30, "2GiB"),
            ("1024KiB", 1 << 20, "1MiB"),
            ("10MB", 10_000_000, "10000000B"),
            ("0B", 0, "0B"),
        ] {
            let size = Size::read(written).unwrap();
            assert_eq!(size, Size(bytes), "{written}");
            assert_eq!(size.text(), canonical);
        }
    }

    #[test]
    fn what_is_no_size_is_refused() {
        for wrong in ["", "5", "GiB", "1.5GiB", "-1B", "2gib", "2 GiB", "99999999TiB"] {
            assert!(Size::read(wrong).is_err(), "{wrong}");
        }
    }
}
