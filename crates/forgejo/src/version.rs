//! The forge's version.

use std::fmt;

/// Longest version text that is kept, in characters.
const RAW_LIMIT: usize = 128;

/// Version of a forge, of which only the leading numbers mean something (protocol 1.8).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Version {
    /// First number; 15 is the least that has what an autoscaler needs.
    pub major: u32,
    /// Second number.
    pub minor: u32,
    /// Third number.
    pub patch: u32,
    /// The whole text, as `17.0.0-dev-38-d883bd8f12+gitea-1.22.0`.
    pub raw: String,
}

impl Version {
    /// Reads the leading `major.minor.patch`; `None` when there is none.
    pub fn parse(text: &str) -> Option<Self> {
        let numbers = text.split(['-', '+', ' ']).next()?;
        let mut parts = numbers.trim_start_matches('v').splitn(3, '.').map(str::parse::<u32>);
        let mut next = || parts.next()?.ok();
        let (major, minor, patch) = (next()?, next()?, next()?);
        Some(Self { major, minor, patch, raw: text.chars().take(RAW_LIMIT).collect() })
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.raw)
    }
}

#[cfg(test)]
mod tests {
    use super::Version;

    #[test]
    fn releases_and_development_versions_are_read() {
        let numbers = |text| Version::parse(text).map(|version| (version.major, version.minor, version.patch));
        assert_eq!(numbers("15.0.3+gitea-1.22.0"), Some((15, 0, 3)));
        assert_eq!(numbers("17.0.0-dev-38-d883bd8f12+gitea-1.22.0"), Some((17, 0, 0)));
        assert_eq!(numbers("16.1.0"), Some((16, 1, 0)));
        assert_eq!(numbers("development"), None);
        assert_eq!(numbers("15.0"), None);
    }
}
