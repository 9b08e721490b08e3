//! Machines as processes on this host, each under its own supervisor.
//!
//! ```text
//! daemon ── HostBackend ──pipe──► supervisor ──pipe──► runner ──► steps, services, strays
//!              │                  (own session, subreaper)            │
//!              │                      │ the only parent of all of it ◄┘
//!              └── reads ──► DIRECTORY/NAME/ ◄── writes
//! ```
//!
//! A machine is a folder. The daemon makes it ([`HostBackend`]), the supervisor ([`supervise`]) lives in it and writes
//! down what happens, so that everything outlives a killed daemon: the job, its exit code and the knowledge of what else
//! it started. A supervisor serves one launch and never starts anything twice.
//!
//! Promises:
//!
//! - An [`Ended`](planner::seen::MachineState::Ended) machine has no process left that descends from its supervisor. If
//!   the supervisor was killed, no process left that carries the machine's [marker](MARKER) in its environment.
//! - The token exists in memory and pipes alone.
//! - Folders of other deployments are not listed, changed or removed.
//!
//! Deliberately absent: control groups (they need rights that a plain user lacks), other users, resource limits,
//! namespaces. A job can do what the user of the daemon can do. Linux 5.3 or newer, for pidfds.

mod acknowledgement;
mod backend;
mod clock;
mod create;
mod destroy;
mod error;
mod folder;
mod held;
mod kept;
mod launch_frame;
mod listing;
mod logs;
mod marked;
mod process;
mod promises;
mod records;
mod removal;
mod runner_version;
mod settings;
mod start;
mod supervisor;

pub use crate::backend::HostBackend;
pub use crate::error::HostError;
pub use crate::folder::MARKER;
pub use crate::runner_version::{RunnerVersion, RunnerVersionError, runner_version};
pub use crate::settings::{HostSettings, Program};
pub use crate::supervisor::supervise;
