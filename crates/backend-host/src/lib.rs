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
//!   the supervisor was killed, none in its control group, none of a user that is known to be this machine's alone, and
//!   none that carries the machine's [marker](MARKER) in its environment.
//! - The token exists in memory and pipes alone.
//! - Folders of other deployments are not listed, changed or removed.
//!
//! What keeps a job from what is not its own, by [`RunAs`]:
//!
//! | | the daemon's token and records | files and memory of other jobs |
//! |---|---|---|
//! | `Daemon` | no | no |
//! | `One` | kept from it | no: they are of one user |
//! | `OnePerMachine` | kept from it | kept from it, while both follow the usual modes of files |
//!
//! In each case a job sees the process list, the network of the host, world-readable files and shared places like `/tmp`.
//! What it leaves in these stays, but with `OnePerMachine` what its user owns in `/tmp`, `/var/tmp` and `/dev/shm` goes with
//! its machine, so that the user's next job does not meet it. Limits hold where control groups of version 2 are ours to use.
//!
//! Deliberately absent: namespaces, chroots, firewalls. Linux 5.3 or newer, for pidfds.

mod acknowledgement;
mod asked;
mod backend;
mod containers;
mod control_group;
mod create;
mod destroy;
mod error;
mod folder;
mod held;
mod holder;
mod kept;
mod launch_frame;
mod listing;
mod logs;
mod marked;
mod process;
mod promises;
mod reach;
mod recorded;
mod records;
mod remains;
mod removal;
mod runner_config;
mod runner_version;
mod settings;
mod shared_places;
mod start;
mod supervisor;
mod user;
mod user_claim;

pub use crate::backend::{CAPABILITIES, HostBackend};
pub use crate::control_group::limits_hindrance;
pub use crate::error::HostError;
pub use crate::folder::MARKER;
pub use crate::holder::{Holder, holder};
pub use crate::recorded::{Recorded, recorded};
pub use crate::runner_version::{RunnerVersion, RunnerVersionError, runner_version};
pub use crate::settings::{CacheServer, HostSettings, Limits, Program, RunAs};
pub use crate::supervisor::supervise;
pub use crate::user::{Permission, User, UserError};
