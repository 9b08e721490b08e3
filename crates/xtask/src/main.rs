//! Checks and generated files of the project: `cargo xtask tidy`.
#![forbid(unsafe_code)]

mod rules;
mod tidy;
mod tree;

use std::io::{self, Write as _};
use std::process::ExitCode;

use clap::Parser;

/// What the project does to itself.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask")]
enum Task {
    /// Check the rules that no compiler checks
    Tidy,
}

fn main() -> anyhow::Result<ExitCode> {
    let Task::Tidy = Task::parse();
    let complaints = tidy::check(&tidy::root())?;
    let mut out = io::stderr().lock();
    complaints.iter().try_for_each(|complaint| writeln!(out, "{complaint}"))?;
    Ok(if complaints.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
