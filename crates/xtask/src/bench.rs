//! `cargo xtask bench …`: builds what is measured, then hands over to `load-bench`.
//!
//! The measuring program is a crate of its own and not linked here: it needs release builds, which `cargo xtask` is not.

use std::ffi::OsString;
use std::process::Command;

use anyhow::{Context as _, bail};

use crate::tidy::root;

/// Builds both programs in release form and runs the measuring one with these arguments; whether it ended well.
pub(crate) fn run(arguments: &[OsString]) -> anyhow::Result<bool> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    // Both in one build, so that they share what they are built from.
    let build = ["build", "--quiet", "--release", "--package", "cli", "--package", "load-bench"];
    let outcome = Command::new(&cargo).current_dir(root()).args(build).status().context("cannot run cargo")?;
    if !outcome.success() {
        bail!("the build has failed");
    }
    let measure = ["run", "--quiet", "--release", "--package", "load-bench", "--"];
    let measured = Command::new(&cargo).args(measure).args(arguments).status().context("cannot run cargo")?;
    Ok(measured.success())
}
