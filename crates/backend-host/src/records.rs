//! The small files in a machine's folder.
//!
//! | File | Written by | Says |
//! |---|---|---|
//! | `machine.json` | the daemon, before the folder gets its name | what the machine is |
//! | `supervisor.json` | the supervisor, first of all | which process it is |
//! | `binding.json` | the supervisor, before the runner is started | what was started |
//! | `stopping.json` | the supervisor | that it was asked to end |
//! | `exit.json` | the supervisor, last of all | how it ended, and that nothing is left |

use planner::ids::{DeploymentId, MachineName};
use planner::seen::{Binding, Exit, MachineTags};
use serde::{Deserialize, Serialize};

use crate::process::Process;

/// `machine.json`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct MachineRecord {
    pub(crate) deployment: DeploymentId,
    pub(crate) name: MachineName,
    pub(crate) tags: MachineTags,
    pub(crate) stop_grace_ms: u64,
    pub(crate) created_ms: u64,
}

/// `supervisor.json`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct SupervisorRecord {
    pub(crate) process: Process,
    /// The boot that the process belongs to: process ids and start times begin anew with each.
    pub(crate) boot: String,
}

/// `binding.json`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct BindingRecord {
    pub(crate) binding: Binding,
    pub(crate) started_ms: u64,
}

/// `stopping.json`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct StoppingRecord {
    pub(crate) asked_ms: u64,
}

/// `exit.json`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct ExitRecord {
    pub(crate) exit: Exit,
    pub(crate) ended_ms: u64,
    /// How many processes had to be ended after the runner.
    pub(crate) strays: usize,
    /// Why there never was a runner, for people.
    pub(crate) reason: Option<String>,
}
