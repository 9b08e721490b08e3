//! How a command fails: what is printed, and the exit status.

use std::fmt;
use std::io;
use std::path::Path;
use std::process::ExitCode;

use daemon::chain;
use daemon::config::{ConfigError, Problem};
use daemon::control::Said;

/// Why a command did not do what was asked for.
#[derive(Debug)]
pub(crate) enum Failure {
    /// It could not be done: status 1.
    NotDone {
        /// Why.
        error: anyhow::Error,
        /// What may help.
        hints: Vec<String>,
    },
    /// It was asked for in a way that cannot be right: status 2.
    Usage {
        /// Why.
        error: anyhow::Error,
        /// What may help.
        hints: Vec<String>,
    },
    /// A running daemon refused it: status 1.
    Refused {
        /// Why; all that it says.
        reasons: Vec<Said>,
    },
    /// A running daemon found that its configuration cannot be used: status 2, as without a daemon.
    Unusable {
        /// Why; all that it says.
        reasons: Vec<Said>,
    },
    /// The configuration cannot be used: status 2.
    Config(ConfigError),
    /// What was asked for is done, standard output has told it, and the status repeats how it is.
    Told {
        /// The status.
        status: u8,
    },
    /// Standard output could not be written: status 1, or 0 when its reader has gone.
    Output(io::Error),
}

impl Failure {
    /// It could not be done.
    pub(crate) fn not_done(error: impl Into<anyhow::Error>) -> Self {
        Self::NotDone { error: error.into(), hints: Vec::new() }
    }

    /// It was asked for wrongly.
    pub(crate) fn usage(error: impl Into<anyhow::Error>) -> Self {
        Self::Usage { error: error.into(), hints: Vec::new() }
    }

    /// With one more hint, where there is room for hints.
    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Self {
        if let Self::NotDone { hints, .. } | Self::Usage { hints, .. } = &mut self {
            hints.push(hint.into());
        }
        self
    }

    /// Whether the reader of standard output has simply gone away.
    pub(crate) fn is_closed_output(&self) -> bool {
        matches!(self, Self::Output(error) if error.kind() == io::ErrorKind::BrokenPipe)
    }

    /// What the program exits with.
    pub(crate) fn exit_code(&self) -> ExitCode {
        ExitCode::from(match self {
            Self::Output(_) if self.is_closed_output() => 0,
            Self::NotDone { .. } | Self::Refused { .. } | Self::Output(_) => 1,
            Self::Usage { .. } | Self::Unusable { .. } | Self::Config(_) => 2,
            Self::Told { status } => *status,
        })
    }
}

/// Errors of writing to standard output; others are named where they happen.
impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Self::Output(error)
    }
}

impl From<ConfigError> for Failure {
    fn from(error: ConfigError) -> Self {
        Self::Config(error)
    }
}

impl fmt::Display for Failure {
    /// Whole lines: the chain of errors as one, then the hints.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotDone { error, hints } | Self::Usage { error, hints } => {
                writeln!(f, "error: {}", chain(error.as_ref()))?;
                hints.iter().try_for_each(|hint| writeln!(f, "hint: {hint}"))
            }
            Self::Refused { reasons } | Self::Unusable { reasons } => {
                reasons.iter().try_for_each(|Said { text, hint }| {
                    writeln!(f, "error: {text}")?;
                    writeln!(f, "  hint: {hint}")
                })
            }
            Self::Config(error) => {
                writeln!(f, "error: {}", chain(error))?;
                error.hint().map_or(Ok(()), |hint| writeln!(f, "hint: {hint}"))?;
                let ConfigError::Problems { file, problems } = error else { return Ok(()) };
                problems.iter().try_for_each(|problem| Located { file, problem }.fmt(f))
            }
            Self::Told { .. } => Ok(()),
            Self::Output(error) => writeln!(f, "error: cannot write to standard output: {error}"),
        }
    }
}

/// A problem of a configuration as lines: `FILE:LINE:COLUMN: KEY: REASON`, then its hint.
pub(crate) struct Located<'a> {
    pub(crate) file: &'a Path,
    pub(crate) problem: &'a Problem,
}

impl fmt::Display for Located<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.problem.located(self.file))?;
        writeln!(f, "  hint: {}", self.problem.hint)
    }
}
