//! The commented example, which `config init` writes.

/// A configuration with every key, its default and its sense.
pub fn example() -> &'static str {
    include_str!("example.toml")
}

/// The example with every setting in use; of two that exclude each other, the second if `alternative`.
pub fn uncommented(alternative: bool) -> String {
    let mut lines: Vec<&str> = Vec::new();
    for line in example().lines() {
        let line = table(line).unwrap_or(line);
        match line.strip_prefix(ALTERNATIVE) {
            Some(other) if alternative => {
                lines.pop();
                lines.push(other);
            }
            None => lines.push(setting(line).map_or(line, |(_, body)| body)),
            Some(_) => lines.push(line),
        }
    }
    lines.join("\n")
}

/// How a line begins whose setting excludes the one before it.
pub(super) const ALTERNATIVE: &str = "# or: ";

/// The key of a setting, and the line without its comment sign; nothing for lines that are something else.
pub(super) fn setting(line: &str) -> Option<(&str, &str)> {
    let body = line.strip_prefix("# ").unwrap_or(line);
    let (key, _) = body.split_once(" = ")?;
    (!key.contains([' ', '='])).then_some((key, body))
}

/// The table that a line opens, without its comment sign; nothing for lines that are something else.
pub(super) fn table(line: &str) -> Option<&str> {
    let body = line.strip_prefix("# ").unwrap_or(line);
    (body.starts_with('[') && body.ends_with(']')).then_some(body)
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::super::{Config, Origin, Setting};
    use super::{example, uncommented};
    use crate::config::Surroundings;
    use crate::config::tests::{Place, roots, surroundings};

    /// The settings of an example whose files are moved to where they exist.
    fn settings(text: &str, place: &Place) -> Vec<Setting> {
        settings_with(text, place, &surroundings(place))
    }

    fn settings_with(text: &str, place: &Place, surroundings: &Surroundings) -> Vec<Setting> {
        let text = text.replace("/etc/forgescale", &place.path().display().to_string());
        let text = text.replace("/usr/local/bin:/usr/bin:/bin", &place.path().display().to_string());
        let config = Config::parse(&text, Path::new("/"), surroundings);
        config.unwrap_or_else(|problems| panic!("{problems:#?}")).settings
    }

    /// A key without the numbers of list elements and the names of backends: what one may have, each may.
    fn generic(key: &str) -> String {
        let key: String = key.chars().filter(|c| !c.is_ascii_digit()).collect();
        let of_backend = key.strip_prefix("backend.").and_then(|rest| rest.split_once('.'));
        of_backend.map_or_else(|| key.clone(), |(_, rest)| format!("backend.*.{rest}"))
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
        // Only root may name other users.
        let [first, second] = [false, true].map(|other| settings_with(&uncommented(other), &place, &roots(&place)));
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
