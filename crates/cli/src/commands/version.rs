//! `forgescale version`.

use std::io::Write;

use crate::failure::Failure;

/// Prints name and version.
pub(super) fn run(out: &mut impl Write) -> Result<(), Failure> {
    Ok(writeln!(out, "forgescale {}", env!("CARGO_PKG_VERSION"))?)
}
