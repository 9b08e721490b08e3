//! The commented example, which `config init` writes.

/// A configuration with every key, its default and its sense.
pub fn example() -> &'static str {
    include_str!("example.toml")
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::super::{Config, Origin, Setting};
    use super::example;
    use crate::config::tests::{Place, surroundings};

    /// The settings of an example whose files are moved to where they exist.
    fn settings(text: &str, place: &Place) -> Vec<Setting> {
        let text = text.replace("/etc/forgescale", &place.path().display().to_string());
        let text = text.replace("/usr/local/bin:/usr/bin:/bin", &place.path().display().to_string());
        let config = Config::parse(&text, Path::new("/"), &surroundings(place));
        config.unwrap_or_else(|problems| panic!("{problems:#?}")).settings
    }

    /// The example with every setting in use; of two that exclude each other, the second if `alternative`.
    fn uncommented(alternative: bool) -> String {
        let mut lines: Vec<&str> = Vec::new();
        for line in example().lines() {
            let body = line.strip_prefix("# ").unwrap_or(line);
            let is_setting = body.split_once(" = ").is_some_and(|(key, _)| !key.contains([' ', '=']));
            match line.strip_prefix("# or: ") {
                Some(other) if alternative => {
                    lines.pop();
                    lines.push(other);
                }
                None if is_setting => lines.push(body),
                _ => lines.push(line),
            }
        }
        lines.join("\n")
    }

    /// A key without the numbers of list elements: what one scope may have, every scope may.
    fn generic(key: &str) -> String {
        key.chars().filter(|c| !c.is_ascii_digit()).collect()
    }

    #[test]
    fn the_example_is_a_valid_configuration() {
        let place = Place::new();
        let settings = settings(example(), &place);
        assert!(settings.iter().any(|setting| setting.origin == Origin::Default), "nothing is left to defaults");
    }

    #[test]
    fn every_known_key_is_in_the_example() {
        let place = Place::new();
        let (first, second) = (settings(&uncommented(false), &place), settings(&uncommented(true), &place));
        for setting in &first {
            let in_use = |settings: &[Setting]| {
                settings.iter().any(|other| {
                    generic(&other.key) == generic(&setting.key) && !matches!(other.origin, Origin::Default)
                })
            };
            assert!(in_use(&first) || in_use(&second), "{} is not in the example", setting.key);
        }
    }

    #[test]
    fn what_the_example_calls_a_default_is_one() {
        let place = Place::new();
        let (defaults, uncommented) = (settings(example(), &place), settings(&uncommented(false), &place));
        let mut compared = 0;
        for setting in defaults.iter().filter(|setting| setting.origin == Origin::Default && setting.value.is_some()) {
            let other = uncommented.iter().find(|other| other.key == setting.key);
            assert_eq!(other.and_then(|other| other.value.clone()), setting.value, "{}", setting.key);
            compared += 1;
        }
        assert!(compared > 20, "only {compared} defaults were compared");
    }
}
