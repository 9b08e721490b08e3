//! `cargo xtask simulate …` and what else runs simulated worlds: builds that program in release form and hands over to it.
//!
//! It is not linked here: it needs a release build, and a planner that may be sabotaged, which no product may have.

use std::ffi::OsString;
use std::process::Command;

use anyhow::Context as _;

use crate::tidy::root;

/// Runs a command of the program with these arguments; whether it ended well.
pub(crate) fn run(command: &str, arguments: &[OsString]) -> anyhow::Result<bool> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut program = Command::new(&cargo);
    program.current_dir(root()).args(["run", "--quiet", "--release", "--package", "simulation"]);
    if command == "sabotage" {
        program.args(["--features", "sabotage"]);
    }
    program.args(["--", command]);
    let outcome = program.args(arguments).status().context("cannot run cargo")?;
    Ok(outcome.success())
}
