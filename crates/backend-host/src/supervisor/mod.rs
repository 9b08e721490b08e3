//! The supervisor: one process per machine, which outlives the daemon and ends with its machine.
//!
//! ```text
//! start ─► supervisor.json ─► "ready" ─► wait for the launch ──pipe closed, or SIGTERM──────────► exit.json (never started)
//!                                              │ launch
//!                                              ▼
//!                                        binding.json ─► spawn ──failed──► "not started" ───────► exit.json (never started)
//!                                                          │ "started"
//!                                                          ▼
//!            SIGTERM: ask the runner, ──────────────► runner runs
//!            again, or a time over: kill all               │ it ended
//!                                                          ▼
//!                                              end all that is left ─► no child remains ────────► exit.json (code or signal)
//! ```
//!
//! It promises that `exit.json` is written when no descendant is left, never before: the kernel hands every orphan below
//! a subreaper to it, so a supervisor without children has no descendants. A process that cannot be killed (stuck in the
//! kernel) therefore keeps its machine from ending, which is the truth.
//!
//! Deliberately absent: threads and an async runtime (the runner's parent-death signal follows the spawning thread),
//! restarts, a way back to the daemon. What happened is in the folder.

mod awaiting;
mod job;
mod log;
mod signals;
mod sweep;
mod talk;
mod wait;

use std::io::{self, Write as _};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use planner::seen::Exit;
use rustix::io::Errno;

use crate::acknowledgement::Acknowledgement;
use crate::folder::{self, Folder};
use crate::process::{self, Process};
use crate::promises;
use crate::records::{ExitRecord, SupervisorRecord};
use awaiting::Awaited;
use signals::Signals;
use talk::Daemon;

/// Supervises one machine: the body of the program's hidden subcommand. Returns when the machine has ended.
///
/// To be called first thing in a process of its own that has no other thread, with the pipes of
/// [`HostBackend`](crate::HostBackend) as standard input and output. What goes wrong is said on standard error.
///
/// With `longest`, the machine is killed when its launch is so long ago: for machines that nobody comes back to.
pub fn supervise(directory: PathBuf, longest: Option<Duration>) -> ExitCode {
    match run(&Folder::new(directory), longest) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // Nobody may be there to read it.
            let _ = writeln!(io::stderr(), "supervisor: {error}");
            ExitCode::FAILURE
        }
    }
}

/// What a supervisor could not do. It has no one to tell but its log.
#[derive(Debug, thiserror::Error)]
#[error("could not {doing}: {source}")]
struct SupervisorError {
    doing: &'static str,
    source: io::Error,
}

/// Says what was being done when an error came.
trait Doing<T> {
    fn doing(self, doing: &'static str) -> Result<T, SupervisorError>;
}

impl<T, E: Into<io::Error>> Doing<T> for Result<T, E> {
    fn doing(self, doing: &'static str) -> Result<T, SupervisorError> {
        self.map_err(|source| SupervisorError { doing, source: source.into() })
    }
}

fn run(folder: &Folder, longest: Option<Duration>) -> Result<(), SupervisorError> {
    // It inherited the claim on its machine's user, which is not for the runner.
    promises::passes_nothing_on().doing("keep to itself what it inherited")?;
    let mut signals = Signals::catch().doing("catch signals")?;
    detach().doing("become a session and a subreaper of its own")?;
    let own = Process::current().doing("read its own start time")?;
    let boot = process::boot().doing("read the id of the boot")?;
    folder.write(folder::SUPERVISOR, &SupervisorRecord { process: own, boot }).doing("write supervisor.json")?;

    let mut daemon = Daemon::new();
    daemon.say(&Acknowledgement::Ready);
    let awaited = awaiting::launch(&mut signals);
    talk::stop_listening();
    match awaited.doing("wait for the launch")? {
        Awaited::Launch(launch) => job::serve(folder, *launch, longest, &mut signals, &mut daemon),
        Awaited::Nothing { reason } => {
            end_without_runner(folder, &reason)?;
            daemon.say(&Acknowledgement::NotStarted { reason });
            Ok(())
        }
    }
}

/// Leaves the daemon's session, so that nothing typed at its terminal arrives here, and becomes the parent of orphans.
fn detach() -> rustix::io::Result<()> {
    match rustix::process::setsid() {
        // Already the leader of a group: whoever started it has put it aside.
        Ok(_) | Err(Errno::PERM) => {}
        Err(error) => return Err(error),
    }
    rustix::process::set_child_subreaper(Some(rustix::process::getpid()))
}

fn end_without_runner(folder: &Folder, reason: &str) -> Result<(), SupervisorError> {
    let ended_ms = ::backend::wall_ms();
    let record = ExitRecord { exit: Exit::NeverStarted, ended_ms, strays: 0, reason: Some(reason.to_owned()) };
    folder.write(folder::EXIT, &record).doing("write exit.json")
}
