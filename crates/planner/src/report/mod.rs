//! The report: for everything that a plan leaves alone, one reason, as data.
//!
//! `explain`, metrics, the dashboard and the tests all read these; nothing else says why.

mod alert;
mod reason;
mod words;

use serde::{Deserialize, Serialize};

pub use alert::Alert;
pub use reason::{LaunchStep, MachineReason, Reason, RunnerReason};
pub use words::{counted, short};

use crate::ids::{BackendId, ForgeId, Handle, JobName, MachineName, PoolId, RunnerId, ScopeId, ScopeKey, Try};
use crate::label::RunsOn;
use crate::seen::JobState;
use crate::time::Tick;

/// What one plan saw and why it left alone what it left alone.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report {
    /// When it was planned.
    pub at: Tick,
    /// Every listed job, oldest first within its forge.
    pub jobs: Vec<JobReport>,
    /// Every machine of ours.
    pub machines: Vec<MachineReport>,
    /// Registrations of ours that belong to no living assignment.
    pub runners: Vec<RunnerReport>,
    /// Every pool.
    pub pools: Vec<PoolReport>,
    /// Every scope.
    pub scopes: Vec<ScopeReport>,
    /// Every backend.
    #[serde(default)]
    pub backends: Vec<BackendReport>,
    /// What needs a human.
    pub alerts: Vec<Alert>,
}

/// One job.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct JobReport {
    /// Its forge.
    pub forge: ForgeId,
    /// The scope that it is served in.
    pub scope: ScopeId,
    /// Its handle.
    pub handle: Handle,
    /// Its row id.
    pub id: i64,
    /// Its repository's id.
    pub repository: i64,
    /// The id of its run, where the forge lists it.
    #[serde(default)]
    pub run: Option<i64>,
    /// Its display name.
    pub name: JobName,
    /// The labels that it asks for.
    pub runs_on: RunsOn,
    /// Where the forge says that it stands.
    pub state: JobState,
    /// Why it stands there, as far as we are concerned.
    pub reason: Reason,
}

/// One machine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MachineReport {
    /// Its name.
    pub name: MachineName,
    /// Its backend.
    pub backend: BackendId,
    /// Its pool.
    pub pool: PoolId,
    /// The job that it is for; none of one that waits for a job.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub handle: Option<Handle>,
    /// The try.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attempt: Option<Try>,
    /// What it is waiting for.
    pub reason: MachineReason,
}

/// One registration without a living assignment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunnerReport {
    /// Where it is registered.
    pub scope: ScopeKey,
    /// Its row id.
    pub id: RunnerId,
    /// The job that it was made for.
    pub handle: Handle,
    /// The try.
    pub attempt: Try,
    /// Why it is still there.
    pub reason: RunnerReason,
}

/// One pool.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PoolReport {
    /// Its name.
    pub pool: PoolId,
    /// Machines that exist or were asked for.
    pub used: u32,
    /// Its limit.
    pub max: u32,
    /// How many machines without a job it shall keep just now.
    #[serde(default)]
    pub warm_wanted: u32,
    /// How many it has that a job could be bound to just now.
    #[serde(default)]
    pub warm_ready: u32,
}

/// One scope.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ScopeReport {
    /// Which.
    pub scope: ScopeKey,
    /// When the last good listing of its jobs was begun.
    pub listed_at: Option<Tick>,
    /// How many listings have failed since.
    pub failures: u32,
    /// What the last failure said.
    pub last_error: Option<String>,
    /// How many listings of its runners have failed since the last good one.
    #[serde(default)]
    pub runners_failures: u32,
    /// What the last of these failures said.
    #[serde(default)]
    pub runners_last_error: Option<String>,
}

/// One backend.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BackendReport {
    /// Its name.
    pub backend: BackendId,
    /// When the last good listing of its machines was begun.
    pub listed_at: Option<Tick>,
    /// How many listings have failed since.
    pub failures: u32,
    /// What the last failure said.
    pub last_error: Option<String>,
    /// Since when it is away, if it is: nothing new is made there.
    pub away_since: Option<Tick>,
}
