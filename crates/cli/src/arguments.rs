//! The command line: what can be asked for. What it does is in `commands`, one file each.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand, ValueEnum};
use stand_in_runner::OneJob;

/// The hidden command that is the stand-in runner.
const STAND_IN: &str = "stand-in-runner";

/// Gets a machine for every job that waits on a Forgejo, and removes it afterwards.
//
// `C` is `Command`, or `Asked` for all that is shown to people.
#[derive(Debug, Parser)]
#[command(name = "forgescale", version, propagate_version = true, arg_required_else_help = true)]
pub(crate) struct Arguments<C: Subcommand> {
    /// What is logged to standard error, such as `debug` or `warn,daemon=trace` [default: `$FORGESCALE_LOG`, else `info`; `error` for the demo, `off` for check and gc]
    #[arg(long, global = true, value_name = "FILTER")]
    pub(crate) log: Option<String>,
    /// What is asked for.
    #[command(subcommand)]
    pub(crate) command: C,
}

/// All that the binary can be.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// What people ask for
    #[command(flatten)]
    Asked(Asked),
    /// Watches over one machine of the host backend
    #[command(hide = true)]
    Supervise {
        /// Ends the machine after so many seconds, whatever it does
        #[arg(long, value_name = "SECONDS")]
        longest: Option<u64>,
        /// The machine's folder.
        directory: PathBuf,
    },
    /// Does what `forgejo-runner` does, as far as demo and tests need it
    #[command(name = STAND_IN, hide = true)]
    StandInRunner(StandInRunner),
}

/// The commands for people.
#[derive(Debug, Subcommand)]
pub(crate) enum Asked {
    /// Serve the jobs of the configured forges until a signal says otherwise
    Run(Run),
    /// Play everything through on this machine: an emulated Forgejo, some work, this autoscaler
    Demo(Demo),
    /// Look at everything that `run` will need, and change nothing: exit status 2 if something does not work
    Check(Check),
    /// Write or check a configuration
    #[command(subcommand)]
    Config(ConfigCommand),
    /// Say why jobs, machines and runners are where they are
    Explain(Explain),
    /// Have the daemon read its configuration again, without touching running jobs
    Reload(Place),
    /// Remove what is left behind of machines and registrations, as far as nothing runs on them
    Gc(Gc),
    /// Let the daemon stop the processes whose jobs vanished all at once, instead of holding them for a while
    Confirm(Place),
    /// Print the version
    Version,
}

impl Asked {
    /// What is logged when nobody says anything: check, gc and demo tell their own story.
    pub(crate) fn default_log(&self) -> &'static str {
        match self {
            Self::Demo(_) => "error",
            // What went wrong is what they tell; libraries would tell it again.
            Self::Check(_) | Self::Gc(_) => "off",
            Self::Run(_) | Self::Config(_) | Self::Explain(_) | Self::Reload(_) | Self::Confirm(_) | Self::Version => {
                "info"
            }
        }
    }
}

/// `run`.
#[derive(Debug, Args)]
pub(crate) struct Run {
    /// The configuration
    #[arg(long, value_name = "FILE")]
    pub(crate) config: PathBuf,
    /// On the first SIGTERM or SIGINT wait for running jobs, instead of leaving them to the next start
    #[arg(long)]
    pub(crate) drain: bool,
    /// While another daemon has the state directory: wait, and take over when that one ends
    #[arg(long, conflicts_with = "once")]
    pub(crate) follow: bool,
    /// List everything once, launch what there is room for, and end; jobs go on
    #[arg(long, conflicts_with = "drain")]
    pub(crate) once: bool,
}

/// `check`.
#[derive(Debug, Args)]
pub(crate) struct Check {
    /// The configuration
    #[arg(long, value_name = "FILE")]
    pub(crate) config: PathBuf,
    /// Exit with status 1 if there are warnings
    #[arg(long)]
    pub(crate) strict: bool,
    /// Print the findings as one JSON object
    #[arg(long)]
    pub(crate) json: bool,
}

/// `demo`.
#[derive(Debug, Args)]
pub(crate) struct Demo {
    /// How many simple jobs there are beside the special ones
    #[arg(long, default_value_t = 6, value_name = "N", value_parser = clap::value_parser!(u16).range(..=100))]
    pub(crate) jobs: u16,
    /// What makes the machines
    #[arg(long, value_enum, default_value_t = DemoBackend::Host)]
    pub(crate) backend: DemoBackend,
    /// The image of the containers: any that has a shell
    #[arg(long, required_if_eq_any([("backend", "docker"), ("backend", "podman")]))]
    pub(crate) image: Option<String>,
    /// The socket of the container engine, as `unix:///PATH` [default: its usual one]
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) engine: Option<String>,
    /// The runner in the containers, a static program: a Forgejo Runner, or a forgescale [default: forgejo-runner, else this program]
    #[arg(long, value_name = "FILE")]
    pub(crate) runner: Option<PathBuf>,
    /// Keep the directory with configuration, state and logs, and say where it is
    #[arg(long)]
    pub(crate) keep: bool,
    /// Print the counters as one JSON object instead of the table
    #[arg(long)]
    pub(crate) json: bool,
}

/// What makes the machines of the demo.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum DemoBackend {
    /// Processes of this host
    Host,
    /// Containers of Docker
    Docker,
    /// Containers of Podman
    Podman,
}

/// The commands about configurations.
#[derive(Debug, Subcommand)]
pub(crate) enum ConfigCommand {
    /// Write a commented example with every setting
    Init {
        /// Where to, instead of standard output; a file that exists is never replaced
        #[arg(long, value_name = "FILE")]
        output: Option<PathBuf>,
    },
    /// Check a configuration and print every value with its origin
    Show {
        /// The configuration
        #[arg(long, value_name = "FILE")]
        config: PathBuf,
    },
}

/// `gc`.
#[derive(Debug, Args)]
pub(crate) struct Gc {
    /// The configuration
    #[arg(long, value_name = "FILE")]
    pub(crate) config: PathBuf,
    /// Change nothing: print what would be removed
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// Clean up after another deployment than the configuration's, in its scopes and on its backends
    #[arg(long, value_name = "OLD")]
    pub(crate) deployment: Option<String>,
    /// Of the other deployment take away what may be in use, too: runners that are online, machines whose process lives and
    /// whose job waits, and what its machines share once none is left. If its daemon still runs somewhere, this takes runners away from it and its jobs start anew,
    /// later. A machine on which a job runs is never stopped
    #[arg(long)]
    pub(crate) force: bool,
}

/// `explain`.
#[derive(Debug, Args)]
pub(crate) struct Explain {
    /// A job's handle (or its first 6 characters), a repository (`owner/name` or its id), a pool, a scope (`org:acme`), a machine (`fs-…`), or `all`; a summary without it
    pub(crate) subject: Option<String>,
    /// Where the report is
    #[command(flatten)]
    pub(crate) place: Place,
    /// Print the report, cut down to what was asked for, as JSON
    #[arg(long)]
    pub(crate) json: bool,
}

/// How the state directory is found.
#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
pub(crate) struct Place {
    /// The configuration of the daemon
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// The state directory of the daemon
    #[arg(long, value_name = "DIR")]
    pub(crate) state_directory: Option<PathBuf>,
}

/// The stand-in, with the parts of Forgejo Runner's command line that are used (protocol 3.6).
#[derive(Debug, Args)]
pub(crate) struct StandInRunner {
    /// A configuration of the runner, of which only a connection is looked at
    #[arg(short, long)]
    config: Option<PathBuf>,
    #[command(subcommand)]
    command: StandInCommand,
}

#[derive(Debug, Subcommand)]
enum StandInCommand {
    /// Takes one job, runs it and exits
    OneJob(Box<OneJob>),
}

impl StandInRunner {
    /// Runs it.
    pub(crate) fn run(&self) -> ExitCode {
        let StandInCommand::OneJob(flags) = &self.command;
        stand_in_runner::run(&OneJob { config: self.config.clone(), ..flags.as_ref().clone() })
    }
}

/// What a refusal of the parser ends with: `usage`, but 1 for the stand-in, where 2 means that there was no task.
pub(crate) fn refusal_status(usage: u8) -> u8 {
    if std::env::args_os().nth(1).is_some_and(|command| command == STAND_IN) { 1 } else { usage }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::{Arguments, Command};

    #[test]
    fn the_definitions_contradict_each_other_nowhere() {
        Arguments::<Command>::command().debug_assert();
    }
}
