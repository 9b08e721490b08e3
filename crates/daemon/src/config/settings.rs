//! Resolved settings with their origins: what `config show` prints.

use std::fmt;
use std::path::PathBuf;

/// One value that the configuration came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Setting {
    /// The key with the tables around it, as in `pool[0].max`.
    pub key: String,
    /// The value as TOML, `<hidden>` for a secret; nothing when it is not set and has no default.
    pub value: Option<String>,
    /// Where it comes from.
    pub origin: Origin,
}

/// Where a value comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// The configuration file.
    File {
        /// Line, from 1.
        line: usize,
    },
    /// Nobody said anything else.
    Default,
    /// An environment variable.
    Environment {
        /// Its name.
        variable: String,
    },
    /// A file of its own, named by the configuration file.
    SecretFile {
        /// Which.
        path: PathBuf,
    },
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File { line } => write!(f, "line {line}"),
            Self::Default => f.write_str("default"),
            Self::Environment { variable } => write!(f, "environment {variable}"),
            Self::SecretFile { path } => write!(f, "file {}", path.display()),
        }
    }
}
