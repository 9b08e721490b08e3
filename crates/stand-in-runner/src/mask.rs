//! Hides secrets in log lines.
//!
//! Promise: no line that went through [`Mask::apply`] holds a secret known at that time, nor, in a line that was cut,
//! the beginning of one. The values cannot be printed.

use secrecy::{ExposeSecret, SecretString};

/// What a secret is replaced by.
const STARS: &str = "***";
/// Most values that are hidden. Jobs can add any number of them by `::add-mask::`; every value costs time per line.
pub(crate) const MAX_VALUES: usize = 1000;

/// The secrets to hide, longest first, so that a secret within another one does not leave the rest of it visible.
#[derive(Default)]
pub(crate) struct Mask {
    values: Vec<SecretString>,
}

impl Mask {
    /// Hides this value from now on; of a value with several lines, each line. `false` if there is no room for it.
    pub(crate) fn add(&mut self, value: &str) -> bool {
        for line in value.lines().map(str::trim).filter(|line| !line.is_empty()) {
            if self.values.iter().any(|known| known.expose_secret() == line) {
                continue;
            }
            if self.values.len() >= MAX_VALUES {
                return false;
            }
            let place = self.values.partition_point(|known| known.expose_secret().len() >= line.len());
            self.values.insert(place, SecretString::from(line.to_owned()));
        }
        true
    }

    /// The line without secrets.
    pub(crate) fn apply(&self, line: &str) -> String {
        let mut line = line.to_owned();
        for value in &self.values {
            if line.contains(value.expose_secret()) {
                line = line.replace(value.expose_secret(), STARS);
            }
        }
        line
    }

    /// A line whose end was cut off, without secrets and without an end that could be the beginning of one.
    pub(crate) fn apply_to_cut(&self, line: &str) -> String {
        let mut line = self.apply(line);
        let longest = self.values.first().map_or(0, |value| value.expose_secret().len());
        let keep = line.len().saturating_sub(longest.saturating_sub(1));
        line.truncate(line.floor_char_boundary(keep));
        line
    }
}

#[cfg(test)]
mod tests {
    use super::{MAX_VALUES, Mask};

    fn mask(values: &[&str]) -> Mask {
        let mut mask = Mask::default();
        for value in values {
            assert!(mask.add(value));
        }
        mask
    }

    #[test]
    fn secrets_are_replaced_longest_first() {
        let mask = mask(&["abc", "abcdef", " ", ""]);
        assert_eq!(mask.apply("x abcdef y abc z"), "x *** y *** z");
        assert_eq!(mask.apply("a b c"), "a b c");
    }

    #[test]
    fn every_line_of_a_secret_is_hidden() {
        let mask = mask(&["-----BEGIN\nqwertz\n-----END"]);
        assert_eq!(mask.apply("key qwertz"), "key ***");
    }

    #[test]
    fn a_cut_line_does_not_show_the_beginning_of_a_secret() {
        let mask = mask(&["geheimnis"]);
        let cut = mask.apply_to_cut("prefix geheimn");
        assert!(!cut.contains("geh"), "{cut}");
        assert!(cut.starts_with("prefi"), "{cut}");
    }

    #[test]
    fn the_number_of_values_is_limited() {
        let mut mask = Mask::default();
        for number in 0..MAX_VALUES {
            assert!(mask.add(&format!("value-{number}")));
        }
        assert!(mask.add("value-1"), "a known value needs no room");
        assert!(!mask.add("one more"));
    }
}
