//! What is wrong with a configuration: where, what, and what to do about it.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use planner::report::counted;

/// One mistake, or one doubtful thing when it is listed among the warnings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// Line in the file, from 1.
    pub line: usize,
    /// Column in characters, from 1.
    pub column: usize,
    /// The key with the tables around it, as in `pool[0].backend`; empty for the file as a whole.
    pub key: String,
    /// What is wrong.
    pub reason: String,
    /// What would be right.
    pub hint: String,
}

impl Problem {
    /// `FILE:LINE:COLUMN: KEY: REASON`, in the file that it is in.
    pub fn located(&self, file: &Path) -> String {
        format!("{}:{self}", file.display())
    }
}

impl fmt::Display for Problem {
    /// `LINE:COLUMN: KEY: REASON`; the hint is left to the printer.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: ", self.line, self.column)?;
        if !self.key.is_empty() {
            write!(f, "{}: ", self.key)?;
        }
        f.write_str(&self.reason)
    }
}

/// Why there is no configuration.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file could not be read.
    #[error("cannot read the configuration {}", file.display())]
    Unreadable {
        /// Which file.
        file: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The file has mistakes; all of them, in the order of their lines.
    #[error("the configuration {} has {}", file.display(), counted(problems.len(), "problem"))]
    Problems {
        /// Which file.
        file: PathBuf,
        /// The mistakes; never empty.
        problems: Vec<Problem>,
    },
}

impl ConfigError {
    /// What to do about it; problems have hints of their own.
    pub fn hint(&self) -> Option<&'static str> {
        let Self::Unreadable { source, .. } = self else { return None };
        Some(match source.kind() {
            io::ErrorKind::IsADirectory => "name the file in it, such as DIRECTORY/forgescale.toml",
            io::ErrorKind::NotFound => "`forgescale config init --output FILE` writes an example",
            io::ErrorKind::PermissionDenied => "run this as a user that may read it: the one that the daemon runs as",
            _ => "it must be a file of text, in TOML; `forgescale config init --output FILE` writes an example",
        })
    }
}

/// A mistake whose place the reader adds. It begins without a hint, and nobody takes it before it has one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Complaint<Hint = String> {
    pub(super) reason: String,
    pub(super) hint: Hint,
}

impl Complaint<()> {
    pub(super) fn new(reason: impl Into<String>) -> Self {
        Self { reason: reason.into(), hint: () }
    }
}

impl<Hint> Complaint<Hint> {
    /// The same with this hint, instead of the one that it may have.
    pub(super) fn hint(self, hint: impl Into<String>) -> Complaint {
        Complaint { reason: self.reason, hint: hint.into() }
    }
}
