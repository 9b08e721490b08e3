//! What the runner says to people: single lines on standard error, as the real runner does it (protocol 3.6).
//!
//! Deliberately absent: levels, colours, and anything of a job's output: that goes to the forge only.

use std::error::Error;
use std::fmt::Display;
use std::io::{self, Write};

/// Writes one line to standard error. A closed standard error is no reason to stop a job, so failures are ignored.
pub(crate) fn say(line: impl Display) {
    let _ = writeln!(io::stderr().lock(), "one-job: {line}");
}

/// An error with all its causes on one line.
pub(crate) fn chain(error: &dyn Error) -> String {
    let mut line = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        line.push_str(": ");
        line.push_str(&inner.to_string());
        cause = inner.source();
    }
    line
}
