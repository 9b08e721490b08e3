//! The command line.

use std::path::PathBuf;

use clap::{Parser, Subcommand};

/// Measures latency, load on the forge and memory against the emulator.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask bench")]
pub(crate) struct Arguments {
    /// What to measure
    #[command(subcommand)]
    pub(crate) subject: Subject,
    /// Put the table between the markers of this file, too
    #[arg(long, global = true, value_name = "FILE")]
    pub(crate) write: Option<PathBuf>,
}

/// What can be measured.
#[derive(Debug, Clone, PartialEq, Eq, Subcommand)]
pub(crate) enum Subject {
    /// From a job that waits to the call that starts its runner, on a backend that does nothing (3 minutes)
    Latency {
        /// Only with this many jobs at once
        #[arg(long)]
        jobs: Option<usize>,
    },
    /// From a listed job to a running one on the host backend, beside spawning the runner by hand (1 minute)
    Pickup,
    /// Requests to the forge, per completed job and while nothing happens (half a minute)
    Calls,
    /// Resident memory of a daemon with 1,000 active assignments (half a minute)
    Memory,
    /// Peak resident memory of a process that lists very many jobs (seconds)
    Parsing,
    /// One plan for very many jobs and machines (a minute)
    Planner,
    /// All of these
    All,
    /// The process that is measured by `parsing`
    #[command(hide = true)]
    ListOnce {
        /// The forge
        url: String,
    },
    /// The process that is measured by `memory`
    #[command(hide = true)]
    DaemonOnly {
        /// The configuration
        config: PathBuf,
    },
}

impl Subject {
    /// The single measurements that it stands for.
    pub(crate) fn parts(&self) -> Vec<Self> {
        match self {
            Self::All => {
                let latency = Self::Latency { jobs: None };
                vec![latency, Self::Pickup, Self::Calls, Self::Memory, Self::Parsing, Self::Planner]
            }
            other => vec![other.clone()],
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::Arguments;

    #[test]
    fn the_definitions_contradict_each_other_nowhere() {
        Arguments::command().debug_assert();
    }
}
