//! The small files in a machine's folder.
//!
//! | File | Written by | Says |
//! |---|---|---|
//! | `machine.json` | the daemon, before the folder gets its name | what the machine is |
//! | `supervisor.json` | the supervisor, first of all | which process it is |
//! | `binding.json` | the supervisor, before the runner is started | what was started |
//! | `stop.json` | the daemon, before it asks the supervisor to end | how long the runner may take |
//! | `stopping.json` | the supervisor | that it was asked to end |
//! | `exit.json` | the supervisor, last of all | how it ended, and that nothing is left |

use std::path::PathBuf;

use planner::ids::{DeploymentId, MachineName};
use planner::seen::{Binding, Exit, MachineTags};
use serde::{Deserialize, Serialize};

use crate::process::Process;
use crate::user::User;

/// `machine.json`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct MachineRecord {
    pub(crate) deployment: DeploymentId,
    pub(crate) name: MachineName,
    pub(crate) tags: MachineTags,
    /// How long its runner may take to end without a `stop.json`.
    pub(crate) stop_grace_ms: u64,
    pub(crate) created_ms: u64,
    /// Who its runner runs as; absent for the user of the daemon.
    #[serde(default)]
    pub(crate) user: Option<User>,
    /// Whether no other machine has this user.
    #[serde(default)]
    pub(crate) own_user: bool,
    /// Its control group.
    #[serde(default)]
    pub(crate) control_group: Option<PathBuf>,
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
    /// Whether the runner may have made containers.
    #[serde(default)]
    pub(crate) containers: bool,
}

/// `stop.json`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct StopRecord {
    pub(crate) stop_ms: u64,
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
