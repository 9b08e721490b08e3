//! The command line.

use std::path::PathBuf;

use clap::{Parser, Subcommand, ValueEnum};

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
    /// From a listed job to a running one, beside starting the runner or a container by hand (1 to 3 minutes)
    Pickup {
        /// Machines
        #[arg(long, value_enum, default_value_t = On::Host)]
        backend: On,
    },
    /// More jobs than there may be containers: how soon an ended one makes room (half a minute)
    Burst {
        /// Machines
        #[arg(long, value_enum, default_value_t = Engine::Docker)]
        backend: Engine,
    },
    /// Runs of one concurrency group in containers: waits after each one's turn, and what is held in vain (2 minutes)
    Groups {
        /// Machines
        #[arg(long, value_enum, default_value_t = Engine::Docker)]
        backend: Engine,
    },
    /// Requests to the forge, per completed job and while nothing happens (half a minute)
    Calls,
    /// Resident memory of a daemon with 1,000 active assignments (half a minute)
    Memory,
    /// Peak resident memory of a process that lists very many jobs (seconds)
    Parsing,
    /// One plan for very many jobs and machines (a minute)
    Planner,
    /// All of these; those with containers where the environment names an engine
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

/// A backend that can be measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum On {
    /// Processes of this host
    Host,
    /// Containers of the engine that the environment names, or of the usual one
    Docker,
}

/// A backend of containers that can be measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Engine {
    /// The one that the environment names, or the usual one
    Docker,
}

impl Subject {
    /// The single measurements that it stands for.
    pub(crate) fn parts(&self, with_containers: bool) -> Vec<Self> {
        if *self != Self::All {
            return vec![self.clone()];
        }
        let backend = Engine::Docker;
        let on_host = [Self::Latency { jobs: None }, Self::Pickup { backend: On::Host }];
        let in_containers = [Self::Pickup { backend: On::Docker }, Self::Burst { backend }, Self::Groups { backend }];
        let others = [Self::Calls, Self::Memory, Self::Parsing, Self::Planner];
        on_host.into_iter().chain(in_containers.into_iter().filter(|_| with_containers)).chain(others).collect()
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
