//! Checks and generated files of the project: `cargo xtask tidy`, `cargo xtask generate`, `cargo xtask dist`,
//! `cargo xtask bench all`, `cargo xtask simulate`, `cargo xtask trace`, `cargo xtask sabotage`, `cargo xtask chaos`,
//! `cargo xtask conformance`.
#![forbid(unsafe_code)]

mod bench;
mod chaos;
mod conformance;
mod dist;
mod generate;
mod rules;
mod tidy;
mod tree;
mod worlds;

use std::ffi::OsString;
use std::io::{self, Write as _};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;

/// What the project does to itself.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask")]
enum Task {
    /// Check the rules that no compiler checks
    Tidy,
    /// Write the documents that are made from the program: reference and schema
    Generate,
    /// Write man pages and shell completions
    Dist {
        /// Where to
        #[arg(long, value_name = "DIR", default_value = "target/dist")]
        output: PathBuf,
    },
    /// Measure latency, load on the forge and memory
    #[command(disable_help_flag = true)]
    Bench {
        /// What to measure, and where to write it: `cargo xtask bench help`
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<OsString>,
    },
    /// Run simulated worlds, one for each seed, and see whether one breaks an invariant
    #[command(disable_help_flag = true)]
    Simulate {
        /// `--seeds N`, `--start SEED`, `--allow-absent`
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<OsString>,
    },
    /// Tell all that happens in one simulated world
    #[command(disable_help_flag = true)]
    Trace {
        /// `SEED` with `--jobs N`, `--quiet SPAN`, `--without FAULT,…`, `--only FAULT,N,…`, or a scenario file
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<OsString>,
    },
    /// Kill the daemon at random moments under load: no job may be lost or run twice, nothing may be left
    Chaos {
        /// What the jobs run on
        #[arg(long, value_enum, default_value_t = chaos::Machines::Host)]
        backend: chaos::Machines,
        /// How often; 200 times on this host and 20 times on Docker unless given
        #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=2000))]
        kills: Option<u16>,
        /// Chooses the same moments again
        #[arg(long)]
        seed: Option<u64>,
    },
    /// Try a backend against the contract of backends, and print a table of what was tried
    Conformance {
        /// Whom to try
        #[arg(long, value_enum)]
        backend: conformance::Tried,
    },
    /// Show that deliberate defects of the planner break simulated worlds
    Sabotage {
        /// Only those whose description contains these words
        arguments: Vec<OsString>,
    },
}

fn main() -> anyhow::Result<ExitCode> {
    let (lines, is_fine) = match Task::parse() {
        Task::Tidy => {
            let complaints = tidy::check(&tidy::root())?;
            (complaints.iter().map(ToString::to_string).collect(), complaints.is_empty())
        }
        Task::Generate => {
            let written = generate::write(&tidy::root())?;
            (written.iter().map(|document| format!("wrote {}", document.path)).collect(), true)
        }
        Task::Dist { output } => {
            dist::write(&output)?;
            (vec![format!("wrote {}", output.display())], true)
        }
        Task::Bench { arguments } => (Vec::new(), bench::run(&arguments)?),
        Task::Simulate { arguments } => (Vec::new(), worlds::run("simulate", &arguments)?),
        Task::Trace { arguments } => (Vec::new(), worlds::run("trace", &arguments)?),
        Task::Chaos { backend, kills, seed } => (Vec::new(), chaos::run(backend, kills, seed)?),
        Task::Conformance { backend } => (Vec::new(), conformance::run(backend)?),
        Task::Sabotage { arguments } => (Vec::new(), worlds::run("sabotage", &arguments)?),
    };
    let mut out = io::stderr().lock();
    lines.iter().try_for_each(|line: &String| writeln!(out, "{line}"))?;
    Ok(if is_fine { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
